from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.child.stages import Stage, users_at

stages = st.lists(
    st.builds(Stage, st.floats(1, 100), st.integers(0, 1_000), st.floats(0.01, 1_000)), min_size=1, max_size=5
)


def test_a_ramp_goes_up_holds_and_comes_down() -> None:
    profile = [Stage(4, 6, 2), Stage(3, 1, 10)]
    assert [users_at(profile, second) for second in range(8)] == [2, 4, 6, 6, 1, 1, 1, None]


def test_a_stage_shorter_than_its_ramp_hands_on_where_it_got_to() -> None:
    assert [users_at([Stage(2, 100, 10), Stage(2, 0, 5)], second) for second in range(4)] == [10, 20, 15, 10]


def test_slow_ramps_start_with_one_user() -> None:
    assert [users_at([Stage(6, 3, 0.5)], second) for second in range(6)] == [1, 1, 1, 2, 2, 3]


@given(stages, st.floats(0, 600))
def test_users_stay_within_the_profile(profile: list[Stage], elapsed: float) -> None:
    users = users_at(profile, elapsed)
    if elapsed >= sum(stage.duration_s for stage in profile) + 1e-6:
        assert users is None
    elif users is not None:
        assert 0 <= users <= max(stage.users for stage in profile)
