"""Load stages as a function of time. Pure: imports nothing of Locust's."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Stage(NamedTuple):
    """The fields of `workers.spec.Stage`, as they arrive in `launch.json`."""

    duration_s: float
    users: int
    spawn_rate: float


def users_at(stages: Sequence[Stage], elapsed_s: float) -> int | None:
    """Users wanted for the second that begins `elapsed_s` after the start; `None` when all stages are over.

    A stage that is too short for its ramp ends where it got to, and the next goes on from there.
    """
    users = 0
    for stage in stages:
        if elapsed_s < stage.duration_s:
            return _ramp(users, stage, elapsed_s + 1)
        users = _ramp(users, stage, stage.duration_s)
        elapsed_s -= stage.duration_s
    return None


def _ramp(users: int, stage: Stage, seconds: float) -> int:
    change = max(1, math.floor(stage.spawn_rate * seconds))
    if users < stage.users:
        return min(stage.users, users + change)
    return max(stage.users, users - change)
