"""What a run started now would meet: who would take it, and who stands before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.pools.models import RUNNER_SILENT_SECONDS, Runner, WorkerPool
from apps.runs.models import Run
from apps.runs.states import HELD, State


@dataclass(frozen=True, slots=True)
class Plan:
    """`busy` counts runs in the hands of a runner, `waiting` those in the queue before it."""

    pool: str
    online: int = 0
    busy: int = 0
    waiting: int = 0

    @property
    def free(self) -> int:
        """Runners that would take it at once."""
        return max(0, self.online - self.busy - self.waiting)


def plan_for(pool: WorkerPool | None) -> Plan | None:
    """None when there is no pool to run on."""
    if pool is None:
        return None
    heard = timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
    online = Runner.objects.filter(host__pool=pool, last_seen_at__gt=heard, draining=False).count()
    runs = Run.objects.filter(pool=pool)
    busy, waiting = runs.filter(state__in=sorted(HELD)).count(), runs.filter(state=State.QUEUED).count()
    return Plan(pool.name, online, busy, waiting)
