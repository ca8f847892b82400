"""The Locust workers of one run on one host: what their runner does with them. Knows Django, like `jobs.py`."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from apps.runs import finish, identities, logs, services
from apps.runs.leading import name
from apps.runs.lease import Fenced
from apps.runs.models import Run, RunEvent, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.rows import clean
from apps.runs.sharing import Share, may_begin_anew
from apps.runs.sink import STEPS
from apps.runs.worker_recording import WorkerRecorder
from workers import spec as engine
from workers.command import RunFolder
from workers.exact_source import CLOCK_SECONDS, ExactSource
from workers.folders import remove_tree
from workers.identity import Reader
from workers.outcome import Outcome, Reason
from workers.reach import NotTheMaster, reach
from workers.samples import FailureSample, FinalTotals, Tick
from workers.share_control import ALONE_SECONDS, Ears, OfOne, ShareControl
from workers.supervisor import POLL_SECONDS, Patience, Supervision

log = logging.getLogger(__name__)

READY_SECONDS = 10.0
"""A worker that has not reached its master by then may need help: we look ourselves, and say what is wrong."""
CONNECT_SECONDS = 3.0
PATIENCE = Patience(start=300.0, grace=60.0)
"""Above that of the master, which ends them when it is time."""


class Silent:
    """Conforms to `workers.collector.Source`, for a worker whose requests only its master counts."""

    ended = True

    def __init__(self) -> None:
        self.warnings: dict[str, str] = {}

    def read(self) -> tuple[list[Tick], bool]:
        return [], False

    def finish(self, final: FinalTotals | None) -> list[Tick]:
        return []

    def totals(self) -> None:
        return None

    def failures(self) -> None:
        return None

    def samples(self) -> tuple[list[FailureSample], bool]:
        return [], False

    def collected(self) -> None:
        return None

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Held:
    """A worker whose process is there."""

    supervision: Supervision
    folder: RunFolder
    since: float
    """When it was started, in monotonic seconds."""
    is_examined: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """A process that is gone."""

    index: int
    folder: RunFolder
    reason: str
    is_early: bool
    """Neither its master nor we have ended it."""


@dataclass(slots=True)
class Owner:
    """Starts the workers of a share, and sees them to their end."""

    share: Share
    control: ShareControl
    run: Run
    part: engine.WorkerPart
    spec: engine.RunSpec
    grip: int
    """The descriptor of `grip.py`."""
    held: dict[int, Held] = field(default_factory=dict)
    readers: dict[int, Reader] = field(default_factory=dict)
    """Of the journals of IDs, by worker: the next process of one goes on in the same."""

    unfiled: list[_End] = field(default_factory=list)
    waiting_since: float | None = None
    """Since when the database has not taken an end, in monotonic seconds."""

    @property
    def counters(self) -> Path:
        """Sequences go on when an ID goes to another of our workers, or its process is started anew."""
        return Path(settings.RUNS_DIR) / f"{self.share.run_id}.{self.run.fence}-sequences"

    def own(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Until none is left. Raises Fenced, when all of them are killed and nothing more is written."""
        try:
            for index in self.share.indexes:
                self._start(index)
            while self.held or self.unfiled:
                for index in list(self.held):
                    if not self.held[index].supervision.step():
                        self._conclude(index)
                    else:
                        self._examine(index)
                self._file_ends()
                sleep(POLL_SECONDS)
        finally:
            for held in self.held.values():
                held.supervision.close()
        self.counters.unlink(missing_ok=True)  # else the next owner goes on with them, or `jobs.sweep` removes them

    def _start(self, index: int) -> None:
        row = RunWorker.objects.get(run_id=self.share.run_id, index=index)
        folder = folder_of(self.run, row)
        source = ExactSource(folder, now=lambda: time.time() + self.spec.clock_offset_s)
        counts = self.spec.collector == "exact"
        pieces = logs.pieces_of(self.run.workers)
        recorder = WorkerRecorder.following(row, self.share, source.error, self._note, log_pieces=pieces)
        if index not in self.readers:
            self.readers[index] = _reader(row, self.run.workers)
        spec = replace(
            self.spec,
            counters=str(self.counters),
            part=replace(self.part, start=row.starts),
            block=engine.Block(index, row.offset, row.users),
        )
        try:
            supervision = Supervision(
                spec,
                folder,
                recorder,
                OfOne(self.control, index),
                patience=PATIENCE,
                source=source if counts else Silent(),
                swarm=Ears(self.share, self.control, index),
                identity=self.readers[index],
                open_data=services.open_data(self.run),
                kept=(self.grip,),
            )
        except OSError as error:
            log.exception("worker %d of run %s could not be started", index, self.share.run_id)
            self.share.end(index, reason=_("Its process could not be started: %(error)s") % {"error": error})
            return
        self.held[index] = Held(supervision, folder, time.monotonic())

    def _examine(self, index: int) -> None:
        """Say why a worker does not come, as far as can be seen from here; once."""
        held = self.held[index]
        if held.is_examined or held.supervision.collector.ready or time.monotonic() < held.since + READY_SECONDS:
            return
        held.is_examined = True
        trouble = trouble_with(self.part.master, self.part.port, self.part.keys)
        try:
            self.share.write(index, reason=trouble or _("It is still loading its script."))
        except DatabaseError:
            connection.close()

    def _conclude(self, index: int) -> None:
        held = self.held.pop(index)
        self.control.master_silent_since.pop(index, None)
        try:
            outcome = held.supervision.conclude()
        finally:
            held.supervision.close()
        if outcome.reason is Reason.FENCED:
            raise Fenced
        is_broken = held.supervision.collector.final_at is None
        reason = self.control.why_ended
        if not reason and self.control.goes_on and index not in self.control.dismissed:
            reason = _why(outcome) if is_broken else _("It ended by itself, in good order.")
        self.unfiled.append(_End(index, held.folder, reason, is_early=is_broken and self.control.goes_on))

    def _file_ends(self) -> None:
        """Say which workers have ended. The database may be away; then the others go on meanwhile."""
        try:
            while self.unfiled:
                self._file_end(self.unfiled[0])
                self.unfiled.pop(0)
            self.waiting_since = None
        except DatabaseError:
            connection.close()
            self.waiting_since = self.waiting_since or time.monotonic()
            if time.monotonic() - self.waiting_since > ALONE_SECONDS:
                raise

    def _file_end(self, end: _End) -> None:
        row = RunWorker.objects.get(run_id=self.share.run_id, index=end.index)
        keep_log(row, end.folder)
        self.share.end(end.index, reason=end.reason)
        remove_tree(end.folder.path)
        if end.is_early and may_begin_anew(row, self.run.on_lost):
            self.share.warn(end.index, "worker_restarted", restarted(row, end.reason))
            self.share.begin_anew(end.index)
            self._start(end.index)

    def _note(self, index: int, kind: str, data: Mapping[str, object]) -> None:
        """What a worker says that is of interest for the run as a whole."""
        if kind == "first_request":
            found = RunEvent.objects.filter(run_id=self.share.run_id, kind="step", data__step=kind)
            if not found.exists():
                RunEvent.objects.create(
                    run_id=self.share.run_id, kind="step", text=STEPS[kind], data={"step": kind, "worker": index}
                )
                ring_pages(self.share.run_id)
        if kind == "warning":
            code, text = clean(str(data.get("code", "")), 50), clean(str(data.get("text", "")), 400)
            self.share.warn(index, code, text)


def folder_of(run: Run, row: RunWorker) -> RunFolder:
    """Of the present process of a worker."""
    return RunFolder(Path(settings.RUNS_DIR) / f"{run.pk}.{run.fence}-{row.index}-{row.starts}")


def keep_log(row: RunWorker, folder: RunFolder) -> None:
    """Each process of a worker has a file of its own."""
    again = f".{row.starts}" if row.starts > 1 else ""
    finish.keep_files(row.run_id, {f"worker-{row.index + 1}{again}.log": folder.log})


def restarted(row: RunWorker, reason: str) -> str:
    """For people."""
    return _("%(worker)s is started again: %(reason)s") % {"worker": name(row), "reason": reason}


def _reader(row: RunWorker, workers: int) -> Reader:
    """Of the journal of a worker, of whose processes another owner may have read some."""
    since = time.time() - CLOCK_SECONDS
    if not row.identity:
        return Reader(since, workers)
    return Reader.resumed(identities.unpacked(bytes(row.identity)), since, workers)


def _why(outcome: Outcome) -> str:
    if outcome.diagnosis is not None:
        return outcome.diagnosis.message
    code = outcome.exit_code or 0
    if code < 0:
        return _("Its process was ended by signal %(signal)d.") % {"signal": -code}
    return _("Its process ended with exit code %(code)d.") % {"code": code}


def trouble_with(address: str, port: int, keys: engine.Keys) -> str:
    """Why the master does not answer there, in words; empty when it does."""
    where = {"address": address, "port": port}
    try:
        reach(address, port, keys, timeout_s=CONNECT_SECONDS)
    except NotTheMaster:
        text = _("At %(address)s, port %(port)d, somebody answers who is not the master of this run.")
        return text % where
    except socket.gaierror as error:
        text = _("The name of the master, %(address)s, does not resolve there: %(error)s.")
        return text % {**where, "error": error.strerror}
    except OSError as error:
        text = _("No TCP connection to the master at %(address)s, port %(port)d: %(error)s.")
        return text % {**where, "error": error.strerror or error}
    return ""


def owner_of(share: Share, control: ShareControl, *, clock_offset_s: float, grip: int) -> Owner:
    """Ready to start the workers; `grip` is the descriptor of `grip.py`."""
    run = Run.objects.select_related("version", "pool").get(pk=share.run_id)
    keys = run.link["keys"]
    part = engine.WorkerPart(
        keys=engine.Keys(keys["server_public"], "", keys["client_public"], keys["client_secret"]),
        master=run.link["address"],
        port=run.link["port"],
    )
    RunWorker.objects.filter(run_id=share.run_id, index__in=share.indexes).update(
        clock_offset_ms=round(clock_offset_s * 1000, 1)
    )
    spec = replace(
        services.to_spec(run),
        workers=run.workers,
        ids=engine.IdFormat(run.id_prefix, run.id_width),
        ids_are_leased=run.pool.has_ids,
        blocks=tuple(engine.Block(row.index, row.offset, row.users) for row in run.worker_rows.all()),
        clock_offset_s=clock_offset_s,
    )
    return Owner(share, control, run, part, spec, grip)
