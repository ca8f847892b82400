"""What the runner of a host may do with those workers of a run that are its own; as `lease.py` for the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.core.clock import db_now
from apps.pools import leases
from apps.runs.lease import LEASE_SECONDS, RENEW_SECONDS, Fenced
from apps.runs.models import Run, RunEvent, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.states import HELD, WorkerState
from apps.scenarios.models import OnLost
from workers.spec import Steering

MAX_STARTS = 4
"""Of the process of one worker; a script that kills it each time is not to go on for ever."""
MAX_TEXT_CHARS = 500

LEADERLESS_SECONDS = 2 * RENEW_SECONDS
"""A leader that has not renewed for this long, and whose master is silent as well, is gone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How the run is, as a host sees it."""

    is_over: bool
    is_aborted: bool
    is_masterless: bool
    """Its master has ended."""
    given_up: frozenset[int]
    """Indexes of our workers that the leader has given up."""
    steering: Steering | None


@dataclass(frozen=True, slots=True)
class Share:
    """The right to hold the workers of one run on one host."""

    run_id: UUID
    host_id: UUID
    fence: int
    indexes: tuple[int, ...]

    def renew(self) -> None:
        """Hold on for another LEASE_SECONDS. Raises Fenced."""
        if not self._mine().update(lease_until=db_now() + timedelta(seconds=LEASE_SECONDS)):
            raise Fenced

    def look(self) -> Seen:
        """Raises Fenced when the run is gone, or the workers are somebody else's."""
        run = Run.objects.filter(pk=self.run_id).values(*RUN_FIELDS).first()
        states = dict(self._mine().values_list("index", "state"))
        if run is None or not states:
            raise Fenced
        steering = None
        if run["steering_revision"]:
            steering = Steering(run["steering_revision"], run["run_time_s"])  # of it, a worker needs the time
        return Seen(
            is_over=run["state"] not in HELD,
            is_aborted=run["abort_requested_at"] is not None,
            is_masterless=bool(run["link"].get("is_over")),
            given_up=frozenset(index for index, state in states.items() if state == WorkerState.LOST),
            steering=steering,
        )

    def is_leaderless(self) -> bool:
        """Whether nobody has renewed the run's own lease lately."""
        until = Run.objects.filter(pk=self.run_id).values_list("lease_until", flat=True).first()
        return until is None or until < db_now() + timedelta(seconds=LEASE_SECONDS - LEADERLESS_SECONDS)

    def write(self, index: int, **fields: Any) -> None:
        """Change figures of one worker. Raises Fenced."""
        if not self._mine().filter(index=index).update(**fields):
            raise Fenced

    def check(self, index: int) -> int:
        """Nobody takes the worker away before the present transaction ends; its `last_seq`. Raises Fenced."""
        mine = self._mine().filter(index=index, run__state__in=sorted(HELD))
        last_seq = mine.select_for_update(of=("self",)).values_list("last_seq", flat=True).first()
        if last_seq is None:
            raise Fenced
        return last_seq

    def end(self, index: int, *, reason: str) -> None:
        """Its process is gone; so are its users, and nobody has their IDs when the run is over. Raises Fenced."""
        now = db_now()
        with transaction.atomic():
            fields = {"ended_at": now, "is_closed": True, "current_users": 0}
            self.write(index, state=WorkerState.ENDED, reason=reason[:300], **fields)
            if not Run.objects.filter(pk=self.run_id, state__in=sorted(HELD)).exists():
                leases.end(run_id=self.run_id, worker=index, now=now)

    def begin_anew(self, index: int) -> None:
        """Its process is started once more. Raises Fenced."""
        with transaction.atomic():
            self.check(index)
            self.write(
                index, state=WorkerState.STARTING, reason="", ended_at=None, is_closed=False, starts=F("starts") + 1
            )

    def offer(self, index: int, *, reason: str) -> None:
        """Its process is gone, and whoever comes may start it once more: its slot stays its own. Raises Fenced."""
        with transaction.atomic():
            self.check(index)
            fields = {"lease_until": None, "current_users": 0, "is_closed": True}
            self.write(index, state=WorkerState.WANTED, reason=reason[:300], **fields)

    def warn(self, index: int, code: str, text: str) -> None:
        """Tell people of the run something about one worker."""
        data = {"code": code, "worker": index}
        RunEvent.objects.create(run_id=self.run_id, kind="warning", text=text[:MAX_TEXT_CHARS], data=data)
        ring_pages(self.run_id)

    def _mine(self) -> QuerySet[RunWorker]:
        return RunWorker.objects.filter(run_id=self.run_id, host_id=self.host_id, fence=self.fence)


def may_begin_anew(worker: RunWorker, on_lost: str) -> bool:
    """Whether a process that has gone before its time is started once more; one that never was ready is not."""
    return on_lost == OnLost.REBALANCE and worker.ready_at is not None and worker.starts < MAX_STARTS


RUN_FIELDS = ("state", "link", "abort_requested_at", "steering_revision", "run_time_s")


def claim_share(run_id: UUID, host_id: UUID, *, runner: str) -> Share | None:
    """Take those workers of a run that its leader wants on a host. None when there are none: a bell may ring twice."""
    with transaction.atomic():
        # Not the run's row as well: whoever ends a run has that one first, and then comes for these.
        wanted = RunWorker.objects.select_for_update(of=("self",)).filter(
            run_id=run_id, host_id=host_id, state=WorkerState.WANTED, run__state__in=sorted(HELD)
        )
        rows = list(wanted.order_by("index").values_list("pk", "index", "fence"))
        if not rows:
            return None
        now = db_now()
        share = _taken(run_id, host_id, rows)
        share._mine().update(
            state=WorkerState.STARTING,
            reason="",
            runner=runner,
            is_closed=False,
            started_at=now,
            starts=F("starts") + 1,
            lease_until=now + timedelta(seconds=LEASE_SECONDS),
        )
        return share


def orphaned(host_id: UUID) -> list[UUID]:
    """Runs with workers on a host that somebody has taken, and not ended; it is for others to say whether he lives."""
    found = _unended().filter(host_id=host_id, run__workers__gt=1)
    return list(found.order_by("run_id").values_list("run_id", flat=True).distinct())


def seize(run_id: UUID, host_id: UUID) -> Share | None:
    """The workers of a run on a host whose owner is known to be dead; None when there are none of his."""
    with transaction.atomic():
        left = _unended().select_for_update(of=("self",)).filter(run_id=run_id, host_id=host_id)
        rows = list(left.order_by("index").values_list("pk", "index", "fence"))
        return _taken(run_id, host_id, rows) if rows else None


def _unended() -> QuerySet[RunWorker]:
    return RunWorker.objects.filter(starts__gt=0, ended_at=None).exclude(state=WorkerState.WANTED)


def _taken(run_id: UUID, host_id: UUID, rows: Sequence[tuple[UUID, int, int]]) -> Share:
    """Nobody else's from now on. `rows`: id, index and fence."""
    fence = max(fence for _, _, fence in rows) + 1
    RunWorker.objects.filter(pk__in=[pk for pk, _, _ in rows]).update(fence=fence)
    return Share(run_id, host_id, fence, tuple(index for _, index, _ in rows))
