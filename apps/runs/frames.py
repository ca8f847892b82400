"""Stored figures as arrays, and how several become one: over time, over endpoints, over workers and runs. Pure.

Everything is a grouping of cells: those with the same key become one. Counts and sums add up, minima and maxima are
kept, sketches are laid together; so it does not matter in which order, or in how many steps, cells are merged.

numpy is loaded by the web process alone: nothing that a runner or the keeper imports may import this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from apps.runs.codec import Block, Chunk
from apps.runs.codec import Sketches as PackedSketches
from workers import sketch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SUMS = ("requests", "failures", "bytes", "sum_ms", "untimed")
EXTREMES = ("requests_low", "requests_high", "failures_high")
"""Of one second each."""
PERCENTILES = tuple(sketch.SHARES)
"""Stored by the `csv` collector only; NaN otherwise."""
COLUMNS = (*SUMS, "min_ms", "max_ms", *EXTREMES, *PERCENTILES)
HEALTH = ("target_users", "in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes", "open_files")
ADDED_HEALTH = frozenset({"target_users", "in_flight", "rss_bytes", "open_files"})
"""What several load generators have together is the sum; of the others the worst counts."""
LAST_HEALTH = frozenset({"target_users", "open_files"})
"""Of some seconds the last counts; of the others the worst."""

MIDDLES: Floats = np.array([sketch.middle_ms(bucket) for bucket in range(sketch.LAST_BUCKET + 1)])
DENSE_COUNTS = 2_000_000
"""Counts of a dense table at a time: 16 MB."""
OVERFLOW = 15
"""The nibble of a count that is too large for one."""
LAST_SECONDS = 10
"""Locust's percentiles are over its last ten seconds: within so many the last one holds."""

Extent = Literal["time", "across"]


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
        return _sums(np.repeat(np.arange(len(self.pairs)), self.pairs), self.counts, len(self.pairs))

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
            dense = _sums(keys, self.counts[flat], len(pairs) * width)
            every = np.full(len(pairs), width)
            found.append(_quantiles(every, np.tile(np.arange(low, low + width), len(pairs)), dense, shares))
        return np.concatenate(found, axis=1)

    def table(self, groups: Ints, size: int, *, low: int, width: int) -> Floats:
        """`size` rows of requests by bucket, from bucket `low` on; cell `i` is counted in row `groups[i]`."""
        keys = np.repeat(groups * width, self.pairs) + (self.buckets - low)
        return _sums(keys, self.counts, size * width).reshape(size, width)


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
class Frame:
    """Rows of `step_s` seconds with their cells."""

    step_s: int
    axis: Axis
    cells: Cells


def empty(step_s: int) -> Frame:
    """A frame of nothing."""
    none, times = np.zeros(0), np.zeros(0, np.int64)
    axis = Axis(times, none, none, none, dict.fromkeys(HEALTH, none))
    return Frame(step_s, axis, Cells(times, times, dict.fromkeys(COLUMNS, none), Sketches(times, times, times)))


def of_block(
    block: Block, step_s: int, *, endpoints: Collection[int] | None, first: int, after: int, with_sketches: bool = True
) -> Frame:
    """The rows of a block with `first <= t < after`, and the cells that these endpoints (None: all) have in them."""
    times = _array(block.rows["t"], np.int64)
    inside = (times >= first) & (times < after)
    whole = bool(inside.all())
    parts = [
        part
        for chunk, wanted in _chunks(block, endpoints)
        if (part := _of_chunk(chunk, wanted, None if whole else inside, times, with_sketches)) is not None
    ]
    rows = {name: _array(block.rows[name], np.float64)[inside] for name in ("seconds", "users", "users_low")}
    unknown = np.full(len(times), np.nan)
    health = {
        name: (_array(block.health[name], np.float64) if name in block.health else unknown)[inside] for name in HEALTH
    }
    cells = laid_together(parts) if parts else empty(step_s).cells
    return Frame(step_s, Axis(times[inside], rows["seconds"], rows["users"], rows["users_low"], health), cells)


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
        _sketches_together(sketches) if len(sketches) == len(parts) else None,
    )


def of_endpoints(cells: Cells, wanted: Iterable[int]) -> Cells:
    """Only theirs."""
    places = np.flatnonzero(np.isin(cells.endpoint, list(wanted)))
    return cells if len(places) == len(cells) else cells.taken(places)


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


def moved(frame: Frame, by_s: int) -> Frame:
    """The same on another time, such as seconds since the start; by a multiple of its step."""
    axis, cells = frame.axis, frame.cells
    return Frame(
        frame.step_s,
        Axis(axis.t + by_s, axis.seconds, axis.users, axis.users_low, axis.health),
        Cells(cells.endpoint, cells.t + by_s, cells.columns, cells.sketches),
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
        _sums(rows, axis.seconds, size),
        highest(rows, axis.users, size),
        lowest(rows, axis.users_low, size),
        {name: (_latest if name in LAST_HEALTH else highest)(rows, axis.health[name], size) for name in HEALTH},
    )


def grouped(cells: Cells, keys: Ints, size: int, *, extent: Extent, step_s: int = 1) -> Cells:
    """One cell for each of the keys 0 to `size - 1`, of all cells with that key; none is left out.

    `extent` says how they lie: after each other in `time`, or in the same time `across` endpoints and sources.
    """
    if len(keys) == size and bool((keys == np.arange(size)).all()):
        return cells
    order = np.argsort(keys, kind="stable")
    sketches = None
    if cells.sketches is not None:
        ordered = cells.sketches if _is_rising(keys) else cells.sketches.taken(order)
        pairs = _sums(keys, cells.sketches.pairs, size).astype(np.int64)
        alone = bool((np.bincount(keys, minlength=size) <= 1).all())
        sketches = Sketches(pairs, ordered.buckets, ordered.counts, ordered.in_order and alone)
    columns = {name: _sums(keys, cells.columns[name], size) for name in SUMS}
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


def sums_of_sketches(block: Block, endpoints: Sequence[int], *, first: int, after: int) -> Sketches:
    """One sketch an endpoint, of all its requests in the rows with `first <= t < after`."""
    times = _array(block.rows["t"], np.int64)
    inside = (times >= first) & (times < after)
    found: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
    for chunk, wanted in _chunks(block, set(endpoints)):
        rows = None if inside.all() else _array(chunk.scalars["row"], None)
        for endpoint in wanted:
            packed = chunk.sketches_of(endpoint)
            if packed is not None:
                kept = None if rows is None else inside[rows[chunk.slice_of(endpoint)]]
                found[endpoint] = _sums_by_bucket(packed, kept)
    none = np.zeros(0, np.int64)
    parts = [found.get(endpoint, (none, none)) for endpoint in endpoints]
    return Sketches(
        np.array([len(buckets) for buckets, _ in parts], np.int64),
        np.concatenate([buckets for buckets, _ in parts] or [none]),
        np.concatenate([counts for _, counts in parts] or [none]),
    )


def _sums_by_bucket(packed: PackedSketches, kept: NDArray[np.bool_] | None) -> tuple[NDArray[Any], NDArray[Any]]:
    matrix = _matrix(packed)
    sums = (matrix if kept is None else matrix[:, kept]).sum(axis=1)
    some = np.flatnonzero(sums)
    return _array(packed.buckets, None)[some], sums[some]


def _chunks(block: Block, endpoints: Collection[int] | None) -> list[tuple[Chunk, list[int]]]:
    """The chunks that hold any of these endpoints, with those that each of them holds."""
    found: dict[int, tuple[Chunk, list[int]]] = {}
    for endpoint in block.endpoints():
        if (endpoints is None or endpoint in endpoints) and (chunk := block.chunk_for(endpoint)):
            found.setdefault(id(chunk), (chunk, []))[1].append(endpoint)
    return list(found.values())


def _of_chunk(
    chunk: Chunk, endpoints: Sequence[int], inside: NDArray[np.bool_] | None, times: Ints, with_sketches: bool
) -> Cells | None:
    """Their cells in the rows that are `inside` (None: all are); None when there are none."""
    cuts = [chunk.slice_of(endpoint) for endpoint in endpoints]
    sizes = [cut.stop - cut.start for cut in cuts]
    places = np.concatenate([np.arange(cut.start, cut.stop) for cut in cuts])
    whole = len(places) == chunk.cells
    scalars = {name: _array(column, None) for name, column in chunk.scalars.items()}
    rows = scalars.pop("row")
    endpoint, row = np.repeat(np.array(endpoints, np.int64), sizes), rows if whole else rows[places]
    kept = None
    if inside is not None:
        kept = inside[row]
        if not kept.any():
            return None
        endpoint, row, places, whole = endpoint[kept], row[kept], places[kept], False
    unknown = np.full(len(row), np.nan)
    columns = {
        name: (scalars[name] if whole else scalars[name][places]).astype(np.float64) if name in scalars else unknown
        for name in COLUMNS
    }
    sketches = _sketches_of(chunk, endpoints, sizes, kept) if with_sketches else None
    return Cells(endpoint, times[row], columns, sketches)


def _sketches_of(
    chunk: Chunk, endpoints: Sequence[int], sizes: Sequence[int], kept: NDArray[np.bool_] | None
) -> Sketches | None:
    pairs, buckets, counts, at = [], [], [], 0
    for endpoint, size in zip(endpoints, sizes, strict=True):
        found = chunk.sketches_of(endpoint)
        if found is None:
            return None
        matrix = _matrix(found)
        if kept is not None:
            matrix = matrix[:, kept[at : at + size]]
        at += size
        width, cells = matrix.shape
        flat = np.ascontiguousarray(matrix.T).ravel()
        places = np.flatnonzero(flat != 0)
        cell = places // width if width else places
        pairs.append(np.bincount(cell, minlength=cells))
        buckets.append(_array(found.buckets, None)[places - cell * width])
        counts.append(flat[places])
    return Sketches(np.concatenate(pairs), np.concatenate(buckets), np.concatenate(counts))


def _matrix(packed: PackedSketches) -> NDArray[np.uint32]:
    """A row a bucket, a column a cell."""
    counts = np.frombuffer(packed.nibbles, np.uint8).astype(np.uint32)
    if len(packed.overflow):
        counts[counts == OVERFLOW] = _array(packed.overflow, None)
    return counts.reshape(len(packed.buckets), packed.cells)


def _array(column: Any, dtype: type[np.generic] | None) -> NDArray[Any]:
    """An `array.array` as one of numpy's."""
    return np.asarray(column, dtype)


def _extremes(cells: Cells, keys: Ints, size: int, extent: Extent) -> dict[str, Floats]:
    if extent == "across":
        return {name: _sums(keys, cells.columns[name], size) for name in EXTREMES}
    return {name: (lowest if name.endswith("_low") else highest)(keys, cells.columns[name], size) for name in EXTREMES}


def _last(cells: Cells, keys: Ints, size: int, name: str, order: Ints) -> Floats:
    in_time = order[np.argsort(cells.t[order], kind="stable")]
    return _latest(keys[in_time], cells.columns[name][in_time], size)


def _weighted(cells: Cells, keys: Ints, size: int, name: str, order: Ints) -> Floats:
    values, requests = cells.columns[name], cells.columns["requests"]
    known = ~np.isnan(values)
    weight = _sums(keys[known], requests[known], size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _sums(keys[known], values[known] * requests[known], size) / weight


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
            health[name] = np.where(some, _sums(rows[known], values[known], size), np.nan)
    return Axis(
        times,
        highest(rows, each("seconds"), size),
        _sums(rows, each("users"), size),
        _sums(rows, each("users_low"), size),
        health,
    )


def _sketches_together(parts: Sequence[Sketches]) -> Sketches:
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


def keys_of(endpoint: Ints, t: Ints) -> tuple[Ints, int]:
    """A key for each different pair of endpoint and second, and how many there are.

    Pairs that come once, or without others between, have their keys in order: then nothing has to be moved.
    """
    pairs = endpoint * (2**44) + (t - (int(t.min()) if len(t) else 0))
    begins = np.concatenate([[True], pairs[1:] != pairs[:-1]])[: len(pairs)]
    kinds, keys = np.unique(pairs, return_inverse=True)
    size = len(kinds)
    return (np.cumsum(begins) - 1, size) if np.count_nonzero(begins) == size else (keys, size)


def _is_rising(keys: Ints) -> bool:
    return bool((keys[1:] >= keys[:-1]).all())


def _sums(keys: NDArray[np.integer], values: NDArray[Any], size: int) -> Floats:
    """Exact for whole numbers up to 2^53."""
    found: Floats = np.bincount(keys, weights=values, minlength=size).astype(np.float64, copy=False)
    return found


def lowest(keys: Ints, values: Floats, size: int) -> Floats:
    found = np.full(size, np.nan)
    np.fmin.at(found, keys, values)
    return found


def _latest(keys: Ints, values: Floats, size: int) -> Floats:
    """Expects them in order of time."""
    known = ~np.isnan(values)
    found = np.full(size, np.nan)
    found[keys[known]] = values[known]  # of several for one key the last one stays
    return found


def highest(keys: Ints, values: Floats, size: int) -> Floats:
    found = np.full(size, np.nan)
    np.fmax.at(found, keys, values)
    return found
