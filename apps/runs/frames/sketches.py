"""Distributions of many cells at once, and their percentiles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from apps.runs.frames.by_key import Floats, Ints, sums
from workers import sketch

MIDDLES: Floats = np.array([sketch.middle_ms(bucket) for bucket in range(sketch.LAST_BUCKET + 1)])
DENSE_COUNTS = 2_000_000
"""Counts of a dense table at a time: 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketches:
    """The sketches of some cells, one after the other."""

    pairs: Ints
    """How many buckets each cell has."""
    buckets: NDArray[np.integer]
    counts: NDArray[Any]
    """Whole numbers."""
    in_order: bool = True
    """Whether the buckets of each cell go up; else a bucket may also come more than once."""

    @property
    def starts(self) -> Ints:
        """Where each cell's buckets begin."""
        return cast("Ints", np.cumsum(self.pairs) - self.pairs)

    def taken(self, order: Ints) -> Sketches:
        """Those of the cells `order`, in that order."""
        pairs = self.pairs[order]
        after = np.cumsum(pairs)
        places = np.repeat(self.starts[order] - (after - pairs), pairs) + np.arange(after[-1] if len(after) else 0)
        return Sketches(pairs, self.buckets[places], self.counts[places], self.in_order)

    def totals(self) -> Floats:
        """Requests with a time, by cell."""
        return sums(np.repeat(np.arange(len(self.pairs)), self.pairs), self.counts, len(self.pairs))

    def quantiles(self, shares: Sequence[float]) -> Floats:
        """A row a share: the time in ms that `ceil(share * count)` requests did not exceed; NaN for an empty sketch."""
        if self.in_order:
            return _quantiles(self.pairs, self.buckets, self.counts, shares)
        if not len(self.counts):
            return np.full((len(shares), len(self.pairs)), np.nan)
        low = int(self.buckets.min())
        width = int(self.buckets.max()) - low + 1
        at_once = max(1, DENSE_COUNTS // width)
        ends, found = np.cumsum(self.pairs), []
        for first in range(0, len(self.pairs), at_once):
            pairs = self.pairs[first : first + at_once]
            flat = slice(ends[first] - pairs[0], ends[first + len(pairs) - 1])
            keys = np.repeat(np.arange(len(pairs)) * width, pairs) + (self.buckets[flat] - low)
            dense = sums(keys, self.counts[flat], len(pairs) * width)
            every = np.full(len(pairs), width)
            found.append(_quantiles(every, np.tile(np.arange(low, low + width), len(pairs)), dense, shares))
        return np.concatenate(found, axis=1)

    def table(self, groups: Ints, size: int, *, low: int, width: int) -> Floats:
        """`size` rows of requests by bucket, from bucket `low` on; cell `i` is counted in row `groups[i]`."""
        keys = np.repeat(groups * width, self.pairs) + (self.buckets - low)
        return sums(keys, self.counts, size * width).reshape(size, width)


def sketches_together(parts: Sequence[Sketches]) -> Sketches:
    return Sketches(
        np.concatenate([part.pairs for part in parts]),
        np.concatenate([part.buckets for part in parts]),
        np.concatenate([part.counts for part in parts]),
        all(part.in_order for part in parts),
    )


def _quantiles(pairs: Ints, buckets: NDArray[np.integer], counts: NDArray[Any], shares: Sequence[float]) -> Floats:
    """By one running sum over all cells, in which each share of each cell is looked up."""
    found = np.full((len(shares), len(pairs)), np.nan)
    if not len(counts):
        return found
    running = np.cumsum(counts, dtype=np.int64)
    ends = np.concatenate([[0], running])[np.cumsum(pairs)]
    totals = np.diff(ends, prepend=0)
    known = totals > 0
    for row, share in zip(found, shares, strict=True):
        ranks = ends[known] - totals[known] + np.fmax(1, np.ceil(share * totals[known])).astype(np.int64)
        row[known] = MIDDLES[buckets[np.searchsorted(running, ranks)]]
    return found
