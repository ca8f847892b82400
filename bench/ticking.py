"""A live run out of thin air, a second each second: `python -m bench.ticking <scenario> <seconds>`.

Prints the run's id, then `seq moment` for each second as it is about to be filed, by this machine's monotonic clock.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.utils import timezone

from apps.pools.models import LOCAL, WorkerPool
from apps.runs.lease import Lease, claim
from apps.runs.models import Run
from apps.runs.recording import Recorder
from apps.runs.states import State
from apps.scenarios.models import Scenario
from workers import sketch
from workers.samples import Health, SampleRow, Tick

ENDPOINTS = 100
REQUESTS = 10
"""Of each endpoint in a second."""
RENEW_EVERY = 3


def main() -> None:
    """File a second each second, then end the run."""
    scenario, seconds = sys.argv[1], int(sys.argv[2])
    lease = _begin(scenario, seconds)
    recorder, start = Recorder(lease), int(time.time())
    print(lease.run_id, flush=True)
    chance = random.Random(1)
    due = time.monotonic()
    for seq in range(1, seconds + 1):
        tick = _tick(chance, seq, start + seq)
        due += 1
        time.sleep(max(0.0, due - time.monotonic()))
        print(seq, time.monotonic(), flush=True)
        recorder.ticks([tick])
        if seq % RENEW_EVERY == 0:
            lease.renew()
    recorder.finish_blocks()
    lease.move(State.FINISHED, reason="run_time_over", current_users=0)


def _begin(scenario_id: str, seconds: int) -> Lease:
    scenario = Scenario.objects.select_related("project").get(pk=scenario_id)
    version = scenario.versions.latest("number")
    number = Run.objects.filter(project=scenario.project).count() + 1_000
    run = Run.objects.create(
        project=scenario.project, scenario=scenario, version=version, pool=WorkerPool.objects.get(name=LOCAL),
        number=number, requested_by="bench", users=100, spawn_rate=100, run_time_s=seconds,
    )  # fmt: skip
    lease = claim(run.pk, runner="bench")
    if lease is None:
        raise RuntimeError("somebody else took the run")
    lease.move(State.STARTING)
    lease.move(State.RUNNING, started_at=timezone.now())
    return lease


def _tick(chance: random.Random, seq: int, t: int) -> Tick:
    times = [[chance.lognormvariate(3, 0.5) for _ in range(REQUESTS)] for _ in range(ENDPOINTS)]
    rows = tuple(_row(f"/api/{place}", of) for place, of in enumerate(times))
    total = _row("Aggregated", [ms for of in times for ms in of])
    return Tick(seq, t, 100, total, rows, Health(100, 12, 80.0, 1.5, 40.0, 90_000_000, 120), {"Shopper": 100})


def _row(name: str, times: list[float]) -> SampleRow:
    counts = sketch.merged({sketch.bucket_of(ms): 1} for ms in times)
    extremes = {"min_ms": min(times), "max_ms": max(times)}
    unknown = dict.fromkeys(sketch.SHARES)
    return SampleRow("GET", name, len(times), 0, sum(times), 700 * len(times), **extremes, **unknown, sketch=counts)


if __name__ == "__main__":
    main()
