"""What the keeper does every few seconds, so that no run hangs because a process, a host or Redis went away."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.core.clock import db_now
from apps.core.models import IdempotencyKey
from apps.pools import hosts
from apps.pools.watch import mark_silent
from apps.runs import finish, placing, tiers
from apps.runs.blocks import BadBlock
from apps.runs.lease import LEASE_SECONDS, note_state
from apps.runs.models import Run
from apps.runs.retention import Retention
from apps.runs.services import ring_doorbell
from apps.runs.states import State, Verdict

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
RING_AGAIN_SECONDS = 10
"""A queued run whose doorbell rang this long ago and that nobody took is rung for again: Redis may have lost it."""
RING_AT_ONCE = 200
IDEMPOTENCY_HOURS = 24
STRAYS_EVERY = timedelta(hours=6)
RETENTION_EVERY = timedelta(minutes=10)
BEFORE_LOAD = Q(state=State.CLAIMED)
UNDER_LOAD = Q(state__in=[State.STARTING, State.RUNNING, State.STOPPING])


@dataclass(slots=True)
class Keeper:
    """One round after the other; `seen_since` is the start of unbroken sight of the database."""

    seen_since: datetime | None = None
    seen_at: datetime | None = None
    strays_at: datetime | None = None
    retention: Retention = field(default_factory=Retention)
    retention_at: datetime | None = None

    def round(self) -> None:
        """Ring, requeue, declare lost, name silent hosts, tidy up. Raises DatabaseError; tell `lost_sight` then."""
        now = db_now()
        self._look(now)
        ring_waiting(now)
        placing.note_unheard(now)
        # After an outage of the database, runners get the length of a lease to renew before anyone judges them.
        if self.seen_since is not None and now - self.seen_since >= timedelta(seconds=LEASE_SECONDS):
            requeue_claimed(now)
            declare_lost(now)
            placing.free_due(now)
            mark_silent(now)
        IdempotencyKey.objects.filter(created_at__lt=now - timedelta(hours=IDEMPOTENCY_HOURS)).delete()
        if self.strays_at is None or now - self.strays_at >= STRAYS_EVERY:
            self.strays_at = now
            _delete_strays()
            hosts.forget_passing(now)
        if self.retention_at is None or now >= self.retention_at:
            has_more = self.retention.round(now)
            self.retention_at = now if has_more else now + RETENTION_EVERY

    def lost_sight(self) -> None:
        """The database was away."""
        self.seen_since = None

    def _look(self, now: datetime) -> None:
        """A machine that slept, and all its runners with it, has not been watched either."""
        slept = self.seen_at is not None and now - self.seen_at >= timedelta(seconds=LEASE_SECONDS)
        if self.seen_since is None or slept:
            self.seen_since = now
        self.seen_at = now


def ring_waiting(now: datetime) -> None:
    """Ring again for queued runs that nobody came for; not for more than one when there is no bell."""
    stale = Q(rung_at__isnull=True) | Q(rung_at__lt=now - timedelta(seconds=RING_AGAIN_SECONDS))
    waiting = Run.objects.filter(stale, state=State.QUEUED).order_by("id").values_list("pk", flat=True)
    for run_id in waiting[:RING_AT_ONCE]:
        if not ring_doorbell(run_id):
            return


def requeue_claimed(now: datetime) -> None:
    """A claim that ran out before Locust was started goes back to the queue, or ends if somebody stopped it."""
    for run_id in _expired(now, BEFORE_LOAD):
        with transaction.atomic():
            claim = Run.objects.filter(_has_expired(now), BEFORE_LOAD, pk=run_id)
            unwanted = claim.exclude(stop_requested_at=None, abort_requested_at=None)
            if unwanted.update(state=State.STOPPED, reason="stop_requested", lease_until=None, finished_at=now):
                note_state(run_id, State.STOPPED, reason="stop_requested", by="system:keeper")
            elif claim.update(state=State.QUEUED, lease_until=None, claimed_at=None, runner="", rung_at=None):
                note_state(run_id, State.QUEUED, by="system:keeper")
                log.warning("run %s: its claim ran out, queued again", run_id)
            else:
                continue  # its runner was slow, and is there
            placing.withdraw(run_id, now)


def declare_lost(now: datetime) -> None:
    """A run whose runner fell silent is over; what was collected is kept. It is never restarted by itself."""
    for run_id in _expired(now, UNDER_LOAD):
        with transaction.atomic():
            if not _end_as_lost(run_id, now):
                continue
            note_state(run_id, State.LOST, reason="host_lost", by="system:keeper")
            placing.release(run_id, now)
            _close_blocks(run_id)
        log.warning("run %s: its runner fell silent, lost", run_id)


def _end_as_lost(run_id: UUID, now: datetime) -> bool:
    return bool(
        Run.objects.filter(_has_expired(now), UNDER_LOAD, pk=run_id).update(
            state=State.LOST,
            reason="host_lost",
            verdict=Verdict.INVALID,
            verdict_reasons=["no_final_totals"],
            finished_at=now,
            lease_until=None,
            current_users=0,
            link={"is_over": True},
        )
    )


def _close_blocks(run_id: UUID) -> None:
    """A run whose blocks cannot be read must not keep the keeper from all others."""
    try:
        tiers.close_all(run_id)
    except BadBlock:
        log.exception("run %s: its blocks are left as they are", run_id)


def _expired(now: datetime, held: Q) -> list[UUID]:
    return list(Run.objects.filter(_has_expired(now), held).values_list("pk", flat=True))


def _has_expired(now: datetime) -> Q:
    return Q(lease_until__lt=now) | Q(lease_until=None)


def _delete_strays() -> None:
    for delete in (finish.delete_stray_files, finish.delete_stray_data):
        try:
            delete()
        except OSError as error:
            log.warning("files that nobody refers to could not be removed: %s", error)
