"""The second part of a chunk: sketches as a matrix an endpoint, packed and unpacked. Pure."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from apps.runs.blocks import BadBlock
from apps.runs.codec.columns import MAX, Reader, planes, slices
from workers.sketch import LAST_BUCKET, Sketch

_MAX_BUCKETS = LAST_BUCKET + 1
_LOW_NIBBLE = bytes(byte & 15 for byte in range(256))
_HIGH_NIBBLE = bytes(byte >> 4 for byte in range(256))
_TO_HIGH = bytes((byte << 4) & 255 for byte in range(256))
_OVERFLOW = 15


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


def read_sketches(body: Reader, cells: Mapping[int, int]) -> dict[int, Sketches]:
    """Sketches by endpoint; `cells`: how many each of them has."""
    lengths = body.column("H", len(cells))
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
        for (endpoint, width), known, matrix, cut in zip(cells.items(), buckets, matrices, slices(counts), strict=True)
    }


@dataclass(frozen=True, slots=True)
class PackedSketches:
    buckets: list[int]
    nibbles: bytes
    overflow: list[int]

    @property
    def size(self) -> int:
        return len(self.nibbles) + 4 * len(self.overflow) + 2 * len(self.buckets)


def pack_sketches(sketches: Sequence[Sketch]) -> PackedSketches:
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
                over.append((place, min(count, MAX["I"])))
    return PackedSketches(buckets, _to_nibbles(matrix), [count for _, count in sorted(over)])


def sketches_section(packed: Sequence[PackedSketches]) -> bytes:
    """What `read_sketches` reads."""
    return b"".join(
        [
            planes("H", [len(one.buckets) for one in packed]),
            planes("H", [gap for one in packed for gap in _gaps(one.buckets)]),
            *(one.nibbles for one in packed),
            planes("I", [count for one in packed for count in one.overflow]),
        ]
    )


def _from_nibbles(packed: bytes, count: int) -> bytes:
    matrix = bytearray(2 * len(packed))
    matrix[0::2], matrix[1::2] = packed.translate(_HIGH_NIBBLE), packed.translate(_LOW_NIBBLE)
    return bytes(matrix[:count])


def _to_nibbles(matrix: bytearray) -> bytes:
    """Two values a byte, the first one in the upper half."""
    if len(matrix) % 2:
        matrix.append(0)
    high = int.from_bytes(matrix[0::2].translate(_TO_HIGH), "little")
    low = int.from_bytes(matrix[1::2], "little")
    return (high | low).to_bytes(len(matrix) // 2, "little")


def _running(gaps: Iterable[int]) -> array[int]:
    sums = list(accumulate(gaps))
    if sums and sums[-1] >= _MAX_BUCKETS:  # gaps are not negative, so it is the greatest
        raise BadBlock("a bucket beyond the last")
    return array("H", sums)


def _gaps(buckets: Sequence[int]) -> Iterator[int]:
    before = 0
    for bucket in buckets:
        yield bucket - before
        before = bucket
