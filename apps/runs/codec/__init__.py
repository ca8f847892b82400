"""Rows of ticks in compressed columns. Pure: values in, bytes out, and back. Nothing in it is text, so nothing hostile.

A block ("H2") is a head, a section about its rows, and chunks. A chunk holds some endpoints (`TOTAL` alone in the
first one) with all their cells, endpoint by endpoint, in two parts that are unpacked apart from each other: figures,
and sketches. So a reader who wants one endpoint's percentiles unpacks just those.

Every column is little-endian and cut into byte planes (all lowest bytes, then all next ones), because bytes of one
rank resemble each other. The sketches of an endpoint are a matrix, bucket by bucket and in it cell by cell: requests
in a bucket come at a steady rate, so neighbours in a row of the matrix resemble each other. Counts are nibbles there;
15 means "see the overflow", a column of u32 in order of the matrix. Each section ends with a checksum of what is in it.
A block may end with the sum of its rows, which is a block of one row.

`sum_ms` keeps 15 bits of its mantissa (an error below 0.002 %), `min_ms` and `max_ms` keep 12 (0.025 %), the least
rounded down and the most up; in a block that is to be small they keep 12 (0.013 %) and 9 (0.2 %). Bytes are stored as
what they differ by from the endpoint's usual number a request.

`writing` and `reading` are the two sides, `stored` knows which format a block has; `first` is the one before, "H1".
`layout` says what a block holds, `figures` and `sketches` are the parts of a chunk, `columns` and `sections` the bytes.
"""

from __future__ import annotations

from apps.runs.codec.reading import Block, Chunk
from apps.runs.codec.sections import FAST, LZMA, ZLIB, Packing
from apps.runs.codec.sketches import Sketches
from apps.runs.codec.stored import decode, join, open_block
from apps.runs.codec.writing import encode

__all__ = ["FAST", "LZMA", "ZLIB", "Block", "Chunk", "Packing", "Sketches", "decode", "encode", "join", "open_block"]
