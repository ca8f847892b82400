"""What the leader of a run of several workers does: calls them together, watches over them, and says what becomes of
the run when one is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from apps.core.clock import db_now
from apps.runs.lease import Fenced, Lease
from apps.runs.models import RunEvent, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.placing import QUARANTINE_SECONDS
from apps.runs.states import WORKERS_ALIVE, WorkerState
from apps.scenarios.models import OnLost
from workers.diagnosis import Diagnosis
from workers.outcome import Reason
from workers.spec import Keys
from workers.swarm import Orders, Wish
from workers.tail import clean_text
from workers.values import whole

log = logging.getLogger(__name__)

GATHER_SECONDS = 60.0
"""For all workers to come: their hosts start Python, import the script, and connect."""
RING_SECONDS = 3.0
"""A host that has not taken its workers is rung for so often."""
LOST_SECONDS = 30.0
"""A worker that neither its master nor the database has heard of for so long is given up. A network that is away for
20 s is no loss: users of a worker that is heard of again have never stopped."""
RESTART_SECONDS = 20.0
"""For the host of a worker whose process has ended to start it anew, until its users go elsewhere."""
MAX_NOTES = 200
"""What is told of strangers and versions, which a script may make up; the rest of what a master says is state."""


@dataclass(slots=True)
class Lead:
    """Conforms to `workers.swarm.Swarm`. Times are monotonic seconds."""

    lease: Lease
    keys: Keys
    address: str
    """Under which hosts reach the master."""
    on_lost: str
    ring: Callable[[RunWorker], None]
    """Asks the runner of a worker's host to take what it is wanted for; must not raise."""
    clock: Callable[[], float] = time.monotonic
    _port: int | None = None
    _published: bool = False
    _began: float | None = None
    _rung_at: float = float("-inf")
    _ready: dict[int, int] = field(default_factory=dict)
    """By index, which start of a worker the master has welcomed."""
    _since: dict[int, tuple[tuple[str, int], float]] = field(default_factory=dict)
    """By index, a worker's state and number of starts, and since when they are so."""
    _told_ready: set[int] = field(default_factory=set)
    _silent_since: dict[int, float] = field(default_factory=dict)
    _is_ending: bool = False
    """Workers go because they are told to."""
    _notes: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Warnings that have not been filed yet: code, text, data."""
    _noted: int = 0
    _orders: Orders | None = None
    _wish: Wish = field(default_factory=Wish)
    _told_lost: set[int] = field(default_factory=set)

    # --- what the master says -------------------------------------------------------------------------------------

    def word(self, kind: str, said: Mapping[str, Any]) -> None:
        index, port = whole(said.get("index"), 2**15), whole(said.get("port"), 65_535)
        start = whole(said.get("start"), 2**15)
        match kind:
            case "listening" if port and self._port is None:
                self._port = port
            case "worker_ready" if index is not None and start is not None:
                self._ready[index] = start
                self._silent_since.pop(index, None)
            case "worker_left" if index is not None and self._ready.get(index) == start:
                self._ready.pop(index, None)
            case "worker_silent" if index is not None:
                self._silent_since.setdefault(index, self.clock())
            case "worker_heard" if index is not None:
                self._silent_since.pop(index, None)
            case "dismissing":
                self._is_ending = True
            case "other_version" if index is not None and self._may_note():
                self._note_version(index, clean_text(str(said.get("locust", "")), 50))
            case "stranger" if self._may_note():
                self._note_stranger(clean_text(str(said.get("address", "")), 100), whole(said.get("count")) or 1)

    def _may_note(self) -> bool:
        self._noted += 1
        return self._noted <= MAX_NOTES

    def _note_version(self, index: int, version: str) -> None:
        values = {"number": index + 1, "version": version}
        text = _("Worker %(number)d runs another version of Locust: %(version)s.") % values
        self._notes.append(("other_version", text, {"worker": index}))

    def _note_stranger(self, address: str, count: int) -> None:
        text = _("Somebody who is no worker of this run tried to connect to its master, from %(address)s.") % {
            "address": address or _("an address that was gone before it could be read")
        }
        self._notes.append(("stranger", text, {"address": address, "count": count}))

    # --- what becomes of it ---------------------------------------------------------------------------------------

    def look(self) -> Wish:
        try:
            self._look()
        except DatabaseError:
            log.warning("run %s: its workers could not be looked at; going on", self.lease.run_id, exc_info=True)
            connection.close()
        except Fenced:
            pass  # the next order says so
        return self._wish

    def end(self) -> None:
        """Workers have heard the master's last word by now, or never will."""
        try:
            self.lease.write(link={"is_over": True})
        except (DatabaseError, Fenced):
            log.warning("run %s: its workers are not told of its end", self.lease.run_id, exc_info=True)
            connection.close()

    def _look(self) -> None:
        if self._port is None:
            return
        if not self._published:
            self._publish(self._port)
        workers = list(RunWorker.objects.filter(run_id=self.lease.run_id).defer("identity"))  # which may be large
        self._tell_states(workers)
        self._ring_wanted(workers)
        if not all(worker.index in self._told_ready for worker in workers):
            self._gather(workers)
        elif self._wish.end is None and not self._is_ending:
            self._judge(workers)
        self._file_notes()

    def _publish(self, port: int) -> None:
        keys = {"server_public": self.keys.server_public, "client_public": self.keys.client_public}
        secret = {"client_secret": self.keys.client_secret}
        self.lease.write(link={"address": self.address, "port": port, "keys": {**keys, **secret}})
        self._published, self._began = True, self.clock()

    def _ring_wanted(self, workers: list[RunWorker]) -> None:
        if self.clock() - self._rung_at < RING_SECONDS:
            return
        self._rung_at = self.clock()
        for worker in {worker.host_id: worker for worker in workers if worker.state == WorkerState.WANTED}.values():
            self.ring(worker)

    def _gather(self, workers: list[RunWorker]) -> None:
        """Before all have been there: give up in the end."""
        now = self.clock()
        missing = [worker for worker in workers if worker.index not in self._told_ready]
        given_up = [worker for worker in missing if worker.state == WorkerState.ENDED]
        if given_up or (self._began is not None and now - self._began > GATHER_SECONDS):
            text = " ".join(_why_missing(worker) for worker in given_up or missing)
            self._end(Reason.WORKERS_MISSING, "workers_missing", text)

    def _judge(self, workers: list[RunWorker]) -> None:
        """All have been there once. What has ended or is not heard of is lost by the rule of the run."""
        gone = [worker for worker in workers if self._is_gone(worker)]
        lost = [worker for worker in workers if worker not in gone and self._is_lost(worker)]
        if not gone and not lost and self._orders is None:
            return
        if (self.on_lost == OnLost.END and (gone or lost)) or len(gone) + len(lost) == len(workers):
            text = " ".join(_why_lost(worker) for worker in (*gone, *lost))
            self._end(Reason.WORKER_LOST, "worker_lost", text)
            return
        self._order(workers, gone, lost)

    def _is_gone(self, worker: RunWorker) -> bool:
        """Whether its process has ended and nobody starts it anew; or it was lost so long ago that it must have."""
        restart = RESTART_SECONDS if self.on_lost == OnLost.REBALANCE else 0.0
        match worker.state:
            case WorkerState.ENDED | WorkerState.WANTED:
                return self._as_it_is_for(worker) >= restart
            case WorkerState.LOST:
                return self._as_it_is_for(worker) >= QUARANTINE_SECONDS
        return False

    def _is_lost(self, worker: RunWorker) -> bool:
        match worker.state:
            case WorkerState.LOST:
                return True
            case WorkerState.ENDED | WorkerState.WANTED:
                return False
            case WorkerState.STARTING:
                return self._as_it_is_for(worker) >= GATHER_SECONDS
        since = self._silent_since.get(worker.index)
        if since is None or self.clock() - since < LOST_SECONDS:
            return False
        return worker.lease_until is None or worker.lease_until < db_now()

    def _as_it_is_for(self, worker: RunWorker) -> float:
        """Seconds for which this worker is in its state, as far as we have seen."""
        now, seen = (worker.state, worker.starts), self._since.get(worker.index)
        if seen is None or seen[0] != now:
            seen = self._since[worker.index] = (now, self.clock())
        return self.clock() - seen[1]

    def _order(self, workers: list[RunWorker], gone: list[RunWorker], lost: list[RunWorker]) -> None:
        out = {worker.index for worker in (*gone, *lost)}
        quotas = {worker.index: worker.users for worker in workers if worker.index not in out}
        if self.on_lost == OnLost.REBALANCE:
            quotas = _with_room(quotas, sum(worker.users for worker in gone))
        news = (quotas, tuple(sorted(worker.index for worker in gone)), tuple(sorted(worker.index for worker in lost)))
        if self._orders is not None and news == (dict(self._orders.quotas), self._orders.gone, self._orders.lost):
            return
        revision = 1 if self._orders is None else self._orders.revision + 1
        self._orders = Orders(revision, *news)
        self._wish = Wish(self._orders)
        for worker in (*gone, *lost):
            if worker.index not in self._told_lost:
                self._tell_lost(worker)
        self._told_lost = out

    def _end(self, reason: Reason, code: str, text: str) -> None:
        if self._wish.end is None:
            self._wish = Wish(self._orders, reason, Diagnosis(code, text))

    # --- what is filed --------------------------------------------------------------------------------------------

    def _tell_states(self, workers: list[RunWorker]) -> None:
        for worker in workers:
            is_silent = worker.index in self._silent_since
            if worker.state == WorkerState.STARTING and self._ready.get(worker.index) == worker.starts:
                self._set(worker, WorkerState.READY, ready_at=db_now())
                self._told_ready.add(worker.index)
            elif is_silent and worker.state == WorkerState.READY:
                self._set(worker, WorkerState.SILENT)
                self._warn("worker_away", _("%(worker)s is not heard of.") % {"worker": name(worker)}, worker)
            elif not is_silent and worker.state == WorkerState.SILENT:
                self._set(worker, WorkerState.READY)
                self._warn("worker_back", _("%(worker)s is heard of again.") % {"worker": name(worker)}, worker)

    def _set(self, worker: RunWorker, state: WorkerState, **fields: Any) -> None:
        """Only from what it was when we looked: its host may have said otherwise meanwhile."""
        if RunWorker.objects.filter(pk=worker.pk, state=worker.state).update(state=state, **fields):
            worker.state = state
            ring_pages(self.lease.run_id)

    def _tell_lost(self, worker: RunWorker) -> None:
        if worker.state in WORKERS_ALIVE - {WorkerState.WANTED}:
            self._set(worker, WorkerState.LOST, reason=_("Neither its master nor the database heard of it."))
        self._warn("worker_lost", _why_lost(worker), worker)

    def _warn(self, code: str, text: str, worker: RunWorker) -> None:
        self._notes.append((code, text, {"worker": worker.index, "host": worker.host_name}))

    def _file_notes(self) -> None:
        while self._notes:
            code, text, data = self._notes[0]
            RunEvent.objects.create(
                run_id=self.lease.run_id, kind="warning", text=text[:500], data={**data, "code": code}
            )
            self._notes.pop(0)
            ring_pages(self.lease.run_id)


def name(worker: RunWorker) -> str:
    """What people call it: they count from 1."""
    return _("Worker %(number)d on %(host)s") % {"number": worker.index + 1, "host": worker.host_name}


def _with_room(quotas: Mapping[int, int], more: int) -> dict[int, int]:
    """So many more users over all of them, evenly."""
    indexes = sorted(quotas)
    shares = {
        index: (place + 1) * more // len(indexes) - place * more // len(indexes) for place, index in enumerate(indexes)
    }
    return {index: quotas[index] + shares[index] for index in indexes}


def _why_missing(worker: RunWorker) -> str:
    values = {"worker": name(worker), "reason": worker.reason}
    match worker.state:
        case WorkerState.WANTED:
            return (
                _("%(worker)s did not come: its host did not take it. Does its runner live, and does it reach Redis?")
                % values
            )
        case WorkerState.ENDED:
            return _("%(worker)s did not come: %(reason)s") % values
        case _:
            text = _("%(worker)s was started, and did not reach the master. %(reason)s") % values
            return text.strip()


def _why_lost(worker: RunWorker) -> str:
    values = {"worker": name(worker), "reason": worker.reason}
    if worker.state in (WorkerState.ENDED, WorkerState.WANTED):
        return _("%(worker)s is lost: %(reason)s") % values
    return _("%(worker)s is lost: neither its master nor the database hears of it.") % values
