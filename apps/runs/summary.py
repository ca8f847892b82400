"""Every number of a window: of all, of each endpoint, of each error. Pure.

Coarse rows in the middle of a window and fine ones at its edges add up to exactly its requests; percentiles are of the
sketches of all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.core.clock import utc_or_none
from apps.runs import frames
from apps.runs.blocks import TOTAL
from apps.runs.codec import Block
from apps.runs.frames import Cells, Floats
from workers.sketch import LAST_BUCKET, SHARES

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


def tally(parts: Iterable[Part], endpoints: Collection[int] | None = None) -> Tally:
    """Count up what these endpoints (None: all) did."""
    parts = list(parts)
    found = [
        frames.of_block(
            part.block, part.step_s, endpoints=endpoints, first=part.first, after=part.after, with_sketches=False
        )
        for part in parts
    ]
    rows = [frame for frame in found if len(frame.axis)]
    if not rows:
        return Tally(frames.empty(1).cells)
    cells = frames.laid_together([frame.cells for frame in found if len(frame.cells)] or [frames.empty(1).cells])
    indexes, keys = np.unique(cells.endpoint, return_inverse=True)
    summed = frames.grouped(cells, keys, len(indexes), extent="time", step_s=frames.LAST_SECONDS + 1)
    is_exact = all(part.block.has_sketches or not len(part.block.endpoints()) for part in parts)
    sketches = frames.of_table(_table(parts, indexes.tolist())) if is_exact else None
    low, high = _extremes_of_users(rows)
    return Tally(
        Cells(indexes, summed.t, summed.columns, sketches),
        first_t=min(int(frame.axis.t[0]) for frame in rows),
        last_t=max(int(frame.axis.t[-1]) + frame.step_s - 1 for frame in rows),
        seconds=float(sum(frame.axis.seconds.sum() for frame in rows)),
        users_low=low,
        users_high=high,
        errors=_errors(parts),
    )


def combined(tallies: Sequence[Tally]) -> Tally:
    """Of sources that measured the same time: users add up, and so does what they did."""
    known = [one for one in tallies if one.seconds]
    if len(known) < 2:
        return known[0] if known else Tally(frames.empty(1).cells)
    cells = frames.laid_together([one.cells for one in known])
    indexes, keys = np.unique(cells.endpoint, return_inverse=True)
    merged = frames.grouped(cells, keys, len(indexes), extent="across")
    errors: dict[int, int] = {}
    for one in known:
        for index, count in one.errors.items():
            errors[index] = errors.get(index, 0) + count
    return Tally(
        Cells(indexes, merged.t, merged.columns, merged.sketches),
        first_t=min(one.first_t for one in known if one.first_t is not None),
        last_t=max(one.last_t for one in known if one.last_t is not None),
        seconds=max(one.seconds for one in known),
        users_low=sum(one.users_low or 0 for one in known),
        users_high=sum(one.users_high or 0 for one in known),
        errors=errors,
    )


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


def _table(parts: Sequence[Part], indexes: Sequence[int]) -> Floats:
    table = np.zeros((len(indexes), LAST_BUCKET + 1))
    rows_of = {index: row for row, index in enumerate(indexes)}
    for part in parts:
        frames.add_sketches(table, part.block, rows_of, first=part.first, after=part.after)
    return table


def _extremes_of_users(rows: Sequence[frames.Frame]) -> tuple[int, int]:
    return (
        int(min(frame.axis.users_low.min() for frame in rows)),
        int(max(frame.axis.users.max() for frame in rows)),
    )


def _errors(parts: Iterable[Part]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in parts:
        times, errors = part.block.rows["t"], part.block.errors
        for row, index, count in zip(errors["row"], errors["index"], errors["count"], strict=True):
            if part.first <= times[row] < part.after:
                found[index] = found.get(index, 0) + count
    return found


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DECIMALS)
