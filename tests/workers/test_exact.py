"""What the child says of each second, and what a script might write in its place."""

from __future__ import annotations

import json
import math
import tracemalloc
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.lines import START, base64, end, listed, row, second, spell
from workers import exact
from workers.child.exact.seconds import MOST_LISTED
from workers.exact import MAX_LINE_BYTES, MAX_REFUSED_LINES, Reader
from workers.exact_samples import Samples, sample_of
from workers.exact_values import MAX_MS, MAX_PER_SECOND
from workers.samples import (
    MAX_CLASSES,
    MAX_ENDPOINTS,
    MAX_ERRORS,
    MAX_NAME_CHARS,
    OTHER,
    SAMPLES_PER_ERROR,
    Health,
    Tick,
)
from workers.sketch import LAST_BUCKET, bucket_of, percentiles
from workers.tail import Lines
from workers.values import MAX_COUNT, MAX_ERROR_CHARS

UNTIL = START + 10_000
NAMES = [[0, "GET", "/a"], [1, "POST", "/b"]]


def reader() -> Reader:
    return Reader(since=START)


def feed(*documents: Mapping[str, Any], into: Reader | None = None) -> list[Tick]:
    return (into or reader()).feed(spell(*documents), UNTIL)


def one(*documents: Mapping[str, Any], refused: int = 0) -> Tick:
    reading = reader()
    (tick,) = feed(*documents, into=reading)
    assert reading.refused == refused
    return tick


def counted(tick: Tick) -> dict[str, int]:
    return {row.name: row.requests for row in tick.rows}


def test_a_second_is_what_its_line_says() -> None:
    rows = [row(0, [1.5, 2.5, 40.0], failures=1), row(1, [7.0], untimed=2)]
    tick = one(second(1, rows, names=NAMES, errors_new=[[0, "GET", "/a", "boom"]], errors=[[0, 1]]))
    assert (tick.seq, tick.t, tick.users, tick.classes, tick.errors) == (1, START + 1, 3, {"Shopper": 3}, ((0, 1),))
    assert tick.health == Health(3, 0, None, 0.5, 12.5, 50_000_000, 14)
    first, other = tick.rows
    assert (first.method, first.name, first.requests, first.failures, first.bytes) == ("GET", "/a", 3, 1, 30)
    assert (first.sum_ms, first.min_ms, first.max_ms) == (44.0, 1.5, 40.0)
    assert first.sketch == {bucket_of(ms): 1 for ms in (1.5, 2.5, 40.0)}
    assert first.p50_ms == pytest.approx(2.5, rel=0.01) and first.p999_ms == pytest.approx(40, rel=0.01)
    assert (other.name, other.requests, sum((other.sketch or {}).values())) == ("/b", 3, 1)


def test_the_total_is_its_rows_merged() -> None:
    tick = one(second(1, [row(0, [1, 2, 3]), row(1, [100.0, 3])], names=NAMES))
    total = tick.total
    assert (total.method, total.name, total.requests, total.sum_ms) == ("", "Aggregated", 5, 109)
    assert (total.min_ms, total.max_ms) == (1, 100)
    assert total.sketch == {bucket_of(1): 1, bucket_of(2): 1, bucket_of(3): 2, bucket_of(100): 1}
    found = percentiles(total.sketch, low=1, high=100)
    assert [total.p50_ms, total.p99_ms, total.p999_ms] == [found["p50_ms"], found["p99_ms"], found["p999_ms"]]


def test_percentiles_are_within_the_extremes() -> None:
    for ms in (0.0, 0.049, 1.0, 123.456, 599_999.0, 5_000_000.0):
        (only,) = one(second(1, [row(0, [ms])], names=NAMES)).rows
        assert only.min_ms == only.p50_ms == only.p999_ms == only.max_ms == ms


def test_a_second_without_requests_is_a_second() -> None:
    tick = one(second(1))
    assert (tick.users, tick.rows, tick.total.requests, tick.total.p50_ms) == (3, (), 0, None)


def test_names_last_for_the_run() -> None:
    ticks = feed(second(1, [row(0, [1])], names=NAMES[:1]), second(2, [row(0, [1]), row(1, [1])], names=NAMES[1:]))
    assert [counted(tick) for tick in ticks] == [{"/a": 1}, {"/a": 1, "/b": 1}]


def test_seconds_are_where_the_first_one_puts_them() -> None:
    reading = reader()
    ticks = feed(second(1), second(2, t=START - 18), second(3, t=START + 10**6), second(4), into=reading)
    assert [tick.t for tick in ticks] == [START + seq for seq in range(1, 5)]
    assert reading.refused == 2


def test_a_number_comes_once() -> None:
    reading = reader()
    ticks = feed(
        second(1, [row(0, [1])], names=NAMES), second(1, [row(0, [9] * 9)]), second(2), second(1), into=reading
    )
    assert [(tick.t, tick.total.requests) for tick in ticks] == [(START + 1, 1), (START + 2, 0)]
    assert reading.refused == 2


def test_seconds_that_are_missing_stay_missing() -> None:
    reading = reader()
    ticks = feed(second(3), second(4), second(9), into=reading)
    assert [(tick.seq, tick.t - START) for tick in ticks] == [(1, 3), (2, 4), (3, 9)]
    assert reading.missing == 2 + 4
    assert reading.refused == 0


@pytest.mark.parametrize("t", [START - 10, UNTIL + 10, 0, -1, 10**30, "1800000000", 1.8e9, None, True, math.nan, []])
def test_seconds_of_other_times_are_refused(t: object) -> None:
    reading = reader()
    assert feed(second(1, t=t), into=reading) == []
    assert reading.refused == 1
    assert len(feed(second(2), into=reading)) == 1


@pytest.mark.parametrize("seq", [0, -1, 10**9, 1.0, "1", None, True, math.inf])
def test_numbers_of_lines_that_are_none_are_refused(seq: object) -> None:
    reading = reader()
    assert feed(second(1) | {"seq": seq}, into=reading) == []
    assert len(feed(second(1), into=reading)) == 1


def test_a_file_cannot_hold_more_seconds_than_there_were() -> None:
    reading = reader()
    ticks = reading.feed(spell(*(second(n) for n in range(1, 500))), until=START + 9)
    assert [tick.t - START for tick in ticks] == list(range(1, 10))
    assert reading.refused > 0


def test_a_clock_that_was_set_is_noticed_and_moves_nothing() -> None:
    reading = reader()
    ticks = feed(*(second(n, wall=START + n + 1 - 20 * (n > 3)) for n in range(1, 7)), into=reading)
    assert [tick.t - START for tick in ticks] == [1, 2, 3, 4, 5, 6]
    assert reading.stepped_s == pytest.approx(-20)


def test_a_loop_that_was_blocked_is_no_clock_that_was_set() -> None:
    reading = reader()
    late = [second(n, wall=START + 9.0, mono=508.0) for n in range(2, 8)]
    assert len(feed(second(1), *late, into=reading)) == 7
    assert reading.stepped_s == 0


def test_the_last_line_is_remembered_and_nothing_comes_after_it() -> None:
    reading = reader()
    assert len(feed(second(1), end(1, 40, 2), second(2), into=reading)) == 1
    assert reading.closing == exact.Closing(1, 40, 2)
    assert reading.refused == 1


@pytest.mark.parametrize("key", ["seq", "requests", "failures"])
def test_a_last_line_without_numbers_is_none(key: str) -> None:
    reading = reader()
    assert len(feed(end(1, 40) | {key: -1}, second(1), into=reading)) == 1
    assert reading.closing is None and reading.refused == 1


def test_events_that_made_no_sense_are_added_up() -> None:
    reading = reader()
    feed(second(1, refused={"time": 3, "name": 1, "size": "x"}), second(2, refused={"time": 2}), into=reading)
    assert reading.nonsense == 4


@pytest.mark.parametrize(
    "line",
    ["", "{", "nonsense", "[1,2]", "null", '"x"', '{"seq":1', "{" * 10_000, '{"a":' * 5_000, '{"seq":' + "9" * 9_999],
    ids=lambda line: line[:8],
)
def test_lines_that_are_none_are_refused(line: str) -> None:
    reading = reader()
    assert reading.feed([line], UNTIL) == []
    assert reading.refused == 1
    assert len(feed(second(1), into=reading)) == 1


def test_nobody_reads_nonsense_for_ever() -> None:
    reading = reader()
    reading.feed(["nonsense"] * (MAX_REFUSED_LINES + 10), UNTIL)
    assert reading.refused == MAX_REFUSED_LINES
    assert feed(second(1), into=reading) == []


# Requests


def test_an_index_that_nobody_announced_is_counted_with_the_others() -> None:
    tick = one(second(1, [row(0, [1]), row(7, [1, 2]), row(8, [3])], names=NAMES), refused=2)
    assert counted(tick) == {"/a": 1, OTHER: 3}
    assert tick.total.requests == 4


def test_the_index_after_the_last_is_that_of_the_others() -> None:
    reading = reader()
    (tick,) = feed(second(1, [row(MAX_ENDPOINTS, [1, 2])]), into=reading)
    assert counted(tick) == {OTHER: 2}
    assert reading.overflowed and not reading.refused


def test_there_are_no_more_names_than_a_run_may_have() -> None:
    reading = reader()
    names = [[n, "GET", f"/{n}"] for n in range(MAX_ENDPOINTS)]
    (tick,) = feed(second(1, [row(n, [1]) for n in range(MAX_ENDPOINTS + 1)], names=names), into=reading)
    assert len(tick.rows) == MAX_ENDPOINTS + 1
    assert reading.refused == 0
    feed(second(2, names=[[MAX_ENDPOINTS, "GET", "/more"], [MAX_ENDPOINTS + 1, "GET", "/more"]]), into=reading)
    assert reading.refused == 2


def test_an_index_keeps_its_name() -> None:
    renamed = second(2, [row(0, [1])], names=[[0, "GET", "/other"], [0, "GET", "/a"]])
    reading = reader()
    _, tick = feed(second(1, names=NAMES), renamed, into=reading)
    assert counted(tick) == {"/a": 1} and reading.refused == 1


def test_two_indexes_of_one_name_are_one() -> None:
    twice = [[0, "GET", "/a"], [1, "GET", "/a"]]
    tick = one(second(1, [row(0, [1]), row(1, [2, 3], failures=1), row(0, [9])], names=twice))
    (only,) = tick.rows
    assert (only.requests, only.failures, only.sum_ms, only.min_ms, only.max_ms) == (4, 1, 15, 1, 9)
    assert only.p999_ms == pytest.approx(9, rel=0.01)


def test_indexes_that_no_endpoint_has_are_counted_with_the_others() -> None:
    tick = one(second(1, [row(0, [1]), row(MAX_ENDPOINTS + 1, [2]), row(2**32 - 1, [3, 4])], names=NAMES), refused=3)
    assert counted(tick) == {"/a": 1, OTHER: 3}


@pytest.mark.parametrize("value", [None, True, 7, [], {}, "*", "AAA", "é", "AAAA\n", "AAAA AAAA"], ids=repr)
def test_requests_that_cannot_be_read_are_none(value: object) -> None:
    reading = reader()
    (tick,) = feed(second(1, [row(0, [5.0])], names=NAMES) | {"requests": value}, into=reading)
    assert tick.rows == () and reading.refused == 1


def test_half_of_a_request_is_none() -> None:
    whole = b64decode(listed([row(0, [5.0, 6.0])]))
    tick = one(second(1, names=NAMES) | {"requests": b64encode(whole[:-1]).decode()}, refused=1)
    assert counted(tick) == {"/a": 1}


@pytest.mark.parametrize("ms", [math.inf, -math.inf, -1.0, -5e-324, math.nextafter(MAX_MS, math.inf), 1e308])
def test_times_that_cannot_be_are_left_out_and_their_requests_are_kept(ms: float) -> None:
    (only,) = one(second(1, [row(0, [5.0, ms, MAX_MS])], names=NAMES), refused=1).rows
    assert (only.requests, only.sum_ms, only.min_ms, only.max_ms) == (3, 5.0 + MAX_MS, 5.0, MAX_MS)
    (only,) = one(second(1, [row(0, [ms, ms], untimed=1)], names=NAMES), refused=2).rows
    assert (only.requests, only.sum_ms, only.min_ms, only.p50_ms, only.sketch) == (3, 0.0, None, None, {})


def test_infinities_that_make_up_for_each_other_are_left_out() -> None:
    (only,) = one(second(1, [row(0, [5.0, math.inf, -math.inf])], names=NAMES), refused=2).rows
    assert (only.requests, only.sum_ms) == (3, 5.0)


def test_nothing_takes_less_than_no_time() -> None:
    (only,) = one(second(1, [row(0, [-0.0])], names=NAMES)).rows
    assert [math.copysign(1, ms) for ms in (only.min_ms, only.max_ms, only.sum_ms) if ms is not None] == [1, 1, 1]


def test_bytes_are_no_more_than_there_can_be() -> None:
    def line(*sizes: int) -> dict[str, Any]:
        return second(1, names=NAMES) | {"requests": base64((0, 0, 5.0, size) for size in sizes)}

    assert one(line(MAX_COUNT - 1, 1)).rows[0].bytes == MAX_COUNT
    assert one(line(MAX_COUNT, 1), refused=1).rows[0].bytes == MAX_COUNT
    (only,) = one(line(2**64 - 1, 2**64 - 1), refused=1).rows
    assert (only.requests, only.bytes) == (2, MAX_COUNT)


def test_requests_may_come_without_their_times() -> None:
    more = [[0, 4, 3, 50], [1, 1, 1, 0]]
    tick = one(second(1, [row(0, [5.0, 6.0], failures=2)], names=NAMES, more=more))
    found = [(line.name, line.requests, line.failures, line.bytes, line.sum_ms, line.p50_ms) for line in tick.rows]
    assert found == [("/a", 6, 5, 70, 11.0, 5.0), ("/b", 1, 1, 0, 0.0, None)]


NUMBERS = [math.nan, math.inf, -math.inf, -1, 1.5, 10**20, 1e300, 10**400, "7", None, True, [], {}]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: repr(value)[:9])
@pytest.mark.parametrize("place", range(4))
def test_no_value_of_requests_without_times_makes_a_wrong_tick(place: int, value: object) -> None:
    entry: list[object] = [1, 3, 2, 50]
    entry[place] = value
    reading = reader()
    (tick,) = feed(second(1, [row(0, [5.0])], names=NAMES, more=[entry]), into=reading)
    assert reading.refused == 1
    assert check(tick) == ({"/a": 1, "/b": 3} if place > 1 else {"/a": 1})
    assert (tick.total.failures, tick.total.bytes) == [(0, 10), (0, 10), (0, 60), (2, 10)][place]


@pytest.mark.parametrize("entry", [[1, 1, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0], 7, "abcd", None, {}], ids=repr)
def test_entries_of_requests_without_times_that_cannot_be_are_none(entry: object) -> None:
    tick = one(second(1, [row(0, [5.0])], names=NAMES, more=[entry]), refused=1)
    assert counted(tick) == {"/a": 1}


def test_more_failures_than_requests_are_none() -> None:
    tick = one(second(1, names=NAMES, more=[[0, 3, 4, 0], [1, 3, 3, 0]]), refused=1)
    assert [(line.requests, line.failures) for line in tick.rows] == [(3, 0), (3, 3)]


def test_a_list_has_no_more_entries_than_there_are_endpoints() -> None:
    tick = one(second(1, names=NAMES, more=[[0, 1, 0, 1]] * 100_000), refused=1)
    assert counted(tick) == {"/a": MAX_ENDPOINTS + 1}


def test_more_requests_than_a_second_can_have_are_none() -> None:
    more = [[0, MAX_PER_SECOND - 2, 0, 0], [1, 2, 0, 0], [1, 1, 0, 0]]
    tick = one(second(1, [row(1, [1.0])], names=NAMES, more=more), refused=1)
    assert counted(tick) == {"/b": 2, "/a": MAX_PER_SECOND - 2}


def check(tick: Tick) -> Counter[str]:
    """What holds for every tick, whatever it was made of."""
    for line in (tick.total, *tick.rows):
        times = [line.min_ms, line.p50_ms, line.p90_ms, line.p95_ms, line.p99_ms, line.p999_ms, line.max_ms]
        known = [ms for ms in times if ms is not None]
        assert known == sorted(known)
        assert all(math.isfinite(ms) and ms >= 0 for ms in (*known, line.sum_ms))
        assert 0 <= line.failures <= line.requests <= MAX_PER_SECOND
        assert type(line.bytes) is int and line.bytes >= 0
        sketch = line.sketch or {}
        assert all(0 <= bucket <= LAST_BUCKET and count > 0 for bucket, count in sketch.items())
        assert sum(sketch.values()) <= line.requests
        assert (line.p50_ms is None) == (not sketch)
    assert tick.total.requests == sum(line.requests for line in tick.rows) <= MAX_PER_SECOND
    assert len({(line.method, line.name) for line in tick.rows}) == len(tick.rows) <= MAX_ENDPOINTS + 1
    return Counter(counted(tick))


# The rest of a line


@pytest.mark.parametrize("said", [None, 7, [], "x", {"A": -1}, {"A": math.nan}, {"A": "1"}, {"A": 10**9}])
def test_users_that_are_none_are_nobody(said: object) -> None:
    reading = reader()
    (tick,) = feed(second(1, users=said), into=reading)
    assert (tick.users, tick.classes, reading.refused) == (0, {}, 1)


def test_users_of_many_classes_are_all_counted() -> None:
    tick = one(second(1, users={f"User{n}": 2 for n in range(500)}))
    assert tick.users == 1_000
    assert len(tick.classes) == MAX_CLASSES and sum(tick.classes.values()) == 1_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 1e300, 10**400, "x", [], {}, True])
def test_health_that_is_none_is_not_known(value: object) -> None:
    keys = ("target", "in_flight", "oldest_ms", "lag_ms", "cpu", "rss", "fds")
    assert one(second(1) | dict.fromkeys(keys, value)).health == Health()


def test_forged_errors_of_a_second_add_up_to_no_more_than_a_second_can_have() -> None:
    errors = [[0, MAX_PER_SECOND]] * 500
    (tick,) = feed(second(1, errors_new=[[0, "GET", "/", "boom"]], errors=errors))
    assert tick.errors == ((0, MAX_PER_SECOND),)


def test_errors_are_told_once_and_counted_by_the_second() -> None:
    reading = reader()
    ticks = feed(
        second(1, errors_new=[[0, "GET", "/a", "boom"], [1, "GET", "/a", "x" * 9_999]], errors=[[0, 2], [1, 1]]),
        second(2, errors=[[0, 3], [0, 1]]),
        into=reading,
    )
    assert [tick.errors for tick in ticks] == [((0, 2), (1, 1)), ((0, 4),)]
    assert (reading.errors[0].text, len(reading.errors[1].text)) == ("boom", 2_000)
    assert reading.refused == 0


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("errors", [5, 1]),
        ("errors", [0, 0]),
        ("errors", [0, -1]),
        ("errors", [0, 10**15]),
        ("errors", [0, math.nan]),
        ("errors", [[], 1]),
        ("errors", 7),
        ("errors_new", [MAX_ERRORS + 1, "GET", "/", "x"]),
        ("errors_new", [-1, "GET", "/", "x"]),
        ("errors_new", [True, "GET", "/", "x"]),
        ("errors_new", [1, "GET", "/", 7]),
        ("errors_new", [0, "GET", "/", "another text"]),
        ("names", [0, "GET"]),
        ("names", [1.5, "GET", "/"]),
        ("names", ["0", "GET", "/"]),
        ("names", [0, None, "/"]),
        ("names", "abc"),
    ],
)
def test_entries_that_are_none_are_left_out(key: str, entry: object) -> None:
    reading = reader()
    feed(second(1, errors_new=[[0, "GET", "/", "boom"]]), into=reading)
    (tick,) = feed(second(2) | {key: [entry]}, into=reading)
    assert reading.refused == 1
    assert tick.errors == () and reading.errors[0].text == "boom" and len(reading.errors) == 1


@pytest.mark.parametrize("key", ["names", "more", "errors", "errors_new"])
@pytest.mark.parametrize("value", [None, 7, "x", {}])
def test_lists_that_are_none_are_empty(key: str, value: object) -> None:
    assert one(second(1) | {key: value}, refused=1).rows == ()


def test_texts_can_be_kept_by_any_database() -> None:
    reading = reader()
    names = [[0, "G\0T", "half \ud800 of it" + "x" * 1_000_000]]
    (tick,) = feed(second(1, [row(0, [1])], names=names, users={"\ud800": 1}), into=reading)
    for found in (tick.rows[0].method, tick.rows[0].name, *tick.classes):
        assert "\0" not in found and len(found.encode("utf-8")) < 2_000


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    lines, reading = Lines(MAX_LINE_BYTES), reader()
    long = second(1, names=[[0, "GET", "x" * 2 * MAX_LINE_BYTES]])
    data = "\n".join(spell(long, second(2))).encode() + b"\n"
    found = [line for at in range(0, len(data), 1 << 20) for line in lines.feed(data[at : at + (1 << 20)])]
    assert [tick.t for tick in reading.feed(found, UNTIL)] == [START + 2]
    assert reading.refused == 1


def test_a_line_of_the_greatest_length_takes_a_bounded_amount_of_memory() -> None:
    room = MAX_LINE_BYTES - len(spell(second(1, names=NAMES))[0])
    count = room * 3 // 4 // 21 - 1
    requests = base64((n % (MAX_ENDPOINTS + 9), 0, 1.0 + n, 2**64 - 1) for n in range(count))
    (line,) = spell(second(1, names=NAMES) | {"requests": requests})
    assert 0.99 * MAX_LINE_BYTES < len(line) < MAX_LINE_BYTES
    del requests
    tracemalloc.start()
    (tick,) = reader().feed([line], UNTIL)
    del line
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * MAX_LINE_BYTES and kept < 1_000_000
    assert check(tick).total() == count


def test_a_line_takes_all_that_the_child_may_have_to_say() -> None:
    names = [[n, "GET", '"' * MAX_NAME_CHARS] for n in range(MAX_ENDPOINTS)]
    errors = [[n, "GET", '"' * MAX_NAME_CHARS, '"' * MAX_ERROR_CHARS] for n in range(MAX_ERRORS)]
    more = [[n, 1_000_000, 1_000_000, MAX_COUNT] for n in range(MAX_ENDPOINTS)]
    full = second(1, [row(0, [1.0] * MOST_LISTED)], names=names, errors_new=errors, more=more)
    assert 0.8 * MAX_LINE_BYTES < len(spell(full)[0]) < MAX_LINE_BYTES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(0, 5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=30,
)
KEYS = sorted(second(1))


some_base64 = st.binary(max_size=40).map(lambda data: b64encode(data).decode())
lists = st.lists(st.lists(st.integers(-1, 3) | json_values, max_size=4), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(KEYS), json_values | some_base64 | lists), max_size=6), json_values)
def test_any_line_is_survived(changes: list[tuple[str, object]], value: object) -> None:
    reading = reader()
    document = second(1, [row(0, [5.0, 6.0]), row(1, [3.0])], names=NAMES) | dict(changes)
    ticks = reading.feed([*spell(document), json.dumps(value)], UNTIL)
    ticks += feed(second(5), into=reading)
    assert all(before.t < after.t and before.seq + 1 == after.seq for before, after in pairwise(ticks))
    for tick in ticks:
        check(tick)


# Failing requests

SAMPLE = {
    "error": 0,
    "t": START + 0.5,
    "method": "GET",
    "url": "https://shop.test/a?token=***",
    "status": 500,
    "response_ms": 12.5,
    "request_headers": {"Accept": "*/*"},
    "response_headers": {"Server": "x"},
    "body": "no",
    "body_bytes": 2,
}


def test_a_sample_is_what_its_line_says() -> None:
    (found,) = Samples(10).feed(spell(SAMPLE))
    assert {name: getattr(found, name) for name in SAMPLE} == SAMPLE


def test_there_are_so_many_samples_of_an_error_and_of_a_run() -> None:
    samples = Samples(50)
    found = samples.feed(spell(*(SAMPLE | {"error": n % 4} for n in range(150))))
    assert [sum(sample.error == error for sample in found) for error in range(4)] == [13, 13, 12, 12]
    assert len(Samples(50).feed(spell(*[SAMPLE] * 100))) == SAMPLES_PER_ERROR
    assert samples.feed(spell(SAMPLE)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("error", -1),
        ("error", MAX_ERRORS + 1),
        ("error", "0"),
        ("t", math.nan),
        ("t", 1e300),
        ("url", 7),
        ("body", None),
    ],
)
def test_samples_that_are_none_are_left_out(key: str, value: object) -> None:
    assert sample_of(SAMPLE | {key: value}) is None


def test_samples_are_held_within_bounds() -> None:
    headers = {f"h{n}": "v" * 10_000 for n in range(500)} | {"bad": 7, "\0": "\ud800"}
    big = sample_of(SAMPLE | {"url": "u" * 10**5, "body": "b" * 10**5, "request_headers": headers, "status": 10**9})
    assert big is not None
    assert (len(big.url), len(big.body), big.status, len(big.request_headers)) == (2_000, 4_096, None, 100)
    assert max(map(len, big.request_headers.values())) == 2_000


@given(st.dictionaries(st.sampled_from(sorted(SAMPLE)), json_values))
def test_any_sample_is_survived(changes: dict[str, object]) -> None:
    Samples(5).feed(spell(SAMPLE | changes))
