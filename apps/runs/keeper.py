"""What the keeper does every few seconds, so that no run hangs because a process, a host or Redis went away."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.core.clock import db_now
from apps.core.models import IdempotencyKey
from apps.runs import tiers
from apps.runs.lease import LEASE_SECONDS, note_state
from apps.runs.models import Run
from apps.runs.services import ring_doorbell
from apps.runs.states import State

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
RING_AGAIN_SECONDS = 10
"""A queued run whose doorbell rang this long ago and that nobody took is rung for again: Redis may have lost it."""
IDEMPOTENCY_HOURS = 24


@dataclass(slots=True)
class Keeper:
    """One round after the other; `seen_since` is the start of unbroken sight of the database."""

    seen_since: datetime | None = None

    def round(self) -> None:
        """Ring, requeue, declare lost, tidy up. Raises DatabaseError; tell `lost_sight` then."""
        now = db_now()
        if self.seen_since is None:
            self.seen_since = now
        ring_waiting(now)
        # After an outage of the database, runners get the length of a lease to renew before anyone judges them.
        if now - self.seen_since >= timedelta(seconds=LEASE_SECONDS):
            requeue_claimed(now)
            declare_lost(now)
        IdempotencyKey.objects.filter(created_at__lt=now - timedelta(hours=IDEMPOTENCY_HOURS)).delete()

    def lost_sight(self) -> None:
        """The database was away."""
        self.seen_since = None


def ring_waiting(now: datetime) -> None:
    """Ring again for queued runs that nobody came for."""
    stale = Q(rung_at__isnull=True) | Q(rung_at__lt=now - timedelta(seconds=RING_AGAIN_SECONDS))
    for run_id in Run.objects.filter(stale, state=State.QUEUED).order_by("id").values_list("pk", flat=True)[:200]:
        ring_doorbell(run_id)


def requeue_claimed(now: datetime) -> None:
    """A claim that ran out before Locust was started goes back to the queue: nothing has happened yet."""
    expired = Run.objects.filter(state=State.CLAIMED, lease_until__lt=now)
    for run_id in expired.values_list("pk", flat=True):
        with transaction.atomic():
            again = Run.objects.filter(pk=run_id, state=State.CLAIMED, lease_until__lt=now)
            if again.update(state=State.QUEUED, lease_until=None, runner="", rung_at=None):
                note_state(run_id, State.QUEUED, by="system:keeper")
                log.warning("run %s: its claim ran out, queued again", run_id)


def declare_lost(now: datetime) -> None:
    """A run whose runner fell silent is over; what was collected is kept. It is never restarted by itself."""
    held = [State.STARTING, State.RUNNING, State.STOPPING]
    expired = Run.objects.filter(state__in=held, lease_until__lt=now)
    for run in expired.only("id", "last_tick_at"):
        with transaction.atomic():
            lost = Run.objects.filter(pk=run.pk, state__in=held, lease_until__lt=now)
            changes = {"state": State.LOST, "reason": "host_lost", "finished_at": now, "current_users": 0}
            if not lost.update(verdict="invalid", verdict_reasons=["no_final_totals"], lease_until=None, **changes):
                continue
            note_state(run.pk, State.LOST, reason="host_lost", by="system:keeper")
            if (last := tiers.last_t(run.pk)) is not None:
                tiers.close_all(run.pk, last_t=last)
        log.warning("run %s: its runner fell silent, lost", run.pk)
