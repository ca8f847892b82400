"""What is counted of one second. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Refused = dict[str, int]
"""How many events had nonsense for a `time`, a `name`, a `size`: counted all the same."""


class Row:
    """One endpoint in one second; times in milliseconds."""

    __slots__ = ("bytes", "count", "failures", "high", "low", "sketch", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.failures = 0
        self.sum = 0.0
        self.low = float("inf")
        self.high = -1.0
        self.bytes = 0
        self.sketch: dict[int, int] = {}

    def as_list(self, index: int) -> list[object]:
        """The row of a line; no times when no request had one."""
        timed = self.high >= 0
        pairs = [number for pair in self.sketch.items() for number in pair]
        return [
            index,
            self.count,
            self.failures,
            round(self.sum, 6) if timed else None,
            round(self.low, 6) if timed else None,
            round(self.high, 6) if timed else None,
            self.bytes,
            pairs,
        ]


@dataclass(slots=True)
class Second:
    """One UTC second, of endpoints and errors by their index."""

    t: int
    rows: Mapping[int, Row] = field(default_factory=dict)
    errors: Mapping[int, int] = field(default_factory=dict)
