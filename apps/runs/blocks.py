"""Ticks in columns: how a run's measurements are packed, unpacked and rolled up. Pure: values in, values out.

A block is compressed columns, each a little-endian array: per tick `seq u32, t i64, users u32, seconds u16, cells u16`,
then over all cells in tick order `endpoint u16, requests u32, failures u32, bytes u64, sum_ms f64` and the eight
latency columns as f32 with NaN for "unknown". Nothing in it is text, so nothing in it can be hostile.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

TOTAL = 0xFFFF
"""The endpoint index of a tick's row over all endpoints."""

_HEAD = struct.Struct("<2sHI")
_MAGIC = b"H1"
_ROW_TYPES = "IqIHH"
_CELL_TYPES = "HIIQd"
_MAX_U32, _MAX_U64 = 2**32 - 1, 2**64 - 1

LATENCIES = ("min_ms", "max_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms")
PERCENTILES = LATENCIES[2:]


class BadBlock(ValueError):
    """Bytes that are no block."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one endpoint (or `TOTAL`) did in the time of its row. Times in milliseconds."""

    endpoint: int
    requests: int
    failures: int
    bytes: int
    sum_ms: float
    min_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None

    @property
    def avg_ms(self) -> float | None:
        """Mean response time; None without requests."""
        return self.sum_ms / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Row:
    """One tick, or several rolled into one. `t` is the UTC epoch second at which it begins."""

    seq: int
    """Of the last tick in it."""
    t: int
    users: int
    """The most users there were."""
    seconds: int
    """How many ticks are in it."""
    cells: tuple[Cell, ...]


def encode(rows: Sequence[Row], *, level: int = 6) -> bytes:
    """Pack rows into one block."""
    cells = [cell for row in rows for cell in row.cells]
    row_columns: list[list[int]] = [
        [row.seq for row in rows],
        [row.t for row in rows],
        [min(row.users, _MAX_U32) for row in rows],
        [row.seconds for row in rows],
        [len(row.cells) for row in rows],
    ]
    cell_columns: list[list[float]] = [
        [cell.endpoint for cell in cells],
        [min(cell.requests, _MAX_U32) for cell in cells],
        [min(cell.failures, _MAX_U32) for cell in cells],
        [min(cell.bytes, _MAX_U64) for cell in cells],
        [cell.sum_ms for cell in cells],
    ]
    latencies = [[_or_nan(getattr(cell, name)) for cell in cells] for name in LATENCIES]
    parts = [
        *(_pack(kind, column) for kind, column in zip(_ROW_TYPES, row_columns, strict=True)),
        *(_pack(kind, column) for kind, column in zip(_CELL_TYPES, cell_columns, strict=True)),
        *(_pack("f", column) for column in latencies),
    ]
    return _HEAD.pack(_MAGIC, len(rows), len(cells)) + zlib.compress(b"".join(parts), level)


def decode(data: bytes) -> list[Row]:
    """Unpack what `encode` packed. Raises BadBlock."""
    try:
        magic, row_count, cell_count = _HEAD.unpack_from(data)
        body = memoryview(zlib.decompress(data[_HEAD.size :]))
    except (struct.error, zlib.error) as error:
        raise BadBlock(str(error)) from error
    expected = _width(_ROW_TYPES) * row_count + (_width(_CELL_TYPES) + 4 * len(LATENCIES)) * cell_count
    if magic != _MAGIC or len(body) != expected:
        raise BadBlock("not a block of samples")
    columns = _columns(body, row_count, cell_count)
    heads = list(zip(*(next(columns) for _ in _ROW_TYPES), strict=True))
    cells = _cells(columns)
    rows = [Row(seq, t, users, seconds, tuple(islice(cells, count))) for seq, t, users, seconds, count in heads]
    if sum(count for *_, count in heads) != cell_count:
        raise BadBlock("rows and cells do not belong together")
    return rows


def roll_up(rows: Iterable[Row], step_s: int) -> list[Row]:
    """Rows of `step_s` seconds, aligned to multiples of it, from finer rows in order of time.

    Counts and sums add up; minimum and maximum are kept. Percentiles of Locust's CSV cannot be merged exactly: each is
    one over the last ten seconds, so within ten seconds the last one holds, and beyond that their mean weighted by
    requests is the nearest to the truth.
    """
    groups = groupby(rows, key=lambda row: row.t // step_s * step_s)
    return [_merge_rows(list(group), start, step_s) for start, group in groups]


def _merge_rows(rows: list[Row], start: int, step_s: int) -> Row:
    if len(rows) == 1:
        return replace(rows[0], t=start)
    by_endpoint: dict[int, list[Cell]] = {}
    for row in rows:
        for cell in row.cells:
            by_endpoint.setdefault(cell.endpoint, []).append(cell)
    cells = tuple(_merge_cells(group, step_s) for group in by_endpoint.values())
    users = max(row.users for row in rows)
    return Row(rows[-1].seq, start, users, sum(row.seconds for row in rows), cells)


def _merge_cells(cells: list[Cell], step_s: int) -> Cell:
    pick = _last if step_s <= 10 else _weighted
    p50, p90, p95, p99, p999 = (pick(cells, name) for name in PERCENTILES)
    lows = [cell.min_ms for cell in cells if cell.min_ms is not None]
    highs = [cell.max_ms for cell in cells if cell.max_ms is not None]
    return Cell(
        endpoint=cells[0].endpoint,
        requests=sum(cell.requests for cell in cells),
        failures=sum(cell.failures for cell in cells),
        bytes=sum(cell.bytes for cell in cells),
        sum_ms=math.fsum(cell.sum_ms for cell in cells),
        min_ms=min(lows, default=None),
        max_ms=max(highs, default=None),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        p999_ms=p999,
    )


def _last(cells: list[Cell], name: str) -> float | None:
    return next((value for cell in reversed(cells) if (value := getattr(cell, name)) is not None), None)


def _weighted(cells: list[Cell], name: str) -> float | None:
    known = [(value, cell.requests) for cell in cells if (value := getattr(cell, name)) is not None]
    weight = sum(requests for _, requests in known)
    return sum(value * requests for value, requests in known) / weight if weight else None


def _cells(columns: Iterator[array[float]]) -> Iterator[Cell]:
    for values in zip(*columns, strict=True):
        counts, latencies = values[: len(_CELL_TYPES)], values[len(_CELL_TYPES) :]
        yield Cell(*counts, *(None if value != value else value for value in latencies))


def _columns(body: memoryview, row_count: int, cell_count: int) -> Iterator[array[float]]:
    offset = 0
    plan = [(kind, row_count) for kind in _ROW_TYPES] + [
        (kind, cell_count) for kind in _CELL_TYPES + "f" * len(LATENCIES)
    ]
    for kind, count in plan:
        column: array[float] = array(kind)
        end = offset + column.itemsize * count
        column.frombytes(body[offset:end])
        offset = end
        if sys.byteorder == "big":
            column.byteswap()
        yield column


def _pack(kind: str, values: Sequence[float]) -> bytes:
    column = array(kind, values)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _width(kinds: str) -> int:
    return sum(array(kind).itemsize for kind in kinds)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
