"""Users that follow from a plan and from what people want meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.child.inbox import Inbox
from workers.child.stages import Stage, users_at
from workers.child.steering import CATCH_UP_SECONDS, Course, Wish, wish_of

HOUR = 3600.0


def course(*stages: Stage, slopes: bool = False) -> Course:
    return Course(stages, slopes=slopes)


def follow(course: Course, *moments: float) -> list[int]:
    return [course.advance(at) for at in moments]


def wish(**fields: Any) -> Wish:
    return Wish(**({"revision": 1, "run_time_s": HOUR} | fields))


def test_without_a_wish_it_is_the_plan() -> None:
    plan = (Stage(3, 9, 4), Stage(3, 2, 100))
    assert (
        follow(course(*plan), *range(8)) == [users_at(plan, second) for second in range(8)] == [4, 8, 9, 2, 2, 2, 2, 2]
    )


def test_users_are_reached_from_where_they_are_and_held() -> None:
    way = course(Stage(10, 100, 10), Stage(10, 0, 100))
    follow(way, 0, 1, 2)
    way.steer(wish(users=36))
    assert follow(way, 2.4, 3, 3.9, 4, 5, 15) == [30, 36, 36, 36, 36, 36]
    way.steer(wish(users=6, spawn_rate=20.0))
    assert follow(way, 16, 16.9, 17.1) == [16, 16, 6]


def test_the_next_step_does_not_come_sooner_because_of_changes() -> None:
    way = course(Stage(HOUR, 1_000, 1))
    users = []
    for tick in range(100):
        if tick % 3 == 0:
            way.steer(wish(users=1_000 + tick))
        users.append(way.advance(tick / 10))
    assert users[-1] in (9, 10, 11)


def test_a_slow_rate_does_not_hold_up_a_faster_one() -> None:
    way = course(Stage(HOUR, 1_000, 0.01))
    assert follow(way, 0, 1) == [1, 1]
    way.steer(wish(spawn_rate=5.0))
    assert follow(way, 1.1, 2.2) == [6, 11]


def test_a_rate_alone_leads_to_what_the_stages_say() -> None:
    way = course(Stage(10, 50, 1), Stage(10, 5, 1))
    follow(way, 0, 1)
    way.steer(wish(spawn_rate=100.0))
    assert follow(way, 2, 9.9, 10) == [50, 50, 5]


def test_a_pause_is_at_once_and_the_way_back_a_ramp() -> None:
    way = course(Stage(HOUR, 10, 5))
    follow(way, 0, 1, 2)
    way.steer(wish(is_paused=True))
    assert follow(way, 2.1, 9) == [0, 0]
    assert not way.is_there
    way.steer(wish())
    assert follow(way, 9.1, 10, 10.1, 20) == [5, 5, 10, 10]
    assert way.is_there


def test_users_may_be_changed_during_a_pause() -> None:
    way = course(Stage(HOUR, 10, 5))
    follow(way, 0, 3)
    way.steer(wish(is_paused=True))
    way.advance(4)
    way.steer(wish(is_paused=True, users=3))
    assert way.advance(5) == 0
    way.steer(wish(users=3))
    assert way.advance(6) == 3


def test_after_a_pause_a_plan_is_caught_up_with_although_it_goes_on() -> None:
    plan = Stage(HOUR, 360, 0.1)
    way = course(plan, slopes=True)
    way.advance(1800)
    way.steer(wish(is_paused=True))
    way.advance(1801)
    way.steer(wish())
    assert 0 < way.advance(1900) < 10
    for second in range(1900, 1900 + int(CATCH_UP_SECONDS) + 5):
        way.advance(second)
    assert follow(way, 2000, 3000) == [users_at([plan], 2000), users_at([plan], 3000)]


def test_a_limit_that_somebody_set_holds_after_a_pause_too() -> None:
    way = course(Stage(HOUR, 1_000, 2))
    way.advance(1800)
    way.steer(wish(is_paused=True))
    way.advance(1801)
    way.steer(wish())
    assert follow(way, 1802, 1902) == [2, 202]


wishes = st.builds(
    Wish,
    revision=st.just(1),
    run_time_s=st.just(HOUR),
    users=st.none() | st.integers(0, 500),
    spawn_rate=st.none() | st.floats(0.01, 50),
    is_paused=st.booleans(),
)
plans = st.lists(st.builds(Stage, st.floats(1, 60), st.integers(0, 500), st.floats(0.01, 50)), min_size=1, max_size=4)


@given(plans, st.lists(st.tuples(st.floats(0, 5), st.none() | wishes), max_size=40), st.booleans())
def test_users_stay_within_what_was_ever_wanted(plan: list[Stage], steps: list[Any], slopes: bool) -> None:
    way, at = Course(plan, slopes=slopes), 0.0
    most = max(stage.users for stage in plan)
    for wait, wanted in steps:
        at += wait
        if wanted is not None:
            way.steer(wanted)
            most = max(most, wanted.users or 0)
        users = way.advance(at)
        assert 0 <= users <= most
        assert not (wanted and wanted.is_paused and users)


@given(plans, wishes, st.floats(0, 100))
def test_what_is_wanted_is_reached(plan: list[Stage], wanted: Wish, at: float) -> None:
    way = Course(plan, slopes=True)
    way.advance(at)
    way.steer(wanted)
    for _ in range(3):
        way.advance(at)
        at += 100_000
    goal = plan[-1].users if wanted.spawn_rate is not None else users_at(plan, at)
    expected = 0 if wanted.is_paused else goal if wanted.users is None else wanted.users
    assert way.users == expected


# --- the file -----------------------------------------------------------------------------------------------------


def put(path: Path, **fields: Any) -> None:
    known = {"revision": 1, "users": 5, "spawn_rate": 2.5, "run_time_s": 60.0, "is_paused": False}
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(known | fields))
    scratch.replace(path)


def test_it_hears_each_revision_once(tmp_path: Path) -> None:
    path = tmp_path / "steering.json"
    inbox = Inbox(path, wish_of)
    assert inbox.read() is None
    put(path)
    assert inbox.read() == Wish(1, 60.0, 5, 2.5, False)
    assert inbox.read() is None
    put(path, users=6)
    assert inbox.read() is None  # a wish that changes has another number
    put(path, revision=7, users=None, spawn_rate=None, is_paused=True)
    assert inbox.read() == Wish(7, 60.0, None, None, True)
    put(path, revision=6)
    assert inbox.read() is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"revision": "2"},
        {"revision": None},
        {"revision": True},
        {"users": -1},
        {"users": 1.5},
        {"users": 10**9},
        {"users": "5"},
        {"spawn_rate": 0},
        {"spawn_rate": -1},
        {"spawn_rate": float("nan")},
        {"spawn_rate": float("inf")},
        {"run_time_s": None},
        {"run_time_s": 0},
        {"run_time_s": float("inf")},
        {"is_paused": 1},
    ],
    ids=str,
)
def test_it_passes_over_what_nobody_can_want(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "steering.json"
    inbox = Inbox(path, wish_of)
    put(path, **wrong)
    assert inbox.read() is None
    put(path, revision=2)
    assert inbox.read() is not None


def test_it_passes_over_what_is_no_file_of_that_kind(tmp_path: Path) -> None:
    path = tmp_path / "steering.json"
    inbox = Inbox(path, wish_of)
    path.mkdir()
    assert inbox.read() is None
    path.rmdir()
    for text in (b"", b"\xff", b"[" * 100_000, b"[]", b"7", b"{}", b" " * 10**6):
        path.write_bytes(text)
        assert inbox.read() is None
    path.unlink()
    os.mkfifo(path)
    assert inbox.read() is None
