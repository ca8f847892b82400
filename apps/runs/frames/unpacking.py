"""Blocks as frames: the packed columns of a chunk as arrays, without a Python object a cell. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.runs.codec import Block, Chunk
from apps.runs.codec import Sketches as PackedSketches
from apps.runs.frames.by_key import Ints
from apps.runs.frames.frame import COLUMNS, HEALTH, Axis, Cells, Frame, empty
from apps.runs.frames.merging import laid_together
from apps.runs.frames.sketches import Sketches

OVERFLOW = 15
"""The nibble of a count that is too large for one."""


def of_block(
    block: Block, step_s: int, *, endpoints: Collection[int] | None, first: int, after: int, with_sketches: bool = True
) -> Frame:
    """The rows of a block with `first <= t < after`, and the cells that these endpoints (None: all) have in them."""
    axis = axis_of(block, first=first, after=after)
    return Frame(
        step_s, axis, cells_of(block, endpoints=endpoints, first=first, after=after, with_sketches=with_sketches)
    )


def axis_of(block: Block, *, first: int, after: int) -> Axis:
    """Its rows with `first <= t < after`."""
    times, inside = _rows(block, first, after)
    rows = {name: _array(block.rows[name], np.float64)[inside] for name in ("seconds", "users", "users_low")}
    unknown = np.full(len(times), np.nan)
    health = {
        name: (_array(block.health[name], np.float64) if name in block.health else unknown)[inside] for name in HEALTH
    }
    return Axis(times[inside], rows["seconds"], rows["users"], rows["users_low"], health)


def cells_of(
    block: Block, *, endpoints: Collection[int] | None, first: int, after: int, with_sketches: bool = True
) -> Cells:
    """What these endpoints (None: all) have in its rows with `first <= t < after`."""
    times, inside = _rows(block, first, after)
    kept = None if inside.all() else inside
    found = (_of_chunk(chunk, wanted, kept, times, with_sketches) for chunk, wanted in _chunks(block, endpoints))
    parts = [part for part in found if part is not None]
    return laid_together(parts) if parts else empty(1).cells


def sums_of_sketches(block: Block, endpoints: Sequence[int], *, first: int, after: int) -> Sketches:
    """One sketch an endpoint, of all its requests in the rows with `first <= t < after`."""
    _times, inside = _rows(block, first, after)
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


def _rows(block: Block, first: int, after: int) -> tuple[Ints, NDArray[np.bool_]]:
    """When each of its rows begins, and whether that is in `first <= t < after`."""
    times = _array(block.rows["t"], np.int64)
    return times, (times >= first) & (times < after)


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


def _sums_by_bucket(packed: PackedSketches, kept: NDArray[np.bool_] | None) -> tuple[NDArray[Any], NDArray[Any]]:
    matrix = _matrix(packed)
    sums = (matrix if kept is None else matrix[:, kept]).sum(axis=1)
    some = np.flatnonzero(sums)
    return _array(packed.buckets, None)[some], sums[some]


def _matrix(packed: PackedSketches) -> NDArray[np.uint32]:
    """A row a bucket, a column a cell."""
    counts = np.frombuffer(packed.nibbles, np.uint8).astype(np.uint32)
    if len(packed.overflow):
        counts[counts == OVERFLOW] = _array(packed.overflow, None)
    return counts.reshape(len(packed.buckets), packed.cells)


def _array(column: Any, dtype: type[np.generic] | None) -> NDArray[Any]:
    """An `array.array` as one of numpy's."""
    return np.asarray(column, dtype)
