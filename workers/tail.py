"""Reading files that a script writes while we read: only new bytes, whole rows, bounded memory.

The script owns these files. It may truncate them, swap them for links, or never end a line.
"""

from __future__ import annotations

import csv
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1024 * 1024
"""Read at most at one call; Locust writes 0.2 MB/s for 1,000 endpoints, and is read five times a second."""

MAX_LINE_BYTES = 64 * 1024
MAX_ROW_BYTES = 64 * 1024
"""Longest CSV row that is kept. Locust's own rows hold a name of at most 500 characters and 20 numbers."""


def open_regular(path: Path) -> BinaryIO:
    """Open for reading, refusing links, pipes and devices: raises OSError for those as for a missing file."""
    descriptor = _open(path, os.O_RDONLY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(f"not a regular file: {path.name}")
    return os.fdopen(descriptor, "rb", buffering=0)


def _open(path: Path, access: int) -> int:
    """The script may also put a link in the place of the folder, to one where a file of this name lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.open(path.name, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


def read_bounded(path: Path, limit: int) -> bytes | None:
    """The whole file; `None` when it is missing, not a regular file, or longer than `limit` bytes."""
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > limit:
                return None
            data = bytearray()
            while chunk := file.read(limit + 1 - len(data)):
                data += chunk
    except OSError:
        return None
    return bytes(data) if len(data) <= limit else None


def signature(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file does."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def cut(path: Path, limit: int) -> bool:
    """Empty the file when it is longer than `limit` bytes; it must be written in append mode."""
    try:
        descriptor = _open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        too_long = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size > limit
        if too_long:
            os.ftruncate(descriptor, 0)
        return too_long
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, but not one in a folder that the script has put a link in the place of."""
    with suppress(OSError):
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.unlink(path.name, dir_fd=folder)
        finally:
            os.close(folder)


class FileTail:
    """New bytes of a growing file. Waits for a file that does not exist yet; begins anew when it was cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._offset = 0

    def read(self, limit: int = CHUNK_BYTES) -> bytes:
        """At most `limit` bytes; empty when there is nothing new."""
        if self._file is None:
            try:
                self._file = open_regular(self._path)
            except OSError:
                return b""
        try:
            if os.fstat(self._file.fileno()).st_size < self._offset:
                self._offset = 0
            data = os.pread(self._file.fileno(), limit, self._offset)
        except OSError:
            return b""
        self._offset += len(data)
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Lines:
    """Whole lines out of chunks of bytes. A longer line than `max_bytes` is cut; its rest is left out."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._half = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        *whole, half = data.split(b"\n")
        lines = [self._complete(part) for part in whole]
        self._hold(half)
        return [line.decode("utf-8", "replace") for line in lines if line is not None]

    def end(self) -> list[str]:
        """The last line, when its end was never written."""
        return self.feed(b"\n") if self._half else []

    def _complete(self, part: bytes) -> bytes | None:
        self._hold(part)
        line, self._half, self._skipping = self._half, b"", False
        return line.removesuffix(b"\r")

    def _hold(self, part: bytes) -> None:
        if not self._skipping:
            self._half += part[: self._max_bytes - len(self._half)]
            self._skipping = len(self._half) >= self._max_bytes


class CsvRows:
    """Whole CSV rows out of chunks of bytes, as Python's csv module writes them.

    A row ends at a newline before which the number of quotes is even, so commas, quotes and newlines inside a name do
    no harm. A row longer than `MAX_ROW_BYTES` is left out and counted in `refused`, whether or not it ever ends.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._quoted = False
        self.refused = 0

    @property
    def pending(self) -> bool:
        """Whether a row has begun whose end has not been seen."""
        return self._size > 0

    def feed(self, data: bytes) -> list[list[str]]:
        *whole, half = data.split(b"\n")
        rows = []
        for part in whole:
            self._hold(part)
            if self._quoted:
                self._hold(b"\n")
            elif (row := self._complete()) is not None:
                rows.append(row)
        self._hold(half)
        return rows

    def _hold(self, part: bytes) -> None:
        if part.count(b'"') % 2:
            self._quoted = not self._quoted
        self._size += len(part)
        if self._size <= MAX_ROW_BYTES:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _complete(self) -> list[str] | None:
        fits, data = self._size <= MAX_ROW_BYTES, b"".join(self._parts)
        self._parts, self._size = [], 0
        row = parse_row(data) if fits else None
        if row is None:
            self.refused += 1
        return row or None


def parse_row(data: bytes) -> list[str] | None:
    """Cells of one row without its newline; empty for an empty row, `None` for what is not CSV."""
    text = data.decode("utf-8", "replace").removesuffix("\r")
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return None


_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[PX^_][^\x1b]{0,2000}\x1b\\|[ -/]*[0-~])"
)
# C0 but tab, DEL, C1, line separators, and the marks that turn text around.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_text(text: str, max_chars: int) -> str:
    """One line that is safe to show: no terminal codes, control characters or direction marks; bounded in length."""
    plain = _CONTROLS.sub("", _ESCAPES.sub("", text[: 4 * max_chars]))
    return plain if len(plain) <= max_chars else plain[: max_chars - 1] + "…"
