"""All that a page shows of a run, read from the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.clock import utc
from apps.runs import logs, presentation, reading, selectors, series, wire
from apps.runs.models import LEADER, Endpoint, Run, RunEvent, ScriptException
from apps.runs.series import Line

MAX_ENDPOINTS = 12
METRICS = ["rps", "failures_per_s", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"]
MAX_POINTS = 1_441
"""A day in minutes, wherever its first one begins: each point is a row that is stored, and no sketch is merged."""
MAX_EVENTS = 500
MAX_EXCEPTIONS = 100
MAX_TEXT_CHARS = 1_000
MAX_TRACEBACK_CHARS = 4_000
MAX_WORKERS = 500


def of_run(run_id: UUID) -> dict[str, Any]:
    """All that a page shows of a run, as of `seq`. Raises Run.DoesNotExist."""
    run = selectors.one(run_id)
    seq = run.last_seq
    endpoints = list(Endpoint.objects.filter(run_id=run_id).order_by("index"))
    busiest = sorted(endpoints, key=lambda row: row.totals.get("requests", 0), reverse=True)[:MAX_ENDPOINTS]
    log_seq, lines = logs.read(run_id, LEADER, 0)
    events = RunEvent.objects.filter(run_id=run_id).order_by("id")[:MAX_EVENTS]
    shown: list[Line] = [None, *sorted(row.index for row in busiest)]
    return {
        "type": "snapshot",
        "seq": seq,
        "sketch": wire.SKETCH,
        "now": utc(timezone.now()),
        "run": presentation.run_with_files(run),
        "workers": presentation.workers(run, MAX_WORKERS),
        "endpoints": [presentation.endpoint(row) for row in endpoints],
        "series": _series(run, shown),
        **tables(run_id),
        "events": [presentation.event(row) for row in events],
        "log": {"seq": log_seq, "lines": lines},
    }


def tables(run_id: UUID) -> dict[str, Any]:
    """What fits into a message; REST has all of it."""
    failures = presentation.failures(selectors.failures(run_id))
    exceptions = presentation.exceptions(ScriptException.objects.filter(run_id=run_id)[:MAX_EXCEPTIONS])
    for row in failures:
        row["error"] = row["error"][:MAX_TEXT_CHARS]
    for row in exceptions:
        row["message"] = row["message"][:MAX_TEXT_CHARS]
        row["traceback"] = row["traceback"][:MAX_TRACEBACK_CHARS]
    return {"failures": failures, "exceptions": exceptions}


def _series(run: Run, shown: list[Line]) -> dict[str, Any]:
    """What is known of the run alone stands beside the line of all endpoints."""
    metrics = [*METRICS, *series.RUN_METRICS]
    figures = reading.figures(run, series.Window(points=MAX_POINTS), lines=shown, metrics=metrics)
    for line in figures["series"]:
        if line["endpoint"] is not None:
            for name in series.RUN_METRICS:
                del line[name]
    return figures
