"""Forms of projects and API tokens."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy

from apps.core.errors import HatcheryError
from apps.teams.models import NAME_CHARS, Project, Team
from apps.teams.roles import Scope

EXPIRY_DAYS = 90
"""Offered for a new token: long enough for a quarter's CI, short enough to be forgotten safely."""


class ProjectForm(forms.Form):
    """Name and description of a project."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_CHARS)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_CHARS,
        help_text=gettext_lazy("Where it is used, so that you know what stops when it is revoked."),
        widget=forms.TextInput(attrs={"placeholder": "ci"}),
    )
    scope = forms.ChoiceField(label=gettext_lazy("May"), choices=Scope.choices, initial=Scope.RUN)
    project = forms.ModelChoiceField(
        label=gettext_lazy("Only for project"),
        queryset=Project.objects.none(),
        required=False,
        empty_label=gettext_lazy("all projects of the team"),
    )
    expires_at = forms.DateField(
        label=gettext_lazy("Expires after"),
        required=False,
        help_text=gettext_lazy("The end of that day, UTC. Empty: never."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(self, *args: object, team: Team, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = team.projects.order_by("name")
        self.fields["expires_at"].initial = timezone.now().date() + timedelta(days=EXPIRY_DAYS)

    def moment_of_expiry(self) -> datetime | None:
        """The moment after which it is refused."""
        day = self.cleaned_data["expires_at"]
        return None if day is None else datetime.combine(day, time.max, UTC)


def take_errors(form: forms.Form, refused: HatcheryError) -> None:
    """Show a service's refusal on the form that led to it."""
    for field, texts in refused.fields.items():
        for text in texts:
            form.add_error(field if field in form.fields else None, text)
    if not refused.fields:
        form.add_error(None, refused.message)
