"""A block that is there to be read in parts. Pure."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from apps.runs.blocks import LATENCIES, BadBlock, Cell, Row
from apps.runs.codec.columns import Reader, slices
from apps.runs.codec.figures import EXTREMES, figure_plan, whole_bytes
from apps.runs.codec.layout import (
    CHUNK_COLUMNS,
    DIRECTORY,
    HAS_HEALTH,
    HAS_SKETCHES,
    HAS_WHOLE,
    HEAD,
    HEALTH,
    MAGIC,
    MAX_INDEXES,
    MAX_ROWS,
    ROW_COLUMNS,
)
from apps.runs.codec.sections import LZMA, ZLIB, decompress
from apps.runs.codec.sketches import Sketches, read_sketches
from workers.samples import MAX_CLASSES, MAX_ERRORS, Health

_WHOLE = frozenset({"target_users", "in_flight", "rss_bytes", "open_files"})
_CELL_FIELDS = tuple(name for name in Cell.__slots__ if name != "endpoint")


class Block:
    """A block with its rows unpacked, and its chunks not yet. Raises BadBlock."""

    rows: dict[str, array[int]]
    """`seq` (u32), `t` (i64), `users users_low` (u32), `seconds` (u16): one each a row."""
    health: dict[str, array[float]]
    """f32 by the names of `Health`, NaN for unknown; empty when nobody measured it."""
    classes: list[array[int]]
    """u32: one column a user class, in the order of `Run.user_classes`; later blocks may have more."""
    errors: dict[str, array[int]]
    """`row` (u16), `index` (u16), `count` (u32): one each where an error came."""
    directory: dict[str, array[int]]

    def __init__(self, data: bytes) -> None:
        try:
            magic, self.compression, self.flags, rows, classes, endpoints, chunks, cells, errors, size = (
                HEAD.unpack_from(data)
            )
        except struct.error as error:
            raise BadBlock(str(error)) from error
        if (
            magic != MAGIC
            or self.compression not in (ZLIB, LZMA)
            or self.flags >= 2 * HAS_WHOLE
            or rows > MAX_ROWS
            or classes > MAX_CLASSES
            or chunks > endpoints
            or endpoints > MAX_INDEXES
            or cells > rows * endpoints
            or errors > rows * (MAX_ERRORS + 1)
        ):
            raise BadBlock("not a block of samples")
        self._data = data
        self._whole: Block | None = None
        self.has_sketches = bool(self.flags & HAS_SKETCHES)
        health = HEALTH if self.flags & HAS_HEALTH else ()
        plan = [
            *((kind, rows) for kind in ROW_COLUMNS.values()),
            *(("f", rows) for _ in health),
            *(("I", rows) for _ in range(classes)),
            *(("H", errors), ("I", errors)),
            *((kind, endpoints) for kind in DIRECTORY.values()),
            *((kind, chunks) for kind in CHUNK_COLUMNS.values()),
        ]
        raw = sum(array(kind).itemsize * count for kind, count in plan)
        body = Reader(decompress(data[HEAD.size : HEAD.size + size], raw, self.compression))
        columns = iter([body.column(kind, count) for kind, count in plan])
        self.rows = {name: next(columns) for name in ROW_COLUMNS}
        self.health = {name: next(columns) for name in health}
        self.classes = [next(columns) for _ in range(classes)]
        counts = self.rows.pop("error_counts")
        if sum(counts) != errors:
            raise BadBlock("rows and errors do not belong together")
        places = array("H", chain.from_iterable([row] * count for row, count in enumerate(counts)))
        self.errors = {"row": places, "index": next(columns), "count": next(columns)}
        self.directory = {name: next(columns) for name in DIRECTORY}
        self._lay_out({name: next(columns) for name in CHUNK_COLUMNS}, HEAD.size + size, cells)

    def endpoints(self) -> array[int]:
        """The indexes that have cells, `TOTAL` first, then ascending."""
        return self.directory["endpoints"]

    def chunk_for(self, endpoint: int) -> Chunk | None:
        """Where the cells of this endpoint are; None when it has none in here."""
        place = self._chunk_of.get(endpoint)
        return None if place is None else self._chunk(place)

    def cells(self, endpoint: int) -> list[tuple[int, Cell]]:
        """The cells of one endpoint, each with the place of its row. Raises BadBlock."""
        chunk = self.chunk_for(endpoint)
        return [] if chunk is None else _cells(chunk, endpoint)

    @property
    def whole(self) -> Block | None:
        """The cells of all rows in one, at the time of the first; None where it was not packed so. Raises BadBlock."""
        if self._whole is None and self.flags & HAS_WHOLE:
            self._whole = Block(self._data[self._end :])
            if self._whole.flags & HAS_WHOLE or len(self._whole.rows["t"]) != 1:
                raise BadBlock("a sum that is none")
        return self._whole

    def heads(self) -> list[Row]:
        """The rows without their cells."""
        rows, errors = self.rows, [*zip(*self.errors.values(), strict=True)]
        by_row: dict[int, list[tuple[int, int]]] = {}
        for row, index, count in errors:
            by_row.setdefault(row, []).append((index, count))
        classes = list(zip(*self.classes, strict=True)) or [()] * len(rows["t"])
        columns = zip(*(rows[name] for name in ("seq", "t", "users", "seconds", "users_low")), strict=True)
        return [
            Row(seq, t, users, seconds, (), users_low, self._health(row), classes[row], tuple(by_row.get(row, ())))
            for row, (seq, t, users, seconds, users_low) in enumerate(columns)
        ]

    def unpack_figures(self, data: bytes, cells: int) -> dict[str, array[Any]]:
        """For `Chunk.scalars`."""
        plan = figure_plan(self.flags)
        raw = sum(array(kind).itemsize for kind in plan.values()) * cells
        body = Reader(decompress(data, raw, self.compression))
        columns: dict[str, array[Any]] = {name: body.column(kind, cells) for name, kind in plan.items()}
        if cells and max(columns["row"]) >= len(self.rows["t"]):
            raise BadBlock("cells and rows do not belong together")
        for name, same in zip(EXTREMES, ("requests", "requests", "failures"), strict=True):
            columns.setdefault(name, columns[same])
        return columns

    def _lay_out(self, chunks: dict[str, array[int]], offset: int, cells: int) -> None:
        ends = [0, *chunks["ends"]]
        if ends != sorted(ends) or ends[-1] != len(self.endpoints()) or sum(self.directory["cells"]) != cells:
            raise BadBlock("chunks and endpoints do not belong together")
        self._chunk_of: dict[int, int] = {}
        self._places: list[tuple[range, int, int, int, int]] = []
        self._kept: dict[int, Chunk] = {}
        sizes = zip(chunks["figure_bytes"], chunks["sketch_bytes"], chunks["sketch_raw"], strict=True)
        for place, (figures, sketches, raw) in enumerate(sizes):
            covered = range(ends[place], ends[place + 1])
            self._places.append((covered, offset, offset + figures, offset + figures + sketches, raw))
            self._chunk_of.update((self.endpoints()[index], place) for index in covered)
            offset += figures + sketches
        self._end = offset
        is_end = offset < len(self._data) if self.flags & HAS_WHOLE else offset == len(self._data)
        if not is_end or len(self._chunk_of) != len(self.endpoints()):
            raise BadBlock("a block that was cut or changed")

    def _chunk(self, place: int) -> Chunk:
        if place not in self._kept:
            covered, start, middle, end, raw = self._places[place]
            self._kept[place] = Chunk(self, covered, self._data[start:middle], self._data[middle:end], raw)
        return self._kept[place]

    def _health(self, row: int) -> Health | None:
        known = {name: column[row] for name, column in self.health.items() if not math.isnan(column[row])}
        if not known:
            return None
        return Health(**{name: round(value) if name in _WHOLE else value for name, value in known.items()})  # type: ignore[arg-type]


class Chunk:
    """Some endpoints of a block. Its two parts are unpacked when they are asked for, and then kept."""

    def __init__(self, block: Block, places: range, figures: bytes, sketches: bytes, sketch_raw: int) -> None:
        self._block, self._places = block, places
        self._figures, self._sketches, self._sketch_raw = figures, sketches, sketch_raw
        self._scalars: dict[str, array[Any]] | None = None
        self._by_endpoint: dict[int, Sketches] | None = None
        self.endpoints = [block.directory["endpoints"][place] for place in places]
        counts = [block.directory["cells"][place] for place in places]
        self.cells = sum(counts)
        self._slices = dict(zip(self.endpoints, slices(counts), strict=True))

    def slice_of(self, endpoint: int) -> slice:
        """Where in the columns of `scalars` the cells of this endpoint are."""
        return self._slices[endpoint]

    @property
    def scalars(self) -> Mapping[str, array[Any]]:
        """Columns over all cells of the chunk, endpoint by endpoint and in it by row. Raises BadBlock.

        `row` (u16, the place in `Block.rows`), `requests failures untimed` (u32), `bytes` (u64), `sum_ms min_ms max_ms`
        (f32), `requests_low requests_high failures_high` (u32), and `p50_ms` … `p999_ms` (f32) in blocks without
        sketches. f32 is NaN where nothing is known.
        """
        if self._scalars is None:
            columns = self._block.unpack_figures(self._figures, self.cells)
            for place, cut in zip(self._places, self._slices.values(), strict=True):
                usual = self._block.directory["request_bytes"][place]
                columns["bytes"][cut] = whole_bytes(columns["bytes"][cut], columns["requests"][cut], usual)
            self._scalars = columns
        return self._scalars

    def sketches_of(self, endpoint: int) -> Sketches | None:
        """Of the cells of this endpoint; None where the collector has none. Raises BadBlock."""
        if not self._block.has_sketches:
            return None
        if self._by_endpoint is None:
            body = Reader(decompress(self._sketches, self._sketch_raw, self._block.compression))
            self._by_endpoint = read_sketches(body, {name: cut.stop - cut.start for name, cut in self._slices.items()})
        return self._by_endpoint[endpoint]


def _cells(chunk: Chunk, endpoint: int) -> list[tuple[int, Cell]]:
    cut = chunk.slice_of(endpoint)
    columns: dict[str, Sequence[Any]] = {name: column[cut] for name, column in chunk.scalars.items()}
    rows = columns["row"]
    for name in LATENCIES:
        known = columns.get(name, ())
        columns[name] = [None if value != value else value for value in known] or [None] * len(rows)
    found = chunk.sketches_of(endpoint)
    unknown: Sequence[Any] = [None] * len(rows)
    columns["sketch"] = found.each() if found else unknown
    figures = zip(*(columns[name] for name in _CELL_FIELDS), strict=True)
    return [(row, Cell(endpoint, *values)) for row, values in zip(rows, figures, strict=True)]
