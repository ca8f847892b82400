"""What is asked when a run is started."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from apps.runs.planning import Traffic
from apps.scenarios.forms import LoadForm
from apps.scenarios.models import NOTE_CHARS, ScenarioVersion
from apps.scenarios.placement_forms import PlacementForm

MOST_KB = 1_000_000
MOST_SECONDS = 86_400


class TrafficForm(forms.Form):
    """What a plan reckons the traffic from. Not kept; after `is_valid()`, `traffic` is None without both numbers."""

    request_kb = forms.FloatField(
        label=gettext_lazy("kB a request"),
        required=False,
        min_value=0,
        max_value=MOST_KB,
        help_text=gettext_lazy("Both ways together; 1 kB is 1,000 bytes."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "150"}),
    )
    request_every = forms.FloatField(
        label=gettext_lazy("Seconds between requests"),
        required=False,
        min_value=0.001,
        max_value=MOST_SECONDS,
        help_text=gettext_lazy("Of one user, from one to the next."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "1"}),
    )

    @property
    def traffic(self) -> Traffic | None:
        """What each user is expected to send and receive."""
        weight, seconds = self.cleaned_data["request_kb"], self.cleaned_data["request_every"]
        return None if weight is None or seconds is None else Traffic(weight * 1000, seconds)


class RunForm(PlacementForm, LoadForm, TrafficForm):
    """A scenario's load and placement, to be overridden for one run."""

    version = forms.ModelChoiceField(
        label=gettext_lazy("Version"), queryset=ScenarioVersion.objects.none(), empty_label=None
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=NOTE_CHARS,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Why this run")}),
    )

    def __init__(self, *args: Any, versions: list[ScenarioVersion], **kwargs: Any) -> None:
        super().__init__(*args, or_default=False, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = ScenarioVersion.objects.filter(pk__in=[version.pk for version in versions])
        field.choices = [(version.pk, f"v{version.number} {version.note}".strip()) for version in versions]

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each thing that is wrong, with the name of its field."""
        return [
            (str(self.fields[name].label) if name in self.fields else "", str(text))
            for name, texts in self.errors.items()
            for text in texts
        ]
