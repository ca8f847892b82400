"""The fields that say on how much of a pool a run is spread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from apps.pools.models import WorkerPool
from apps.scenarios import load as loads
from apps.scenarios import placement
from apps.scenarios.models import OnLost, Scenario, WhenFull


class PlacementForm(forms.Form):
    """To be mixed in before a LoadForm. After `is_valid()`, `placed` has `pool` (None: the default) and the fields of
    `Placement`; what was not sent at all is as the form began.

    `pools` are those that the project may use; `or_default` offers "whichever is the default" beside them.
    """

    pool = forms.ChoiceField(label=gettext_lazy("Pool"), required=False)
    workers = forms.CharField(
        label=gettext_lazy("Workers"),
        required=False,
        help_text=gettext_lazy("Locust processes that the users are spread over, on as many hosts as have room."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    when_full = forms.ChoiceField(label=gettext_lazy("When there is no room"), choices=WhenFull.choices, required=False)
    on_lost = forms.ChoiceField(label=gettext_lazy("When a worker is lost"), choices=OnLost.choices, required=False)

    placed: dict[str, Any]

    def __init__(self, *args: Any, pools: Iterable[WorkerPool], or_default: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pools = {pool.name: pool for pool in pools}
        field = self.fields["pool"]
        assert isinstance(field, forms.ChoiceField)
        default = [("", gettext_lazy("The default"))] if or_default else []
        field.choices = [*default, *((name, name) for name in self._pools)]

    def clean(self) -> dict[str, Any]:
        """Hold the placement to the limits, beside the load's users."""
        cleaned = super().clean() or {}
        values = {name: self._said(cleaned, name) for name in placement.FIELDS}
        values["workers"] = integer(str(values["workers"]))
        problems = placement.check(values, users=getattr(self, "load", {}).get("users"))
        for field, texts in loads.sentences(problems).items():
            for text in texts:
                self.add_error(field, text)
        self.placed = {**values, "pool": self._pools.get(self._said(cleaned, "pool"))}
        return cleaned

    def _said(self, cleaned: dict[str, Any], name: str) -> Any:
        if name in self.data and name in cleaned:
            return cleaned[name]
        return self.get_initial_for_field(self.fields[name], name)


def placement_initial(scenario: Scenario) -> dict[str, Any]:
    """A scenario's stored placement as people type it."""
    pool = scenario.pool.name if scenario.pool else ""
    return {"pool": pool, **{name: getattr(scenario, name) for name in placement.FIELDS}}


def integer(text: str) -> int | str:
    """What was typed as a number, if it is one that a limit can be held against."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
