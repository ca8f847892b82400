"""Pages of scenarios: the list, a new one, and the tabs Script, Load and Settings of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import Invalid
from apps.pools import pools
from apps.scenarios import example, selectors, services, validate
from apps.scenarios.forms import (
    DetailsForm,
    NewScenarioForm,
    ScenarioLoadForm,
    ScriptForm,
    load_initial,
    measuring_initial,
)
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.scenarios.placement_forms import placement_initial
from apps.scenarios.services import Script
from apps.teams import roles
from apps.teams.access import get_for, list_for, may
from apps.teams.forms import take_errors
from apps.teams.models import Project
from apps.teams.pages import PageRequest

PAGE_ROWS = 50
VERSIONS_SHOWN = 50


@login_required
@require_GET
def index(request: PageRequest) -> HttpResponse:
    """Scenarios of all my projects, or of one."""
    rows = selectors.listed(request.actor).order_by("name", "id")
    project = None
    if wanted := request.GET.get("project"):
        project = get_for(request.actor, Project, pk=wanted)
        rows = rows.filter(project=project)
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "scenarios/index.html", {"section": "scenarios", "project": project, "page": page})


@login_required
@require_http_methods(["GET", "POST"])
def new(request: PageRequest, team_slug: str, project_slug: str) -> HttpResponse:
    """Paste a script, take the example, or upload a file."""
    project = get_for(request.actor, Project, roles.SCENARIO_EDIT, team__slug=team_slug, slug=project_slug)
    usable = pools.usable_by(project)
    form = NewScenarioForm(request.POST or None, request.FILES or None, pools=usable, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        words = {name: form.cleaned_data[name] for name in ("name", "description")}
        values = {**form.load, **form.placed, **form.measuring, **words}
        script = Script(form.cleaned_data["locustfile"])
        try:
            scenario = services.create(project=project, script=script, values=values, by=request.actor)
        except Invalid as refused:
            take_errors(form, refused)
        else:
            messages.success(request, _("The scenario is there. Validate it, or run it right away."))
            return redirect("scenarios:detail", scenario.pk)
    context = {"section": "scenarios", "project": project, "form": form, "is_example": _wants_example(request)}
    return render(request, "scenarios/new.html", context)


@login_required
@require_POST
def validate_script(request: PageRequest, team_slug: str, project_slug: str) -> HttpResponse:
    """What is wrong with the script in the editor; a fragment for under it."""
    get_for(request.actor, Project, roles.SCENARIO_EDIT, team__slug=team_slug, slug=project_slug)
    text = validate.normalise(request.POST.get("locustfile", ""))
    return render(request, "scenarios/_validation.html", {"found": validate.inspect(text, {})})


@login_required
@require_http_methods(["GET", "POST"])
def detail(request: PageRequest, pk: UUID) -> HttpResponse:
    """The tab Script: the newest version in an editor, saving makes the next one."""
    wanted = roles.SCENARIO_EDIT if request.method == "POST" else roles.VIEW
    scenario = get_for(request.actor, Scenario, wanted, pk=pk)
    newest = selectors.newest_version(scenario)
    form = ScriptForm(request.POST or None, request.FILES or None, initial={"locustfile": newest.locustfile})
    if request.method == "POST" and form.is_valid():
        script = Script(form.cleaned_data["locustfile"], form.cleaned_data["note"])
        version, is_new = services.save_version(scenario=scenario, script=script, by=request.actor)
        if is_new:
            messages.success(request, _("Saved as version %(number)d.") % {"number": version.number})
        else:
            messages.info(request, _("Nothing changed: this is version %(number)d.") % {"number": version.number})
        return redirect("scenarios:detail", pk)
    context = {"form": form, "newest": newest, "versions": selectors.history(scenario)[:VERSIONS_SHOWN]}
    return _tab(request, scenario, "script", context)


@login_required
@require_http_methods(["GET", "POST"])
def load(request: PageRequest, pk: UUID) -> HttpResponse:
    """The tab Load: what a run asks for unless told otherwise."""
    wanted = roles.SCENARIO_EDIT if request.method == "POST" else roles.VIEW
    scenario = get_for(request.actor, Scenario, wanted, pk=pk)
    initial = {**load_initial(scenario), **placement_initial(scenario), **measuring_initial(scenario)}
    form = ScenarioLoadForm(request.POST or None, pools=pools.usable_by(scenario.project), initial=initial)
    if request.method == "POST" and form.is_valid():
        changes = {**form.load, **form.placed, **form.measuring}
        services.update(scenario=scenario, changes=changes, by=request.actor)
        messages.success(request, _("The load is saved; the next run starts with it."))
        return redirect("scenarios:load", pk)
    newest = scenario.versions.first()
    return _tab(request, scenario, "load", {"form": form, "own_shape": own_shape_of(newest)})


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: PageRequest, pk: UUID) -> HttpResponse:
    """The tab Settings: name, description, and the way to delete it."""
    wanted = roles.SCENARIO_EDIT if request.method == "POST" else roles.VIEW
    scenario = get_for(request.actor, Scenario, wanted, pk=pk)
    initial = {"name": scenario.name, "description": scenario.description}
    form = DetailsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.update(scenario=scenario, changes=form.cleaned_data, by=request.actor)
        except Invalid as refused:
            take_errors(form, refused)
        else:
            messages.success(request, _("Saved."))
            return redirect("scenarios:settings", pk)
    return _tab(request, scenario, "settings", {"form": form})


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, pk: UUID) -> HttpResponse:
    """Says what goes with it; a POST deletes."""
    scenario = get_for(request.actor, Scenario, roles.SCENARIO_EDIT, pk=pk)
    project = scenario.project
    if request.method == "POST":
        services.delete(scenario=scenario, by=request.actor)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": scenario.name})
        return redirect("project", project.team.slug, project.slug)
    counts = {
        "versions": scenario.versions.count(),
        "runs": scenario.runs.count(),
        "data_files": scenario.data_files.filter(deleted_at=None).count(),
    }
    return _tab(request, scenario, "settings", counts, template="delete")


@login_required
@require_GET
def version(request: PageRequest, pk: UUID, number: int) -> HttpResponse:
    """One version, to read."""
    scenario = get_for(request.actor, Scenario, pk=pk)
    shown = get_for(request.actor, ScenarioVersion, scenario=scenario, number=number)
    context = {"shown": shown, "versions": selectors.history(scenario)[:VERSIONS_SHOWN]}
    return _tab(request, scenario, "script", context, template="version")


@login_required
@require_GET
def compare(request: PageRequest, pk: UUID) -> HttpResponse:
    """What changed between two versions: `?from=1&to=2`; without them, in the newest one."""
    scenario = get_for(request.actor, Scenario, pk=pk)
    rows = list_for(request.actor, ScenarioVersion).filter(scenario=scenario)
    context = selectors.comparison(rows, request.GET.get("from"), request.GET.get("to"))
    context["versions"] = selectors.history(scenario)
    return _tab(request, scenario, "script", context, template="compare")


def _tab(
    request: PageRequest, scenario: Scenario, tab: str, context: dict[str, Any], template: str = ""
) -> HttpResponse:
    """A page of one scenario, in the frame that all its pages share."""
    return render(request, f"scenarios/{template or tab}.html", {**frame(request, scenario, tab), **context})


def frame(request: PageRequest, scenario: Scenario, tab: str) -> dict[str, Any]:
    """What `scenarios/frame.html` shows."""
    return {
        "section": "scenarios",
        "scenario": scenario,
        "project": scenario.project,
        "tab": tab,
        "may_edit": may(request.actor, roles.SCENARIO_EDIT, scenario),
        "may_start": may(request.actor, roles.RUN_START, scenario),
    }


def own_shape_of(version: ScenarioVersion | None) -> str:
    """Name of the load shape that the version's script brings along; "" for none."""
    return validate.own_shape(version.locustfile) if version else ""


def _wants_example(request: PageRequest) -> bool:
    return request.GET.get("from") == "example"


def _initial(request: PageRequest) -> dict[str, Any]:
    fresh = Scenario()
    load = example.initial() if _wants_example(request) else load_initial(fresh)
    return {**measuring_initial(fresh), **placement_initial(fresh), **load}
