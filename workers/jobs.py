"""What RQ calls. The one module of the engine that knows Django; like a view, it fetches and calls services."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import FrameType
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from apps.core.clock import db_now
from apps.core.ids import is_uuid
from apps.pools.models import Runner, WorkerHost
from apps.pools.telemetry import compare_clocks
from apps.runs import finish, placing, services
from apps.runs.blocks import BadBlock
from apps.runs.lease import RENEW_SECONDS, Fenced, Lease
from apps.runs.models import Run, RunWorker
from apps.runs.notify import held_line
from apps.runs.recording import Recorder
from apps.runs.sharing import claim_share
from apps.runs.sink import RunSink
from apps.runs.states import TERMINAL, State, WorkerState
from apps.scenarios.models import Collector
from workers import grip, leadership, orphans, share
from workers import spec as engine
from workers.command import RunFolder
from workers.folders import remove_tree
from workers.outcome import Order, Outcome, Reason
from workers.share_control import ShareControl
from workers.supervisor import supervise

log = logging.getLogger(__name__)

ALONE_SECONDS = 120.0
"""Without the database for longer than this, a runner gives its run up, so that others can say that it is over."""
FINAL_WRITES = 60
FINAL_WRITE_WAIT_SECONDS = 2.0
"""A database that is away at the end is waited for this long in all: longer than a restart takes."""
GRIP_SECONDS = 1.0
"""For somebody who only looks whether the workers of a run are in good hands."""


class Control:
    """The engine's questions to the portal: go on, stop, or leave? Also hears SIGTERM, which means a deploy."""

    def __init__(self, lease: Lease, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._heard_at = self._renewed_at = clock()
        self._told_to_leave = False
        self._steering: engine.Steering | None = None

    def orders(self) -> Order:
        """Renews the lease when it is time. A database that is away is forgiven for ALONE_SECONDS."""
        now = self._clock()
        try:
            if now - self._renewed_at >= RENEW_SECONDS:
                order, self._steering = self._lease.renew()
                self._renewed_at = now
            else:
                order, self._steering = self._lease.wishes()
        except DatabaseError:
            connection.close()
            if now - self._heard_at > ALONE_SECONDS:
                return Order.FENCED
            raise
        self._heard_at = now
        return Order.DRAIN if order is Order.GO and self._told_to_leave else order

    def steering(self) -> engine.Steering | None:
        """What people want of the running test, as of the last `orders()`; None while they want the plan."""
        return self._steering

    def leave(self, number: int, frame: FrameType | None) -> None:
        """Handler of SIGTERM: end the run in good order."""
        self._told_to_leave = True


def execute_run(run_id: str) -> None:
    """Carry out one queued run from claim to end. Quietly does nothing when somebody else has it, or it has to wait."""
    me = _runner()
    try:
        lease = placing.take(UUID(run_id), runner=me.name, host=me.host)
    except placing.Elsewhere as other:
        services.ring_host_for_run(UUID(run_id), other.host_id)
        return
    if lease is None:
        return
    control = Control(lease)
    signal.signal(signal.SIGTERM, control.leave)
    folder = RunFolder(Path(settings.RUNS_DIR) / f"{run_id}.{lease.fence}")
    try:
        with held_line():
            _carry_out(lease, control, folder, me.host)
    except Fenced:
        # Its folder is left to `sweep`, which keeps what is in it if the run was declared lost.
        log.warning("run %s belongs to somebody else now; left", run_id)
        return
    except Exception:
        log.exception("run %s could not be carried out", run_id)
        _give_up(lease)
    remove_tree(folder.path)


def execute_workers(run_id: str, host_id: str) -> None:
    """Own the Locust workers that a run has on this host, to their end. Does nothing when somebody else does."""
    me = _runner()
    if str(me.host_id) != host_id:  # its slots and its IDs are not ours, whoever rang
        log.error("workers of run %s are asked for here, and belong to the host %s", run_id, host_id)
        return
    path = grip.path_of(Path(settings.RUNS_DIR), run_id, host_id)
    with grip.gripped(path, patience_s=GRIP_SECONDS) as descriptor:
        if descriptor is None:
            return
        taken = claim_share(UUID(run_id), UUID(host_id), runner=me.name)
        if taken is None:
            return
        control = ShareControl(taken)
        signal.signal(signal.SIGTERM, control.leave)
        try:
            with held_line():
                share.owner_of(taken, control, clock_offset_s=_clock_offset_s(), grip=descriptor).own()
        except Fenced:
            log.warning("the workers of run %s belong to nobody here any more; left", run_id)


def tidy(host_id: UUID, held: Collection[str]) -> None:
    """See to what killed processes have left on this host. Raises DatabaseError."""
    orphans.take_over(host_id)
    sweep(held=held)


def _runner() -> Runner:
    """The runner that this process was forked from. Raises Runner.DoesNotExist."""
    name = os.environ.get("RQ_WORKER_ID", "").rpartition(".")[0]
    return Runner.objects.select_related("host__pool").get(name=name)


def _clock_offset_s() -> float:
    """What has to be added to this machine's clock so that it shows the database's time."""
    return -compare_clocks().ahead


def sweep(folders: Path | None = None, *, held: Collection[str] = ()) -> int:
    """Remove folders that a killed runner left on this host, keeping what is in them. Returns how many.

    Those of the runs in `held` are left to whoever has them in hand: a run may be over, and its history being written.
    Raises DatabaseError: the folders then stay for the next time.
    """
    paths = sorted((folders or Path(settings.RUNS_DIR)).glob("*.*"))
    return sum(_sweep(path) for path in paths if path.name.rpartition(".")[0] not in held)


def _sweep(path: Path) -> bool:
    run_id, _dot, place = path.name.rpartition(".")
    if not is_uuid(run_id):
        return False  # not ours
    run = Run.objects.filter(pk=run_id).only("id", "state", "fence", "collector", "last_seq").first()
    is_over = run is None or run.state in TERMINAL
    if not path.is_dir():
        if is_over:
            path.unlink(missing_ok=True)
        return is_over
    fence, _dash, of_worker = place.partition("-")  # see `share.folder_of`
    if run is not None and str(run.fence) == fence:
        if not is_over:
            return False
        if not of_worker and not run.artifacts.exists():
            _keep_what_is_left(run, RunFolder(path))
    return remove_tree(path)


def _keep_what_is_left(run: Run, folder: RunFolder) -> None:
    is_ours = run.collector == Collector.EXACT
    finish.keep_files(run.pk, artifact_files(folder, with_history=not is_ours))
    if is_ours and run.last_seq <= finish.HISTORY_AT_ONCE_SECONDS:  # nobody waits longer for this runner
        _keep_history(run.pk, folder, renew=lambda: None)


def artifact_files(folder: RunFolder, *, with_history: bool) -> dict[str, Path]:
    """Where a run's files lie while it has its folder. Beside our own collector Locust's history has no endpoints."""
    files = {name: getattr(folder, attribute) for attribute, name in finish.ARTIFACT_NAMES.items()}
    return {name: path for name, path in files.items() if with_history or path != folder.history}


def _carry_out(lease: Lease, control: Control, folder: RunFolder, host: WorkerHost) -> None:
    run = Run.objects.select_related("version", "pool").get(pk=lease.run_id)
    spec = replace(services.to_spec(run), clock_offset_s=_clock_offset_s())
    if run.stop_requested_at or run.abort_requested_at:
        reason = Reason.ABORT_REQUESTED if run.abort_requested_at else Reason.STOP_REQUESTED
        placing.end(lease, State.STOPPED, reason=reason, by=run.stopped_by, finished_at=db_now())
        return
    if problems := engine.check(spec):
        diagnosis = {"code": "refused", "message": " ".join(map(str, problems)), "line": None, "traceback": ""}
        placing.end(lease, State.FAILED, reason=Reason.REFUSED, diagnosis=diagnosis, finished_at=db_now())
        return
    lease.move(State.STARTING)
    if run.worker_rows.count() > 1:
        recorder, outcome = leadership.lead(run, lease, spec, folder, control, host)
    else:
        recorder, outcome = _alone(run, lease, spec, folder, control)
    if outcome.reason is Reason.FENCED:
        raise Fenced
    _finish(lease, recorder, folder, outcome)


def _alone(
    run: Run, lease: Lease, spec: engine.RunSpec, folder: RunFolder, control: Control
) -> tuple[Recorder, Outcome]:
    """A run of one process, which is its own worker."""
    workers = RunWorker.objects.filter(run_id=lease.run_id)
    for row in workers:
        block = engine.Block(row.index, row.offset, row.users)
        spec = replace(spec, block=block, ids_are_leased=run.pool.has_ids)
    now = db_now()
    workers.update(
        state=WorkerState.READY, starts=1, started_at=now, clock_offset_ms=round(spec.clock_offset_s * 1000, 1)
    )
    recorder = Recorder(lease)
    try:
        outcome = supervise(spec, folder, sink=RunSink(recorder), control=control, open_data=services.open_data(run))
    finally:
        _persistently(lambda: _note_end(lease))
    return recorder, outcome


def _note_end(lease: Lease) -> None:
    """Its process is gone, whatever becomes of the run; unless somebody else has begun it anew."""
    mine = RunWorker.objects.filter(run_id=lease.run_id, run__fence=lease.fence)
    mine.update(state=WorkerState.ENDED, ended_at=db_now(), is_closed=True)


def _finish(lease: Lease, recorder: Recorder, folder: RunFolder, outcome: Outcome) -> None:
    """File the end; the database may be away for a while."""
    is_ours = outcome.collected is not None
    files = artifact_files(folder, with_history=not is_ours)
    is_short = outcome.ticks <= finish.HISTORY_AT_ONCE_SECONDS
    _persistently(lambda: finish.keep_files(lease.run_id, files))
    if is_ours and is_short:
        _persistently(lambda: _keep_history(lease.run_id, folder, renew=lease.renew))

    def write() -> None:
        fields = finish.file_results(recorder, outcome)
        fields["diagnosis"] = finish.diagnosis(outcome.diagnosis)
        run = Run.objects.get(pk=lease.run_id)
        doubt = finish.doubts(run, fields, outcome, finish.heard_of_workers(run.pk))
        finish.end(lease, reason=outcome.reason, fields=fields, doubt=doubt)

    _persistently(write)
    if is_ours and not is_short:
        _persistently(lambda: _keep_history(lease.run_id, folder, renew=lambda: None))


def _keep_history(run_id: UUID, folder: RunFolder, *, renew: Callable[[], object]) -> None:
    """What cannot be written is no reason to lose the run."""
    try:
        path = finish.write_history(run_id, folder.path, renew=renew)
    except (OSError, BadBlock):
        log.exception("run %s has no history", run_id)
        return
    if path is not None:
        finish.keep_files(run_id, {finish.ARTIFACT_NAMES["history"]: path})
        path.unlink()


def _persistently(write: Callable[[], None]) -> None:
    """Do it, again and again while the database is away. Raises Fenced at once, anything else after the last try."""
    for attempt in range(1, FINAL_WRITES + 1):
        try:
            write()
        except DatabaseError:
            if attempt == FINAL_WRITES:
                raise
            log.warning("the database does not take the end of a run; try %d", attempt, exc_info=True)
            connection.close()
            time.sleep(FINAL_WRITE_WAIT_SECONDS)
        else:
            return


def _give_up(lease: Lease) -> None:
    """Our own fault: say so on the run instead of leaving it to the keeper."""
    diagnosis = {"message": _("Hatchery could not carry out this run; its log has the details."), "line": None}
    try:
        placing.end(lease, State.FAILED, reason="runner_error", diagnosis=diagnosis, finished_at=db_now())
    except (Fenced, DatabaseError):
        log.exception("run %s is left to the keeper", lease.run_id)
