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

    def as_json(self, index: int) -> str:
        """The row of a line; no times when no request had one. By hand: three times as fast as an encoder."""
        times = f"{self.sum:.6f},{self.low:.6f},{self.high:.6f}" if self.high >= 0 else "null,null,null"
        pairs = ",".join([f"{bucket},{count}" for bucket, count in self.sketch.items()])
        return f"[{index},{self.count},{self.failures},{times},{self.bytes},[{pairs}]]"


@dataclass(slots=True)
class Second:
    """One UTC second, of endpoints and errors by their index."""

    t: int
    rows: Mapping[int, Row] = field(default_factory=dict)
    errors: Mapping[int, int] = field(default_factory=dict)
