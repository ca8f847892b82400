"""The end of a run: its last figures, the check of its counts, its files, and how it came out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import storages
from django.utils import timezone

from apps.runs import tiers
from apps.runs.lease import Lease
from apps.runs.models import Artifact, Run
from apps.runs.reconcile import is_off, reconcile
from apps.runs.recording import Recorder, endpoint_totals
from apps.runs.states import State, Verdict
from workers.diagnosis import Diagnosis
from workers.samples import FinalTotals
from workers.tail import open_regular

log = logging.getLogger(__name__)

MAX_ARTIFACT_BYTES = 512 * 1024 * 1024
HOT_CPU_PERCENT = 90
"""Locust's own threshold for "results may be inconsistent"."""
STALL_SECONDS = 5

ENDED_BY = {
    "run_time_over": State.FINISHED,
    "script_quit": State.FINISHED,
    "stop_requested": State.STOPPED,
    "abort_requested": State.STOPPED,
    "deploy": State.STOPPED,
}
"""How a run came out, by the reason the engine gives; every other reason is a failure."""
ARTIFACT_NAMES = {
    "report": "report.html",
    "stats": "stats.csv",
    "history": "stats_history.csv",
    "failures": "failures.csv",
    "exceptions": "exceptions.csv",
    "log": "locust.log",
}
"""Attribute of `workers.command.RunFolder` → name under which a file is kept."""


def file_results(recorder: Recorder, final: FinalTotals | None) -> dict[str, Any]:
    """Store Locust's final figures; returns the fields of the run that follow from them. Raises Fenced."""
    recorder.finish_blocks()
    rows = tiers.read(recorder.run_id, 1)
    seconds = float(rows[-1].t - rows[0].t + 1) if rows else 0.0
    fields: dict[str, Any] = {"current_users": 0}
    if final is not None:
        recorder.tables(final.failures, final.exceptions)
        recorder.totals(final.total, final.endpoints)
        fields["totals"] = endpoint_totals(final.total, seconds)
    fields["reconciliation"] = reconcile(rows, recorder.indexes, final)
    return fields


def doubts(run: Run, fields: Mapping[str, Any], rows_gap: bool) -> list[str]:
    """Codes of `states.INVALID_REASONS` that apply, the weightiest first. Pure."""
    result = fields.get("reconciliation", {})
    found = {
        "no_final_totals": result.get("locust") is None or result.get("source") != "final",
        "counts_differ": is_off(result) if result else False,
        "collector_gap": rows_gap,
        "users_not_reached": not run.stages and run.stop_requested_at is None and run.peak_users < run.users,
        "stalled": any(warning.get("code") == "stalled" for warning in run.warnings),
        "generator_cpu": run.generator.get("cpu_peak_percent", 0) >= HOT_CPU_PERCENT,
    }
    return [code for code, applies in found.items() if applies]


def diagnosis(found: Diagnosis | None) -> dict[str, Any]:
    """The form of `Run.diagnosis`; empty when there is nothing to explain."""
    if found is None:
        return {}
    return {"code": found.code, "message": found.message, "line": found.line, "traceback": found.traceback}


def keep_files(run_id: UUID, files: Mapping[str, Path]) -> None:
    """Copy what the run left into storage. A file that is no plain file of the run's own is left where it is."""
    storage = storages["artifacts"]
    for name, path in files.items():
        try:
            with open_regular(path) as source:
                size, digest = _measure(source)
                if size == 0 or size > MAX_ARTIFACT_BYTES:
                    continue
                source.seek(0)
                stored = storage.save(f"{run_id}/{name}", File(source))
        except OSError as error:
            log.info("run %s leaves no %s: %s", run_id, name, error)
            continue
        facts = {"path": stored, "size": size, "sha256": digest}
        Artifact.objects.update_or_create(run_id=run_id, name=name, defaults=facts)


def delete_files(run_ids: Iterable[UUID]) -> None:
    """Remove the stored files of runs that are about to be deleted."""
    storage = storages["artifacts"]
    for path in Artifact.objects.filter(run_id__in=list(run_ids)).values_list("path", flat=True):
        storage.delete(path)


def end(lease: Lease, *, reason: str, fields: Mapping[str, Any], doubt: list[str]) -> None:
    """The last change of a run. Raises Fenced."""
    state = ENDED_BY.get(reason, State.FAILED)
    verdict = Verdict.INVALID if doubt and state in (State.FINISHED, State.STOPPED) else Verdict.NONE
    lease.move(
        state,
        reason=reason,
        verdict=verdict,
        verdict_reasons=doubt,
        finished_at=timezone.now(),
        **fields,
    )


def _measure(source: Any) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(1024 * 1024):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()
