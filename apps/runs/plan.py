"""What a run started now would meet: who would take it, and who stands before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.pools.models import RUNNER_SILENT_SECONDS, Runner, Standing, WorkerHost, WorkerPool
from apps.runs.models import Run
from apps.runs.states import HELD, State


@dataclass(frozen=True, slots=True)
class Plan:
    """`slots` of hosts that take work now; `busy` counts runs in hand, `waiting` those in the queue before it."""

    pool: str
    slots: int = 0
    busy: int = 0
    waiting: int = 0

    @property
    def free(self) -> int:
        """Slots in which it would start at once."""
        return max(0, self.slots - self.busy - self.waiting)


def plan_for(pool: WorkerPool | None) -> Plan | None:
    """None when there is no pool to run on."""
    if pool is None:
        return None
    heard = timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
    listening = Runner.objects.filter(last_seen_at__gt=heard, draining=False).values("host_id")
    hosts = WorkerHost.objects.filter(pool=pool, standing=Standing.ACTIVE, pk__in=listening)
    slots = sum(host.slot_count for host in hosts.select_related("pool").defer("report", "recent"))
    runs = Run.objects.filter(pool=pool)
    busy, waiting = runs.filter(state__in=sorted(HELD)).count(), runs.filter(state=State.QUEUED).count()
    return Plan(pool.name, slots, busy, waiting)
