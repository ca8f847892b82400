from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.apart import said_by
from workers.child.stages import ROUNDING, Stage, ramp, stage_at, users_at

stages = st.lists(
    st.builds(Stage, st.floats(1, 100), st.integers(0, 1_000), st.floats(0.01, 1_000)), min_size=1, max_size=5
)


def test_a_ramp_goes_up_holds_and_comes_down_and_its_end_is_held() -> None:
    profile = [Stage(4, 6, 2), Stage(3, 1, 10)]
    assert [users_at(profile, second) for second in range(8)] == [2, 4, 6, 6, 1, 1, 1, 1]
    assert [stage_at(profile, second) for second in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_stage_shorter_than_its_ramp_hands_on_where_it_got_to() -> None:
    assert [users_at([Stage(2, 100, 10), Stage(2, 0, 5)], second) for second in range(4)] == [10, 20, 15, 10]


def test_slow_ramps_start_with_one_user() -> None:
    assert [users_at([Stage(6, 3, 0.5)], second) for second in range(6)] == [1, 1, 2, 2, 3, 3]


def test_a_ramp_steps_once_a_second_only() -> None:
    assert [ramp(10, 20, 2.5, tenth / 10) for tenth in (0, 1, 9, 10, 19, 20)] == [12, 12, 12, 15, 15, 17]
    assert [ramp(10, 0, 3, seconds) for seconds in (-0.1, 0, 1, 5)] == [10, 7, 4, 0]


def test_rounding_does_not_hold_up_a_user() -> None:
    assert ramp(0, 100, 0.29, 100) == 30


@given(stages, st.floats(0, 600))
def test_users_stay_within_the_profile(profile: list[Stage], elapsed: float) -> None:
    assert 0 <= users_at(profile, elapsed) <= max(stage.users for stage in profile)


@given(stages, st.floats(0, 600))
def test_users_change_no_faster_than_the_stage_says(profile: list[Stage], elapsed: float) -> None:
    before, after = users_at(profile, elapsed), users_at(profile, elapsed + 0.5)
    first, last = stage_at(profile, elapsed), stage_at(profile, elapsed + 0.5)
    rates = [stage.spawn_rate for stage in profile[first : last + 1]]
    assert abs(after - before) <= sum(max(1, rate + 1) for rate in rates)


# --- ramps of a master --------------------------------------------------------------------------------------------

STEPS = """
import json
from workers.child.swarm.master import steps
print(json.dumps([list(steps(now, then, rate)) for now, then, rate in json.loads(CASES)]))
"""


def steps_of(cases: list[tuple[int, int, float]]) -> list[list[tuple[int, float]]]:
    """In an interpreter of its own: the master's module imports Locust."""
    found = json.loads(said_by(f"CASES = {json.dumps(cases)!r}\n{STEPS}"))
    return [[(users, pause) for users, pause in case] for case in found]


def test_the_steps_of_a_master_are_those_of_a_ramp() -> None:
    cases: list[tuple[int, int, float]] = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 100) | st.integers(1, 100).map(float))
    def gather(now: int, then: int, rate: float) -> None:
        cases.append((now, then, rate))

    gather()
    for (now, then, rate), steps in zip(cases, steps_of(cases), strict=True):
        at, size = 0.0, max(1, math.floor(rate))
        assert steps[-1] == (then, 0.0)
        for users, pause in steps:
            apart = abs(users - ramp(now, then, rate, at + ROUNDING))
            assert apart <= (0 if rate.is_integer() else size), (now, then, rate)
            assert pause == 0.0 or pause * rate == pytest.approx(size)
            at += pause


def test_a_master_makes_a_step_at_once_when_it_may() -> None:
    assert steps_of([(0, 20, 100.0), (20, 5, 15.0), (7, 7, 1.0), (3, 0, 2.0)]) == [
        [(20, 0.0)],
        [(5, 0.0)],
        [(7, 0.0)],
        [(1, 1.0), (0, 0.0)],
    ]
