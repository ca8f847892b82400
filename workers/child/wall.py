"""The time of day as all processes of a run agree on it, also on a machine whose clock is wrong."""

import time
from typing import Any

WORTH_CORRECTING_S = 0.02
"""A clock that is no further off is right enough, and needs no call more for each request."""


class Corrected:
    """Stands for the module `time` in others: its time of day is `offset_s` later than this machine says."""

    def __init__(self, offset_s: float) -> None:
        self._offset_s = offset_s

    def time(self) -> float:
        return time.time() + self._offset_s

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def correct(offset_s: float, *modules: Any) -> None:
    """Let `modules`, which say `time.time()`, have the right time of day."""
    if abs(offset_s) >= WORTH_CORRECTING_S:
        for module in modules:
            module.time = Corrected(offset_s)
