from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.samples import MAX_ENDPOINTS, OTHER, EndpointTotals, FinalTotals, Tick
from workers.ticks import History

PERCENTILES = ["50%", "90%", "95%", "99%", "99.9%", "100%"]
TOTALS = ["Total Request Count", "Total Failure Count", "Total Average Response Time", "Total Min Response Time"]
HEADER = ["Timestamp", "User Count", "Type", "Name", "Requests/s", *PERCENTILES, *TOTALS, "Total Average Content Size"]
START = 1_800_000_000

Counts = tuple[int, int, float, int]
"""Requests, failures, milliseconds and bytes since the start."""


def row(
    t: object, name: str, counts: Counts, *, users: object = 5, percentile: object = 7, least: float = 1
) -> list[str]:
    requests, failures, ms, size = counts
    average, content = (ms / requests, size / requests) if requests else (0, 0)
    shown = percentile if requests else "N/A"
    kind = "" if name == "Aggregated" else "GET"
    return [str(cell) for cell in (
        t, users, kind, name, "99.9", *[shown] * 6, requests, failures, average, least, content,
    )]  # fmt: skip


def moment(t: object, endpoints: Mapping[str, Counts]) -> list[list[str]]:
    total = tuple(map(sum, zip((0, 0, 0.0, 0), *endpoints.values(), strict=True)))
    return [*(row(t, name, counts) for name, counts in sorted(endpoints.items())), row(t, "Aggregated", total)]  # type: ignore[arg-type]


def feed(*moments: Sequence[Sequence[str]]) -> list[Tick]:
    history = History()
    return history.feed([HEADER, *(line for lines in moments for line in lines)])


def final(endpoints: Mapping[str, Counts]) -> FinalTotals:
    entries = [EndpointTotals("GET", name, n, bad, ms, 1, 9, size) for name, (n, bad, ms, size) in endpoints.items()]
    n, bad, ms, size = (sum(values) for values in zip((0, 0, 0, 0), *endpoints.values(), strict=True))
    return FinalTotals(
        "final", EndpointTotals("", "Aggregated", int(n), int(bad), ms, 1, 9, int(size)), entries, [], []
    )


def test_ticks_are_differences_of_totals() -> None:
    first, second, third = feed(
        moment(START, {}),
        moment(START + 1, {"/a": (10, 1, 50.0, 100)}),
        moment(START + 2, {"/a": (10, 1, 50.0, 100), "/b": (4, 0, 8.0, 40)}),
    )
    assert (first.total.requests, first.rows, first.users) == (0, (), 5)
    assert [(r.name, r.requests, r.failures, r.sum_ms, r.bytes) for r in second.rows] == [("/a", 10, 1, 50.0, 100)]
    assert [(r.name, r.requests, r.p50_ms, r.max_ms) for r in third.rows] == [("/b", 4, 7, 7)]
    assert [tick.seq for tick in (first, second, third)] == [1, 2, 3]


additions = st.tuples(st.integers(0, 50), st.integers(0, 3), st.floats(0, 1e4), st.integers(0, 10_000))
plans = st.lists(st.dictionaries(st.sampled_from("abcde"), additions), min_size=1, max_size=20)


@given(plans, plans)
def test_ticks_sum_to_the_totals(plan: list[dict[str, Counts]], unseen: list[dict[str, Counts]]) -> None:
    endpoints: dict[str, Counts] = {}
    history = History()
    ticks = history.feed([HEADER])
    for second, step in enumerate([*plan, *unseen]):
        for name, (n, bad, ms, size) in step.items():
            if n:
                before = endpoints.get(name, (0, 0, 0.0, 0))
                endpoints[name] = (before[0] + n, before[1] + min(bad, n), before[2] + ms, before[3] + size)
        if second < len(plan):
            ticks += history.feed(moment(START + second, endpoints))
    last = history.finish(final(endpoints))
    ticks += [last] if last else []
    for name, (n, bad, ms, size) in endpoints.items():
        mine = [r for tick in ticks for r in tick.rows if r.name == name]
        assert sum(r.requests for r in mine) == n
        assert sum(r.failures for r in mine) == bad
        assert sum(r.bytes for r in mine) == size
        assert sum(r.sum_ms for r in mine) == pytest.approx(ms)
    assert sum(tick.total.requests for tick in ticks) == sum(counts[0] for counts in endpoints.values())
    assert all(tick.total.requests == sum(r.requests for r in tick.rows) for tick in ticks)
    assert not history.overflowed and not history.refused


@given(st.lists(st.integers(START - 10, START + 10), min_size=1, max_size=30))
def test_time_only_goes_forward(times: list[int]) -> None:
    ticks = feed(*(moment(t, {"/a": (n, 0, 1.0, 1)}) for n, t in enumerate(times, start=1)))
    assert len(ticks) == len(times)
    assert ticks[0].t == times[0]
    assert all(before.t < after.t for before, after in itertools.pairwise(ticks))


def test_counters_that_begin_anew_count_from_zero() -> None:
    ticks = feed(moment(START, {"/a": (10, 2, 50.0, 9)}), moment(START + 1, {"/a": (3, 1, 6.0, 3)}))
    assert [(r.requests, r.failures, r.sum_ms) for r in ticks[1].rows] == [(3, 1, 6.0)]


def test_what_came_after_the_last_row_becomes_a_last_tick() -> None:
    history = History()
    history.feed([HEADER, *moment(START, {"/a": (10, 2, 50.0, 9)})])
    last = history.finish(final({"/a": (12, 2, 60.0, 11), "/new": (1, 1, 3.0, 1)}))
    assert last is not None
    assert (last.seq, last.t, last.users, last.total.requests) == (2, START + 1, 5, 3)
    assert [(r.name, r.requests, r.p95_ms) for r in last.rows] == [("/a", 2, None), ("/new", 1, None)]
    assert history.finish(None) is None


def test_zeros_for_unknown_percentiles_are_not_taken_for_times() -> None:
    lines = [row(START, name, (2, 0, 400.0, 2), percentile=0) for name in ("/a", "Aggregated")]
    (tick,) = feed(lines)
    assert tick.rows[0].p50_ms is None and tick.rows[0].max_ms is None
    fast = [row(START, name, (2, 0, 0.8, 2), percentile=0) for name in ("/a", "Aggregated")]
    assert feed(fast)[0].rows[0].p50_ms == 0


def test_the_least_time_is_told_only_when_it_is_new() -> None:
    lines = [
        [row(START + n, name, (n + 1, 0, 9.0, 2), least=least) for name in ("/a", "Aggregated")]
        for n, least in enumerate([5, 5, 2])
    ]
    assert [tick.rows[0].min_ms for tick in feed(*lines)] == [5, None, 2]


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "", "1e999", "x", "9" * 30])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    good = moment(START, {"/a": (1, 0, 5.0, 2)})
    for column in ("Timestamp", "User Count", "Total Request Count", "Total Failure Count"):
        history = History()
        bad = [[value if name == column else cell for name, cell in zip(HEADER, line, strict=True)] for line in good]
        assert history.feed([HEADER, *bad]) == []
        assert history.refused == 2
    average = [[value if "Average" in name else cell for name, cell in zip(HEADER, line, strict=True)] for line in good]
    (tick,) = feed(average)
    assert (tick.rows[0].requests, tick.rows[0].sum_ms) == (1, 0)


def test_torn_and_foreign_rows_are_refused() -> None:
    history = History()
    lines = moment(START, {"/a": (1, 0, 5.0, 2)})
    assert len(history.feed([["nonsense"], [], HEADER, lines[0][:5], *lines, [*lines[0], "more"]])) == 1
    assert history.refused == 4


def test_columns_are_found_by_a_header_that_may_change() -> None:
    history = History()
    header = list(reversed(HEADER[1:]))
    history.feed([HEADER, *moment(START, {"/a": (1, 0, 5.0, 2)})])
    moved = [[line[0], *reversed(line[1:])] for line in moment(START + 1, {"/a": (3, 0, 5.0, 2)})]
    (tick,) = history.feed([["Timestamp", *header], *moved])
    assert tick.rows[0].requests == 2


def test_more_names_than_allowed_are_counted_together() -> None:
    endpoints = {f"/{n:05}": (1, 0, 2.0, 3) for n in range(MAX_ENDPOINTS + 50)}
    history = History()
    (tick,) = history.feed([HEADER, *moment(START, endpoints)])
    assert history.overflowed
    assert len(tick.rows) == MAX_ENDPOINTS + 1
    assert (tick.rows[-1].name, tick.rows[-1].requests, tick.rows[-1].sum_ms) == (OTHER, 50, 100.0)
    twice = dict.fromkeys(endpoints, (2, 0, 4.0, 6))
    (tick,) = history.feed(moment(START + 1, twice))
    assert (tick.rows[-1].name, tick.rows[-1].requests) == (OTHER, 50)


@given(
    st.lists(
        st.lists(st.text(max_size=5) | st.sampled_from(["Timestamp", "Aggregated", "1800000000", "1"]), max_size=9)
    )
)
def test_any_rows_are_survived(content: list[list[str]]) -> None:
    History().feed([HEADER, *content])
    History().feed(content)


def test_a_history_of_other_times_was_made_up() -> None:
    history = History(since=START)
    content = [line for t in range(START - 50, START + 100) for line in moment(t, {"/a": (t - START + 100, 0, 1, 1)})]
    ticks = history.feed([HEADER, *content], until=START + 9)
    assert [tick.t for tick in ticks] == list(range(START, START + 10))
    assert history.refused > 0


def test_there_are_no_more_ticks_than_seconds() -> None:
    history = History(since=START)
    again = [line for n in range(1_000) for line in moment(START, {"/a": (n, 0, 1, 1)})]
    assert len(history.feed([HEADER, *again], until=START + 9)) == 10
    (last,) = history.feed(moment(START + 20, {"/a": (2_000, 0, 1, 1)}), until=START + 20)
    assert (last.seq, last.total.requests, [row.requests for row in last.rows]) == (11, 1_991, [1_991])


def test_rows_without_a_total_are_kept_by_name_and_not_without_end() -> None:
    history = History()
    history.feed([HEADER, *(row(START, "/a", (n, 0, n, n)) for n in range(1, 1_000))])
    assert len(history._rows) == 1
    (tick,) = history.feed(moment(START, {"/a": (1_000, 0, 1_000, 1_000)}))
    assert [(cell.name, cell.requests, cell.bytes) for cell in tick.rows] == [("/a", 1_000, 1_000)]
