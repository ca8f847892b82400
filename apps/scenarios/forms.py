"""Forms of scenarios. Numbers are text fields: what was typed stays, and the sentences are those of the REST API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.scenarios import load as loads
from apps.scenarios import placement, validate
from apps.scenarios.models import NOTE_CHARS, Collector, LoadOptions, Scenario
from apps.scenarios.placement_forms import PlacementForm, integer
from apps.scenarios.rows import Cells, Column, RowsField, RowsWidget
from apps.scenarios.services import DESCRIPTION_CHARS
from apps.teams.models import NAME_CHARS
from workers.spec import MAX_LOCUSTFILE_BYTES, Problem, format_duration

_SEPARATORS = re.compile(r"[\s,]+")


def _number_input(mode: str, placeholder: str = "") -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": mode, "autocomplete": "off", "placeholder": placeholder})


class LoadForm(forms.Form):
    """The load of a scenario or of one run. After `is_valid()`, `load` holds the fields of `LoadOptions`."""

    users = forms.CharField(label=gettext_lazy("Users"), required=False, widget=_number_input("numeric"))
    spawn_rate = forms.CharField(
        label=gettext_lazy("Spawn rate"),
        required=False,
        help_text=gettext_lazy("Users started a second."),
        widget=_number_input("decimal"),
    )
    run_time = forms.CharField(
        label=gettext_lazy("Run time"),
        required=False,
        help_text=gettext_lazy("Such as 90s, 5m or 1h30m."),
        widget=_number_input("text", "5m"),
    )
    host = forms.CharField(
        label=gettext_lazy("Host"),
        required=False,
        help_text=gettext_lazy("Base address of the target. Empty: the script has its own."),
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://shop.example.com"}
        ),
    )
    stages = RowsField(
        [
            Column("duration", gettext_lazy("Duration"), "2m"),
            Column("users", gettext_lazy("Users"), "50", "numeric"),
            Column("spawn_rate", gettext_lazy("Spawn rate"), "5", "decimal"),
        ],
        label=gettext_lazy("Stages"),
        add_label=gettext_lazy("Add a stage"),
        is_ordered=True,
        help_text=gettext_lazy("One after the other; users and run time then follow from them."),
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        required=False,
        help_text=gettext_lazy("Only tasks with one of these @tag names; separated by spaces."),
    )
    exclude_tags = forms.CharField(label=gettext_lazy("Exclude tags"), required=False)
    env = RowsField(
        [Column("name", gettext_lazy("Name"), "API_REGION"), Column("value", gettext_lazy("Value"), "eu-west-1")],
        label=gettext_lazy("Environment variables"),
        add_label=gettext_lazy("Add a variable"),
        help_text=gettext_lazy(
            "Read in the script with os.environ. Not a place for secrets: every member can see them."
        ),
    )

    load: dict[str, Any]

    def clean(self) -> dict[str, Any]:
        """Hold the whole load to the engine's limits; each sentence goes to its field."""
        cleaned = super().clean() or {}
        parsed = loads.parse(self._raw(cleaned))
        problems = [problem for problem in loads.all_problems(parsed) if not self._follows_from_stages(problem, parsed)]
        problems += self._repeated_names(cleaned["env"])
        if not problems:
            self.load = loads.settle({"run_time_s": 1.0, **parsed.load})
        for field, texts in loads.sentences(problems).items():
            for text in texts:
                self.add_error(field, text)
        self._name_rows(problems)
        return cleaned

    def _name_rows(self, problems: list[Problem]) -> None:
        """Tell the table of stages which of its rows are wrong."""
        numbered = [one for one in problems if one.field == "stages" and "number" in one.params]
        sentences: dict[int, list[str]] = {}
        for problem in numbered:
            sentences.setdefault(problem.params["number"] - 1, []).extend(loads.sentences([problem])["stages"])
        widget = self.fields["stages"].widget
        assert isinstance(widget, RowsWidget)
        widget.problems = sentences

    def _raw(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What was typed in the shape that programs send."""
        texts = {name: cleaned.get(name, "") for name in ("host", "users", "spawn_rate", "run_time")}
        return {
            **texts,
            "users": integer(texts["users"]),
            "spawn_rate": _decimal(texts["spawn_rate"]),
            "stages": [_stage(row) for row in cleaned["stages"]],
            "tags": _words(cleaned.get("tags", "")),
            "exclude_tags": _words(cleaned.get("exclude_tags", "")),
            "env": {row["name"].strip(): row["value"] for row in cleaned["env"]},
        }

    def _follows_from_stages(self, problem: Problem, parsed: loads.Parsed) -> bool:
        return problem.field == "run_time" and bool(parsed.load.get("stages"))

    def _repeated_names(self, rows: list[Cells]) -> list[Problem]:
        names = [row["name"].strip() for row in rows]
        repeated = sorted({name for name in names if names.count(name) > 1})
        message = "“%(name)s” is there twice."
        return [Problem("env", "repeated_name", message, {"name": name[:100]}) for name in repeated]


class MeasuringForm(forms.Form):
    """How a scenario's requests are counted. After `is_valid()`, `measuring` holds the scenario's fields."""

    collector = forms.ChoiceField(
        label=gettext_lazy("Figures"), choices=Collector.choices, widget=forms.RadioSelect, required=False
    )
    group_ids = forms.BooleanField(label=gettext_lazy("Group names that differ only by ids"), required=False)

    @property
    def measuring(self) -> dict[str, Any]:
        """Collector and grouping; a form without the choice is one for the default."""
        chosen = self.cleaned_data.get("collector") or Collector.EXACT
        return {"collector": chosen, "group_ids": self.cleaned_data["group_ids"]}


class ScenarioLoadForm(PlacementForm, LoadForm, MeasuringForm):
    """The tab Load: what a run asks for unless told otherwise, where, and how it is measured."""


class ScriptForm(forms.Form):
    """A script, typed or uploaded, and why it changed."""

    locustfile = forms.CharField(
        label=gettext_lazy("Script"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "mono"}),
    )
    upload = forms.FileField(
        label=gettext_lazy("Or take it from a file"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".py,text/x-python,text/plain"}),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=NOTE_CHARS,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("What changed, and why")}),
    )

    def clean_upload(self) -> str | None:
        """The uploaded file's text."""
        file: UploadedFile | None = self.cleaned_data.get("upload")
        if file is None:
            return None
        if (file.size or 0) > MAX_LOCUSTFILE_BYTES:
            limit = {"size": (file.size or 0) // 1024, "limit": MAX_LOCUSTFILE_BYTES // 1024}
            sentence = _("The locustfile has %(size)d KiB; the limit is %(limit)d KiB.") % limit
            raise forms.ValidationError(sentence, code="too_large")
        try:
            return validate.decode(file.read())
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The locustfile is not valid UTF-8 text."), code="not_utf8") from None

    def clean(self) -> dict[str, Any]:
        """An uploaded file goes before typed text; either must be Python."""
        cleaned = super().clean() or {}
        if cleaned.get("upload") is not None:
            cleaned["locustfile"] = cleaned["upload"]
        if "locustfile" in cleaned and "upload" not in self.errors:
            cleaned["locustfile"] = validate.normalise(cleaned["locustfile"])
            for texts in loads.sentences(validate.check_text(cleaned["locustfile"])).values():
                self.add_error("upload" if cleaned.get("upload") is not None else "locustfile", texts[0])
        return cleaned


class DetailsForm(forms.Form):
    """Name and description."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_CHARS)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=DESCRIPTION_CHARS,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class NewScenarioForm(DetailsForm, ScriptForm, ScenarioLoadForm):
    """All of a scenario in one go."""

    note = None  # type: ignore[assignment]
    field_order = (
        "name",
        "locustfile",
        "upload",
        *loads.RAW_FIELDS,
        "pool",
        *placement.FIELDS,
        "collector",
        "group_ids",
        "description",
    )


def load_initial(options: LoadOptions) -> dict[str, Any]:
    """A stored load as people type it."""
    return {
        "users": options.users,
        "spawn_rate": _plain(options.spawn_rate),
        "run_time": format_duration(options.run_time_s),
        "host": options.host,
        "stages": [_stage_cells(stage) for stage in options.stages],
        "tags": " ".join(options.tags),
        "exclude_tags": " ".join(options.exclude_tags),
        "env": [{"name": name, "value": value} for name, value in options.env.items()],
    }


def measuring_initial(scenario: Scenario) -> dict[str, Any]:
    """A scenario's stored choice, for a `MeasuringForm`."""
    return {"collector": scenario.collector, "group_ids": scenario.group_ids}


def _decimal(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text) if word]


def _stage(row: Cells) -> dict[str, Any]:
    return {
        "duration": row["duration"].strip(),
        "users": integer(row["users"].strip()),
        "spawn_rate": _decimal(row["spawn_rate"].strip()),
    }


def _stage_cells(stage: Mapping[str, Any]) -> Cells:
    return {
        "duration": format_duration(stage["duration"]),
        "users": str(stage["users"]),
        "spawn_rate": _plain(stage["spawn_rate"]),
    }


def _plain(number: float) -> str:
    return f"{number:g}"
