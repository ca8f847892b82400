"""What a run would ask of its hosts: reckoned, and said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pools.allocation import Room, Span, seats
from apps.runs.planning import Machine, PlannedHost, Traffic, lay_out, shortfalls


def room(name: str, slots: int = 500, spans: tuple[Span, ...] | None = None) -> Room:
    return Room(host_id=name, name=name, slots=slots, users=None, spans=spans)


def planned(users: int, workers: int, *machines: Machine, advice: int = 166, **more: Any) -> tuple[PlannedHost, ...]:
    found = seats([room(machine.name) for machine in machines], workers=workers, users=users)
    return lay_out(found, machines, advice=advice, **more)


def test_500_users_of_150_kb_each_second_are_600_mbit() -> None:
    assert Traffic(150_000, 1).mbit(500) == 600


def test_workers_stand_at_their_hosts_with_the_ids_of_their_users() -> None:
    rooms = [room(name, spans=(Span(first, first + 999),)) for name, first in (("b", 1001), ("a", 1))]
    found = seats(rooms, workers=3, users=500)
    machines = [Machine("a", "a"), Machine("b", "b"), Machine("c", "c")]
    hosts = lay_out(found, machines, advice=166, id_text=lambda number: f"test_{number:05d}")
    assert [host.machine.name for host in hosts] == ["a", "b"], "those that get nothing are not there"
    ids = {(worker.index, worker.first, worker.last) for host in hosts for worker in host.workers}
    assert ids == {
        (seat.index, f"test_{seat.offset + 1:05d}", f"test_{seat.offset + seat.users:05d}") for seat in found
    }
    assert "test_00001" in {first for _index, first, _last in ids}


@given(st.integers(1, 5000), st.integers(1, 50), st.integers(1, 400), st.integers(1, 5))
def test_a_plan_loses_nobody_and_draws_within_its_bar(users: int, workers: int, advice: int, count: int) -> None:
    machines = [Machine(f"host-{n}", f"host-{n}") for n in range(count)]
    hosts = planned(users, workers, *machines, advice=advice, traffic=Traffic(1000, 2))
    assert sum(host.users for host in hosts) == users
    assert sum(host.mbit or 0 for host in hosts) == pytest.approx(Traffic(1000, 2).mbit(users))
    for host in hosts:
        for worker in host.workers:
            assert 0 < worker.bar.users <= 100
            assert 0 <= worker.bar.low <= worker.bar.low + worker.bar.good <= 100


def test_what_is_enough_is_not_spoken_of() -> None:
    machine = Machine("a", "a", link_mbit=1000, ports=28_232, files=65_536)
    assert shortfalls(planned(500, 4, machine, traffic=Traffic(150_000, 1)), advice=166) == []


def test_what_is_unknown_is_no_shortfall() -> None:
    assert shortfalls(planned(160, 1, Machine("a", "a"), traffic=Traffic(1e9, 1)), advice=166) == []


@pytest.mark.parametrize(
    ("machine", "workers", "sentence"),
    [
        (Machine("a", "a", link_mbit=100), 4, "a: 600 Mbit/s are expected, and its link has 100."),
        (Machine("a", "a", ports=499), 4, "a: 500 users with a connection each, and it has 499 ports"),
        (Machine("a", "a", ports=500, others=1), 4, "a: 501 users with a connection each, and it has 500 ports"),
        (
            Machine("a", "a", files=224),
            4,
            "a: a worker of 125 users with a connection each, and it may open 224 files.",
        ),
        (Machine("a", "a"), 3, "A worker gets 167 users; the advice for this pool is at most 166. Ask for 4 workers"),
    ],
    ids=["link", "ports", "ports with other runs", "files", "advice"],
)
def test_each_shortfall_is_said_with_its_figures(machine: Machine, workers: int, sentence: str) -> None:
    (said,) = shortfalls(planned(500, workers, machine, traffic=Traffic(150_000, 1)), advice=166)
    assert said.startswith(sentence)
