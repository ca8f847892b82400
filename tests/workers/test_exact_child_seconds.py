"""What is counted of a second reaches the other side whole."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.counted import rows, total
from workers import sketch
from workers.child.exact import seconds
from workers.child.exact.seconds import NO_TIME, RECORD, Second
from workers.child.exact.values import MAX_BYTES, MAX_MS
from workers.exact_requests import Requests
from workers.samples import MAX_ENDPOINTS

Request = tuple[int, float | None, int, bool]
"""Index, milliseconds, bytes, whether it failed."""
requests = st.tuples(
    st.sampled_from([0, 1, 2, MAX_ENDPOINTS]),
    st.none() | st.floats(0, MAX_MS) | st.floats(0, 1),
    st.integers(0, MAX_BYTES),
    st.booleans(),
)


def second_of(asked: list[Request]) -> Second:
    made = Second(7)
    for index, ms, size, is_failed in asked:
        made.requests += RECORD.pack(index, is_failed, NO_TIME if ms is None else ms, size)
    return made


def expected(asked: list[Request]) -> Requests:
    times = [ms for _, ms, _, _ in asked if ms is not None]
    return Requests(
        count=len(asked),
        failures=sum(is_failed for *_, is_failed in asked),
        bytes=sum(size for _, _, size, _ in asked),
        times=times,
        sum_ms=sum(times),
        min_ms=min(times, default=None),
        max_ms=max(times, default=None),
        sketch=sketch.merged({sketch.bucket_of(ms): 1} for ms in times),
    )


@given(st.lists(requests, max_size=40))
def test_every_request_is_counted_with_its_endpoint(asked: list[Request]) -> None:
    indexes, made = {index for index, *_ in asked}, second_of(asked)
    assert (made.count, made.failures) == (len(asked), sum(is_failed for *_, is_failed in asked))
    assert rows(made) == {index: expected([one for one in asked if one[0] == index]) for index in indexes}


def test_the_least_and_the_greatest_are_taken_to_the_last_digit() -> None:
    times = [0.0, 5e-324, math.pi, math.nextafter(MAX_MS, 0), MAX_MS]
    (row,) = rows(second_of([(0, ms, MAX_BYTES, False) for ms in times])).values()
    assert (row.times, row.bytes) == (times, MAX_BYTES * len(times))


def test_requests_beyond_the_most_keep_all_but_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seconds, "MOST_LISTED", 3)
    asked: list[Request] = [(n % 2, float(n), 10 + n, n > 4) for n in range(7)]
    made = second_of(asked)
    found = rows(made)
    assert {index: (row.count, row.failures, row.bytes, row.times) for index, row in found.items()} == {
        0: (4, 1, 10 + 12 + 14 + 16, [0.0, 2.0]),
        1: (3, 1, 11 + 13 + 15, [1.0]),
    }
    assert total([made]) == (7, 2)
