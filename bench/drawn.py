"""A long run out of thin air, in the database that the environment names. Its own process: `python -m bench.drawn`.

It is filed as a runner files one, and `{"run", "seconds", "bytes": {tier: n}, "live": {…}}` is printed at the end. What
is drawn: log-normal response times (sigma 0.4; medians from 5 to 500 ms), one request in a thousand twenty times as
slow, one in five hundred failed; half of the endpoints answer with the same number of bytes each time.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from datetime import timedelta
from typing import Any, NamedTuple

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.utils import timezone

from apps.pools.models import LOCAL, WorkerPool
from apps.runs import tiers
from apps.runs.lease import claim
from apps.runs.models import Run
from apps.runs.recording import Recorder
from apps.runs.rows import moment
from apps.runs.states import State
from apps.scenarios.models import Scenario
from apps.teams.models import Project, Team
from workers.samples import Health, SampleRow, Tick
from workers.sketch import GAMMA, LAST_BUCKET, LEAST_MS, merged

DAY_SECONDS = 24 * 3600
ENDPOINTS = 100
REQUESTS_A_SECOND = 1_000
SIGMA = 0.4
SLOW_SHARE, SLOW_TIMES = 0.001, 20.0
FAILED_SHARE = 0.002
LIVE_FROM, LIVE_SECONDS = 600, 3_600
"""So many seconds are filed one by one, as they come, with their cost measured; all others a minute at once."""
MB = 1_000_000


class Minute(NamedTuple):
    """Columns over all (second, endpoint) pairs of a minute, second by second."""

    requests: Any
    failures: Any
    bytes: Any
    sum_ms: Any
    min_ms: Any
    max_ms: Any
    sketches: list[dict[int, int]]


def main() -> None:
    """Write the run and say what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=DAY_SECONDS)
    seconds = parser.parse_args().seconds
    generator = np.random.default_rng(1)
    recorder, start = _begin(seconds)
    live_cpu, live = 0.0, range(LIVE_FROM, LIVE_FROM + LIVE_SECONDS)
    for first in range(0, seconds, 60):
        ticks = _ticks(generator, start, first)
        before = time.process_time()
        if first in live:
            for tick in ticks:
                recorder.ticks([tick])
            live_cpu += time.process_time() - before
        else:  # in two, so that they are packed as any other minute
            recorder.ticks(ticks[:30])
            recorder.ticks(ticks[30:])
        if first % 7_200 == 0:
            print(f"… {first / 3600:.0f} h", file=sys.stderr, flush=True)
    recorder.finish_blocks()
    run = _end(recorder)
    covered = len(range(LIVE_FROM, min(seconds, live.stop)))
    cost = {"cpu_percent": live_cpu / max(1, covered) * 100, "note": f"CPU time of {covered} s filed one by one"}
    print(json.dumps({"run": str(run.pk), "seconds": seconds, "bytes": _sizes(run), "live": cost}))


def _ticks(generator: np.random.Generator, start: int, first: int) -> list[Tick]:
    """A minute of the run."""
    minute = _draw(generator)
    total = _totals(minute)
    return [_tick(minute, total, start, first, second) for second in range(60)]


def _draw(generator: np.random.Generator) -> Minute:
    pairs = 60 * ENDPOINTS
    requests = generator.poisson(REQUESTS_A_SECOND / ENDPOINTS, pairs)
    owner = np.repeat(np.arange(pairs), requests)
    medians = np.tile(5 * 10 ** (2 * np.arange(ENDPOINTS) / ENDPOINTS), 60)
    times = medians[owner] * np.exp(SIGMA * generator.standard_normal(len(owner)))
    times[generator.random(len(owner)) < SLOW_SHARE] *= SLOW_TIMES
    starts = np.concatenate([[0], np.cumsum(requests)[:-1]])
    buckets = np.ceil(np.log(times / LEAST_MS) / math.log(GAMMA)).astype(np.int64)
    keys, counts = np.unique(owner * (LAST_BUCKET + 1) + np.clip(buckets, 0, LAST_BUCKET), return_counts=True)
    cuts = np.searchsorted(keys // (LAST_BUCKET + 1), np.arange(1, pairs))
    sketches = [
        dict(zip(some.tolist(), many.tolist(), strict=True))
        for some, many in zip(np.split(keys % (LAST_BUCKET + 1), cuts), np.split(counts, cuts), strict=True)
    ]
    sizes = np.where(owner % 2 == 0, 1_000 + owner % ENDPOINTS * 50, generator.integers(200, 5_000, len(owner)))
    none = requests == 0
    at = np.minimum(starts, len(owner) - 1)
    return Minute(
        requests,
        generator.binomial(requests, FAILED_SHARE),
        np.where(none, 0, np.add.reduceat(sizes, at)),
        np.where(none, 0.0, np.add.reduceat(times, at)),
        np.minimum.reduceat(times, at),
        np.maximum.reduceat(times, at),
        sketches,
    )


def _totals(minute: Minute) -> Minute:
    """Over all endpoints of each second."""

    def by_second(column: Any) -> Any:
        return column.reshape(60, ENDPOINTS)

    sketches = [merged(minute.sketches[second * ENDPOINTS : (second + 1) * ENDPOINTS]) for second in range(60)]
    return Minute(
        requests=by_second(minute.requests).sum(axis=1),
        failures=by_second(minute.failures).sum(axis=1),
        bytes=by_second(minute.bytes).sum(axis=1),
        sum_ms=by_second(minute.sum_ms).sum(axis=1),
        min_ms=by_second(minute.min_ms).min(axis=1),
        max_ms=by_second(minute.max_ms).max(axis=1),
        sketches=sketches,
    )


def _tick(minute: Minute, total: Minute, start: int, first: int, second: int) -> Tick:
    places = range(second * ENDPOINTS, (second + 1) * ENDPOINTS)
    rows = tuple(_row(minute, place, f"/api/{place % ENDPOINTS}") for place in places if minute.requests[place])
    failures = int(total.failures[second])
    busy = 50 + 10 * math.sin((first + second) / 600)
    return Tick(
        seq=first + second + 1,
        t=start + first + second,
        users=100,
        total=_row(total, second, "Aggregated"),
        rows=rows,
        health=Health(100, round(busy), 300 + busy, 1 + busy / 50, 40 + busy / 5, 80 * MB + first * 100, 140),
        classes={"Reader": 70, "Writer": 30},
        errors=((0, failures),) if failures else (),
    )


def _row(minute: Minute, place: int, name: str) -> SampleRow:
    return SampleRow(
        method="GET",
        name=name,
        requests=int(minute.requests[place]),
        failures=int(minute.failures[place]),
        sum_ms=float(minute.sum_ms[place]),
        bytes=int(minute.bytes[place]),
        min_ms=float(minute.min_ms[place]),
        max_ms=float(minute.max_ms[place]),
        p50_ms=None,
        p90_ms=None,
        p95_ms=None,
        p99_ms=None,
        p999_ms=None,
        sketch=minute.sketches[place],
    )


def _begin(seconds: int) -> tuple[Recorder, int]:
    """A run that began `seconds` ago, at a full hour, held by us."""
    team, _created = Team.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    project, _created = Project.objects.get_or_create(team=team, slug="bench", defaults={"name": "Bench"})
    load = {"host": "http://127.0.0.1:9", "users": 100, "spawn_rate": 100, "run_time_s": seconds}
    scenario, _created = Scenario.objects.get_or_create(project=project, slug="day", defaults={"name": "A day", **load})
    version, _created = scenario.versions.get_or_create(number=1, defaults={"locustfile": "#", "author": "bench"})
    pool, _created = WorkerPool.objects.get_or_create(name=LOCAL, defaults={"is_default": True})
    start = int((timezone.now() - timedelta(seconds=seconds)).timestamp()) // 3600 * 3600
    number = Run.objects.filter(project=project).count() + 1
    run = Run.objects.create(
        project=project, scenario=scenario, version=version, pool=pool, number=number, requested_by="bench", **load
    )
    lease = claim(run.pk, runner="bench")
    if lease is None:
        raise RuntimeError("somebody else took the run")
    lease.move(State.STARTING)
    lease.move(State.RUNNING, started_at=moment(start))
    return Recorder(lease), start


def _end(recorder: Recorder) -> Run:
    recorder.lease.move(State.FINISHED, reason="run_time_over", current_users=0)
    run = Run.objects.get(pk=recorder.run_id)
    Run.objects.filter(pk=run.pk).update(finished_at=run.last_tick_at)
    return run


def _sizes(run: Run) -> dict[int, int]:
    rows = run.blocks.values_list("step_s", "data").iterator(chunk_size=10)
    sizes: dict[int, int] = dict.fromkeys(tiers.TIERS, 0)
    for step, data in rows:
        sizes[step] += len(data)
    return sizes


if __name__ == "__main__":
    main()
