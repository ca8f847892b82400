"""What the home page and the page of a project show. A fixed number of queries, however much there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Case, Count, F, OrderBy, OuterRef, QuerySet, Subquery, When

from apps.runs import trend
from apps.runs.models import Run
from apps.runs.selectors import active, of_page, with_names
from apps.runs.states import State
from apps.runs.trend import Trend
from apps.scenarios import selectors as scenarios
from apps.scenarios.models import Scenario
from apps.teams import roles
from apps.teams.access import list_for
from apps.teams.actors import Actor
from apps.teams.models import Project

ACTIVE_SHOWN = 12
RECENT_SHOWN = 10
PROJECTS_SHOWN = 24
CARDS_SHOWN = 24
TREND_RUNS = 300
"""The newest runs of a project that are looked at for the small pictures of its scenarios."""
AGAIN_RUNS = 50
AGAIN_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Card:
    """A scenario, its newest run, and how it went lately."""

    scenario: Scenario
    last: Run | None
    trend: Trend | None


def running(actor: Actor) -> list[Run]:
    """Active runs, those that wait last, otherwise the newest first, each with `may_stop`."""
    waits = Case(When(state=State.QUEUED, then=1), default=0)
    runs = list(with_names(active(list_for(actor, Run))).order_by(waits, "-id")[:ACTIVE_SHOWN])
    controlled = set(actor.teams_with(roles.RUN_CONTROL))
    for run in runs:
        run.may_stop = run.project.team_id in controlled  # type: ignore[attr-defined]
    return runs


def recent(actor: Actor) -> list[Run]:
    """The newest runs, active or over."""
    return list(of_page(list_for(actor, Run).order_by("-id").values_list("pk", flat=True)[:RECENT_SHOWN]))


def again(actor: Actor) -> list[Run]:
    """The last run of each scenario that this person ran lately."""
    mine = with_names(list_for(actor, Run, roles.RUN_START)).filter(requested_by_user=actor.user).order_by("-id")
    by_scenario: dict[UUID, Run] = {}
    for run in mine[:AGAIN_RUNS]:
        by_scenario.setdefault(run.scenario_id, run)
    return list(by_scenario.values())[:AGAIN_SHOWN]


def projects(actor: Actor) -> list[Project]:
    """My projects, each with `scenario_count`."""
    rows = list_for(actor, Project).select_related("team").annotate(scenario_count=Count("scenarios"))
    return list(rows.order_by("team__name", "name")[:PROJECTS_SHOWN])


def cards(actor: Actor, project: Project) -> list[Card]:
    """Scenarios of a project; those that ran last come first."""
    last_id = Run.objects.filter(scenario=OuterRef("pk")).order_by("-id").values("id")[:1]
    rows = scenarios.listed(actor).filter(project=project).annotate(last_run=Subquery(last_id))
    found = list(rows.order_by(_newest_first(), "name")[:CARDS_SHOWN])
    lasts = with_names(list_for(actor, Run)).in_bulk([row.last_run for row in found if row.last_run])
    history = _history(list_for(actor, Run).filter(project=project))
    return [Card(row, lasts.get(row.last_run), trend.of_runs(history[row.pk])) for row in found]


def _newest_first() -> OrderBy:
    return F("last_run").desc(nulls_last=True)


def _history(runs: QuerySet[Run]) -> defaultdict[UUID, list[Run]]:
    by_scenario: defaultdict[UUID, list[Run]] = defaultdict(list)
    newest: Iterable[Run] = runs.only("scenario_id", "totals").order_by("-id")[:TREND_RUNS]
    for run in newest:
        by_scenario[run.scenario_id].append(run)
    return by_scenario
