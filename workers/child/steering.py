"""What people want of a running test, and how many users that means at each moment. Imports nothing of Locust's."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .stages import Stage, ramp, stage_at, users_at

MAX_USERS = 1_000_000
CATCH_UP_SECONDS = 60.0
"""The longest way back to a plan of stages: the slope of its ramp says how fast users shall come, not how fast they may
come back."""


class Wish(NamedTuple):
    """The fields of `workers.spec.Steering`, as they arrive in `steering.json`."""

    revision: int
    run_time_s: float
    users: int | None = None
    spawn_rate: float | None = None
    is_paused: bool = False


class _Leg(NamedTuple):
    """On the way to other users, at `rate` a second since `since`."""

    since: float
    start: int
    rate: float


class Course:
    """How many users there are to be: as the stages say, until somebody wants something else.

    Pure but for what it remembers; all times are seconds from the start, and never go back.
    """

    def __init__(self, stages: Sequence[Stage], *, slopes: bool) -> None:
        """`slopes`: the spawn rates belong to the stages, they are no limit that somebody set for this target."""
        self.users = 0
        self._stages = stages
        self._slopes = slopes
        self._wish = Wish(0, 0.0)
        self._key: tuple[object, ...] = (None, None, False, 0)
        self._leg: _Leg | None = None
        self._stepped_at = -math.inf
        self._at = 0.0

    def steer(self, wish: Wish) -> None:
        """Want something else from now on."""
        self._wish = wish

    def advance(self, at: float) -> int:
        """Go on to this moment; the users for it."""
        self._at = at
        self._turn(at)
        before, goal = self.users, self._goal(at)
        if self._wish.is_paused:
            self.users = 0
        elif self._leg is None:
            self.users = goal
        else:
            self.users = ramp(self._leg.start, goal, self._leg.rate, at - self._leg.since)
            if self.users == goal and self._follows_plan:
                self._leg = None
        if self.users != before and not self._wish.is_paused:
            self._stepped_at = at
        return self.users

    @property
    def is_there(self) -> bool:
        """Whether the users of the present stage, or those somebody wanted, are reached."""
        return not self._wish.is_paused and self.users == self._target(self._at)

    @property
    def rate(self) -> float:
        """Users a second, as somebody wanted or as the present stage says."""
        wanted = self._wish.spawn_rate
        return self._stages[stage_at(self._stages, self._at)].spawn_rate if wanted is None else wanted

    def _turn(self, at: float) -> None:
        """Begin a new leg when there is something else to be reached, or another rate to reach it."""
        wish = self._wish
        stage = stage_at(self._stages, at) if wish.users is None and wish.spawn_rate is not None else 0
        key = (wish.users, wish.spawn_rate, wish.is_paused, stage)
        if key == self._key:
            return
        self._key = key
        rate = self.rate
        if self._follows_plan and self._slopes:
            rate = max(rate, abs(self._goal(at) - self.users) / CATCH_UP_SECONDS)
        # A change in the middle of a ramp must not make its next step come sooner.
        since = max(at, self._stepped_at + max(1.0, 1.0 / rate))
        self._leg = _Leg(since, self.users, rate)

    @property
    def _follows_plan(self) -> bool:
        return self._wish.users is None and self._wish.spawn_rate is None

    def _goal(self, at: float) -> int:
        """Where the present leg leads: a plan that is followed does its own ramps."""
        return users_at(self._stages, at) if self._follows_plan else self._target(at)

    def _target(self, at: float) -> int:
        wanted = self._wish.users
        return self._stages[stage_at(self._stages, at)].users if wanted is None else wanted


def wish_of(said: Any) -> Wish:
    """Raises ValueError, TypeError or KeyError for anything that the supervisor would not write."""
    revision, users, rate, is_paused = (said[name] for name in ("revision", "users", "spawn_rate", "is_paused"))
    if not _is_count(revision) or not isinstance(is_paused, bool) or not _is_amount(said["run_time_s"]):
        raise ValueError("not a wish")
    if users is not None and (not _is_count(users) or users > MAX_USERS):
        raise ValueError("not a number of users")
    if rate is not None and not _is_amount(rate):
        raise ValueError("not a rate")
    return Wish(revision, said["run_time_s"], users, rate, is_paused)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
