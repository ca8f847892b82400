"""Rolling up conserves what can be added, keeps extremes, and gives the same however it is grouped."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.runs.blocks import PERCENTILES, TOTAL, Cell, Row, percentiles, roll_up
from tests.runs.makers import T0, cell
from workers.samples import Health
from workers.sketch import LAST_BUCKET, bucket_of, merged, upper_ms

counts = some.integers(0, 2**32 - 1)
latency = some.none() | some.floats(0, 1e6, width=32)
figures = {
    "endpoint": some.integers(0, 2),
    "requests": counts,
    "failures": counts,
    "bytes": some.integers(0, 2**64 - 1),
    # Whole numbers add up to the same in any order.
    "sum_ms": some.integers(0, 10**9).map(float),
    "min_ms": latency,
    "max_ms": latency,
}
told = some.builds(Cell, **figures, **dict.fromkeys(PERCENTILES, latency))
sketches = some.dictionaries(some.integers(0, LAST_BUCKET), some.integers(1, 1_000), max_size=6)
counted = some.builds(Cell, **figures, sketch=sketches, untimed=counts)
health = some.none() | some.builds(
    Health,
    target_users=some.none() | counts,
    in_flight=some.none() | counts,
    oldest_ms=latency,
    lag_ms=latency,
    open_files=some.none() | counts,
)
errors = some.dictionaries(some.integers(0, 5), counts, max_size=3).map(lambda found: tuple(sorted(found.items())))


@some.composite
def ordered(draw: some.DrawFn, cells: some.SearchStrategy[Cell] = told | counted) -> list[Row]:
    """Seconds of a run, some of them missing."""
    found, t = [], T0
    for seq in range(1, draw(some.integers(1, 30)) + 1):
        t += draw(some.integers(1, 40))
        by_endpoint = {one.endpoint: one for one in draw(some.lists(cells, max_size=4))}
        found.append(
            Row(
                seq,
                t,
                draw(counts),
                1,
                tuple(by_endpoint[index] for index in sorted(by_endpoint)),
                health=draw(health),
                classes=draw(some.lists(counts, max_size=3).map(tuple)),
                errors=draw(errors),
            )
        )
    return found


def _sums(found: list[Row]) -> Counter[tuple[int, str]]:
    sums: Counter[tuple[int, str]] = Counter()
    for row in found:
        for index, count in row.errors:
            sums[index, "errors"] += count
        for one in row.cells:
            for name in ("requests", "failures", "bytes", "untimed"):
                sums[one.endpoint, name] += getattr(one, name)
    return sums


@given(ordered())
def test_it_conserves_counts_at_every_step(fine: list[Row]) -> None:
    tens, minutes = roll_up(fine, 10), roll_up(fine, 60)
    assert _sums(fine) == _sums(tens) == _sums(minutes) == _sums(roll_up(tens, 60))
    assert sum(row.seconds for row in minutes) == sum(row.seconds for row in roll_up(tens, 60)) == len(fine)
    assert [row.t for row in minutes] == [row.t for row in roll_up(tens, 60)]
    assert all(row.t % 60 == 0 for row in minutes)
    assert max(row.users for row in minutes) == max(row.users for row in fine)
    assert min(row.users_low for row in minutes) == min(row.users for row in fine)


@given(ordered(counted))
def test_it_merges_sketches_the_same_in_any_grouping(fine: list[Row]) -> None:
    for step in (20, 60, 120):
        assert roll_up(roll_up(fine, 10), step) == roll_up(fine, step)
    assert roll_up(roll_up(roll_up(fine, 10), 60), 120) == roll_up(roll_up(fine, 20), 120)
    whole = roll_up(fine, 10**10)[0]
    for one in whole.cells:
        parts = [part.sketch or {} for row in fine for part in row.cells if part.endpoint == one.endpoint]
        assert one.sketch == merged(parts)


@given(ordered())
def test_it_keeps_the_least_and_the_most(fine: list[Row]) -> None:
    for name, pick in (("min_ms", min), ("max_ms", max), ("requests_high", max), ("failures_high", max)):
        values = [getattr(one, name) for row in fine for one in row.cells if getattr(one, name) is not None]
        rolled = [getattr(one, name) for row in roll_up(roll_up(fine, 10), 60) for one in row.cells]
        known = [value for value in rolled if value is not None]
        assert pick(values, default=None) == pick(known, default=None)


def test_a_second_without_requests_is_the_fewest() -> None:
    busy = [Row(seq, T0 + seq, 1, 1, (cell(0, 3 + seq), cell(1, 5))) for seq in (0, 1, 2)]
    gone = Row(4, T0 + 3, 1, 1, (cell(0, 4),))
    (row,) = roll_up([*busy, gone], 10)
    assert [(one.endpoint, one.requests_low, one.requests_high) for one in row.cells] == [(0, 3, 5), (1, 0, 5)]
    # That nothing was measured in the other six seconds says nothing about them.
    (minute,) = roll_up([row, Row(20, T0 + 20, 1, 1, (cell(0, 1), cell(1, 9)))], 60)
    assert [(one.endpoint, one.requests_low, one.requests_high) for one in minute.cells] == [(0, 1, 5), (1, 0, 9)]


def test_it_keeps_the_worst_of_the_generator() -> None:
    good = Health(target_users=10, in_flight=2, oldest_ms=5.0, lag_ms=1.0, cpu_percent=90.0, rss_bytes=7, open_files=9)
    bad = Health(target_users=5, in_flight=50, oldest_ms=6_900.0, lag_ms=None, cpu_percent=20.0, rss_bytes=5)
    rows = [Row(seq, T0 + seq, 1, 1, (), health=one) for seq, one in enumerate([None, good, bad])]
    assert roll_up(rows, 10)[0].health == Health(5, 50, 6_900.0, 1.0, 90.0, 7, 9)
    assert roll_up(rows[:1], 10)[0].health is None


def test_it_keeps_the_most_users_of_each_class() -> None:
    rows = [Row(seq, T0 + seq, 1, 1, (), classes=classes) for seq, classes in enumerate([(3,), (1, 4), ()])]
    assert roll_up(rows, 10)[0].classes == (3, 4)


def test_percentiles_follow_from_the_sketch_and_stay_within_the_extremes() -> None:
    slow = upper_ms(400) * 1.001  # at the lower end of its bucket, so below its middle
    fine = [
        Row(1, T0, 1, 1, (Cell(0, 99, 0, 0, 990.0, 10.0, 10.0, sketch={bucket_of(10.0): 99}),)),
        Row(2, T0 + 1, 1, 1, (Cell(0, 1, 0, 0, slow, slow, slow, sketch={401: 1}),)),
    ]
    (row,) = roll_up(fine, 10)
    found = percentiles(row.cells[0])
    assert found["p50_ms"] == found["p99_ms"] == pytest.approx(10.0, rel=0.01)
    assert found["p999_ms"] == slow
    assert row.cells[0].p50_ms is None
    assert percentiles(cell(p50_ms=9.0, p95_ms=18.0))["p95_ms"] == 18.0


def test_requests_without_a_time_do_not_lower_the_average() -> None:
    assert Cell(0, 4, 3, 0, 30.0, untimed=3).avg_ms == 30.0
    assert Cell(0, 4, 4, 0, 0.0, untimed=4).avg_ms is None


def test_it_takes_the_last_percentile_within_ten_seconds_and_weighs_beyond() -> None:
    fine = [Row(1, T0, 1, 1, (cell(0, 1, p95_ms=10.0),)), Row(2, T0 + 1, 1, 1, (cell(0, 3, p95_ms=30.0),))]
    assert roll_up(fine, 10)[0].cells[0].p95_ms == 30.0
    assert roll_up(fine, 60)[0].cells[0].p95_ms == 25.0


def test_it_leaves_an_unknown_percentile_unknown() -> None:
    fine = [Row(seq, T0 + seq, 1, 1, (cell(0, 1, p95_ms=None),)) for seq in (1, 2)]
    assert roll_up(fine, 10)[0].cells[0].p95_ms is None
    assert roll_up(fine, 60)[0].cells[0].p95_ms is None
    assert roll_up([], 60) == []


def test_the_total_comes_first() -> None:
    rows = [Row(seq, T0 + seq, 1, 1, (cell(3), replace(cell(1)), cell(TOTAL, 2))) for seq in (1, 2)]
    assert [one.endpoint for one in roll_up(rows, 10)[0].cells] == [TOTAL, 1, 3]
