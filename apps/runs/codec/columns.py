"""Numbers as bytes: columns cut into byte planes, one behind the other, and taken off again. Pure."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from apps.runs.blocks import BadBlock

MAX = {"H": 2**16 - 1, "I": 2**32 - 1, "q": 2**63 - 1, "Q": 2**64 - 1}
MAX_F32 = 3.4e38


class Reader:
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
        """`count` values that `planes` cut up."""
        column = array(kind)
        width = column.itemsize
        data = self.take(width * count)
        whole = bytearray(len(data))
        for rank in range(width):
            whole[rank::width] = data[rank * count : (rank + 1) * count]
        column.frombytes(whole)
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def end(self) -> None:
        if self._at != len(self._body):
            raise BadBlock("a section is too long")


def planes(kind: str, values: Sequence[float]) -> bytes:
    """A column of bytes of each rank, the lowest first."""
    column = array(kind, values)
    if sys.byteorder == "big":
        column.byteswap()
    whole, width = column.tobytes(), column.itemsize
    return b"".join(whole[rank::width] for rank in range(width))


def slices(counts: Iterable[int]) -> Iterator[slice]:
    """Where so many values each are that lie behind each other."""
    start = 0
    for count in counts:
        yield slice(start, start + count)
        start += count
