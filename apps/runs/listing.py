"""Lists of runs: filters from the address, pages by key, however many runs there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.ids import is_uuid
from apps.runs.models import Run
from apps.runs.selectors import of_page
from apps.runs.states import ACTIVE, State, Verdict
from apps.scenarios.models import Scenario

PAGE_ROWS = 50
OUTCOMES = ("active", *(f"verdict:{verdict}" for verdict in Verdict), *(f"state:{state}" for state in State))
"""What the one drop-down of a list offers."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Read from the address; what is not known there is ignored."""

    outcome: str = ""
    text: str = ""
    before: UUID | None = None

    @property
    def are_set(self) -> bool:
        """Whether the list leaves runs out."""
        return bool(self.outcome or self.text)

    @staticmethod
    def read(query: Mapping[str, str]) -> Filters:
        """`?outcome=verdict:failed&q=checkout&before=<id>`"""
        outcome, before = query.get("outcome", ""), query.get("before", "")
        return Filters(
            outcome=outcome if outcome in OUTCOMES else "",
            text=query.get("q", "").strip().replace("\0", "")[:100],
            before=UUID(before) if is_uuid(before) else None,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some runs, newest first. `next` is the `before` of the following page."""

    runs: list[Run]
    filters: Filters
    next: UUID | None = None
    outcomes: list[tuple[str, str]] = field(default_factory=list)


def page_of(runs: QuerySet[Run], filters: Filters) -> Page:
    """One page; always two queries."""
    rows = runs.filter(_condition(filters)).order_by("-id")
    if filters.before:
        rows = rows.filter(pk__lt=filters.before)
    found = list(rows.values_list("pk", flat=True)[: PAGE_ROWS + 1])
    shown = found[:PAGE_ROWS]
    return Page(list(of_page(shown)), filters, shown[-1] if len(found) > PAGE_ROWS else None, _choices())


def _condition(filters: Filters) -> Q:
    condition = Q()
    match filters.outcome.partition(":"):
        case "active", _, _:
            condition &= Q(state__in=sorted(ACTIVE))
        case "verdict", _, verdict:
            condition &= Q(verdict=verdict)
        case "state", _, state:
            condition &= Q(state=state)
    if filters.text:
        number = filters.text.removeprefix("#")
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        found = Q(scenario__in=Scenario.objects.filter(name__icontains=filters.text)) | Q(note__icontains=filters.text)
        condition &= found | Q(requested_by__icontains=filters.text) | (Q(number=int(number)) if is_number else Q())
    return condition


def _choices() -> list[tuple[str, str]]:
    verdicts = [(f"verdict:{verdict.value}", str(verdict.label)) for verdict in Verdict if verdict != Verdict.NONE]
    states = [State.FINISHED, State.STOPPED, State.FAILED, State.LOST]
    return [
        ("", _("All runs")),
        ("active", _("Active now")),
        *verdicts,
        *((f"state:{state.value}", _("Ended: %(state)s") % {"state": state.label}) for state in states),
    ]
