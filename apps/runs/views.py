"""Pages of a run."""

from __future__ import annotations

from uuid import UUID

from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Conflict, Missing
from apps.runs import exports, framed, selectors, services
from apps.runs.models import Artifact, Run
from apps.runs.states import ACTIVE
from apps.teams import roles
from apps.teams.access import get_for, may
from apps.teams.pages import PageRequest
from workers.samples import MAX_ENDPOINTS


@login_required
@require_GET
def detail(request: PageRequest, pk: UUID) -> HttpResponse:
    """One page from queued to report; its figures come through the socket."""
    get_for(request.actor, Run, pk=pk)
    run = selectors.with_names(Run.objects.filter(pk=pk)).get()
    context = {
        "run": run,
        "project": run.project,
        "section": "runs",
        "may_control": may(request.actor, roles.RUN_CONTROL, run),
        "may_start": may(request.actor, roles.RUN_START, run),
        "may_edit": may(request.actor, roles.SCENARIO_EDIT, run),
        "is_measured": run.endpoints.exists(),
        "artifacts": list(run.artifacts.all()),
        "max_endpoints": MAX_ENDPOINTS,
    }
    return render(request, "runs/detail.html", context)


@login_required
@require_POST
def stop(request: PageRequest, pk: UUID) -> HttpResponse:
    """Without JavaScript; with it the page calls REST."""
    services.stop(run=get_for(request.actor, Run, roles.RUN_CONTROL, pk=pk), by=request.actor)
    return redirect("runs:detail", pk)


@login_required
@require_POST
def abort(request: PageRequest, pk: UUID) -> HttpResponse:
    """As `stop`, at once."""
    services.abort(run=get_for(request.actor, Run, roles.RUN_CONTROL, pk=pk), by=request.actor)
    return redirect("runs:detail", pk)


@login_required
@require_GET
def artifact(request: PageRequest, pk: UUID, name: str) -> HttpResponse | FileResponse | StreamingHttpResponse:
    """Download a file as the run left it, but for cells that a spreadsheet would take for formulas."""
    return artifact_response(get_for(request.actor, Run, pk=pk), name)


@login_required
@require_GET
@csp_replace(exports.REPORT_POLICY)  # type: ignore[arg-type] # it does not know our request
def report(request: PageRequest, pk: UUID) -> HttpResponse | FileResponse:
    """Locust's own report, shown in a frame that has no origin: its scripts reach nothing of ours."""
    run = get_for(request.actor, Run, pk=pk)
    stored = exports.stored_file(_kept(run, "report.html"))
    response = FileResponse(stored, content_type="text/html; charset=utf-8")
    response.streaming_content = framed.pieces(stored)
    del response["Content-Length"]  # the stand-in comes on top of it
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def artifact_response(run: Run, name: str) -> HttpResponse | FileResponse | StreamingHttpResponse:
    """The download of one file of a run. Raises Missing, Conflict."""
    return exports.download(_kept(run, name), prefix=f"{run.scenario.slug}-{run.number}")


def _kept(run: Run, name: str) -> Artifact:
    if not exports.is_public(name):
        raise Missing
    kept = run.artifacts.filter(name=name).first()
    if kept is None and run.state in ACTIVE:
        sentence = _("The run is still on; %(name)s is there when it is over.") % {"name": name}
        raise Conflict(sentence, code="run_active")
    if kept is None:
        raise Missing
    return kept
