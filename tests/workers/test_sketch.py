"""Sketches against the times they stand for, sorted."""

from __future__ import annotations

import math
import random
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers import sketch
from workers.sketch import (
    GAMMA,
    LAST_BUCKET,
    LEAST_MS,
    MOST_MS,
    SHARES,
    Sketch,
    bucket_of,
    merged,
    middle_ms,
    percentiles,
    quantiles,
    upper_ms,
)

ERROR = 0.01

boundaries = st.builds(
    lambda bucket, step: math.nextafter(upper_ms(bucket), [0.0, upper_ms(bucket), math.inf][step]),
    st.integers(0, LAST_BUCKET - 1),
    st.integers(0, 2),
).filter(lambda ms: ms >= LEAST_MS)
within = st.floats(LEAST_MS, MOST_MS) | boundaries
anything = within | st.floats(0, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 5e-324, 1e308])
shares = st.floats(0, 1) | st.sampled_from([0.0, 1.0, *SHARES.values()])
sketches = st.dictionaries(st.integers(0, LAST_BUCKET), st.integers(1, 10**12), max_size=20)


def sketch_of(times: list[float]) -> dict[int, int]:
    return merged({bucket_of(ms): 1} for ms in times)


def nearest_rank(times: list[float], share: float) -> float:
    return sorted(times)[max(1, math.ceil(share * len(times))) - 1]


@given(within)
@example(LEAST_MS)
@example(math.nextafter(LEAST_MS, 1))
@example(MOST_MS)
def test_a_bucket_stands_for_its_times_within_one_percent(ms: float) -> None:
    assert middle_ms(bucket_of(ms)) == pytest.approx(ms, rel=ERROR) or ms == LEAST_MS


def test_the_bound_holds_at_every_boundary() -> None:
    for bucket in range(LAST_BUCKET):
        for ms in (upper_ms(bucket), math.nextafter(upper_ms(bucket), 0), math.nextafter(upper_ms(bucket), math.inf)):
            found = bucket_of(ms)
            assert found in {bucket, bucket + 1}
            if ms > LEAST_MS:
                assert abs(middle_ms(found) - ms) <= ERROR * ms


@given(anything)
@example(sys.float_info.min)
@example(5e-324)
@example(sys.float_info.max)
def test_every_time_has_a_bucket(ms: float) -> None:
    bucket = bucket_of(ms)
    assert 0 <= bucket <= LAST_BUCKET
    assert bucket == 0 or ms > LEAST_MS
    if 0 < bucket < LAST_BUCKET:
        assert upper_ms(bucket - 1) / (1 + 1e-9) <= ms <= upper_ms(bucket) * (1 + 1e-9)


@given(st.lists(anything, max_size=20))
def test_many_at_once_are_in_the_buckets_of_each(times: list[float]) -> None:
    assert sketch.of(times) == sketch_of(times)


def test_many_at_once_are_in_the_buckets_of_each_around_every_boundary() -> None:
    edges = [upper_ms(bucket) for bucket in range(LAST_BUCKET + 2)]
    times = [*edges, *(math.nextafter(ms, toward) for ms in edges for toward in (0, math.inf))]
    assert sketch.of(times) == sketch_of(times)


@given(anything, anything)
def test_a_longer_time_is_in_no_lower_bucket(one: float, other: float) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


def test_the_buckets_reach_from_50_microseconds_to_ten_minutes() -> None:
    assert upper_ms(0) == LEAST_MS == 0.05
    assert upper_ms(LAST_BUCKET - 1) < MOST_MS <= upper_ms(LAST_BUCKET)
    assert (GAMMA - 1) / (GAMMA + 1) < ERROR


@given(st.lists(sketches, max_size=8), st.randoms(use_true_random=False))
def test_merging_in_any_order_and_grouping_gives_the_same(parts: list[Sketch], dice: random.Random) -> None:
    expected = merged(parts)
    left = list(parts)
    while len(left) > 1:
        dice.shuffle(left)
        some = dice.randint(2, len(left))
        left = [merged(left[:some]), *left[some:]]
    assert merged(left) == expected
    assert sum(expected.values()) == sum(sum(part.values()) for part in parts)
    assert percentiles(merged(left)) == percentiles(expected)


@given(sketches)
def test_merging_leaves_its_parts_alone(sketch: dict[int, int]) -> None:
    before = dict(sketch)
    total = merged([sketch, sketch])
    total[0] = 7
    assert sketch == before


@given(st.lists(within, min_size=1, max_size=60), shares)
def test_a_quantile_is_the_nearest_rank_within_one_percent(times: list[float], share: float) -> None:
    exact = nearest_rank(times, share)
    (rough,) = quantiles(sketch_of(times), [share])
    (clamped,) = quantiles(sketch_of(times), [share], low=min(times), high=max(times))
    assert rough is not None and (abs(rough - exact) <= ERROR * exact or exact <= LEAST_MS)
    assert clamped is not None and (abs(clamped - exact) <= ERROR * exact or exact <= LEAST_MS)
    assert min(times) <= clamped <= max(times)


@given(st.lists(st.lists(within, max_size=20), min_size=1, max_size=6), shares)
def test_a_quantile_of_merged_sketches_is_that_of_all_times(groups: list[list[float]], share: float) -> None:
    times = [ms for group in groups for ms in group]
    assert quantiles(merged(map(sketch_of, groups)), [share]) == quantiles(sketch_of(times), [share])


@given(st.lists(anything, min_size=1, max_size=60))
def test_extremes_are_exact_where_they_are_known(times: list[float]) -> None:
    low, high = quantiles(sketch_of(times), [0.0, 1.0], low=min(times), high=max(times))
    assert low is not None and high is not None and min(times) <= low <= high <= max(times)
    if len(set(times)) == 1:
        assert low == high == times[0]


@given(sketches, st.lists(shares, min_size=2, max_size=10))
def test_quantiles_only_rise_and_come_in_the_order_asked_for(sketch: Sketch, wanted: list[float]) -> None:
    found = quantiles(sketch, wanted)
    if not sketch:
        assert found == [None] * len(wanted)
        return
    pairs = sorted(zip(wanted, found, strict=True), key=lambda pair: pair[0])
    values = [ms for _, ms in pairs if ms is not None]
    assert len(values) == len(wanted) and values == sorted(values)
    assert found == [quantiles(sketch, [share])[0] for share in wanted]


def test_a_share_of_nothing_is_the_least_and_of_all_the_most() -> None:
    sketch = {3: 5, 90: 1}
    assert quantiles(sketch, [1.0, 0.0]) == [middle_ms(90), middle_ms(3)]
    assert quantiles(sketch, [5 / 6, 5 / 6 + 1e-9]) == [middle_ms(3), middle_ms(90)]


def test_percentiles_have_their_names() -> None:
    assert percentiles({}) == dict.fromkeys(["p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms"])
    thousand = sketch_of([float(ms) for ms in range(1, 1_001)])
    assert percentiles(thousand) == {
        "p50_ms": pytest.approx(500, rel=ERROR),
        "p90_ms": pytest.approx(900, rel=ERROR),
        "p95_ms": pytest.approx(950, rel=ERROR),
        "p99_ms": pytest.approx(990, rel=ERROR),
        "p999_ms": pytest.approx(999, rel=ERROR),
    }
