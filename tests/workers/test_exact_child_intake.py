"""What counts in the child, with nonsense for requests. No Locust in here: `test_exact_child.py` has that."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.counted import rows
from tests.workers.counted import total as counted_in
from workers.child.exact import intake, values
from workers.child.exact.clock import Clock
from workers.child.exact.errors import OTHER_ERROR, Errors
from workers.child.exact.intake import Intake
from workers.child.exact.names import MAX_GOOD_CHARS, MAX_SEEN, Names, best_group
from workers.exact_requests import Requests
from workers.samples import MAX_NAME_CHARS, OTHER

GOOD = {"request_type": "GET", "name": "/a", "response_time": 5.0, "response_length": 3}


class Stats:
    """Stands for Locust's, and remembers what it was told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, float | None, int]] = []
        self.errors: list[tuple[str, str, str]] = []

    def log_request(self, *said: Any) -> None:
        self.requests.append(said)

    def log_error(self, *said: Any) -> None:
        self.errors.append(said)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __bool__ = __str__


class HostileClass:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")  # also to `isinstance`, which asks for `__class__`


class HostileText(str):
    __slots__ = ()

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __getitem__(self, key: Any) -> str:
        raise RuntimeError("no")


class HostileNumber(float):
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __le__(self, other: Any) -> bool:
        raise RuntimeError("no")


def make(max_endpoints: int = 1_000, max_errors: int = 1_000) -> tuple[Intake, Stats]:
    stats = Stats()
    made = Intake(
        SimpleNamespace(stats=stats),
        Names(max_endpoints, MAX_NAME_CHARS, OTHER),
        Errors(max_errors, OTHER),
    )
    made.count_seconds()
    made.begin()
    return made, stats


def make_before() -> tuple[Intake, Stats]:
    """One whose test has not begun."""
    stats = Stats()
    made = Intake(SimpleNamespace(stats=stats), Names(9, MAX_NAME_CHARS, OTHER), Errors(9, OTHER))
    made.count_seconds()
    return made, stats


def counted(made: Intake) -> dict[int, Requests]:
    """All requests by endpoint, when each has requests in one second only."""
    last = made.close()
    return {index: row for second in [*made.over, last] for index, row in rows(second).items()}


def total(made: Intake) -> tuple[int, int]:
    last = made.close()
    return counted_in([*made.over, last])


def test_it_counts() -> None:
    made, stats = make()
    for ms in (2.0, 4, 9.5):
        made.on_request(**{**GOOD, "response_time": ms}, start_time=1, url="x", context={})
    made.on_request(**GOOD, exception=ValueError("bad"))
    made.on_request(request_type="POST", name="/a", response_time=None, response_length=7, exception=None)
    first, second = counted(made).values()
    assert (first.count, first.failures, first.bytes) == (4, 1, 12)
    assert (first.sum_ms, first.min_ms, first.max_ms, first.times) == (20.5, 2.0, 9.5, [2.0, 4.0, 9.5, 5.0])
    assert second == Requests(count=1, bytes=7)
    assert stats.requests[-1] == ("POST", "/a", None, 7)
    assert stats.errors == [("GET", "/a", "ValueError('bad')")]
    assert made.refused == {"time": 0, "name": 0, "size": 0}


@pytest.mark.parametrize(
    "ms",
    [
        math.nan, math.inf, -math.inf, -1, -0.001, 10**400, 1e300, values.MAX_MS + 1, "12", b"1", object(), True,
        [1], Hostile(), HostileNumber(3), Decimal("NaN"),
    ],
    ids=lambda ms: type(ms).__name__,
)  # fmt: skip
def test_a_request_with_a_time_that_is_none_is_a_request(ms: object) -> None:
    made, stats = make()
    made.on_request(**{**GOOD, "response_time": ms}, exception="boom")
    (row,) = counted(made).values()
    assert row == Requests(count=1, failures=1, bytes=3)
    assert made.refused == {"time": 1, "name": 0, "size": 0}
    assert stats.requests == [("GET", "/a", None, 3)]  # Locust counts it as one without a time


@pytest.mark.parametrize(("ms", "taken"), [(3, 3.0), (Decimal("3.5"), 3.5), (0, 0.0), (-0.0, 0.0)])
def test_a_time_may_be_any_number(ms: object, taken: float) -> None:
    made, stats = make()
    made.on_request(**{**GOOD, "response_time": ms})
    assert stats.requests[0][2] == taken and made.refused["time"] == 0


@pytest.mark.parametrize(
    "size", [None, -1, "12", math.nan, 10**30, object(), Hostile()], ids=lambda s: type(s).__name__
)
def test_nonsense_for_a_length_is_no_bytes(size: object) -> None:
    made, stats = make()
    made.on_request(**{**GOOD, "response_length": size})
    assert (stats.requests[0][3], made.refused["size"]) == (0, 1)


@pytest.mark.parametrize(
    "name",
    [
        None, object(), 12, ["l"], {}, b"/b", "\ud800", "x" * (MAX_GOOD_CHARS + 1), Hostile(),
        HostileText("/s" * 9_999),
    ],
    ids=lambda name: type(name).__name__,
)  # fmt: skip
def test_nonsense_for_a_name_is_counted_each_time(name: object) -> None:
    made, stats = make()
    for _ in range(3):
        made.on_request(**{**GOOD, "name": name})
        made.on_request(**{**GOOD, "request_type": name})
    assert total(made) == (6, 0)
    assert made.refused["name"] == 6
    for method, known, _, _ in stats.requests:
        assert len(known) <= MAX_NAME_CHARS and len(method) <= MAX_NAME_CHARS
        assert "0x7" not in known
        (method + known).encode()


def test_a_long_name_is_cut_before_it_is_kept() -> None:
    made, _ = make()
    made.on_request(**{**GOOD, "name": "/" + "x" * 2_000})
    made.on_request(**{**GOOD, "name": "/" + "x" * 3_000})
    assert [len(endpoint.name) for endpoint in made.names.endpoints] == [MAX_NAME_CHARS]
    assert all(len(name) <= MAX_NAME_CHARS for name, _ in made.names.seen)
    assert made.refused["name"] == 0


@pytest.mark.parametrize("missing", [*GOOD, "all"])
def test_what_is_missing_is_nonsense(missing: str) -> None:
    made, stats = make()
    made.on_request(**{key: value for key, value in GOOD.items() if key != missing and missing != "all"})
    assert total(made) == (1, 0)
    assert len(stats.requests) == 1
    assert sum(made.refused.values()) == {"all": 2, "response_length": 0}.get(missing, 1)


@pytest.mark.parametrize("key", GOOD)
def test_what_will_not_say_its_class_is_nonsense(key: str) -> None:
    made, stats = make()
    made.on_request(**{**GOOD, key: HostileClass()})
    assert total(made) == (1, 0) and len(stats.requests) == 1
    assert sum(made.refused.values()) == 1


@pytest.mark.parametrize("error", ["", 0, None, False, [], Hostile()], ids=lambda e: type(e).__name__)
def test_what_is_not_true_is_no_failure(error: object) -> None:
    made, stats = make()
    made.on_request(**GOOD, exception=error)
    assert total(made) == (1, 0) and stats.errors == []


def test_errors_with_bad_manners_are_errors() -> None:
    class Rude(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no")

    class Ruder(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise RuntimeError("no")

    class Rudest(Rude, metaclass=Ruder):
        pass

    made, stats = make()
    for error in (Rude(), Rudest(), "\ud800", "x" * 1_000_000, object()):
        made.on_request(**GOOD, exception=error)
    texts = [text for _, _, text in stats.errors]
    assert texts == [
        "Rude(unprintable)",
        "Rudest(unprintable)",
        "\\ud800",
        "x" * values.MAX_ERROR_CHARS,
        "<object object at 0x....>",
    ]
    assert [kind.text for kind in made.errors.kinds] == texts


def test_before_the_test_begins_only_locust_counts() -> None:
    stats = Stats()
    made = Intake(SimpleNamespace(stats=stats), Names(9, MAX_NAME_CHARS, OTHER), Errors(9, OTHER))
    made.on_request(**GOOD, exception="boom")
    made.count_seconds()
    made.on_request(**GOOD, exception="boom")
    assert len(stats.requests) == len(stats.errors) == 2
    made.begin()
    made.on_request(**GOOD)
    assert total(made) == (1, 0)
    made.on_request(**GOOD, exception="after the end")
    assert len(stats.requests) == 4 and total(made) == (1, 0)


def test_an_error_of_before_the_test_is_none_of_it() -> None:
    made, _ = make_before()

    class Slow(Exception):
        def __repr__(self) -> str:
            made.begin()
            return "slow"

    taken: list[Any] = []
    made.on_failure = lambda *said: taken.append(said)
    made.on_request(**GOOD, exception=Slow())
    last = made.close()
    assert (last.count, last.errors, taken) == (0, {}, [])


def test_a_failure_is_one_whatever_time_locusts_statistics_take() -> None:
    made, stats = make()
    stats.log_request = lambda *_: made.roll(made._ends)  # type: ignore[method-assign]
    made.on_request(**GOOD, exception="bad")
    assert counted_in(made.over) == (1, 1)


def test_an_error_that_is_told_late_keeps_its_second() -> None:
    made, _ = make()

    class Slow(Exception):
        def __repr__(self) -> str:
            made.roll(made._ends)
            return "slow"

    made.on_request(**GOOD, exception=Slow())
    made.roll(made._ends)
    assert [(second.count, second.errors) for second in made.over] == [(1, {}), (0, {0: 1})]


def test_an_error_that_is_told_after_the_end_is_locusts_alone() -> None:
    made, stats = make()

    class Slow(Exception):
        def __repr__(self) -> str:
            made.close()
            return "slow"

    made.on_request(**GOOD, exception=Slow())
    assert (made.close().errors, len(stats.errors)) == ({}, 1)


@pytest.mark.parametrize("key", ["response_time", "response_length", "name", "exception"])
def test_what_takes_its_time_to_say_what_it_is_belongs_to_the_second_in_which_it_has(key: str) -> None:
    made, _ = make()

    class Slow(float):
        def __float__(self) -> float:
            made.roll(made._ends)
            return 1.0

        def __bool__(self) -> bool:
            return self.__float__() > 0

        def __str__(self) -> str:
            return str(self.__float__())

    first = made._second.t
    made.on_request(**{**GOOD, key: Slow()})
    made.roll(made._ends)
    assert [(second.t > first, second.count) for second in made.over] == [(True, 1)]


def test_what_has_ended_does_not_begin_again() -> None:
    made, _ = make()
    made.close()
    made.begin()
    made.on_request(**GOOD)
    assert total(made) == (0, 0)


def test_each_second_has_requests_of_its_own() -> None:
    made, _ = make()
    for name in ("/a", "/b", "/a"):
        made.on_request(**{**GOOD, "name": name})
    made.roll(made._ends)
    for name in ("/b", "/a", "/b", "/b"):
        made.on_request(**{**GOOD, "name": name})
    last = made.close()
    assert [{index: row.count for index, row in rows(second).items()} for second in [*made.over, last]] == [
        {0: 2, 1: 1},
        {1: 3, 0: 1},
    ]


def test_nothing_is_kept_where_nobody_collects() -> None:
    made, stats = make_before()
    for number in range(MAX_SEEN + 10):
        for _ in range(2):
            made.on_request(**{**GOOD, "name": f"/{number}"})
    assert len(stats.requests) == 2 * (MAX_SEEN + 10)
    assert not made._second.requests
    made.begin()
    assert total(made) == (0, 0)


def test_statistics_of_locust_that_raise_do_not_reach_the_script() -> None:
    made, stats = make()
    stats.log_request = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]
    made.on_request(**GOOD)
    assert total(made)[0] == 1


def test_names_are_bounded() -> None:
    made, stats = make(max_endpoints=3)
    for number in range(MAX_SEEN + 10):
        made.on_request(**{**GOOD, "name": f"/{number}"})
    assert [endpoint.name for endpoint in made.names.endpoints] == ["/0", "/1", "/2", OTHER]
    assert made.names.other.index == 3 and made.names.overflowed == "/3"
    assert len(made.names.seen) <= MAX_SEEN
    assert total(made)[0] == MAX_SEEN + 10
    assert stats.requests[-1][:2] == ("", OTHER)
    assert stats.requests[0][:2] == ("GET", "/0")


def test_errors_are_bounded() -> None:
    made, _ = make(max_errors=2)
    for number in range(5):
        made.on_request(**GOOD, exception=f"error {number}")
    assert [(kind.index, kind.text) for kind in made.errors.kinds] == [(0, "error 0"), (1, "error 1"), (2, OTHER_ERROR)]
    assert made.close().errors == {0: 1, 1: 1, 2: 3}


def test_grouped_names_reach_locust_too() -> None:
    made, stats = make()
    made.names.group = lambda name: "/u/{id}" if name.startswith("/u/") else name
    for number in range(3):
        name = f"/u/{number}"
        made.on_request(**{**GOOD, "name": name}, exception=f"404 Not Found for url: {name}")
    assert {said[1] for said in stats.requests} == {"/u/{id}"}
    assert set(stats.errors) == {("GET", "/u/{id}", "404 Not Found for url: /u/{id}")}
    assert len(made.errors.kinds) == 1


def test_a_request_belongs_to_the_second_in_which_it_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(intake, "_monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: 5_000.25 + (20 if now[0] > 1_001 else 0))  # somebody sets the clock
    made, _ = make()
    for at in (1_000.0, 1_000.7499, 1_000.75, 1_001.0, 1_004.8):
        now[0] = at
        made.on_request(**GOOD)
    made.roll(1_004.9)
    now[0] = 1_005.0
    last = made.close()
    assert [(second.t, second.count) for second in [*made.over, last]] == [(5_000, 2), (5_001, 2), (5_005, 1)]
    now[0] = 1_010.0
    made.on_request(**GOOD)
    assert len(made.over) == 2 and made.close().count == 1


@given(st.floats(0, 4e9), st.floats(0, 1e8), st.floats(0, 1e6))
def test_a_second_ends_where_the_next_begins(wall: float, mono: float, later: float) -> None:
    clock = Clock(wall, mono)
    second = clock.second(mono + later)
    assert clock.second(clock.end(second) + 1e-5) >= second + 1
    assert clock.second(clock.end(second) - 1e-5) <= second


def test_the_best_group_takes_in_the_most_names() -> None:
    def grouped(name: str) -> str:
        return name.rstrip("0123456789") + "{id}" if name[-1].isdigit() else name

    names = ["/a", "/b/1", "/c/1", "/c/2", "/c/3", "/b/2", "/c/3"]
    assert best_group(names, grouped) == ("/c/1", "/c/{id}", 3)
    assert best_group(["/a", "/b/1"], grouped) is None
