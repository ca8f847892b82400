"""The wire form of runs, for REST, sockets and downloads. Plain dictionaries; text is as hostile as it came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from apps.core.clock import utc, utc_or_none
from apps.runs import steering
from apps.runs.models import (
    Artifact,
    Endpoint,
    Failure,
    FailureSample,
    Run,
    RunEvent,
    RunWorker,
    ScriptException,
)
from apps.runs.selectors import queue_position
from apps.runs.states import INVALID_REASONS, WorkerState

NO_TOTALS = {
    "requests": 0,
    "failures": 0,
    "rps": 0.0,
    **dict.fromkeys(["avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "min_ms", "max_ms"]),
    "bytes": 0,
}


def run(row: Run) -> dict[str, Any]:
    """One run, without what hangs on it. Expects `selectors.presented`."""
    return {
        "id": str(row.pk),
        "number": row.number,
        "url": f"{settings.PUBLIC_URL}{row.get_absolute_url()}",
        "project": {"id": str(row.project_id), "slug": row.project.slug, "name": row.project.name},
        "scenario": {"id": str(row.scenario_id), "slug": row.scenario.slug, "name": row.scenario.name},
        "version": row.version.number,
        "pool": row.pool.name,
        "state": row.state,
        "reason": row.reason,
        "reason_text": row.reason_text,
        "verdict": row.verdict,
        "verdict_reasons": [
            {"code": code, "text": str(INVALID_REASONS.get(code, code))} for code in row.verdict_reasons
        ],
        "diagnosis": row.diagnosis,
        "queue_position": queue_position(row),
        "workers": row.workers,
        "on_lost": row.on_lost,
        "when_full": row.when_full,
        "waits_for": row.waits_for,
        "requested_by": row.requested_by,
        "stopped_by": row.stopped_by,
        "created_at": utc(row.created_at),
        "started_at": utc_or_none(row.started_at),
        "finished_at": utc_or_none(row.finished_at),
        "last_request_at": utc_or_none(row.last_request_at),
        "progress": round(row.progress, 4),
        "users": row.users,
        "current_users": row.current_users,
        "peak_users": row.peak_users,
        "spawn_rate": row.spawn_rate,
        "run_time_s": row.run_time_s,
        "steering": steered(row),
        "stages": row.stages,
        "host": row.host,
        "tags": row.tags,
        "exclude_tags": row.exclude_tags,
        "env": row.env,
        "collector": row.collector,
        "group_ids": row.group_ids,
        "user_classes": row.user_classes,
        "finest_step_s": row.finest_step_s,
        "totals": {**NO_TOTALS, **row.totals},
        "reconciliation": row.reconciliation or None,
        "generator": row.generator or None,
        "thresholds": [],
        "note": row.note,
        "labels": row.labels,
    }


def steered(row: Run) -> dict[str, Any]:
    """What people want of the running test."""
    return {
        "revision": row.steering_revision,
        "users": row.wanted_users,
        "spawn_rate": row.wanted_spawn_rate,
        "is_paused": row.is_paused,
        "own_shape": row.own_shape,
    }


def run_with_files(row: Run) -> dict[str, Any]:
    """One run with what can be downloaded of it."""
    return {**run(row), "artifacts": [artifact(kept) for kept in row.artifacts.all()]}


def endpoint(row: Endpoint) -> dict[str, Any]:
    """One endpoint with its totals, and by how many requests they differ from Locust's own count."""
    totals, locust = {**NO_TOTALS, **row.totals}, row.locust_requests
    return {
        "index": row.index,
        "method": row.method,
        "name": row.name,
        "totals": totals,
        "locust": locust,
        "difference": None if locust is None else totals["requests"] - locust,
    }


def event(row: RunEvent) -> dict[str, Any]:
    """One line of the time line."""
    text = row.text if row.kind == "note" or not row.text else gettext(row.text)  # what people wrote stays as it is
    if row.kind == "control":
        text = steering.words(row.data) or text
    if row.kind == "step" and isinstance(worker := row.data.get("worker"), int):
        text = gettext("%(step)s of worker %(number)d") % {"step": text, "number": worker + 1}
    return {
        "id": str(row.pk),
        "at": utc(row.at),
        "until": utc_or_none(row.until),
        "kind": row.kind,
        "text": text,
        "by": row.by,
        "data": row.data,
    }


def failure(row: Failure) -> dict[str, Any]:
    """One line of the failures table. Expects `selectors.failures`, which counts the samples."""
    return {
        "index": row.index,
        "method": row.method,
        "name": row.name,
        "error": row.error,
        "occurrences": row.occurrences,
        "first_seen": utc_or_none(row.first_seen),
        "last_seen": utc_or_none(row.last_seen),
        "samples": row.sample_count,  # type: ignore[attr-defined] # annotated
    }


def failure_sample(row: FailureSample) -> dict[str, Any]:
    """One request that failed."""
    return {
        "at": utc(row.at),
        "method": row.method,
        "url": row.url,
        "status": row.status,
        "response_ms": _round(row.response_ms),
        "request_headers": row.request_headers,
        "response_headers": row.response_headers,
        "body": row.body,
        "body_bytes": row.body_bytes,
    }


def exception(row: ScriptException) -> dict[str, Any]:
    """One exception of the script."""
    return {"count": row.count, "message": row.message, "traceback": row.traceback}


def artifact(row: Artifact) -> dict[str, Any]:
    """One file to download."""
    url = reverse("api:run-file", args=[row.run_id, row.name])
    return {"name": row.name, "size": row.size, "sha256": row.sha256, "url": url}


def workers(run: Run, most: int | None = None) -> list[dict[str, Any]]:
    """The Locust processes of a run that have users, the first `most`. Of a single one, what is known of the run is
    its own."""
    rows = list(run.worker_rows.defer("identity")[:most])
    found = [worker(run, row) for row in rows]
    if len(rows) == 1 and not rows[0].last_seq:
        totals = {**NO_TOTALS, **run.totals}
        alone = {"users": run.current_users, "requests": totals["requests"], "failures": totals["failures"]}
        found[0] |= {**alone, "generator": run.generator or None, "runner": run.runner}
    return found


def worker(run: Run, row: RunWorker) -> dict[str, Any]:
    """One of them."""
    return {
        "index": row.index,
        "host": row.host_name,
        "runner": row.runner,
        "state": row.state,
        "reason": row.reason,
        "users": row.current_users,
        "most_users": row.users,
        "offset": row.offset,
        "ids": {
            "first": run.id_text(row.offset + 1),
            "last": run.id_text(row.offset + row.users),
            "in_use": _ids_in_use(run, row),
        },
        "starts": row.starts,
        "requests": row.totals.get("requests"),
        "failures": row.totals.get("failures"),
        "counted_to": utc_or_none(row.last_t),
        "generator": row.generator or None,
        "link": {**row.link, "since": utc(row.link["since"])} if row.link else None,
        "clock_offset_ms": row.clock_offset_ms,
    }


def failures(rows: Iterable[Failure]) -> list[dict[str, Any]]:
    """The failures table."""
    return [failure(row) for row in rows]


def exceptions(rows: Iterable[ScriptException]) -> list[dict[str, Any]]:
    """The exceptions table."""
    return [exception(row) for row in rows]


def _ids_in_use(run: Run, row: RunWorker) -> int | None:
    """The last that it told may be older than its end."""
    if row.ids_in_use is None:
        return None
    return 0 if run.is_over or row.state == WorkerState.ENDED else row.ids_in_use


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
