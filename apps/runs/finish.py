"""The end of a run: its last figures, the check of its counts, its files, and how it came out."""

from __future__ import annotations

import csv
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import storages
from django.db import transaction

from apps.core.clock import db_now
from apps.core.ids import is_uuid
from apps.runs import placing, tiers
from apps.runs.lease import Lease
from apps.runs.models import Artifact, Endpoint, Run, RunEvent
from apps.runs.reconcile import is_off, reconcile
from apps.runs.recording import Recorder
from apps.runs.rows import Key, endpoint_totals, tick_of
from apps.runs.states import State, Verdict
from apps.scenarios import data_store
from workers import history
from workers.diagnosis import Diagnosis
from workers.outcome import Outcome, Reason
from workers.samples import Tick
from workers.tail import open_regular

log = logging.getLogger(__name__)

MAX_ARTIFACT_BYTES = 512 * 1024 * 1024
LOSS_WARNINGS = frozenset({"worker_lost", "worker_away", "worker_restarted"})
GAP_WARNINGS = frozenset({"collector_stalled", "collector_stopped", "bad_rows", "samples_lost"})
"""Warnings of the engine that mean: what it could read is not all there was."""

RENEW_EVERY_ROWS = 60
HISTORY_AT_ONCE_SECONDS = 900
"""A longer run is over before its history is written, which takes seconds for each quarter of an hour."""

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


def file_results(recorder: Recorder, outcome: Outcome) -> dict[str, Any]:
    """Store the last figures; returns the fields of the run that follow from them. Raises Fenced.

    Our own figures where we counted every request ourselves, Locust's otherwise.
    """
    recorder.finish_blocks()
    fields: dict[str, Any] = {"current_users": 0}
    final = outcome.final
    told = outcome.collected or final
    if told is not None:
        exceptions = told.exceptions if final is None else final.exceptions
        recorder.tables(told.failures, exceptions)
        recorder.totals(told.total, told.endpoints)
        fields["totals"] = endpoint_totals(told.total, _measured_seconds(recorder.run_id))
    if final is not None:
        recorder.locust_counts(final.endpoints)
    fields["reconciliation"] = reconcile(tiers.request_counts(recorder.run_id), recorder.index_of, final)
    return fields


def write_history(run_id: UUID, folder: Path, *, renew: Callable[[], object]) -> Path | None:
    """`stats_history.csv` from the stored seconds, in a new file in `folder`; None when there is not one second.

    `renew` is called now and then meanwhile.
    """
    if tiers.span(run_id) is None:
        return None
    names = {one.index: (one.method, one.name) for one in Endpoint.objects.filter(run_id=run_id)}
    step = history.step_for(round(_measured_seconds(run_id)), names.values())
    number, path = tempfile.mkstemp(prefix="history.", dir=folder)  # never one that the script put there
    with os.fdopen(number, "w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(history.HEADER)
        writer.writerows(history.rows(_ticks(run_id, names, renew), step))
    return Path(path)


def _ticks(run_id: UUID, names: Mapping[int, Key], renew: Callable[[], object]) -> Iterator[Tick]:
    for place, row in enumerate(tiers.each_second(run_id)):
        if place % RENEW_EVERY_ROWS == 0:
            renew()
        yield tick_of(row, names)


def heard_of_workers(run_id: UUID) -> frozenset[str]:
    """Codes of the warnings about the workers of a run, and of theirs."""
    found = RunEvent.objects.filter(run_id=run_id, kind="warning").values_list("data", flat=True)
    return frozenset(str(data.get("code")) for data in found if "worker" in data)


def doubts(run: Run, fields: Mapping[str, Any], outcome: Outcome, heard: frozenset[str] = frozenset()) -> list[str]:
    """Codes of `states.INVALID_REASONS` that apply, the weightiest first; `heard` of the workers. Pure."""
    result = fields["reconciliation"]
    warned = heard | set(outcome.warnings)
    found = {
        "no_final_totals": result["source"] != "final",
        "counts_differ": is_off(result) and not _has_cleared(outcome, result),
        "worker_lost": not LOSS_WARNINGS.isdisjoint(heard),
        "collector_gap": outcome.dropped_ticks > 0 or not GAP_WARNINGS.isdisjoint(warned),
        "users_not_reached": _had_its_time(run, outcome) and run.peak_users < run.users,
        "generator_cpu": "generator_cpu" in warned,
    }
    return [code for code, applies in found.items() if applies]


def _has_cleared(outcome: Outcome, result: Mapping[str, Any]) -> bool:
    """Whether Locust has fewer requests because the script cleared its statistics."""
    return "stats_cleared" in outcome.warnings and (result["difference"] or 0) > 0


def _had_its_time(run: Run, outcome: Outcome) -> bool:
    """Whether the users that were asked for could have been there: nobody and no other plan changed or ended it."""
    has_own_plan = run.stages or outcome.own_shape or run.steering_revision > 0
    return outcome.reason == Reason.RUN_TIME_OVER and not has_own_plan


def _measured_seconds(run_id: UUID) -> float:
    span = tiers.span(run_id)
    return float(span[1] - span[0] + 1) if span else 0.0


def diagnosis(found: Diagnosis | None) -> dict[str, Any]:
    """The form of `Run.diagnosis`; empty when there is nothing to explain."""
    if found is None:
        return {}
    return {"code": found.code, "message": found.message, "line": found.line, "traceback": found.traceback}


def keep_files(run_id: UUID, files: Mapping[str, Path]) -> None:
    """Copy what the run left into storage; may be repeated. What is no plain file of the run's own stays behind."""
    kept = [facts for name, path in files.items() if (facts := _keep(run_id, name, path))]
    with transaction.atomic():
        for facts in kept:
            Artifact.objects.update_or_create(run_id=run_id, name=facts.pop("name"), defaults=facts)


def _keep(run_id: UUID, name: str, path: Path) -> dict[str, Any] | None:
    storage, target = storages["artifacts"], f"{run_id}/{name}"
    try:
        with open_regular(path) as source:
            size, digest = _measure(source)
            if size == 0 or size > MAX_ARTIFACT_BYTES:
                return None
            source.seek(0)
            storage.delete(target)  # of an attempt before, or else Django would choose another name
            return {"name": name, "path": storage.save(target, File(source)), "size": size, "sha256": digest}
    except OSError as error:
        log.info("run %s leaves no %s: %s", run_id, name, error)
        return None


def delete_stray_files() -> int:
    """Remove the stored files of runs that are gone; returns how many runs. Whoever deletes a run only deletes rows."""
    storage = storages["artifacts"]
    if not storage.exists(""):
        return 0
    folders = {UUID(name): name for name in storage.listdir("")[0] if is_uuid(name)}
    strays = set(folders)
    for batch in batched(sorted(folders)):
        strays -= set(Run.objects.filter(pk__in=batch).values_list("pk", flat=True))
    for run_id in strays:
        for name in storage.listdir(folders[run_id])[1]:
            storage.delete(f"{folders[run_id]}/{name}")
        storage.delete(folders[run_id])
    return len(strays)


def delete_stray_data() -> int:
    """Remove data files that neither a scenario nor a run refers to any more; returns how many contents."""
    return data_store.tidy(pinned=_pinned_data)


def _pinned_data(scenario_id: UUID) -> set[str]:
    """Ids of the versions of data files that runs of a scenario have read, or will."""
    pinned = Run.objects.filter(scenario_id=scenario_id).values_list("data", flat=True)
    return {str(entry["version"]) for data in pinned.iterator() for entry in data}


def batched(ids: Sequence[UUID], size: int = 500) -> Iterator[Sequence[UUID]]:
    """So many at once that a database takes them as parameters of one query."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def end(lease: Lease, *, reason: str, fields: Mapping[str, Any], doubt: list[str]) -> None:
    """The last change of a run. Raises Fenced."""
    state = ENDED_BY.get(reason, State.FAILED)
    verdict = Verdict.INVALID if doubt and state in (State.FINISHED, State.STOPPED) else Verdict.NONE
    placing.end(
        lease,
        state,
        reason=reason,
        verdict=verdict,
        verdict_reasons=doubt if verdict == Verdict.INVALID else [],
        finished_at=db_now(),
        **fields,
    )


def _measure(source: Any) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(1024 * 1024):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()
