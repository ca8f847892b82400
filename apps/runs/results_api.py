"""REST of a run's figures and files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.errors import Invalid
from apps.runs import exports, junit, presentation, selectors, series
from apps.runs.api import run_for
from apps.runs.models import Run
from apps.runs.serializers import SeriesOut
from apps.runs.views import artifact_response

MAX_LINES = 100
"""Endpoints in one answer of the series."""
INDEX_DIGITS = 4
"""More than a thousand endpoints are not told apart."""


class AnyAccept(DefaultContentNegotiation):
    """Downloads are made as Django responses, so any `Accept` will do; errors are JSON as everywhere."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


class RunSeries(APIView):
    """Figures over time."""

    @extend_schema(
        responses=SeriesOut,
        parameters=[
            OpenApiParameter("endpoint", str, many=True, description="Index of an endpoint, or `null` for all."),
            OpenApiParameter("metrics", str, description=f"With commas between: {', '.join(series.metric_names())}."),
            OpenApiParameter("from", str, description="UTC, ISO 8601, or epoch seconds."),
            OpenApiParameter("to", str, description="As `from`."),
            OpenApiParameter("points", int, description=f"At most so many, up to {series.MAX_POINTS}."),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Read figures over time, of all endpoints together or of some, at most `points` of each."""
        run = run_for(request, pk)
        window = series.Window(_moment(request, "from"), _moment(request, "to"), _points(request))
        return Response(series.answer(run, window, endpoints=_endpoints(request), metrics=_metrics(request)))


class RunFile(APIView):
    """Downloads of a run."""

    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="runs_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH, enum=sorted(exports.PUBLIC_FILES))],
    )
    def get(self, request: Request, pk: UUID, name: str) -> HttpResponse | FileResponse | StreamingHttpResponse:
        """Download a file: Locust's report, its CSVs and log as they were kept; report.json and junit.xml made now."""
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
        "endpoints": [presentation.endpoint(row) for row in run.endpoints.all()],
        "failures": presentation.failures(selectors.failures(run.pk)),
        "exceptions": presentation.exceptions(run.exceptions.all()),
        "events": [presentation.event(row) for row in run.events.all()],
    }


def _attachment(text: str, content_type: str, run: Run, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{run.scenario.slug}-{run.number}-{name}"'
    return response


def _endpoints(request: Request) -> list[int | None]:
    asked = [part for text in request.GET.getlist("endpoint") for part in text.split(",")] or ["null"]
    if len(asked) > MAX_LINES or not all(part == "null" or _is_index(part) for part in asked):
        sentence = _("“endpoint” must be indexes or null, at most %(limit)d.") % {"limit": MAX_LINES}
        raise Invalid(sentence, fields={"endpoint": [sentence]})
    return list(dict.fromkeys(None if part == "null" else int(part) for part in asked))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= INDEX_DIGITS


def _metrics(request: Request) -> list[str]:
    text = request.GET.get("metrics", "")
    names = list(dict.fromkeys(name for name in text.split(",") if name)) or ["rps", "failures_per_s", "p95_ms"]
    if unknown := [name for name in names if name not in series.metric_names()]:
        sentence = _("“%(name)s” is not a metric.") % {"name": unknown[0][:50]}
        raise Invalid(sentence, code="bad_metric", fields={"metrics": [sentence]})
    return names


def _points(request: Request) -> int:
    text = request.GET.get("points", "") or str(series.DEFAULT_POINTS)
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= series.MAX_POINTS):
        sentence = _("“points” must be from 1 to %(limit)d.") % {"limit": series.MAX_POINTS}
        raise Invalid(sentence, fields={"points": [sentence]})
    return int(text)


def _moment(request: Request, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    try:
        if text.isascii() and text.isdecimal():
            return int(datetime.fromtimestamp(int(text), UTC).timestamp())
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        sentence = _("“%(name)s” must be a time such as 2026-01-31T12:00:00Z.") % {"name": name}
        raise Invalid(sentence, fields={name: [sentence]}) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
