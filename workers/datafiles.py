"""Data files row by row, and the part of one that a Locust worker gets. Memory is bounded by the longest row."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from typing import IO, NamedTuple

from workers.spec import DataFileSpec

CSV, JSON_LINES, BINARY = "csv", "jsonl", "binary"
SPLIT = "split"
BOM = b"\xef\xbb\xbf"
MAX_ROW_BYTES = 1_000_000
COPY_BYTES = 1024 * 1024

# The module's own limit for a cell is lower than ours for a row, and one for the whole process.
csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))


class BadRow(ValueError):
    """A row that cannot be read: `line` is where it begins, counted from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


class RowTooLong(BadRow):
    """A row of more than MAX_ROW_BYTES."""

    def __init__(self, line: int) -> None:
        super().__init__("row too long", line)


class Record(NamedTuple):
    """A row, the header, or a blank line."""

    raw: bytes
    """As it stands in the file, line end included."""
    line: int
    """Number of its first line, from 1."""
    offset: int
    """Bytes before it."""
    cells: list[str]
    """Of a CSV: each character stands for one byte (Latin-1), whatever the encoding. Empty for a blank line."""

    @property
    def is_blank(self) -> bool:
        """Whether it is no row: readers of both kinds pass it over."""
        return not self.cells and not self.raw.removeprefix(BOM).strip()


def records(source: IO[bytes], kind: str) -> Iterator[Record]:
    """All records of a CSV or JSON lines file; the first of a CSV is its header. Raises BadRow."""
    return _csv_records(source) if kind == CSV else _lines_of(source)


def boundary(rows: int, index: int, total: int) -> int:
    """How many rows the parts before `index` have: floor(index × rows ÷ total)."""
    return index * rows // total


def place(source: IO[bytes], target: IO[bytes], spec: DataFileSpec, index: int, total: int) -> None:
    """Write what worker `index` of `total` gets of the file: its part of one that is split, the whole of any other."""
    is_split = spec.distribution == SPLIT
    write_part(source, target, spec.kind, spec.rows, index if is_split else 0, total if is_split else 1)


def write_part(source: IO[bytes], target: IO[bytes], kind: str, rows: int, index: int, total: int) -> None:
    """Copy the rows from floor(i × rows ÷ total) to floor((i + 1) × rows ÷ total), byte by byte as they are.

    A CSV's header goes into each part; a blank line goes with the row before it. Binary files are copied whole.
    Raises BadRow, and ValueError when the file has fewer rows than it should.
    """
    if not 0 <= index < total:
        raise ValueError(f"no part {index} of {total}")
    if total == 1 or kind == BINARY:
        shutil.copyfileobj(source, target, COPY_BYTES)
        return
    found = records(source, kind)
    if kind == CSV and (header := next(found, None)) is not None:
        target.write(header.raw)
    _copy_rows(found, target, boundary(rows, index, total), boundary(rows, index + 1, total))


def _copy_rows(found: Iterator[Record], target: IO[bytes], first: int, last: int) -> None:
    """Rows are counted from 0; `last` is the first that is not copied."""
    seen = 0
    for record in found:
        if seen >= last and not record.is_blank:
            return
        owner = max(seen - 1, 0) if record.is_blank else seen
        if first <= owner < last:
            target.write(record.raw)
        seen += not record.is_blank
    if seen < last:
        raise ValueError(f"the file has {seen} rows and should have {last} at least")


class _Lines:
    """Lines one by one, and those since the last `take`: what a record was made of."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._pending: list[bytes] = []
        self._size = 0
        self.line = 1
        """The first of the pending ones."""
        self.offset = 0

    def __iter__(self) -> Iterator[bytes]:
        while line := self._source.readline(MAX_ROW_BYTES + 1):
            self._pending.append(line)
            self._size += len(line)
            if self._size > MAX_ROW_BYTES:
                raise RowTooLong(self.line)
            yield line

    def texts(self) -> Iterator[str]:
        """For the `csv` module. Its quotes, commas and line ends are single bytes in UTF-8 as in Latin-1."""
        for number, line in enumerate(self):
            yield (line if number else line.removeprefix(BOM)).decode("latin-1")

    def take(self, cells: list[str]) -> Record:
        raw = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        record = Record(raw, self.line, self.offset, cells)
        self.line += len(self._pending)
        self.offset += self._size
        self._pending, self._size = [], 0
        return record


def _csv_records(source: IO[bytes]) -> Iterator[Record]:
    lines = _Lines(source)
    try:
        # It asks for the next line only when a quoted cell goes on in it.
        for cells in csv.reader(lines.texts(), strict=True):
            yield lines.take(cells)
    except csv.Error as error:
        raise BadRow(str(error), lines.line) from error


def _lines_of(source: IO[bytes]) -> Iterator[Record]:
    lines = _Lines(source)
    for _line in lines:
        yield lines.take([])
