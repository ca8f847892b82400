from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "apps.teams"

    def ready(self) -> None:
        from apps.teams import schema  # noqa: F401, PLC0415 # registers itself; needs the settings
