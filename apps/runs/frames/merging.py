"""How several frames, rows or cells become one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from apps.runs.frames.by_key import Floats, Ints, highest, is_rising, keys_of, latest, lowest, sums
from apps.runs.frames.frame import COLUMNS, EXTREMES, HEALTH, PERCENTILES, SUMS, Axis, Cells, Frame, empty
from apps.runs.frames.sketches import Sketches, sketches_together

ADDED_HEALTH = frozenset({"target_users", "in_flight", "rss_bytes", "open_files"})
"""What several load generators have together is the sum; of the others the worst counts."""
LAST_HEALTH = frozenset({"target_users", "open_files"})
"""Of some seconds the last counts; of the others the worst."""
LAST_SECONDS = 10
"""Locust's percentiles are over its last ten seconds: within so many the last one holds."""

Extent = Literal["time", "across"]


def joined(frames: Sequence[Frame], step_s: int) -> Frame:
    """Frames of one source and step behind each other."""
    if len(frames) == 1:
        return frames[0]
    if not frames:
        return empty(step_s)
    axes = [frame.axis for frame in frames]
    axis = Axis(
        np.concatenate([one.t for one in axes]),
        np.concatenate([one.seconds for one in axes]),
        np.concatenate([one.users for one in axes]),
        np.concatenate([one.users_low for one in axes]),
        {name: np.concatenate([one.health[name] for one in axes]) for name in HEALTH},
    )
    return Frame(step_s, axis, laid_together([frame.cells for frame in frames]))


def laid_together(parts: Sequence[Cells]) -> Cells:
    """All cells in one, none merged. Distributions are given up where some have none."""
    if len(parts) == 1:
        return parts[0]
    if any(part.sketches is None and len(part) for part in parts):
        parts = [part.without_sketches() for part in parts]
    sketches = [part.sketches for part in parts if part.sketches is not None]
    return Cells(
        np.concatenate([part.endpoint for part in parts]),
        np.concatenate([part.t for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in COLUMNS},
        sketches_together(sketches) if len(sketches) == len(parts) else None,
    )


def of_endpoints(cells: Cells, wanted: Iterable[int]) -> Cells:
    """Only theirs."""
    places = np.flatnonzero(np.isin(cells.endpoint, list(wanted)))
    return cells if len(places) == len(cells) else cells.taken(places)


def moved(frame: Frame, by_s: int) -> Frame:
    """The same on another time, such as seconds since the start; by a multiple of its step."""
    axis, cells = frame.axis, frame.cells
    return Frame(
        frame.step_s,
        Axis(axis.t + by_s, axis.seconds, axis.users, axis.users_low, axis.health),
        Cells(cells.endpoint, cells.t + by_s, cells.columns, cells.sketches),
    )


def merged(frames: Sequence[Frame]) -> Frame:
    """Sources that measured at the same time (workers of a run, or runs laid over each other), of one step.

    Endpoint `n` of one is endpoint `n` of the others. The extremes of one second are those of each, added: exact in
    steps of a second, else the peak that the sources may have had together.
    """
    (step_s,) = {frame.step_s for frame in frames}
    if len(frames) == 1:
        return frames[0]
    cells = laid_together([frame.cells for frame in frames])
    keys, size = keys_of(cells.endpoint, cells.t)
    joint = grouped(cells, keys, size, extent="across")
    return Frame(step_s, _axes_together([frame.axis for frame in frames]), joint)


def _axes_together(axes: Sequence[Axis]) -> Axis:
    times, rows = np.unique(np.concatenate([axis.t for axis in axes]), return_inverse=True)
    size = len(times)

    def each(name: str) -> Floats:
        return np.concatenate([getattr(axis, name) for axis in axes])

    health = {}
    for name in HEALTH:
        values = np.concatenate([axis.health[name] for axis in axes])
        known = ~np.isnan(values)
        health[name] = highest(rows, values, size)
        if name in ADDED_HEALTH:
            some = np.bincount(rows[known], minlength=size) > 0
            health[name] = np.where(some, sums(rows[known], values[known], size), np.nan)
    return Axis(
        times,
        highest(rows, each("seconds"), size),
        sums(rows, each("users"), size),
        sums(rows, each("users_low"), size),
        health,
    )


def rolled_up(frame: Frame, step_s: int) -> Frame:
    """The same in steps of `step_s` seconds, a multiple of what they are now."""
    if frame.step_s == step_s:
        return frame
    return Frame(step_s, in_steps(frame.axis, step_s), in_time(frame.cells, frame.axis, step_s))


def in_steps(axis: Axis, step_s: int) -> Axis:
    """Its rows in steps of `step_s` seconds, with the most users there were."""
    starts = axis.t // step_s * step_s
    times, rows = np.unique(starts, return_inverse=True)
    if len(times) == len(axis):
        return Axis(times, axis.seconds, axis.users, axis.users_low, axis.health)
    size = len(times)
    return Axis(
        times,
        sums(rows, axis.seconds, size),
        highest(rows, axis.users, size),
        lowest(rows, axis.users_low, size),
        {name: (latest if name in LAST_HEALTH else highest)(rows, axis.health[name], size) for name in HEALTH},
    )


def in_time(cells: Cells, axis: Axis, step_s: int) -> Cells:
    """Cells in steps of `step_s` seconds, each endpoint for itself; `axis` are the rows that they are from."""
    t = cells.t // step_s * step_s
    keys, size = keys_of(cells.endpoint, t)
    found = Cells(cells.endpoint, t, cells.columns, cells.sketches)
    if size < len(cells):
        found = grouped(found, keys, size, extent="time", step_s=step_s)
        had = np.bincount(keys, minlength=size)
    else:
        had = np.ones(size, np.int64)
    starts, rows = np.unique(axis.t // step_s * step_s, return_counts=True)
    idle = had < rows[np.searchsorted(starts, found.t)]  # in a row without a cell it had no request
    lows = np.where(idle, 0.0, found.columns["requests_low"])
    return Cells(found.endpoint, found.t, {**found.columns, "requests_low": lows}, found.sketches)


def grouped(cells: Cells, keys: Ints, size: int, *, extent: Extent, step_s: int = 1) -> Cells:
    """One cell for each of the keys 0 to `size - 1`, of all cells with that key; none is left out.

    `extent` says how they lie: after each other in `time`, or in the same time `across` endpoints and sources.
    """
    if len(keys) == size and bool((keys == np.arange(size)).all()):
        return cells
    order = np.argsort(keys, kind="stable")
    sketches = None
    if cells.sketches is not None:
        ordered = cells.sketches if is_rising(keys) else cells.sketches.taken(order)
        pairs = sums(keys, cells.sketches.pairs, size).astype(np.int64)
        alone = bool((np.bincount(keys, minlength=size) <= 1).all())
        sketches = Sketches(pairs, ordered.buckets, ordered.counts, ordered.in_order and alone)
    columns = {name: sums(keys, cells.columns[name], size) for name in SUMS}
    columns["min_ms"] = lowest(keys, cells.columns["min_ms"], size)
    columns["max_ms"] = highest(keys, cells.columns["max_ms"], size)
    columns |= _extremes(cells, keys, size, extent)
    pick = _last if extent == "time" and step_s <= LAST_SECONDS else _weighted
    for name in PERCENTILES:
        known = sketches is None
        columns[name] = pick(cells, keys, size, name, order) if known else np.full(size, np.nan)
    endpoint, t = np.zeros(size, np.int64), np.zeros(size, np.int64)
    endpoint[keys[order[::-1]]] = cells.endpoint[order[::-1]]  # the first of each key comes last, and stays
    t[keys[order[::-1]]] = cells.t[order[::-1]]
    return Cells(endpoint, t, columns, sketches)


def _extremes(cells: Cells, keys: Ints, size: int, extent: Extent) -> dict[str, Floats]:
    if extent == "across":
        return {name: sums(keys, cells.columns[name], size) for name in EXTREMES}
    return {name: (lowest if name.endswith("_low") else highest)(keys, cells.columns[name], size) for name in EXTREMES}


def _last(cells: Cells, keys: Ints, size: int, name: str, order: Ints) -> Floats:
    in_time = order[np.argsort(cells.t[order], kind="stable")]
    return latest(keys[in_time], cells.columns[name][in_time], size)


def _weighted(cells: Cells, keys: Ints, size: int, name: str, order: Ints) -> Floats:
    values, requests = cells.columns[name], cells.columns["requests"]
    known = ~np.isnan(values)
    weight = sums(keys[known], requests[known], size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums(keys[known], values[known] * requests[known], size) / weight
