"""Every number of a window: of all, of each endpoint, of each error. Pure.

Coarse rows in the middle of a window and fine ones at its edges add up to exactly its requests; percentiles are of the
sketches of all of them together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.core.clock import utc_or_none
from apps.runs import frames
from apps.runs.blocks import TOTAL
from apps.runs.codec import Block
from apps.runs.frames import Cells
from workers.sketch import SHARES

DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a block with `first <= t < after`."""

    block: Block
    step_s: int
    first: int
    after: int


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """A window counted up."""

    cells: Cells
    """One an endpoint, in order of their indexes."""
    first_t: int | None = None
    last_t: int | None = None
    """The first and the last second counted."""
    seconds: float = 0.0
    users_low: int | None = None
    users_high: int | None = None
    errors: dict[int, int] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether percentiles come from all requests, and not from other percentiles."""
        return self.cells.sketches is not None


NOTHING = Tally(frames.empty(1).cells)


def count(part: Part, endpoints: Collection[int] | None = None) -> Tally:
    """What these endpoints (None: all) did in the rows of one block."""
    axis = frames.axis_of(part.block, first=part.first, after=part.after)
    if not len(axis):
        return NOTHING
    block = part.block.whole or part.block if len(axis) == len(part.block.rows["t"]) else part.block
    cells = frames.cells_of(block, endpoints=endpoints, first=part.first, after=part.after, with_sketches=False)
    indexes, keys = np.unique(cells.endpoint, return_inverse=True)
    merged = frames.grouped(cells, keys, len(indexes), extent="time", step_s=frames.LAST_SECONDS + 1)
    sketches = None
    if block.has_sketches or not len(block.endpoints()):
        sketches = frames.sums_of_sketches(block, indexes.tolist(), first=part.first, after=part.after)
    return Tally(
        Cells(indexes, merged.t, merged.columns, sketches),
        first_t=int(axis.t[0]),
        last_t=int(axis.t[-1]) + part.step_s - 1,
        seconds=float(axis.seconds.sum()),
        users_low=int(axis.users_low.min()),
        users_high=int(axis.users.max()),
        errors=_errors(part),
    )


def in_time(tallies: Sequence[Tally]) -> Tally:
    """Of times that do not overlap."""
    return _together(tallies, "time", seconds=sum, low=min, high=max)


def across(tallies: Sequence[Tally]) -> Tally:
    """Of sources that measured the same time: users add up, and so does what they did."""
    return _together(tallies, "across", seconds=max, low=sum, high=sum)


def together(found: Tally, endpoints: Sequence[int]) -> Tally:
    """These endpoints as one, which is called `TOTAL`."""
    cells = frames.of_endpoints(found.cells, endpoints)
    one = frames.grouped(cells, np.zeros(len(cells), np.int64), min(1, len(cells)), extent="across")
    return replace(found, cells=Cells(np.full(len(one), TOTAL), one.t, one.columns, one.sketches))


def answer(found: Tally) -> dict[str, Any]:
    """The wire form, without the window's ends where nothing was measured."""
    each = totals(found)
    return {
        "from": utc_or_none(found.first_t),
        "to": utc_or_none(found.last_t),
        "seconds": round(found.seconds),
        "is_exact": found.is_exact,
        "totals": each.pop(TOTAL, None) or no_totals(),
        "users": {"low": found.users_low, "high": found.users_high},
        "endpoints": [{"index": index, "totals": figures} for index, figures in each.items()],
        "failures": (
            [{"index": index, "occurrences": count} for index, count in sorted(found.errors.items())]
            if found.is_exact
            else None
        ),
    }


def totals(found: Tally) -> dict[int, dict[str, Any]]:
    """By endpoint, in the form of `Run.totals`."""
    cells = found.cells
    percentiles = cells.percentiles(SHARES)
    columns = {name: values.tolist() for name, values in ({**cells.columns, **percentiles}).items()}
    return {
        index: _totals({name: values[place] for name, values in columns.items()}, found.seconds)
        for place, index in enumerate(cells.endpoint.tolist())
    }


def no_totals() -> dict[str, Any]:
    """Of a time in which nothing came."""
    return _totals(dict.fromkeys(frames.SUMS, 0.0) | dict.fromkeys(("min_ms", "max_ms", *SHARES), math.nan), 0.0)


def _totals(of: dict[str, float], seconds: float) -> dict[str, Any]:
    timed = of["requests"] - of["untimed"]
    return {
        "requests": int(of["requests"]),
        "failures": int(of["failures"]),
        "rps": round(of["requests"] / seconds, DECIMALS) if seconds else 0.0,
        "avg_ms": round(of["sum_ms"] / timed, DECIMALS) if timed > 0 else None,
        **{name: _known(of[name]) for name in (*SHARES, "min_ms", "max_ms")},
        "bytes": int(of["bytes"]),
    }


def _together(
    tallies: Sequence[Tally],
    extent: frames.Extent,
    *,
    seconds: Callable[[list[float]], float],
    low: Callable[[list[int]], int],
    high: Callable[[list[int]], int],
) -> Tally:
    known = [one for one in tallies if one.seconds]
    if len(known) < 2:
        return known[0] if known else NOTHING
    cells = frames.laid_together([one.cells for one in known if len(one.cells)] or [NOTHING.cells])
    indexes, keys = np.unique(cells.endpoint, return_inverse=True)
    merged = frames.grouped(cells, keys, len(indexes), extent=extent, step_s=frames.LAST_SECONDS + 1)
    errors: Counter[int] = Counter()
    for one in known:
        errors.update(one.errors)
    return Tally(
        Cells(indexes, merged.t, merged.columns, merged.sketches),
        first_t=min(one.first_t for one in known if one.first_t is not None),
        last_t=max(one.last_t for one in known if one.last_t is not None),
        seconds=seconds([one.seconds for one in known]),
        users_low=low([one.users_low for one in known if one.users_low is not None]),
        users_high=high([one.users_high for one in known if one.users_high is not None]),
        errors=dict(errors),
    )


def _errors(part: Part) -> dict[int, int]:
    found: Counter[int] = Counter()
    times, errors = part.block.rows["t"], part.block.errors
    for row, index, occurrences in zip(errors["row"], errors["index"], errors["count"], strict=True):
        if part.first <= times[row] < part.after:
            found[index] += occurrences
    return dict(found)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DECIMALS)
