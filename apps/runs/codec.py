"""Rows of ticks in compressed columns. Pure: values in, bytes out, and back. Nothing in it is text, so nothing hostile.

A block ("H2") is a head, a section about its rows, and chunks. A chunk holds some endpoints (`TOTAL` alone in the
first one) with all their cells, endpoint by endpoint, in two parts that are unpacked apart from each other: figures,
and sketches. So a reader who wants one endpoint's percentiles unpacks just those.

Every column is little-endian and cut into byte planes (all lowest bytes, then all next ones), because bytes of one
rank resemble each other. The sketches of an endpoint are a matrix, bucket by bucket and in it cell by cell: requests
in a bucket come at a steady rate, so neighbours in a row of the matrix resemble each other. Counts are nibbles there;
15 means "see the overflow", a column of u32 in order of the matrix. Each section ends with a checksum of what is in it.

`sum_ms` keeps 15 bits of its mantissa (an error below 0.002 %), `min_ms` and `max_ms` keep 12 (0.025 %), the least
rounded down and the most up; in a block that is to be small they keep 12 (0.013 %) and 9 (0.2 %). Bytes are stored as
what they differ by from the endpoint's usual number a request.
"""

from __future__ import annotations

import lzma
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby, islice
from typing import Any

from apps.runs.blocks import LATENCIES, PERCENTILES, TOTAL, BadBlock, Cell, Row, in_order, merge_at_once
from workers.samples import MAX_CLASSES, MAX_ENDPOINTS, MAX_ERRORS, Health
from workers.sketch import LAST_BUCKET, Sketch

MAX_ROWS = 4_096
"""Rows of a block: an hour of seconds, and some."""
ZLIB, LZMA = 0, 1
"""How sections are compressed: fast, or small. LZMA takes a sixth off, and three times as long to unpack."""
MANTISSA_BITS = {ZLIB: (15, 12), LZMA: (12, 9)}
"""What is kept of `sum_ms`, and of `min_ms` and `max_ms`."""

CHUNK_BYTES = {ZLIB: 16_384, LZMA: 65_536}
CHUNK_CELLS = 4_096
"""As many bytes of unpacked sketches, or cells, after which the next endpoint begins a new chunk."""
MAX_SECTION_BYTES = 32 * 1024 * 1024
"""More than one endpoint's sketches can take in a whole block, and as much memory as a forged one can ask for."""

HEALTH = tuple(Health.__slots__)
_WHOLE = frozenset({"target_users", "in_flight", "rss_bytes", "open_files"})

_HEAD = struct.Struct("<2sBBHHHHIII")
"""Magic, compression, flags, rows, classes, endpoints, chunks, cells, errors, bytes of the section of rows."""
_MAGIC = b"H2"
_HAS_HEALTH, _HAS_SKETCHES, _HAS_PERCENTILES, _HAS_EXTREMES = 1, 2, 4, 8

_ROW_COLUMNS = {"seq": "I", "t": "q", "users": "I", "users_low": "I", "seconds": "H", "error_counts": "H"}
_DIRECTORY = {"endpoints": "H", "cells": "H", "request_bytes": "Q"}
_CHUNK_COLUMNS = {"ends": "H", "figure_bytes": "I", "sketch_bytes": "I", "sketch_raw": "I"}
_FIGURES = {"row": "H", "requests": "I", "failures": "I", "untimed": "I", "bytes": "Q"}
_MEASURES = ("sum_ms", "min_ms", "max_ms")
_EXTREMES = ("requests_low", "requests_high", "failures_high")

_CELL_FIELDS = tuple(name for name in Cell.__slots__ if name != "endpoint")

_MAX = {"H": 2**16 - 1, "I": 2**32 - 1, "q": 2**63 - 1, "Q": 2**64 - 1}
_MAX_ENDPOINTS = MAX_ENDPOINTS + 2
"""Those, the one for all others, and `TOTAL`."""
_MAX_CELLS = MAX_ROWS * _MAX_ENDPOINTS
_MAX_BUCKETS = LAST_BUCKET + 1
_MAX_F32 = 3.4e38
_CHECK = struct.Struct("<I")
_LZMA_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA1, "preset": 6, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 16}
]

_LOW_NIBBLE = bytes(byte & 15 for byte in range(256))
_HIGH_NIBBLE = bytes(byte >> 4 for byte in range(256))
_TO_HIGH = bytes((byte << 4) & 255 for byte in range(256))
_OVERFLOW = 15

_Found = Sequence[tuple[int, Cell]]
"""Cells of one endpoint, each with the place of its row."""


# --- what a reader gets ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sketches:
    """The sketches of one endpoint's cells in a block."""

    buckets: array[int]
    """u16: the buckets that occur, ascending."""
    nibbles: bytes
    """u8: `len(buckets)` rows of one count a cell; 15 stands for the next of `overflow`."""
    overflow: array[int]
    """u32"""
    cells: int

    def counts(self) -> array[int]:
        """`nibbles` with the overflow filled in."""
        wide = bytearray(4 * len(self.nibbles))
        wide[0 if sys.byteorder == "little" else 3 :: 4] = self.nibbles
        counts = array("I", bytes(wide))
        place = -1
        for count in self.overflow:
            place = self.nibbles.index(_OVERFLOW, place + 1)
            counts[place] = count
        return counts

    def each(self) -> list[Sketch]:
        """One sketch a cell."""
        counts, buckets = self.counts(), self.buckets
        return [
            {bucket: count for bucket, count in zip(buckets, counts[cell :: self.cells], strict=True) if count}
            for cell in range(self.cells)
        ]


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
        self._slices = dict(zip(self.endpoints, _slices(counts), strict=True))

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
                columns["bytes"][cut] = _whole_bytes(columns["bytes"][cut], columns["requests"][cut], usual)
            self._scalars = columns
        return self._scalars

    def sketches_of(self, endpoint: int) -> Sketches | None:
        """Of the cells of this endpoint; None where the collector has none. Raises BadBlock."""
        if not self._block.has_sketches:
            return None
        if self._by_endpoint is None:
            body = _Reader(_decompress(self._sketches, self._sketch_raw, self._block.compression))
            self._by_endpoint = _read_sketches(body, {name: cut.stop - cut.start for name, cut in self._slices.items()})
        return self._by_endpoint[endpoint]


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
                _HEAD.unpack_from(data)
            )
        except struct.error as error:
            raise BadBlock(str(error)) from error
        if (
            magic != _MAGIC
            or self.compression not in (ZLIB, LZMA)
            or self.flags >= 2 * _HAS_EXTREMES
            or rows > MAX_ROWS
            or classes > MAX_CLASSES
            or chunks > endpoints
            or endpoints > _MAX_ENDPOINTS
            or cells > rows * endpoints
            or errors > rows * (MAX_ERRORS + 1)
        ):
            raise BadBlock("not a block of samples")
        self._data = data
        self.has_sketches = bool(self.flags & _HAS_SKETCHES)
        health = HEALTH if self.flags & _HAS_HEALTH else ()
        plan = [
            *((kind, rows) for kind in _ROW_COLUMNS.values()),
            *(("f", rows) for _ in health),
            *(("I", rows) for _ in range(classes)),
            *(("H", errors), ("I", errors)),
            *((kind, endpoints) for kind in _DIRECTORY.values()),
            *((kind, chunks) for kind in _CHUNK_COLUMNS.values()),
        ]
        raw = sum(array(kind).itemsize * count for kind, count in plan)
        body = _Reader(_decompress(data[_HEAD.size : _HEAD.size + size], raw, self.compression))
        columns = iter([body.column(kind, count) for kind, count in plan])
        self.rows = {name: next(columns) for name in _ROW_COLUMNS}
        self.health = {name: next(columns) for name in health}
        self.classes = [next(columns) for _ in range(classes)]
        counts = self.rows.pop("error_counts")
        if sum(counts) != errors:
            raise BadBlock("rows and errors do not belong together")
        places = array("H", chain.from_iterable([row] * count for row, count in enumerate(counts)))
        self.errors = {"row": places, "index": next(columns), "count": next(columns)}
        self.directory = {name: next(columns) for name in _DIRECTORY}
        self._lay_out({name: next(columns) for name in _CHUNK_COLUMNS}, _HEAD.size + size, cells)

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
        plan = _figure_plan(self.flags)
        raw = sum(array(kind).itemsize for kind in plan.values()) * cells
        body = _Reader(_decompress(data, raw, self.compression))
        columns: dict[str, array[Any]] = {name: body.column(kind, cells) for name, kind in plan.items()}
        if cells and max(columns["row"]) >= len(self.rows["t"]):
            raise BadBlock("cells and rows do not belong together")
        for name, same in zip(_EXTREMES, ("requests", "requests", "failures"), strict=True):
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
        if offset != len(self._data) or len(self._chunk_of) != len(self.endpoints()):
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


def open_block(data: bytes) -> Block:
    """Any block ever written, ready to be read in parts. Raises BadBlock."""
    if data[:2] != _FIRST_MAGIC:
        return Block(data)
    rows = _decode_first(data)
    if len(rows) > MAX_ROWS:
        raise BadBlock("too many rows")
    return Block(encode(rows))


def decode(data: bytes) -> list[Row]:
    """Unpack what `encode` packed. Raises BadBlock."""
    if data[:2] == _FIRST_MAGIC:
        return _decode_first(data)
    block = open_block(data)
    heads = block.heads()
    cells: list[list[Cell]] = [[] for _ in heads]
    for endpoint in block.endpoints():
        for row, cell in block.cells(endpoint):
            cells[row].append(cell)
    return [replace(head, cells=tuple(found)) for head, found in zip(heads, cells, strict=True)]


# --- packing --------------------------------------------------------------------------------------------------------


def encode(rows: Sequence[Row], *, compression: int = ZLIB, level: int = 6) -> bytes:
    """Pack rows into one block; at most `MAX_ROWS`, in order, with at most one cell an endpoint in each."""
    found: dict[int, list[tuple[int, Cell]]] = {}
    for place, row in enumerate(rows):
        for cell in row.cells:
            found.setdefault(cell.endpoint, []).append((place, cell))
    ordered = ((endpoint, found[endpoint]) for endpoint in sorted(found, key=in_order))
    return _Writer(rows, _flags(rows, chain.from_iterable(row.cells for row in rows)), compression, level).pack(ordered)


def join(blocks: Sequence[bytes], *, compression: int = ZLIB, level: int = 6) -> bytes:
    """One block of the rows of several, in this order. Needs room for one chunk of each, not for all of their cells.

    Raises BadBlock.
    """
    opened = [open_block(data) for data in blocks]
    heads = [head for block in opened for head in block.heads()]
    starts = [0]
    for block in opened:
        starts.append(starts[-1] + len(block.rows["t"]))
    flags = 0
    for block in opened:
        flags |= block.flags
    if flags & _HAS_SKETCHES:
        flags &= ~_HAS_PERCENTILES
    names = sorted({endpoint for block in opened for endpoint in block.endpoints()}, key=in_order)
    pairs = list(zip(starts, opened, strict=False))
    found = (
        (name, [(start + row, cell) for start, block in pairs for row, cell in block.cells(name)]) for name in names
    )
    return _Writer(heads, flags, compression, level).pack(found)


class _Writer:
    """Packs one block, endpoint by endpoint."""

    def __init__(self, heads: Sequence[Row], flags: int, compression: int, level: int) -> None:
        if len(heads) > MAX_ROWS:
            raise ValueError(f"{len(heads)} rows in a block")
        self._heads = heads
        self._flags = flags | (_HAS_HEALTH if any(row.health for row in heads) else 0)
        self._compression, self._level = compression, level
        self._chunks: dict[str, list[int]] = {name: [] for name in _CHUNK_COLUMNS}
        self._directory: dict[str, list[int]] = {name: [] for name in _DIRECTORY}
        self._bodies: list[bytes] = []
        self._cells = 0

    def pack(self, found: Iterable[tuple[int, _Found]]) -> bytes:
        group: list[_Found] = []
        packed: list[_PackedSketches] = []
        size = 0
        for endpoint, cells in found:
            self._directory["endpoints"].append(endpoint)
            self._directory["cells"].append(len(cells))
            self._directory["request_bytes"].append(_usual_bytes(cells))
            self._cells += len(cells)
            group.append(cells)
            if self._flags & _HAS_SKETCHES:
                packed.append(_pack_sketches([cell.sketch or {} for _, cell in cells]))
            size += packed[-1].size if packed else 0
            if size >= CHUNK_BYTES[self._compression] or sum(map(len, group)) >= CHUNK_CELLS or endpoint == TOTAL:
                self._close(group, packed)
                group, packed, size = [], [], 0
        if group:
            self._close(group, packed)
        rows = self._squeeze(self._row_section())
        counts = len(self._heads), self._class_count(), len(self._directory["cells"]), len(self._chunks["ends"])
        head = _HEAD.pack(_MAGIC, self._compression, self._flags, *counts, self._cells, self._error_count(), len(rows))
        return b"".join([head, rows, *self._bodies])

    def _close(self, group: list[_Found], packed: list[_PackedSketches]) -> None:
        """End a chunk."""
        usual = self._directory["request_bytes"][-len(group) :]
        figures = self._squeeze(_figures(group, usual, self._flags, self._compression))
        raw = b""
        if packed:
            raw = b"".join(
                [
                    _planes("H", [len(one.buckets) for one in packed]),
                    _planes("H", [gap for one in packed for gap in _gaps(one.buckets)]),
                    *(one.nibbles for one in packed),
                    _planes("I", [count for one in packed for count in one.overflow]),
                ]
            )
        sketches = self._squeeze(raw) if packed else b""
        facts = (len(self._directory["endpoints"]), len(figures), len(sketches), len(raw))
        for name, value in zip(_CHUNK_COLUMNS, facts, strict=True):
            self._chunks[name].append(value)
        self._bodies += [figures, sketches]

    def _row_section(self) -> bytes:
        heads = self._heads
        errors = [pair for row in heads for pair in row.errors]
        classes = range(self._class_count())
        values: dict[str, list[int]] = {
            name: [min(getattr(row, name), _MAX[kind]) for row in heads]
            for name, kind in _ROW_COLUMNS.items()
            if name != "error_counts"
        }
        values["error_counts"] = [len(row.errors) for row in heads]
        health = HEALTH if self._flags & _HAS_HEALTH else ()
        return b"".join(
            [
                *(_planes(kind, values[name]) for name, kind in _ROW_COLUMNS.items()),
                *(_planes("f", [_known(row.health, name) for row in heads]) for name in health),
                *(_planes("I", [_class(row, at) for row in heads]) for at in classes),
                _planes("H", [index for index, _ in errors]),
                _planes("I", [min(count, _MAX["I"]) for _, count in errors]),
                *(_planes(kind, self._directory[name]) for name, kind in _DIRECTORY.items()),
                *(_planes(kind, self._chunks[name]) for name, kind in _CHUNK_COLUMNS.items()),
            ]
        )

    def _class_count(self) -> int:
        return min(MAX_CLASSES, max((len(row.classes) for row in self._heads), default=0))

    def _error_count(self) -> int:
        return sum(len(row.errors) for row in self._heads)

    def _squeeze(self, raw: bytes) -> bytes:
        return _compress(raw, self._compression, self._level)


@dataclass(frozen=True, slots=True)
class _PackedSketches:
    buckets: list[int]
    nibbles: bytes
    overflow: list[int]

    @property
    def size(self) -> int:
        return len(self.nibbles) + 4 * len(self.overflow) + 2 * len(self.buckets)


def _pack_sketches(sketches: Sequence[Sketch]) -> _PackedSketches:
    buckets = sorted(set().union(*sketches))
    width = len(sketches)
    place_of = {bucket: place * width for place, bucket in enumerate(buckets)}
    matrix = bytearray(len(buckets) * width)
    over: list[tuple[int, int]] = []
    for column, sketch in enumerate(sketches):
        for bucket, count in sketch.items():
            place = place_of[bucket] + column
            if count < _OVERFLOW:
                matrix[place] = count
            else:
                matrix[place] = _OVERFLOW
                over.append((place, min(count, _MAX["I"])))
    return _PackedSketches(buckets, _to_nibbles(matrix), [count for _, count in sorted(over)])


def _read_sketches(body: _Reader, cells: Mapping[int, int]) -> dict[int, Sketches]:
    """Sketches by endpoint; `cells`: how many each of them has."""
    lengths = body.column("H", len(cells))
    buckets = []
    for length in lengths:
        if length > _MAX_BUCKETS:
            raise BadBlock("more buckets than there are")
    gaps = iter(body.column("H", sum(lengths)))
    buckets = [_running(islice(gaps, length)) for length in lengths]
    matrices = [
        _from_nibbles(body.take((length * width + 1) // 2), length * width)
        for length, width in zip(lengths, cells.values(), strict=True)
    ]
    counts = [matrix.count(_OVERFLOW) for matrix in matrices]
    overflow = body.column("I", sum(counts))
    body.end()
    return {
        endpoint: Sketches(known, matrix, overflow[cut], width)
        for (endpoint, width), known, matrix, cut in zip(cells.items(), buckets, matrices, _slices(counts), strict=True)
    }


def _figure_plan(flags: int) -> dict[str, str]:
    """Columns of a chunk's first part, and their types."""
    return {
        **_FIGURES,
        **dict.fromkeys(_EXTREMES if flags & _HAS_EXTREMES else (), "I"),
        **dict.fromkeys(_MEASURES, "f"),
        **dict.fromkeys(PERCENTILES if flags & _HAS_PERCENTILES else (), "f"),
    }


def _figures(group: Sequence[_Found], usual: Sequence[int], flags: int, compression: int) -> bytes:
    found = [pair for cells in group for pair in cells]
    parts = []
    for name, kind in _figure_plan(flags).items():
        if name == "row":
            parts.append(_planes(kind, [row for row, _ in found]))
        elif name == "bytes":
            pairs = zip(group, usual, strict=True)
            parts.append(_planes(kind, [_odd_bytes(cell, each) for cells, each in pairs for _, cell in cells]))
        elif kind == "f":
            parts.append(_measure(name, [getattr(cell, name) for _, cell in found], compression))
        else:
            most = _MAX[kind]
            parts.append(_planes(kind, [min(getattr(cell, name), most) for _, cell in found]))
    return b"".join(parts)


def _usual_bytes(cells: _Found) -> int:
    """Bytes of a request, as most endpoints always answer with as many."""
    requests = sum(cell.requests for _, cell in cells)
    return min(sum(cell.bytes for _, cell in cells) // requests, _MAX["I"]) if requests else 0


def _odd_bytes(cell: Cell, usual: int) -> int:
    """By how much it differs from what is usual: 0, -1, 1, -2 … as 0, 1, 2, 3 …, all of it modulo 2**64."""
    odd = (min(cell.bytes, _MAX["Q"]) - min(cell.requests, _MAX["I"]) * usual) & _MAX["Q"]
    return odd << 1 if odd <= _MAX["q"] else ((_MAX["Q"] - odd) << 1) + 1


def _whole_bytes(odd: array[int], requests: array[int], usual: int) -> array[int]:
    """Undoes `_odd_bytes`."""
    most = _MAX["Q"]
    pairs = zip(odd, requests, strict=True)
    return array("Q", [(count * usual + ((code >> 1) ^ -(code & 1))) & most for code, count in pairs])


def _flags(rows: Sequence[Row], cells: Iterable[Cell]) -> int:
    flags = 0
    for cell in cells:
        if cell.sketch is not None:
            flags |= _HAS_SKETCHES
        elif not flags & _HAS_PERCENTILES and any(getattr(cell, name) is not None for name in PERCENTILES):
            flags |= _HAS_PERCENTILES
        if (
            cell.requests_low != cell.requests
            or cell.requests_high != cell.requests
            or cell.failures_high != cell.failures
        ):
            flags |= _HAS_EXTREMES
    return flags & ~_HAS_PERCENTILES if flags & _HAS_SKETCHES else flags


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


# --- bytes ----------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes columns off unpacked bytes, one after the other. Raises BadBlock at their end."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, size: int) -> bytes:
        piece = self._body[self._at : self._at + size]
        self._at += size
        if len(piece) != size:
            raise BadBlock("a section is too short")
        return piece

    def column(self, kind: str, count: int) -> array[Any]:
        """`count` values that `_planes` cut up."""
        column = array(kind)
        width = column.itemsize
        planes = self.take(width * count)
        whole = bytearray(len(planes))
        for rank in range(width):
            whole[rank::width] = planes[rank * count : (rank + 1) * count]
        column.frombytes(whole)
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def end(self) -> None:
        if self._at != len(self._body):
            raise BadBlock("a section is too long")


def _planes(kind: str, values: Sequence[float]) -> bytes:
    column = array(kind, values)
    if sys.byteorder == "big":
        column.byteswap()
    whole, width = column.tobytes(), column.itemsize
    return b"".join(whole[rank::width] for rank in range(width))


def _measure(name: str, values: Sequence[float | None], compression: int) -> bytes:
    """Times in milliseconds as f32, with as much of the mantissa as is worth its space. NaN stays NaN."""
    floats = array("f", [math.nan if value is None else min(value, _MAX_F32) for value in values])
    bits = array("I", floats.tobytes())
    kept_of_sum, kept_of_extremes = MANTISSA_BITS[compression]
    rest = 23 - kept_of_extremes
    match name:
        case "sum_ms":
            cut = 23 - kept_of_sum
            bits = array("I", [(bit + (1 << cut >> 1)) >> cut << cut for bit in bits])
        case "min_ms":
            bits = array("I", [bit >> rest << rest for bit in bits])
        case "max_ms":
            bits = array("I", [(bit + (1 << rest) - 1) >> rest << rest for bit in bits])
    return _planes("I", bits)


def _compress(raw: bytes, compression: int, level: int) -> bytes:
    if compression == LZMA:
        squeezed = lzma.compress(raw, lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
    else:
        # Repetitions are rare in noise: "filtered" leaves short ones alone, and small blocks adapt their codes sooner.
        packer = zlib.compressobj(level, zlib.DEFLATED, -15, 6, zlib.Z_FILTERED)
        squeezed = packer.compress(raw) + packer.flush()
    return squeezed + _CHECK.pack(zlib.crc32(raw))


def _decompress(data: bytes, size: int, compression: int) -> bytes:
    """Exactly `size` bytes, whatever the data say."""
    if len(data) < _CHECK.size or size > MAX_SECTION_BYTES:
        raise BadBlock("a section is missing, or too large")
    try:
        if compression == LZMA:
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
            raw = unpacker.decompress(data[: -_CHECK.size], size + 1)
        else:
            inflater = zlib.decompressobj(-15)
            raw = inflater.decompress(data[: -_CHECK.size], size + 1)
            if not inflater.eof or inflater.unused_data:
                raise BadBlock("a section was cut or changed")
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise BadBlock(str(error)) from error
    if len(raw) != size or _CHECK.pack(zlib.crc32(raw)) != data[-_CHECK.size :]:
        raise BadBlock("a section was cut or changed")
    return raw


def _to_nibbles(matrix: bytearray) -> bytes:
    """Two values a byte, the first one in the upper half."""
    if len(matrix) % 2:
        matrix.append(0)
    high = int.from_bytes(matrix[0::2].translate(_TO_HIGH), "little")
    low = int.from_bytes(matrix[1::2], "little")
    return (high | low).to_bytes(len(matrix) // 2, "little")


def _from_nibbles(packed: bytes, count: int) -> bytes:
    matrix = bytearray(2 * len(packed))
    matrix[0::2], matrix[1::2] = packed.translate(_HIGH_NIBBLE), packed.translate(_LOW_NIBBLE)
    return bytes(matrix[:count])


def _gaps(buckets: Sequence[int]) -> Iterator[int]:
    before = 0
    for bucket in buckets:
        yield bucket - before
        before = bucket


def _running(gaps: Iterable[int]) -> array[int]:
    sums = list(accumulate(gaps))
    if sums and sums[-1] >= _MAX_BUCKETS:  # gaps are not negative, so it is the greatest
        raise BadBlock("a bucket beyond the last")
    return array("H", sums)


def _slices(counts: Iterable[int]) -> Iterator[slice]:
    start = 0
    for count in counts:
        yield slice(start, start + count)
        start += count


def _class(row: Row, place: int) -> int:
    return min(row.classes[place], _MAX["I"]) if place < len(row.classes) else 0


def _known(health: Health | None, name: str) -> float:
    value = getattr(health, name) if health else None
    return math.nan if value is None else min(value, _MAX_F32)


# --- blocks of the first format -------------------------------------------------------------------------------------

_FIRST_HEAD = struct.Struct("<2sHI")
_FIRST_MAGIC = b"H1"
_FIRST_ROWS = "IqIHH"
_FIRST_CELLS = "HIIQd" + "f" * len(LATENCIES)


def _decode_first(data: bytes) -> list[Row]:
    """Rows of a block "H1": columns of all rows, then of all cells in order of the rows, in one piece."""
    try:
        _magic, row_count, cell_count = _FIRST_HEAD.unpack_from(data)
    except struct.error as error:
        raise BadBlock(str(error)) from error
    plan = [(kind, row_count) for kind in _FIRST_ROWS] + [(kind, cell_count) for kind in _FIRST_CELLS]
    size = sum(array(kind).itemsize * count for kind, count in plan)
    if cell_count > _MAX_CELLS:
        raise BadBlock("not a block of samples")
    unpacker = zlib.decompressobj()
    try:
        body = memoryview(unpacker.decompress(data[_FIRST_HEAD.size :], size + 1))
    except zlib.error as error:
        raise BadBlock(str(error)) from error
    if len(body) != size or not unpacker.eof:
        raise BadBlock("not a block of samples")
    columns = iter(list(_first_columns(body, plan)))
    heads = list(zip(*islice(columns, len(_FIRST_ROWS)), strict=True))
    cells = [
        Cell(*values[:5], *(None if value != value else value for value in values[5:]))
        for values in zip(*columns, strict=True)
    ]
    if sum(count for *_, count in heads) != cell_count:
        raise BadBlock("rows and cells do not belong together")
    rest = iter(cells)
    return [Row(seq, t, users, seconds, _once_each(islice(rest, count))) for seq, t, users, seconds, count in heads]


def _once_each(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Names beyond the allowed number had a cell each, all with the index of "(other)"."""
    ordered = sorted(cells, key=lambda cell: in_order(cell.endpoint))
    groups = [list(group) for _, group in groupby(ordered, key=lambda cell: cell.endpoint)]
    return tuple(group[0] if len(group) == 1 else merge_at_once(group) for group in groups)


def _first_columns(body: memoryview, plan: Iterable[tuple[str, int]]) -> Iterator[array[Any]]:
    offset = 0
    for kind, count in plan:
        column = array(kind)
        end = offset + column.itemsize * count
        column.frombytes(body[offset:end])
        offset = end
        if sys.byteorder == "big":
            column.byteswap()
        yield column
