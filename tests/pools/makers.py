"""A farm of hosts to look at: what 40 machines of three pools would say."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.pools.models import HostEvent, IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.runs.models import Run, RunWorker
from apps.runs.states import State
from tests import factories

VERSIONS = {"python": "3.12.3", "locust": "2.47.0", "hatchery": "0.9.0"}


def report(host: WorkerHost, number: int = 1, **given: Any) -> dict[str, Any]:
    """As a runner files it."""
    return {
        "at": time.time(),
        "cores": host.cores,
        "versions": VERSIONS,
        "cpu_percent": 20.0 + (37 * number) % 70,
        "memory_percent": 30.0 + (11 * number) % 50,
        "memory_bytes": 16 * 10**9,
        "load_average": [1.5 + number % 5, 1.25, 0.75],
        "disk_free_bytes": 120 * 10**9,
        "disk_percent": 40.0,
        "received_mbit": 12.5 * (number % 7),
        "sent_mbit": 3.25 * (number % 5),
        "link_mbit": 1000,
        "open_files": 1024,
        "open_files_hard": 1_048_576,
        "local_ports": 28_232,
        "addresses": [f"10.20.0.{number}"],
        "sandbox": {"level": "A", "active": ["bubblewrap"], "missing": []},
        "clock_offset_ms": 3.5,
        "round_trip_ms": 0.5,
        "slots": host.slot_count,
        "slots_free": host.slot_count,
        "running": [],
    } | given


def recent(number: int = 1) -> list[list[float]]:
    """Ten minutes of samples."""
    end = int(time.time())
    return [
        [
            end - 5 * (119 - i),
            round(45 + 35 * math.sin(i / 9 + number), 1),
            round(40 + 0.1 * i, 1),
            round(20 + 10 * math.sin(i / 5 + number), 2),
            round(6 + 3 * math.cos(i / 7 + number), 2),
        ]
        for i in range(120)
    ]


def add_host(pool: WorkerPool, name: str, number: int = 1, **given: Any) -> WorkerHost:
    """One that has reported."""
    fields: dict[str, Any] = {"cores": 8, "versions": VERSIONS, "machine": f"{number:064x}", "recent": recent(number)}
    fields |= {"labels": {"zone": "ab"[number % 2]}, "address": f"10.20.0.{number}"}
    host: WorkerHost = factories.HostFactory.create(pool=pool, name=name, **(fields | given))
    host.report = report(host, number)
    host.save()
    factories.RunnerFactory.create(host=host, name=f"runner-{name}")
    HostEvent.objects.create(host=host, state=Standing.ACTIVE, text="It joined with a key.", by="user:admin")
    return host


def own(host: WorkerHost, first: int, last: int) -> IdRange:
    """Give it these IDs."""
    return IdRange.objects.create(pool=host.pool, host=host, first=first, last=last)


def place(run: Run, hosts: list[WorkerHost], *, users: int, offset: int = 0) -> None:
    """One worker of the run on each host, from `offset` of its range on, with its IDs leased."""
    for index, host in enumerate(hosts):
        begin = host.id_range.first - 1 + offset
        RunWorker.objects.create(
            run=run, index=index, host=host, host_name=host.name, users=users, offset=begin, starts=1
        )
        lease(host, run.pk, str(run), begin + 1, begin + users, worker=index)


def lease(host: WorkerHost, run_id: UUID, label: str, first: int, last: int, *, worker: int = 0) -> IdLease:
    """IDs in use."""
    return IdLease.objects.create(
        pool=host.pool,
        host=host,
        run_id=run_id,
        run_label=label,
        worker=worker,
        first=first,
        last=last,
        leased_at=datetime.now(UTC),
    )


def farm(ours: Any, theirs: Any) -> WorkerPool:
    """The pool `berlin` with 40 hosts, of which each has something else to say, and two further pools.

    `ours` and `theirs` are scenarios; each has a run in `berlin`.
    """
    local = factories.local_pool()
    local.description = "This machine."
    local.save()
    add_host(local, "portal-01", 77, cores=4, address="")
    edge = factories.PoolFactory.create(name="edge", description="Small boxes at the edge.", is_for_all=False)
    edge.teams.add(ours.project.team)
    add_host(edge, "edge-01", 50, standing=Standing.PENDING, cores=2)
    berlin: WorkerPool = factories.PoolFactory.create(
        name="berlin",
        description="Load generators in the Berlin data centre.",
        id_prefix="test_",
        first_id=1,
        last_id=20_000,
        first_port=5557,
        last_port=5600,
    )
    hosts = [add_host(berlin, f"loadgen-{n:02}", n) for n in range(1, 41)]
    for n, host in enumerate(hosts[:38]):
        own(host, 500 * n + 1, 500 * n + 500)
    _vary(hosts)
    for scenario, some, users, offset in ((ours, hosts[:6], 166, 0), (theirs, hosts[4:12], 120, 200)):
        run = factories.RunFactory.create(scenario=scenario, pool=berlin, state=State.RUNNING, workers=len(some))
        place(run, some, users=users, offset=offset)
    return berlin


def _vary(hosts: list[WorkerHost]) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=42)
    _set(hosts[1], versions=VERSIONS | {"locust": "2.43.1"})
    _set(hosts[2], slots=12)
    _set(hosts[3], report=report(hosts[3], 3, clock_offset_ms=-2_350.0))
    _set(hosts[5], report=report(hosts[5], 5, cpu_percent=97.2, memory_percent=93.0))
    _set(hosts[6], standing=Standing.DRAINING)
    _set(hosts[7], is_silent=True, last_seen_at=long_ago)
    _set(hosts[8], report=report(hosts[8], 8, open_files=1024, open_files_hard=4096))
    _set(hosts[39], standing=Standing.PENDING, labels={})


def _set(host: WorkerHost, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(host, name, value)
    host.save()
