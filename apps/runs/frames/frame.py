"""What a frame is: rows in order of time, and the cells that endpoints have in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apps.runs.frames.by_key import Floats, Ints
from apps.runs.frames.sketches import Sketches
from workers import sketch

SUMS = ("requests", "failures", "bytes", "sum_ms", "untimed")
EXTREMES = ("requests_low", "requests_high", "failures_high")
"""Of one second each."""
PERCENTILES = tuple(sketch.SHARES)
"""Stored by the `csv` collector only; NaN otherwise."""
COLUMNS = (*SUMS, "min_ms", "max_ms", *EXTREMES, *PERCENTILES)
HEALTH = ("target_users", "in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes", "open_files")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Rows of `step_s` seconds with their cells."""

    step_s: int
    axis: Axis
    cells: Cells


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The rows of one source in order of time."""

    t: Ints
    seconds: Floats
    users: Floats
    users_low: Floats
    health: Mapping[str, Floats]
    """All of HEALTH; NaN for unknown."""

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What endpoints did in rows. `columns` has all of COLUMNS as floats, NaN for unknown."""

    endpoint: Ints
    t: Ints
    """The second at which the cell's row begins."""
    columns: Mapping[str, Floats]
    sketches: Sketches | None
    """None when only percentiles are known."""

    def __len__(self) -> int:
        return len(self.t)

    def taken(self, order: Ints) -> Cells:
        """The cells at these places, in that order."""
        return Cells(
            self.endpoint[order],
            self.t[order],
            {name: values[order] for name, values in self.columns.items()},
            None if self.sketches is None else self.sketches.taken(order),
        )

    def percentiles(self, shares: Mapping[str, float]) -> dict[str, Floats]:
        """By name; none lies outside of the exact minimum and maximum."""
        if self.sketches is None:
            return {name: self.columns[name] for name in shares}
        found = self.sketches.quantiles(list(shares.values()))
        clipped = np.fmax(np.fmin(found, self.columns["max_ms"]), self.columns["min_ms"])
        return dict(zip(shares, np.where(np.isnan(found), np.nan, clipped), strict=True))

    def without_sketches(self) -> Cells:
        """The same with percentiles in place of distributions, to be laid together with cells that have none."""
        if self.sketches is None:
            return self
        return Cells(self.endpoint, self.t, {**self.columns, **self.percentiles(sketch.SHARES)}, None)


def empty(step_s: int) -> Frame:
    """A frame of nothing."""
    none, times = np.zeros(0), np.zeros(0, np.int64)
    axis = Axis(times, none, none, none, dict.fromkeys(HEALTH, none))
    return Frame(step_s, axis, Cells(times, times, dict.fromkeys(COLUMNS, none), Sketches(times, times, times)))
