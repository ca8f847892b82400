"""Ticks, rows and runs in some state, for tests of runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.pools.models import WorkerHost
from apps.runs.blocks import TOTAL, Cell, Row
from apps.runs.lease import Lease, claim
from apps.runs.models import Run
from apps.runs.sharing import Share, claim_share
from apps.runs.states import State
from tests.factories import HostFactory, RunFactory, RunWorkerFactory
from workers import sketch
from workers.samples import EndpointTotals, FinalTotals, SampleRow, Tick
from workers.sketch import merged, middle_ms

T0 = 1_800_000_000
"""A full hour, so a full minute too: the beginning of what is measured in tests."""


def sample(name: str, requests: int = 1, **figures: Any) -> SampleRow:
    sums = {"failures": 0, "sum_ms": 10.0 * requests, "bytes": 100 * requests, "min_ms": 5.0, "max_ms": 20.0}
    percentiles = {"p50_ms": 9.0, "p90_ms": 15.0, "p95_ms": 18.0, "p99_ms": 19.0, "p999_ms": 20.0}
    given: dict[str, Any] = {"method": "GET", **sums, **percentiles, **figures}
    return SampleRow(name=name, requests=requests, **given)


def counted(name: str, sketch: Mapping[int, int], **figures: Any) -> SampleRow:
    """A row of our own collector: so many requests in each bucket."""
    times = [middle_ms(bucket) for bucket in sketch]
    exact = {"min_ms": min(times, default=None), "max_ms": max(times, default=None), "sketch": sketch}
    return sample(name, sum(sketch.values()), **{**exact, **figures})


def tick(seq: int, *rows: SampleRow, users: int = 3, t: int | None = None) -> Tick:
    """Second `seq` of a run that began at T0."""
    known = [row.sketch for row in rows if row.sketch is not None]
    figures: dict[str, Any] = {
        "failures": sum(row.failures for row in rows),
        "sketch": merged(known) if known else None,
    }
    total = sample("Aggregated", sum(row.requests for row in rows), **figures)
    return Tick(seq, T0 + seq - 1 if t is None else t, users, total, rows)


def totals(name: str, requests: int, method: str = "GET") -> EndpointTotals:
    return EndpointTotals(
        method, name, requests, 0, 10.0 * requests, 5.0, 20.0, 100 * requests, {"p50": 9.0, "p95": 18.0}
    )


def final(*endpoints: EndpointTotals, source: str = "final") -> FinalTotals:
    return FinalTotals(source, totals("Aggregated", sum(row.requests for row in endpoints)), endpoints, (), ())


def cell(endpoint: int = TOTAL, requests: int = 1, **figures: Any) -> Cell:
    latencies = {"min_ms": 5.0, "max_ms": 20.0, "p50_ms": 9.0, "p95_ms": 18.0}
    given: Mapping[str, Any] = {"failures": 0, "bytes": 100 * requests, "sum_ms": 10.0 * requests, **latencies}
    return Cell(endpoint, requests, **{**given, **figures})


def timed(endpoint: int, times: Sequence[float], **figures: Any) -> Cell:
    """A cell of requests that took these times."""
    counts = sketch.merged({sketch.bucket_of(ms): 1} for ms in times)
    return Cell(
        endpoint,
        len(times),
        figures.pop("failures", 0),
        100 * len(times),
        math.fsum(times),
        min(times, default=None),
        max(times, default=None),
        sketch=counts,
        **figures,
    )


def seconds(first: int, last: int, *, users: int = 3) -> Iterator[Row]:
    """Rows of seconds `first` to `last`: two requests a second in all, one of them at endpoint 0."""
    for seq in range(first, last + 1):
        yield Row(seq, T0 + seq - 1, users, 1, (cell(requests=2), cell(0, 1), cell(1, 1)))


def held(state: State = State.RUNNING, **fields: Any) -> Lease:
    """A run in `state`, and the lease of whoever holds it."""
    run = RunFactory.create(**fields)
    lease = claim(run.pk, runner="host-1")
    assert lease is not None
    Run.objects.filter(pk=run.pk).update(state=state)
    return lease


def shared(lease: Lease, *indexes: int, host: WorkerHost | None = None, users: int = 5) -> Share:
    """Workers of a held run on one host, and the share of whoever has taken them."""
    host = host or HostFactory.create()
    for index in indexes:
        RunWorkerFactory.create(run=row_of(lease), host=host, index=index, users=users, offset=index * users)
    share = claim_share(lease.run_id, host.pk, runner="host-1")
    assert share is not None
    return share


def row_of(lease: Lease) -> Run:
    return Run.objects.get(pk=lease.run_id)
