"""The first part of a chunk: what its cells counted and how long it took, packed and unpacked. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from apps.runs.blocks import PERCENTILES, Cell
from apps.runs.codec.columns import MAX, MAX_F32, planes
from apps.runs.codec.layout import HAS_EXTREMES, HAS_PERCENTILES
from apps.runs.codec.sections import LZMA, ZLIB

_FIGURES = {"row": "H", "requests": "I", "failures": "I", "untimed": "I", "bytes": "Q"}
_MEASURES = ("sum_ms", "min_ms", "max_ms")
EXTREMES = ("requests_low", "requests_high", "failures_high")
MANTISSA_BITS = {ZLIB: (15, 12), LZMA: (12, 9)}
"""What is kept of `sum_ms`, and of `min_ms` and `max_ms`."""

Found = Sequence[tuple[int, Cell]]
"""Cells of one endpoint, each with the place of its row."""


def figure_plan(flags: int) -> dict[str, str]:
    """Columns of a chunk's first part, and their types."""
    return {
        **_FIGURES,
        **dict.fromkeys(EXTREMES if flags & HAS_EXTREMES else (), "I"),
        **dict.fromkeys(_MEASURES, "f"),
        **dict.fromkeys(PERCENTILES if flags & HAS_PERCENTILES else (), "f"),
    }


def figures_section(group: Sequence[Found], usual: Sequence[int], flags: int, compression: int) -> bytes:
    found = [pair for cells in group for pair in cells]
    parts = []
    for name, kind in figure_plan(flags).items():
        if name == "row":
            parts.append(planes(kind, [row for row, _ in found]))
        elif name == "bytes":
            pairs = zip(group, usual, strict=True)
            parts.append(planes(kind, [_odd_bytes(cell, each) for cells, each in pairs for _, cell in cells]))
        elif kind == "f":
            parts.append(_measure(name, [getattr(cell, name) for _, cell in found], compression))
        else:
            most = MAX[kind]
            parts.append(planes(kind, [min(getattr(cell, name), most) for _, cell in found]))
    return b"".join(parts)


def usual_bytes(cells: Found) -> int:
    """Bytes of a request, as most endpoints always answer with as many."""
    requests = sum(cell.requests for _, cell in cells)
    return min(sum(cell.bytes for _, cell in cells) // requests, MAX["I"]) if requests else 0


def _odd_bytes(cell: Cell, usual: int) -> int:
    """By how much it differs from what is usual: 0, -1, 1, -2 … as 0, 1, 2, 3 …, all of it modulo 2**64."""
    odd = (min(cell.bytes, MAX["Q"]) - min(cell.requests, MAX["I"]) * usual) & MAX["Q"]
    return odd << 1 if odd <= MAX["q"] else ((MAX["Q"] - odd) << 1) + 1


def whole_bytes(odd: array[int], requests: array[int], usual: int) -> array[int]:
    """Undoes `_odd_bytes`."""
    most = MAX["Q"]
    pairs = zip(odd, requests, strict=True)
    return array("Q", [(count * usual + ((code >> 1) ^ -(code & 1))) & most for code, count in pairs])


def _measure(name: str, values: Sequence[float | None], compression: int) -> bytes:
    """Times in milliseconds as f32, with as much of the mantissa as is worth its space. NaN stays NaN."""
    floats = array("f", [math.nan if value is None else min(value, MAX_F32) for value in values])
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
    return planes("I", bits)
