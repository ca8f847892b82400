"""Gives the IDs of the pool `local` to hosts: `python -m tests.bed.pool <prefix> <first> <last> <slots> <host> …`."""

from __future__ import annotations

import sys

import django
from django.utils import timezone


def main(prefix: str, first: int, last: int, slots: int, names: list[str]) -> None:
    """So many slots on each of these hosts, and all IDs evenly over them; other hosts get none."""
    django.setup()
    from apps.pools import ranges
    from apps.pools.models import IdLease, IdRange, WorkerHost, WorkerPool
    from apps.runs.models import Run, RunWorker
    from apps.runs.states import ACTIVE, State, WorkerState
    from apps.teams.actors import Actor

    by, pool = Actor(system="test"), WorkerPool.objects.get(name="local")
    # The hosts of tests before this one were switched off, and nobody waits until that is sure.
    now = timezone.now()
    Run.objects.filter(state__in=list(ACTIVE)).update(state=State.LOST, finished_at=now, lease_until=None)
    RunWorker.objects.filter(ended_at=None).update(state=WorkerState.ENDED, ended_at=now)
    IdLease.objects.filter(ended_at=None).update(ended_at=now)
    IdRange.objects.filter(pool=pool).delete()
    WorkerHost.objects.filter(pool=pool, name__in=names).update(slots=slots)
    ranges.set_format(pool=pool, prefix=prefix, width=5, first=first, last=last, by=by)
    hosts = list(WorkerHost.objects.filter(pool=pool, name__in=names).order_by("name"))
    ranges.split_evenly(pool=pool, first=first, last=last, hosts=hosts, by=by)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
