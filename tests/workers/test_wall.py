"""All processes of a run agree on the time of day."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest

from workers.child.wall import WORTH_CORRECTING_S, Corrected, correct


def module() -> Any:
    """One that says `time.time()`."""
    made: Any = ModuleType("made")
    made.time = time
    return made


@pytest.mark.parametrize("offset_s", [-3600.0, 0.5, 86_400.0])
def test_a_wrong_clock_is_made_up_for(offset_s: float) -> None:
    one, other = module(), module()
    correct(offset_s, one, other)
    for made in (one, other):
        assert made.time.time() - time.time() == pytest.approx(offset_s, abs=0.1)


def test_only_the_time_of_day_is_another_one() -> None:
    corrected = Corrected(3600.0)
    assert corrected.monotonic is time.monotonic and corrected.sleep is time.sleep
    assert corrected.strftime is time.strftime
    with pytest.raises(AttributeError):
        _ = corrected.nothing


@pytest.mark.parametrize("offset_s", [0.0, WORTH_CORRECTING_S / 2, -WORTH_CORRECTING_S / 2])
def test_a_clock_that_is_right_enough_is_left_alone(offset_s: float) -> None:
    made = module()
    correct(offset_s, made)
    assert made.time is time


def test_nobody_else_hears_of_it() -> None:
    made, other = module(), module()
    correct(60.0, made)
    assert other.time is time and abs(time.time() - other.time.time()) < 1
