from __future__ import annotations

import csv
import itertools
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.conftest import Runs
from workers import history
from workers.history import HEADER, MAX_BYTES, Median, rows, step_for
from workers.samples import MAX_ENDPOINTS, SampleRow, Tick
from workers.sketch import LAST_BUCKET, bucket_of, merged, quantiles
from workers.totals import Sum

START = 1_800_000_000


def row(name: str, times: Sequence[float], failures: int = 0) -> SampleRow:
    total = Sum()
    for ms in times:
        bucket = bucket_of(ms)
        total.sketch[bucket] = total.sketch.get(bucket, 0) + 1
    total.requests, total.failures, total.bytes = len(times), failures, 100 * len(times)
    total.sum_ms, total.min_ms, total.max_ms = sum(times), min(times, default=None), max(times, default=None)
    return total.row("GET", name)


def tick(second: int, endpoints: dict[str, Sequence[float]], *, users: int = 3, failures: int = 0) -> Tick:
    found = tuple(row(name, times, failures) for name, times in endpoints.items() if times)
    total = Sum()
    for one in found:
        total.add(one)
    return Tick(second + 1, START + second, users, total.row("", "Aggregated"), found)


def table(ticks: Sequence[Tick], step: int = 1) -> list[dict[str, str]]:
    return [dict(zip(HEADER, line, strict=True)) for line in rows(ticks, step)]


def test_each_second_has_a_row_for_each_endpoint_seen_so_far() -> None:
    found = table([tick(0, {}), tick(1, {"/b": [5]}), tick(2, {"/a": [5]}), tick(3, {})])
    seen = [(line["Timestamp"], line["Type"], line["Name"]) for line in found]
    at = [str(START + second) for second in range(4)]
    all_ = [(moment, "", "Aggregated") for moment in at]
    assert seen == [
        all_[0],
        *[(at[1], "GET", "/b"), all_[1]],
        *[(at[2], "GET", "/a"), (at[2], "GET", "/b"), all_[2]],
        *[(at[3], "GET", "/a"), (at[3], "GET", "/b"), all_[3]],
    ]
    assert {line["User Count"] for line in found} == {"3"}


def test_percentiles_and_rates_are_of_the_last_ten_seconds_and_totals_of_the_run() -> None:
    fast = [tick(second, {"/": [10.0, 10.0]}, failures=1) for second in range(10)]
    slow = [tick(10 + second, {"/": [1_000.0]}) for second in range(10)]
    idle = [tick(20 + second, {}) for second in range(10)]
    found = [line for line in table([*fast, *slow, *idle]) if line["Name"] == "/"]
    before, between, after, end = found[9], found[10], found[19], found[29]
    assert (before["Requests/s"], before["Failures/s"], before["50%"], before["100%"]) == (
        "2.000000",
        "1.000000",
        "10",
        "10",
    )
    assert (between["Requests/s"], between["Failures/s"], between["99%"]) == ("1.900000", "0.900000", "1000")
    assert (after["Requests/s"], after["Failures/s"], after["50%"]) == ("1.000000", "0.000000", "1000")
    assert (end["Requests/s"], end["50%"], end["100%"]) == ("0.000000", "0", "0")
    assert [end[f"Total {name}"] for name in ("Request Count", "Failure Count", "Median Response Time")] == [
        "30",
        "10",
        "10",
    ]
    assert float(end["Total Average Response Time"]) == pytest.approx((20 * 10 + 10 * 1_000) / 30)
    assert [float(end[f"Total {name} Response Time"]) for name in ("Min", "Max")] == [10, 1_000]
    assert float(end["Total Average Content Size"]) == 100


def test_the_first_seconds_are_not_averaged_over_ten() -> None:
    first, second = (line for line in table([tick(0, {"/": [1] * 8}), tick(1, {"/": [1] * 4})]) if line["Name"] == "/")
    assert (first["Requests/s"], second["Requests/s"]) == ("8.000000", "6.000000")


def test_nothing_at_all_is_not_available() -> None:
    (line,) = table([tick(0, {})])
    assert {line[share] for share in history.SHARES} == {"N/A"}
    assert float(line["Total Average Response Time"]) == float(line["Total Max Response Time"]) == 0


def test_requests_without_a_time_are_counted() -> None:
    untimed = SampleRow("GET", "/", 4, 4, 0.0, 0, None, None, None, None, None, None, None, {})
    found = table([Tick(1, START, 1, untimed, (untimed,))])
    assert [(line["Total Request Count"], line["50%"], line["Total Max Response Time"]) for line in found] == [
        ("4", "0", "0"),
        ("4", "0", "0"),
    ]


seconds = st.lists(st.dictionaries(st.sampled_from("abc"), st.lists(st.floats(0.01, 1e6), max_size=6)), max_size=25)


@given(seconds, st.integers(1, 4))
def test_every_row_is_what_its_ten_seconds_say(plan: list[dict[str, Sequence[float]]], step: int) -> None:
    ticks = [tick(second, endpoints) for second, endpoints in enumerate(plan)]
    for line in table(ticks, step):
        now = int(line["Timestamp"]) - START
        assert now % step == 0
        name = line["Name"]

        def of(some: Sequence[Tick], name: str = name) -> list[SampleRow]:
            return [cell for one in some for cell in (one.total, *one.rows) if cell.name == name]

        recent, ever = of(ticks[max(0, now - 9) : now + 1]), of(ticks[: now + 1])
        low = min((cell.min_ms for cell in ever if cell.min_ms is not None), default=None)
        high = max((cell.max_ms for cell in ever if cell.max_ms is not None), default=None)
        requests = sum(cell.requests for cell in ever)
        expected = quantiles(merged(cell.sketch or {} for cell in recent), list(history.SHARES.values()))
        shown = [line[share] for share in history.SHARES]
        if requests:
            clamped = [None if ms is None else min(max(ms, low or 0), high or 0) for ms in expected]
            assert shown == [str(round(ms or 0)) for ms in clamped]
        else:
            assert shown == ["N/A"] * len(shown)
        assert int(line["Total Request Count"]) == requests
        rate = sum(cell.requests for cell in recent) / min(10, now + 1)
        assert float(line["Requests/s"]) == pytest.approx(rate, abs=1e-6)


additions = st.dictionaries(st.integers(0, LAST_BUCKET), st.integers(1, 1_000), max_size=5)


@given(st.lists(additions, min_size=1, max_size=20))
def test_the_running_median_is_the_median(plan: list[dict[int, int]]) -> None:
    running, sketch = Median(), dict[int, int]()
    for addition in plan:
        running.add(addition)
        sketch = merged([sketch, addition])
        assert running.ms() == (quantiles(sketch, [0.5])[0] or 0.0)


def test_a_long_run_is_thinned_out_to_what_a_file_may_have() -> None:
    endpoints = [("GET", f"/api/endpoint/{number}") for number in range(100)]
    assert step_for(3_600, endpoints) == 1
    step = step_for(24 * 3_600, endpoints)
    line = ",".join(next(itertools.islice(rows([tick(0, {endpoints[0][1]: [123.456]})]), 0, 1)))
    assert 1 < step < 6
    assert 24 * 3_600 / step * 101 * len(line) < MAX_BYTES
    assert step_for(0, []) == step_for(1, endpoints) == 1
    assert step_for(7 * 24 * 3_600, [("GET", "é" * 500)] * MAX_ENDPOINTS) > 1_000


def test_it_streams() -> None:
    def endless() -> Iterator[Tick]:
        return (tick(second, {f"/{n}": [1.0 * n] for n in range(1, 11)}) for second in itertools.count())

    peak = []
    for some in (200, 1_200):
        tracemalloc.start()
        written = sum(1 for _ in rows(itertools.islice(endless(), some)))
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert written == some * 11
    assert peak[1] < peak[0] + 1_000_000  # to keep the ticks would take 6 MB


@pytest.mark.engine
def test_the_columns_are_locusts_own(run: Runs) -> None:
    ran = run(collector="csv", run_time_s=2)
    with ran.folder.history.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == HEADER
    assert [line[3] for line in lines[-3:]] == ["/browse", "/fail", "Aggregated"]
