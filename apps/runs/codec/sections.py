"""Bytes made small, with a checksum; and unpacked again, to no more of them than was agreed. Pure."""

from __future__ import annotations

import lzma
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from apps.runs.blocks import BadBlock

ZLIB, LZMA = 0, 1
"""How sections are compressed: fast, or small. LZMA takes a sixth off, and three times as long to unpack."""

MAX_SECTION_BYTES = 32 * 1024 * 1024
"""More than one endpoint's sketches can take in a whole block, and as much memory as a forged one can ask for."""
_CHECK = struct.Struct("<I")
_LZMA_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA1, "preset": 6, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 16}
]


@dataclass(frozen=True, slots=True)
class Packing:
    """How a block is made small."""

    compression: int = ZLIB
    level: int = 6
    """Of ZLIB."""
    chunk_bytes: int = 16_384
    """Of unpacked sketches, after which the next endpoint begins a new chunk: larger ones take less room, and a reader
    of one endpoint has to unpack its neighbours' too."""
    with_whole: bool = False
    """Whether it ends with all of its rows as one, for those who want no more than the sum of them."""


FAST = Packing()


def compress(raw: bytes, packing: Packing) -> bytes:
    if packing.compression == LZMA:
        squeezed = lzma.compress(raw, lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
    else:
        # Repetitions are rare in noise: "filtered" leaves short ones alone, and small blocks adapt their codes sooner.
        packer = zlib.compressobj(packing.level, zlib.DEFLATED, -15, 6, zlib.Z_FILTERED)
        squeezed = packer.compress(raw) + packer.flush()
    return squeezed + _CHECK.pack(zlib.crc32(raw))


def decompress(data: bytes, size: int, compression: int) -> bytes:
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
