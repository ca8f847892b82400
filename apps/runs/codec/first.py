"""Blocks of the first format ("H1"), which nobody writes any more. Pure."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from apps.runs.blocks import LATENCIES, BadBlock, Cell, Row, in_order, merge_at_once
from apps.runs.codec.layout import MAX_INDEXES, MAX_ROWS

MAGIC = b"H1"
_HEAD = struct.Struct("<2sHI")
_ROWS = "IqIHH"
_CELLS = "HIIQd" + "f" * len(LATENCIES)
_MAX_CELLS = MAX_ROWS * MAX_INDEXES


def decode_first(data: bytes) -> list[Row]:
    """Rows of a block "H1": columns of all rows, then of all cells in order of the rows, in one piece."""
    try:
        _magic, row_count, cell_count = _HEAD.unpack_from(data)
    except struct.error as error:
        raise BadBlock(str(error)) from error
    plan = [(kind, row_count) for kind in _ROWS] + [(kind, cell_count) for kind in _CELLS]
    size = sum(array(kind).itemsize * count for kind, count in plan)
    if cell_count > _MAX_CELLS:
        raise BadBlock("not a block of samples")
    unpacker = zlib.decompressobj()
    try:
        body = memoryview(unpacker.decompress(data[_HEAD.size :], size + 1))
    except zlib.error as error:
        raise BadBlock(str(error)) from error
    if len(body) != size or not unpacker.eof:
        raise BadBlock("not a block of samples")
    columns = iter(list(_columns(body, plan)))
    heads = list(zip(*islice(columns, len(_ROWS)), strict=True))
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


def _columns(body: memoryview, plan: Iterable[tuple[str, int]]) -> Iterator[array[Any]]:
    offset = 0
    for kind, count in plan:
        column = array(kind)
        end = offset + column.itemsize * count
        column.frombytes(body[offset:end])
        offset = end
        if sys.byteorder == "big":
            column.byteswap()
        yield column
