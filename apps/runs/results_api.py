"""REST of a run's figures and files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.runs import exports, heatmap, identities, junit, presentation, questions, reading, selectors, series, summary
from apps.runs.api import run_for
from apps.runs.models import Run
from apps.runs.results_serializers import DistributionOut, HeatmapOut, PhasesOut, SeriesOut, SummaryOut
from apps.runs.views import artifact_response


class AnyAccept(DefaultContentNegotiation):
    """Downloads are made as Django responses, so any `Accept` will do; errors are JSON as everywhere."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


ENDS = [
    OpenApiParameter("from", str, description="UTC, ISO 8601, or epoch seconds."),
    OpenApiParameter("to", str, description="As `from`; that second is part of the window."),
]
ONE_LINE = OpenApiParameter("endpoint", str, description="Index, `1+4+7` for some together, or `null` for all.")


class RunSeries(APIView):
    """Figures over time."""

    @extend_schema(
        responses=SeriesOut,
        parameters=[
            OpenApiParameter("endpoint", str, many=True, description="Index, `1+4+7` together, or `null` for all."),
            OpenApiParameter("metrics", str, description=f"With commas between: {', '.join(series.metric_names())}."),
            *ENDS,
            OpenApiParameter("points", int, description=f"At most so many, up to {series.MAX_POINTS}."),
            OpenApiParameter("band", int, description="1: `<metric>_low` and `<metric>_high` too."),
            OpenApiParameter("worker", int, description="Index of a worker: only what that one did and measured."),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Read figures over time, of all endpoints together or of some, at most `points` of each.

        A percentile of a point is that of all requests in its step, however long the step is.
        """
        run = run_for(request, pk)
        questions.only(request, "endpoint", "metrics", "from", "to", "points", "band", "worker")
        points = questions.whole(request, "points", default=series.DEFAULT_POINTS, most=series.MAX_POINTS)
        window, lines = questions.window(request, points), questions.lines(request, run)
        metrics, band = questions.metrics(request), questions.flag(request, "band")
        worker = questions.worker(request, run)
        return Response(reading.figures(run, window, lines=lines, metrics=metrics, band=band, worker=worker))


class RunSummary(APIView):
    """Every number of a window."""

    @extend_schema(responses=SummaryOut, parameters=ENDS)
    def get(self, request: Request, pk: UUID) -> Response:
        """Read the totals of a window: of all, by endpoint, and how often each error came."""
        run = run_for(request, pk)
        questions.only(request, "from", "to")
        return Response(summary.answer(reading.tally(run, questions.window(request))))


class RunHeatmap(APIView):
    """Response times over time."""

    @extend_schema(
        responses=HeatmapOut,
        parameters=[
            ONE_LINE,
            *ENDS,
            OpenApiParameter("columns", int, description=f"At most so many, up to {heatmap.MAX_COLUMNS}."),
            OpenApiParameter("rows", int, description=f"At most so many, up to {heatmap.MAX_ROWS}."),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Count requests by time and response time. A run of the `csv` collector has no such counts: 409."""
        run = run_for(request, pk)
        questions.only(request, "endpoint", "from", "to", "columns", "rows")
        columns = questions.whole(request, "columns", default=heatmap.DEFAULT_COLUMNS, most=heatmap.MAX_COLUMNS)
        rows = questions.whole(request, "rows", default=heatmap.DEFAULT_ROWS, most=heatmap.MAX_ROWS)
        window, line = questions.window(request, columns), questions.line(request, run)
        return Response(reading.heatmap_of(run, window, line=line, rows=rows))


class RunDistribution(APIView):
    """Response times of a window."""

    @extend_schema(
        responses=DistributionOut,
        parameters=[
            ONE_LINE,
            *ENDS,
            OpenApiParameter("bins", int, description=f"At most so many, up to {heatmap.MAX_ROWS}."),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Count the requests of a window by response time. A run of the `csv` collector has no such counts: 409."""
        run = run_for(request, pk)
        questions.only(request, "endpoint", "from", "to", "bins")
        bins = questions.whole(request, "bins", default=heatmap.DEFAULT_BINS, most=heatmap.MAX_ROWS)
        window, line = questions.window(request), questions.line(request, run)
        return Response(reading.distribution_of(run, window, line=line, bins=bins))


class RunPhases(APIView):
    """Ramp-up, steady, ramp-down."""

    @extend_schema(responses=PhasesOut)
    def get(self, request: Request, pk: UUID) -> Response:
        """Read the phases of a run in order of time, each with its totals."""
        run = run_for(request, pk)
        questions.only(request)
        return Response({"phases": reading.phases_of(run)})


class RunFile(APIView):
    """Downloads of a run."""

    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="runs_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH, enum=sorted(exports.PUBLIC_FILES))],
    )
    def get(self, request: Request, pk: UUID, name: str) -> HttpResponse | FileResponse | StreamingHttpResponse:
        """Download a file: Locust's report, its CSVs and log as they were kept; report.json and junit.xml made now.

        What is kept at the end only: 409 `run_active` until the run is over.
        """
        run = run_for(request, pk)
        if name == "report.json":
            return _attachment(json.dumps(report(run), indent=2), "application/json", run, name)
        if name == "junit.xml":
            return _attachment(junit.render(run), "application/xml", run, name)
        return artifact_response(run, name)


def report(run: Run) -> dict[str, Any]:
    """The whole result of a run as one value."""
    return {
        "run": presentation.run(run),
        "phases": reading.phases_of(run),
        "endpoints": [presentation.endpoint(row) for row in run.endpoints.all()],
        "failures": presentation.failures(selectors.failures(run.pk)),
        "exceptions": presentation.exceptions(run.exceptions.all()),
        "workers": presentation.workers(run),
        "identities": identities.report(run),
        "events": [presentation.event(row) for row in run.events.all()],
    }


def _attachment(text: str, content_type: str, run: Run, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{run.scenario.slug}-{run.number}-{name}"'
    return response
