from __future__ import annotations

from workers.samples import Health, SampleRow, Tick
from workers.watch import LATE_SECONDS, MAX_STALLS, Event, Lateness, Stalls

START = 1_800_000_000


def tick(t: int, requests: int = 0, *, users: int = 2, in_flight: int | None = 2, lag_ms: float = 1) -> Tick:
    total = SampleRow("", "Aggregated", requests, 0, 0.0, 0, None, None, None, None, None, None, None)
    health = None if in_flight is None else Health(in_flight=in_flight, oldest_ms=1_000.0 * t, lag_ms=lag_ms)
    return Tick(t, START + t, users, total, (), health)


def watch(ticks: list[Tick]) -> list[Event]:
    stalls = Stalls()
    return [event for one in ticks for event in stalls.feed(one)]


def test_five_seconds_without_an_answer_are_a_stall() -> None:
    found = watch([tick(1, 9), *(tick(t) for t in range(2, 9)), tick(9, 1), tick(10)])
    assert found == [
        ("stall", {"seconds": 5, "in_flight": 2, "oldest_ms": 6_000.0, "t": START + 2}),
        ("stall_over", {"seconds": 7, "t": START + 8}),
    ]


def test_four_are_none() -> None:
    assert watch([tick(1, 9), *(tick(t) for t in range(2, 6)), tick(6, 1), *(tick(t) for t in range(7, 11))]) == []


def test_users_that_wait_for_nothing_are_no_stall() -> None:
    assert watch([tick(t, in_flight=0) for t in range(1, 30)]) == []
    assert watch([tick(t, users=0) for t in range(1, 30)]) == []
    assert watch([tick(t, in_flight=int(t % 5 > 0)) for t in range(1, 30)]) == []


def test_without_knowing_what_is_in_flight_users_are_taken_to_wait() -> None:
    found = watch([tick(t, in_flight=None) for t in range(1, 10)])
    assert found == [("stall", {"seconds": 5, "in_flight": None, "oldest_ms": None, "t": START + 1})]


def test_a_stall_ends_with_its_users_and_with_the_run() -> None:
    stalls = Stalls()
    events = [event for t in range(1, 8) for event in stalls.feed(tick(t))]
    assert [kind for kind, _ in [*events, *stalls.feed(tick(8, users=0))]] == ["stall", "stall_over"]
    assert list(stalls.end()) == []
    for t in range(20, 26):
        list(stalls.feed(tick(t)))
    assert list(stalls.end()) == [("stall_over", {"seconds": 6, "t": START + 25})]


def test_seconds_that_are_missing_belong_to_a_stall() -> None:
    (stall,) = watch([tick(1), tick(9)])
    assert stall[1]["seconds"] == 9


def test_there_are_several_stalls_and_not_without_end() -> None:
    ticks = [tick(t, int(t % 10 == 0)) for t in range(1, 10 * (MAX_STALLS + 50))]
    kinds = [kind for kind, _ in watch(ticks)]
    assert kinds == ["stall", "stall_over"] * MAX_STALLS


def test_a_loop_is_late_when_it_is_so_for_some_seconds_on_end() -> None:
    late = [tick(t, lag_ms=201) for t in range(1, LATE_SECONDS + 1)]
    watching = Lateness()
    assert [watching.feed(one) for one in late] == [False] * (LATE_SECONDS - 1) + [True]
    watching = Lateness()
    broken = [*late[:-1], tick(8, lag_ms=200), *late[:-1], tick(9, in_flight=None)]
    assert not any(watching.feed(one) for one in broken)
