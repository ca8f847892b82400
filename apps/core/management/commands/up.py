"""`manage.py up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.core import launch


class Command(BaseCommand):
    help = "Starts Redis, web, runners, keeper and a demo target here, and holds them until Ctrl-C."
    requires_system_checks: list[str] = []  # the children check; this process is about to be replaced

    def add_arguments(self, parser: ArgumentParser) -> None:
        launch.add_arguments(parser)

    def handle(self, *args: Any, host: str, port: str, **options: Any) -> None:
        launch.become_supervisor(host=host, port=port)
