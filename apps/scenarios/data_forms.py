"""Forms of data files."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy

from apps.scenarios.models import AtEnd, Distribution

DISTRIBUTION_HELP = gettext_lazy(
    "Split: each worker has rows of its own. Shared: all users take from all rows. One row a user: the first user has"
    " the first row."
)


class DataSettingsForm(forms.Form):
    """Who gets which rows, and what comes after the last."""

    distribution = forms.ChoiceField(
        label=gettext_lazy("Distribution"), choices=Distribution.choices, help_text=DISTRIBUTION_HELP
    )
    at_end = forms.ChoiceField(label=gettext_lazy("At the end"), choices=AtEnd.choices)


class DataUploadForm(forms.Form):
    """A new data file, or a new version of one. Name and content are judged by the service."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,
        help_text=gettext_lazy("CSV with a header, JSON lines (.jsonl), or anything else as it is. Text as UTF-8."),
        widget=forms.FileInput(),
    )
    name = forms.CharField(
        label=gettext_lazy("Name in the script"),
        required=False,
        help_text=gettext_lazy("Empty: as the file is called. A name that is there gets a new version."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "users.csv"}),
    )
    distribution = forms.ChoiceField(
        label=gettext_lazy("Distribution"),
        required=False,
        choices=[("", gettext_lazy("As it is; a new file is split")), *Distribution.choices],
        help_text=DISTRIBUTION_HELP,
    )

    @property
    def wanted(self) -> dict[str, Any]:
        """What `data_services.upload` takes."""
        file: UploadedFile = self.cleaned_data["file"]
        name = self.cleaned_data["name"] or file.name
        return {"name": name, "source": file, "distribution": self.cleaned_data["distribution"]}
