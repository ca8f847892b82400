"""The form that starts a run, and the plan it will follow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from apps.core.errors import Invalid
from apps.core.ids import is_uuid
from apps.pools.models import WorkerPool
from apps.runs import services
from apps.runs.models import Run
from apps.runs.plan import plan_for
from apps.scenarios.forms import LoadForm, load_initial
from apps.scenarios.models import NOTE_CHARS, Scenario, ScenarioVersion
from apps.scenarios.views import frame, own_shape_of
from apps.teams import roles
from apps.teams.access import get_for, list_for
from apps.teams.forms import take_errors
from apps.teams.pages import PageRequest

VERSIONS_OFFERED = 50


class RunForm(LoadForm):
    """A scenario's load, to be overridden for one run."""

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
        super().__init__(*args, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = ScenarioVersion.objects.filter(pk__in=[version.pk for version in versions])
        field.choices = [(version.pk, f"v{version.number} {version.note}".strip()) for version in versions]


@login_required
@require_http_methods(["GET", "POST"])
def start(request: PageRequest, pk: UUID) -> HttpResponse:
    """Where it will run and with what; a POST queues it."""
    scenario = get_for(request.actor, Scenario, roles.RUN_START, pk=pk)
    rows = list_for(request.actor, ScenarioVersion).filter(scenario=scenario)
    versions = list(rows.defer("locustfile").order_by("-number")[:VERSIONS_OFFERED])
    form = RunForm(request.POST or None, versions=versions, initial=_initial(request, scenario, versions))
    if request.method == "POST" and form.is_valid():
        try:
            run = services.start(
                scenario=scenario,
                version=form.cleaned_data["version"],
                options=form.load,
                extras=services.Extras(note=form.cleaned_data["note"]),
                by=request.actor,
            )
        except Invalid as refused:
            take_errors(form, refused)
        else:
            return redirect(run)
    plan = plan_for(WorkerPool.objects.filter(is_default=True).first())
    chosen = scenario.versions.filter(pk=form["version"].initial).first()
    context = {"form": form, "plan": plan, "own_shape": own_shape_of(chosen)}
    return render(request, "runs/start.html", {**frame(request, scenario, ""), **context})


def _initial(request: PageRequest, scenario: Scenario, versions: list[ScenarioVersion]) -> dict[str, Any]:
    """The scenario's load; with `?again=<run>` that run's."""
    newest = versions[0].pk if versions else None
    again = request.GET.get("again", "")
    if not is_uuid(again):
        return {**load_initial(scenario), "version": newest}
    run = get_for(request.actor, Run, scenario=scenario, pk=again)
    return {**load_initial(run), "version": run.version_id, "note": run.note}
