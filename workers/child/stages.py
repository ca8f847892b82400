"""Load stages as a function of time. Pure: imports nothing of Locust's."""

import math
from collections.abc import Sequence
from typing import NamedTuple

ROUNDING = 1e-9
"""0.29 users a second are 29 after 100 s, although 0.29 * 100 is a little less."""


class Stage(NamedTuple):
    """The fields of `workers.spec.Stage`, as they arrive in `launch.json`."""

    duration_s: float
    users: int
    spawn_rate: float


def users_at(stages: Sequence[Stage], elapsed_s: float) -> int:
    """Users wanted `elapsed_s` after the start; once all stages are over, as many as at their end.

    A stage that is too short for its ramp ends where it got to, and the next goes on from there.
    """
    users = 0
    for stage in stages:
        if elapsed_s < stage.duration_s:
            return ramp(users, stage.users, stage.spawn_rate, elapsed_s)
        users = ramp(users, stage.users, stage.spawn_rate, math.ceil(stage.duration_s) - 1)
        elapsed_s -= stage.duration_s
    return users


def stage_at(stages: Sequence[Stage], elapsed_s: float) -> int:
    """Index of the stage that goes on `elapsed_s` after the start; once all are over, of the last."""
    for index, stage in enumerate(stages):
        if elapsed_s < stage.duration_s:
            return index
        elapsed_s -= stage.duration_s
    return len(stages) - 1


def ramp(start: int, target: int, rate: float, elapsed_s: float) -> int:
    """Users on the way from `start` to `target`, `rate` a second in steps of a second, as Locust makes them.

    The first step is at once; a rate below 1 a second adds one user then, and the next when its time has come.
    """
    if elapsed_s < 0:
        return start
    change = math.floor(rate * math.floor(elapsed_s) + max(rate, 1.0) + ROUNDING)
    if start < target:
        return min(target, start + change)
    return max(target, start - change)
