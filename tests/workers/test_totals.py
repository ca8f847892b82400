from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.lines import START, row, second, spell
from workers.exact import Reader
from workers.samples import FailureRow, Tick
from workers.sketch import merged, percentiles
from workers.totals import Totals

NAMES = [[0, "GET", "/a"], [1, "POST", "/b"]]
plans = st.lists(st.lists(st.lists(st.floats(0, 1e6), max_size=8), min_size=2, max_size=2), min_size=1, max_size=10)


def ticks_of(plan: Sequence[Sequence[Sequence[float]]]) -> list[Tick]:
    lines = [
        second(n, [row(index, times) for index, times in enumerate(step) if times], names=NAMES)
        for n, step in enumerate(plan, start=1)
    ]
    return Reader(START).feed(spell(*lines), START + 1_000)


@given(plans)
def test_totals_are_those_of_all_requests(plan: list[list[list[float]]]) -> None:
    totals, ticks = Totals(), ticks_of(plan)
    for tick in ticks:
        totals.add(tick)
        totals.endpoints()  # looked at every now and then: what is kept of it must not grow old
    found = {entry.name: entry for entry in (totals.total(), *totals.endpoints())}
    everything = [[ms for step in plan for ms in step[index]] for index in (0, 1)]
    for name, times in [("/a", everything[0]), ("/b", everything[1]), ("Aggregated", [*everything[0], *everything[1]])]:
        if not times and name != "Aggregated":
            assert name not in found
            continue
        entry = found[name]
        rows = [cell for tick in ticks for cell in (tick.total, *tick.rows) if cell.name == name]
        expected = percentiles(
            merged(cell.sketch or {} for cell in rows), low=min(times, default=None), high=max(times, default=None)
        )
        assert (entry.requests, entry.bytes) == (len(times), 10 * len(times))
        assert entry.sum_ms == pytest.approx(sum(times))
        assert (entry.min_ms, entry.max_ms) == (min(times, default=None), max(times, default=None))
        assert entry.percentiles == {share[:-3]: ms for share, ms in expected.items() if ms is not None}


def test_adding_up_leaves_the_seconds_alone() -> None:
    (first, second_) = ticks_of([[[1.0], []], [[1.0, 5.0], []]])
    before = dict(first.rows[0].sketch or {}), dict(first.total.sketch or {})
    totals = Totals()
    totals.add(first)
    totals.add(second_)
    assert before == (first.rows[0].sketch, first.total.sketch)


def test_requests_without_a_time_are_told_apart() -> None:
    lines = [second(n, [row(0, [100.0], untimed=2), row(1, [], untimed=1)], names=NAMES) for n in (1, 2)]
    totals = Totals()
    for tick in Reader(START).feed(spell(*lines), START + 9):
        totals.add(tick)
    entries = [totals.total(), *totals.endpoints()]
    assert [(entry.requests, entry.untimed, entry.sum_ms) for entry in entries] == [
        (8, 6, 200.0),
        (6, 4, 200.0),
        (2, 2, 0),
    ]


def test_failures_are_counted_with_their_first_and_last_second() -> None:
    reader = Reader(START)
    lines = [
        second(1),
        second(2, errors_new=[[0, "GET", "/a", "boom"]], errors=[[0, 2]]),
        second(3, errors_new=[[1, "GET", "/b", "gone"]], errors=[[1, 1], [0, 1]]),
        second(4),
    ]
    totals = Totals()
    for tick in reader.feed(spell(*lines), START + 9):
        totals.add(tick)
    assert list(totals.failures_of(reader.errors)) == [
        FailureRow("GET", "/a", "boom", 3, START + 2, START + 3, 0),
        FailureRow("GET", "/b", "gone", 1, START + 3, START + 3, 1),
    ]
