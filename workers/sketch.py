"""Response times as counts by bucket: small, mergeable in any order, and wrong by less than 1 % wherever it matters.

The mapping is DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket boundaries are powers of GAMMA, so the
middle of a bucket is nearer than (GAMMA - 1) / (GAMMA + 1) to every time in it, from LEAST_MS to MOST_MS. A sketch is a
mapping of bucket to count; merging is adding. Pure.

Sketches are made where the child's requests are read (`exact_requests.py`), in a process that makes no load.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

GAMMA = 1.019
"""Ratio of two boundaries: a relative error of at most 0.95 %, which leaves room for the rounding of floats."""
LEAST_MS = 0.05
"""Bucket 0 holds everything up to here, zero included."""
MOST_MS = 600_000.0
"""Ten minutes; the last bucket also holds everything above."""
LAST_BUCKET = math.ceil(math.log(MOST_MS / LEAST_MS) / math.log(GAMMA))

SHARES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}

Sketch = Mapping[int, int]
"""Bucket → how many requests; buckets from 0 to LAST_BUCKET, counts from 1."""

_PER_BUCKET = 1 / math.log(GAMMA)
_MIDDLE = 2 / (1 + GAMMA)


def bucket_of(ms: float) -> int:
    """The bucket of a response time in milliseconds (finite, not negative)."""
    if ms <= LEAST_MS:
        return 0
    if ms >= MOST_MS:
        return LAST_BUCKET
    return min(LAST_BUCKET, math.ceil(math.log(ms / LEAST_MS) * _PER_BUCKET))


def of(times: Iterable[float]) -> dict[int, int]:
    """The sketch of response times in milliseconds, which `bucket_of` would take one by one in twice the time."""
    log, ceil = math.log, math.ceil
    sketch: dict[int, int] = {}
    for ms in times:
        bucket = ceil(log(ms / LEAST_MS) * _PER_BUCKET) if LEAST_MS < ms < MOST_MS else bucket_of(ms)
        sketch[bucket] = sketch.get(bucket, 0) + 1
    return sketch


def upper_ms(bucket: int) -> float:
    """The upper boundary of a bucket, in milliseconds; it belongs to the bucket."""
    return LEAST_MS * GAMMA**bucket


def middle_ms(bucket: int) -> float:
    """What stands for a time in this bucket: equally far, by ratio, from both boundaries."""
    return upper_ms(bucket) * _MIDDLE if bucket else LEAST_MS / 2


def merged(sketches: Iterable[Sketch]) -> dict[int, int]:
    """All of them in one."""
    total: dict[int, int] = {}
    for sketch in sketches:
        for bucket, count in sketch.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def quantiles(
    sketch: Sketch, shares: Sequence[float], *, low: float | None = None, high: float | None = None
) -> list[float | None]:
    """For each share (0 to 1) the time in milliseconds that `ceil(share * count)` requests did not exceed.

    `low` and `high` are the exact minimum and maximum where they are known: no estimate lies outside of them. None
    for an empty sketch. Source of the definition: nearest rank.
    """
    count = sum(sketch.values())
    if not count:
        return [None] * len(shares)
    ranks = [max(1, math.ceil(share * count)) for share in shares]
    found: list[float | None] = [None] * len(shares)
    order = sorted(range(len(shares)), key=ranks.__getitem__)
    place, reached = 0, 0
    for bucket in sorted(sketch):
        reached += sketch[bucket]
        while place < len(order) and ranks[order[place]] <= reached:
            found[order[place]] = _within(middle_ms(bucket), low, high)
            place += 1
        if place == len(order):
            break
    return found


def percentiles(sketch: Sketch, *, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    """`p50_ms p90_ms p95_ms p99_ms p999_ms` of a sketch."""
    return dict(zip(SHARES, quantiles(sketch, list(SHARES.values()), low=low, high=high), strict=True))


def _within(value: float, low: float | None, high: float | None) -> float:
    if high is not None and value > high:
        return high
    return low if low is not None and value < low else value
