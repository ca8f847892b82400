"""Home, the page of a project, and the lists of runs."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.runs import board
from apps.runs.listing import Filters, page_of
from apps.runs.models import Run
from apps.scenarios.models import Scenario
from apps.scenarios.views import frame
from apps.teams import roles
from apps.teams.access import get_for, list_for, may
from apps.teams.models import Project
from apps.teams.pages import PageRequest


@login_required
@require_GET
def home(request: PageRequest) -> HttpResponse:
    """What needs me: running now, what came of the last runs, the way to start again."""
    actor = request.actor
    context = {
        "running": board.running(actor),
        "recent": board.recent(actor),
        "again": board.again(actor),
        "projects": board.projects(actor),
    }
    return render(request, "runs/home.html", context)


@login_required
@require_GET
def project(request: PageRequest, team_slug: str, project_slug: str) -> HttpResponse:
    """Scenarios as cards, and the runs under them."""
    shown = get_for(request.actor, Project, team__slug=team_slug, slug=project_slug)
    page = page_of(list_for(request.actor, Run).filter(project=shown), Filters.read(request.GET))
    context = {
        "project": shown,
        "page": page,
        "cards": board.cards(request.actor, shown),
        "cards_shown": board.CARDS_SHOWN,
        "may_edit": may(request.actor, roles.SCENARIO_EDIT, shown),
        "may_start": may(request.actor, roles.RUN_START, shown),
        "may_manage": may(request.actor, roles.PROJECT_EDIT, shown),
    }
    return render(request, "runs/project.html", context)


@login_required
@require_GET
def run_list(request: PageRequest) -> HttpResponse:
    """Runs of all my projects."""
    page = page_of(list_for(request.actor, Run), Filters.read(request.GET))
    return render(request, "runs/list.html", {"section": "runs", "page": page})


@login_required
@require_GET
def active_runs(request: PageRequest) -> HttpResponse:
    """What the bar on top says of running and waiting runs; an open page asks for it again."""
    response = render(request, "_components/active_runs.html")
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_GET
def scenario_runs(request: PageRequest, pk: UUID) -> HttpResponse:
    """The tab Runs of a scenario."""
    scenario = get_for(request.actor, Scenario, pk=pk)
    page = page_of(list_for(request.actor, Run).filter(scenario=scenario), Filters.read(request.GET))
    return render(request, "runs/scenario_runs.html", {**frame(request, scenario, "runs"), "page": page})
