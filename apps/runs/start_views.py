"""The form that starts a run, and the plan it will follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import Invalid
from apps.core.ids import is_uuid
from apps.pools import pools
from apps.pools.models import WorkerPool
from apps.runs import services
from apps.runs.models import Run
from apps.runs.plan import Plan, Wish, plan_for
from apps.runs.start_forms import RunForm
from apps.scenarios import data_services, placement
from apps.scenarios.forms import load_initial
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.scenarios.views import frame, own_shape_of
from apps.teams import roles
from apps.teams.access import get_for, list_for
from apps.teams.forms import take_errors
from apps.teams.pages import PageRequest

VERSIONS_OFFERED = 50


@login_required
@require_http_methods(["GET", "POST"])
def start(request: PageRequest, pk: UUID) -> HttpResponse:
    """Where it will run and with what; a POST queues it, or with `show_plan` only shows its plan."""
    scenario = get_for(request.actor, Scenario, roles.RUN_START, pk=pk)
    form = _form(request, scenario)
    if request.method == "POST" and "show_plan" not in request.POST and form.is_valid():
        try:
            return redirect(_start(request, scenario, form))
        except Invalid as refused:
            take_errors(form, refused)
    chosen = scenario.versions.filter(pk=form["version"].initial).first()
    context = {"form": form, "plan": _plan(scenario, form), "own_shape": own_shape_of(chosen)}
    return render(request, "runs/start.html", {**frame(request, scenario, ""), **context})


@login_required
@require_POST
def plan(request: PageRequest, pk: UUID) -> HttpResponse:
    """The plan of what is in the form now; a fragment for under it."""
    scenario = get_for(request.actor, Scenario, roles.RUN_START, pk=pk)
    form = _form(request, scenario)
    return render(request, "runs/_plan.html", {"form": form, "plan": _plan(scenario, form)})


def _start(request: PageRequest, scenario: Scenario, form: RunForm) -> Run:
    return services.start(
        scenario=scenario,
        version=form.cleaned_data["version"],
        options=form.load,
        pool=form.placed["pool"],
        placement={name: form.placed[name] for name in placement.FIELDS},
        extras=services.Extras(note=form.cleaned_data["note"]),
        by=request.actor,
    )


def _form(request: PageRequest, scenario: Scenario) -> RunForm:
    """Filled with what was sent; else with the scenario's load and placement, or with `?again=<run>` that run's."""
    rows = list_for(request.actor, ScenarioVersion).filter(scenario=scenario)
    versions = list(rows.defer("locustfile").order_by("-number")[:VERSIONS_OFFERED])
    usable = list(pools.usable_by(scenario.project))
    initial = _initial(request, scenario, usable, newest=versions[0].pk if versions else None)
    return RunForm(request.POST or None, versions=versions, pools=usable, initial=initial)


def _initial(
    request: PageRequest, scenario: Scenario, usable: Sequence[WorkerPool], *, newest: UUID | None
) -> dict[str, Any]:
    again = request.GET.get("again", "")
    if not is_uuid(again):
        return {**_as_typed(scenario, usable), "version": newest}
    run = get_for(request.actor, Run, scenario=scenario, pk=again)
    return {**_as_typed(run, usable), "version": run.version_id, "note": run.note}


def _as_typed(asked: Scenario | Run, usable: Sequence[WorkerPool]) -> dict[str, Any]:
    """Load and placement of a scenario or a run; for a pool that is not usable (any more), the default or the first."""
    first = sorted(usable, key=lambda pool: (pool != asked.pool, not pool.is_default))[:1]
    placed = {name: getattr(asked, name) for name in placement.FIELDS}
    return {**load_initial(asked), **placed, "pool": first[0].name if first else ""}


def _plan(scenario: Scenario, form: RunForm) -> Plan | None:
    """None when the form says nothing that could be planned, or there is no pool."""
    data, team_id = data_services.pin(scenario), scenario.project.team_id
    if not form.is_bound:
        pool = pools.usable_by(scenario.project).filter(name=form.initial["pool"]).first()
        values = form.initial
        asked = values["workers"], values["users"], values["when_full"]
        return plan_for(Wish(team_id, pool, *asked, data=data)) if pool else None
    if not form.is_valid() or form.placed["pool"] is None:
        return None
    placed = form.placed
    asked = placed["workers"], form.load["users"], placed["when_full"]
    return plan_for(Wish(team_id, placed["pool"], *asked, form.traffic, data))
