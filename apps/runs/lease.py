"""What a runner may do with a run it holds: every write says in which state and under which fence it expects it.

The fence is a number that goes up with each claim. A runner that was cut off and comes back finds another fence in the
row, changes nothing, kills its own Locust and leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import translation

from apps.core.clock import db_now
from apps.runs.models import Run, RunEvent
from apps.runs.notify import ring_pages
from apps.runs.states import HELD, REASONS, TERMINAL, TRANSITIONS, State
from workers.outcome import Order
from workers.spec import Steering

LEASE_SECONDS = 15
RENEW_SECONDS = 3


WISHES = (
    "abort_requested_at",
    "stop_requested_at",
    "steering_revision",
    "run_time_s",
    "wanted_users",
    "wanted_spawn_rate",
    "is_paused",
)
"""All that people can want of a run that goes on, in the order of `Lease.wishes`; read several times in a second."""


class Fenced(Exception):
    """The run is no longer ours."""


class Wishes(NamedTuple):
    """What people want of a run now."""

    order: Order
    steering: Steering | None = None
    """None as long as nobody has changed anything."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry out one run, until it is given back or runs out."""

    run_id: UUID
    fence: int

    def renew(self) -> Wishes:
        """Hold on for another LEASE_SECONDS, and learn what people want."""
        return self.wishes() if self._held().update(lease_until=_until()) else Wishes(Order.FENCED)

    def wishes(self) -> Wishes:
        """What people want, without holding on."""
        with connection.cursor() as cursor:
            cursor.execute(*_question_for_wishes(self))
            row = cursor.fetchone()
        if row is None:
            return Wishes(Order.FENCED)
        aborted, stopped, revision, run_time_s, users, spawn_rate, is_paused = row
        order = Order.ABORT if aborted else Order.STOP if stopped else Order.GO
        if not revision:
            return Wishes(order)
        return Wishes(order, Steering(revision, run_time_s, users, spawn_rate, bool(is_paused)))

    def move(self, target: State, *, by: str = "", reason: str = "", **fields: Any) -> None:
        """Go to `target` from wherever that is allowed. Raises Fenced when nobody is there to be moved."""
        sources = [state for state, targets in TRANSITIONS.items() if target in targets and state in HELD]
        fields["lease_until"] = None if target in TERMINAL else _until()
        with transaction.atomic():
            if not self._mine().filter(state__in=sources).update(state=target, reason=reason, **fields):
                raise Fenced
            note_state(self.run_id, target, reason=reason, by=by)

    def write(self, **fields: Any) -> None:
        """Change figures of the held run. Raises Fenced."""
        if not self._held().update(**fields):
            raise Fenced

    def check(self) -> int:
        """Nobody takes the run away before the present transaction ends; its `last_seq`. Raises Fenced."""
        last_seq = self._held().select_for_update().values_list("last_seq", flat=True).first()
        if last_seq is None:
            raise Fenced
        return last_seq

    def _held(self) -> QuerySet[Run]:
        return self._mine().filter(state__in=sorted(HELD))

    def _mine(self) -> QuerySet[Run]:
        return Run.objects.filter(pk=self.run_id, fence=self.fence)


@lru_cache(maxsize=1)
def _question_for_wishes(lease: Lease) -> tuple[str, tuple[Any, ...]]:
    """SQL and its parameters, put together once: that takes Django ten times as long as the database to answer."""
    return lease._held().order_by().values_list(*WISHES).query.sql_with_params()


def claim(run_id: UUID | str, *, runner: str) -> Lease | None:
    """Take a queued run. None when it is gone, taken or over: a doorbell may ring twice."""
    with transaction.atomic():
        now = db_now()
        taken = Run.objects.filter(pk=run_id, state=State.QUEUED).update(
            state=State.CLAIMED,
            fence=F("fence") + 1,
            runner=runner,
            claimed_at=now,
            lease_until=now + timedelta(seconds=LEASE_SECONDS),
        )
        if not taken:
            return None
        run = Run.objects.only("id", "fence").get(pk=run_id)
        note_state(run.pk, State.CLAIMED, by=f"runner:{runner}")
        return Lease(run.pk, run.fence)


def note_state(run_id: UUID, state: State, *, reason: str = "", by: str = "") -> None:
    """Leave a line in the run's time line, in the transaction of the change, and wake the pages."""
    with translation.override(None):  # kept as it stands in the source; `presentation.event` translates it
        text = str(REASONS[reason]) if reason else str(state.label)
    RunEvent.objects.create(
        run_id=run_id, kind="state", text=text, by=by, data={"state": state.value, "reason": reason}
    )
    ring_pages(run_id)


def _until() -> datetime:
    return db_now() + timedelta(seconds=LEASE_SECONDS)
