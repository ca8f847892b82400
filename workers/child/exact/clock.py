"""UTC seconds by a clock that nobody can set. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """What the wall clock showed at one moment of the monotonic one; later changes of the wall clock do not count."""

    wall: float
    mono: float

    def second(self, mono: float) -> int:
        """The UTC second of a monotonic time."""
        return math.floor(self.wall + (mono - self.mono))

    def end(self, second: int) -> float:
        """The monotonic time at which a UTC second is over."""
        return second + 1 - self.wall + self.mono
