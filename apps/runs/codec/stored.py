"""Blocks of either format, as they were stored: opened, unpacked, and joined. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from apps.runs.blocks import BadBlock, Cell, Row, in_order
from apps.runs.codec import first
from apps.runs.codec.layout import HAS_PERCENTILES, HAS_SKETCHES, HAS_WHOLE, MAX_ROWS
from apps.runs.codec.reading import Block
from apps.runs.codec.sections import FAST, Packing
from apps.runs.codec.writing import Writer, encode


def open_block(data: bytes) -> Block:
    """Any block ever written, ready to be read in parts. Raises BadBlock."""
    if data[:2] != first.MAGIC:
        return Block(data)
    rows = first.decode_first(data)
    if len(rows) > MAX_ROWS:
        raise BadBlock("too many rows")
    return Block(encode(rows))


def decode(data: bytes) -> list[Row]:
    """Unpack what `encode` packed. Raises BadBlock."""
    if data[:2] == first.MAGIC:
        return first.decode_first(data)
    block = open_block(data)
    heads = block.heads()
    cells: list[list[Cell]] = [[] for _ in heads]
    for endpoint in block.endpoints():
        for row, cell in block.cells(endpoint):
            cells[row].append(cell)
    return [replace(head, cells=tuple(found)) for head, found in zip(heads, cells, strict=True)]


def join(blocks: Sequence[bytes], packing: Packing = FAST) -> bytes:
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
        flags |= block.flags & ~HAS_WHOLE
    if flags & HAS_SKETCHES:
        flags &= ~HAS_PERCENTILES
    names = sorted({endpoint for block in opened for endpoint in block.endpoints()}, key=in_order)
    pairs = list(zip(starts, opened, strict=False))
    found = (
        (name, [(start + row, cell) for start, block in pairs for row, cell in block.cells(name)]) for name in names
    )
    return Writer(heads, flags, packing).pack(found)
