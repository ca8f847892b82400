"""Rows packed into a block, chunk by chunk. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain

from apps.runs.blocks import LONGEST_STEP_S, PERCENTILES, TOTAL, Cell, Row, in_order, merge_cells
from apps.runs.codec.columns import MAX, MAX_F32, planes
from apps.runs.codec.figures import Found, figures_section, usual_bytes
from apps.runs.codec.layout import (
    CHUNK_COLUMNS,
    DIRECTORY,
    HAS_EXTREMES,
    HAS_HEALTH,
    HAS_PERCENTILES,
    HAS_SKETCHES,
    HAS_WHOLE,
    HEAD,
    HEALTH,
    MAGIC,
    MAX_ROWS,
    ROW_COLUMNS,
)
from apps.runs.codec.sections import FAST, Packing, compress
from apps.runs.codec.sketches import PackedSketches, pack_sketches, sketches_section
from workers.samples import MAX_CLASSES, Health

CHUNK_CELLS = 4_096
"""After so many cells the next endpoint begins a new chunk, as after `Packing.chunk_bytes`."""
WHOLE_CHUNK_BYTES = 65_536
"""Of the sum of a block, of which most readers want all."""


def encode(rows: Sequence[Row], packing: Packing = FAST) -> bytes:
    """Pack rows into one block; at most `MAX_ROWS`, in order, with at most one cell an endpoint in each."""
    found: dict[int, list[tuple[int, Cell]]] = {}
    for place, row in enumerate(rows):
        for cell in row.cells:
            found.setdefault(cell.endpoint, []).append((place, cell))
    ordered = ((endpoint, found[endpoint]) for endpoint in sorted(found, key=in_order))
    return Writer(rows, _flags(chain.from_iterable(row.cells for row in rows)), packing).pack(ordered)


class Writer:
    """Packs one block, endpoint by endpoint."""

    def __init__(self, heads: Sequence[Row], flags: int, packing: Packing) -> None:
        if len(heads) > MAX_ROWS:
            raise ValueError(f"{len(heads)} rows in a block")
        self._heads = heads
        self._flags = flags | (HAS_HEALTH if any(row.health for row in heads) else 0)
        self._packing = packing
        self._sums: list[Cell] | None = [] if packing.with_whole and len(heads) > 1 else None
        self._flags |= 0 if self._sums is None else HAS_WHOLE
        self._chunks: dict[str, list[int]] = {name: [] for name in CHUNK_COLUMNS}
        self._directory: dict[str, list[int]] = {name: [] for name in DIRECTORY}
        self._bodies: list[bytes] = []
        self._cells = 0

    def pack(self, found: Iterable[tuple[int, Found]]) -> bytes:
        group: list[Found] = []
        packed: list[PackedSketches] = []
        size = 0
        for endpoint, cells in found:
            self._directory["endpoints"].append(endpoint)
            self._directory["cells"].append(len(cells))
            self._directory["request_bytes"].append(usual_bytes(cells))
            self._cells += len(cells)
            if self._sums is not None:
                each = [cell for _, cell in cells]
                self._sums.append(merge_cells(each, seconds=len(self._heads), step_s=LONGEST_STEP_S))
            group.append(cells)
            if self._flags & HAS_SKETCHES:
                packed.append(pack_sketches([cell.sketch or {} for _, cell in cells]))
            size += packed[-1].size if packed else 0
            if size >= self._packing.chunk_bytes or sum(map(len, group)) >= CHUNK_CELLS or endpoint == TOTAL:
                self._close(group, packed)
                group, packed, size = [], [], 0
        if group:
            self._close(group, packed)
        rows = self._squeeze(self._row_section())
        counts = len(self._heads), self._class_count(), len(self._directory["cells"]), len(self._chunks["ends"])
        facts = MAGIC, self._packing.compression, self._flags, *counts, self._cells, self._error_count(), len(rows)
        return b"".join([HEAD.pack(*facts), rows, *self._bodies, self._whole()])

    def _close(self, group: list[Found], packed: list[PackedSketches]) -> None:
        """End a chunk."""
        usual = self._directory["request_bytes"][-len(group) :]
        figures = self._squeeze(figures_section(group, usual, self._flags, self._packing.compression))
        raw = sketches_section(packed) if packed else b""
        sketches = self._squeeze(raw) if packed else b""
        facts = (len(self._directory["endpoints"]), len(figures), len(sketches), len(raw))
        for name, value in zip(CHUNK_COLUMNS, facts, strict=True):
            self._chunks[name].append(value)
        self._bodies += [figures, sketches]

    def _whole(self) -> bytes:
        """A block of one row, with the cells of all rows of this one."""
        if self._sums is None:
            return b""
        first, last = self._heads[0], self._heads[-1]
        row = Row(last.seq, first.t, last.users, sum(row.seconds for row in self._heads), tuple(self._sums))
        return encode([row], Packing(self._packing.compression, self._packing.level, WHOLE_CHUNK_BYTES))

    def _row_section(self) -> bytes:
        heads = self._heads
        errors = [pair for row in heads for pair in row.errors]
        classes = range(self._class_count())
        values: dict[str, list[int]] = {
            name: [min(getattr(row, name), MAX[kind]) for row in heads]
            for name, kind in ROW_COLUMNS.items()
            if name != "error_counts"
        }
        values["error_counts"] = [len(row.errors) for row in heads]
        health = HEALTH if self._flags & HAS_HEALTH else ()
        return b"".join(
            [
                *(planes(kind, values[name]) for name, kind in ROW_COLUMNS.items()),
                *(planes("f", [_known(row.health, name) for row in heads]) for name in health),
                *(planes("I", [_class(row, at) for row in heads]) for at in classes),
                planes("H", [index for index, _ in errors]),
                planes("I", [min(count, MAX["I"]) for _, count in errors]),
                *(planes(kind, self._directory[name]) for name, kind in DIRECTORY.items()),
                *(planes(kind, self._chunks[name]) for name, kind in CHUNK_COLUMNS.items()),
            ]
        )

    def _class_count(self) -> int:
        return min(MAX_CLASSES, max((len(row.classes) for row in self._heads), default=0))

    def _error_count(self) -> int:
        return sum(len(row.errors) for row in self._heads)

    def _squeeze(self, raw: bytes) -> bytes:
        return compress(raw, self._packing)


def _flags(cells: Iterable[Cell]) -> int:
    flags = 0
    for cell in cells:
        if cell.sketch is not None:
            flags |= HAS_SKETCHES
        elif not flags & HAS_PERCENTILES and any(getattr(cell, name) is not None for name in PERCENTILES):
            flags |= HAS_PERCENTILES
        if (
            cell.requests_low != cell.requests
            or cell.requests_high != cell.requests
            or cell.failures_high != cell.failures
        ):
            flags |= HAS_EXTREMES
    return flags & ~HAS_PERCENTILES if flags & HAS_SKETCHES else flags


def _class(row: Row, place: int) -> int:
    return min(row.classes[place], MAX["I"]) if place < len(row.classes) else 0


def _known(health: Health | None, name: str) -> float:
    value = getattr(health, name) if health else None
    return math.nan if value is None else min(value, MAX_F32)
