"""The lines of the supervisor: how they are spelled, and how they reach the disk. Knows nothing of gevent."""

from __future__ import annotations

import errno
import json
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence

ROTATE_BYTES = 32 * 1024 * 1024
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""What is kept for a disk that is full; seconds beyond this are lost, and missing from the numbers of the lines."""
CHUNK_ENTRIES = 50
"""Entries of lists between two pauses: about 0.1 ms."""

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def spell(
    head: Mapping[str, object],
    requests: bytes,
    lists: Mapping[str, Sequence[Sequence[object]]],
    pause: Callable[[], None],
) -> bytes:
    """One line: `head`, the requests (base64), and lists; `pause` is called now and then."""
    parts = [_encode(head)[:-1].encode("ascii"), b'"requests":"%s"' % requests]
    for name, entries in lists.items():
        chunks = []
        for start in range(0, len(entries), CHUNK_ENTRIES):
            if start:
                pause()
            chunks.append(_encode(entries[start : start + CHUNK_ENTRIES])[1:-1])
        parts.append(f'"{name}":[{",".join(chunks)}]'.encode("ascii"))
    return b",".join(parts) + b"}\n"


def spell_small(document: Mapping[str, object]) -> bytes:
    return (_encode(document) + "\n").encode("ascii")


class Lines:
    """Appends whole lines to `<prefix>.1.ndjson`, `<prefix>.2.ndjson`, …

    What a full disk does not take waits, to the byte, until it does: no line is torn and none is written twice.
    """

    def __init__(self, prefix: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._prefix = prefix
        self._rotate_bytes = rotate_bytes
        self._number = 1
        self._file: int | None = None
        self._size = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_torn = False

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes > MAX_WAITING_BYTES

    def append(self, line: bytes) -> None:
        """Write a line, after those that wait; never raises. In general a single `os.write`."""
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self.flush()

    def flush(self) -> None:
        try:
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting_bytes -= len(self._waiting.popleft())
                self._is_torn = False
        except OSError as error:
            if error.errno == errno.EBADF:  # a script may close what is not its own
                self._file = None

    def _write(self, line: bytes) -> None:
        file = self._open()
        rest = memoryview(line)
        while rest:
            try:
                written = os.write(file, rest)
            except OSError:
                if len(rest) < len(line):
                    self._keep(bytes(rest), len(line) - len(rest))
                raise
            self._size += written
            rest = rest[written:]

    def _keep(self, rest: bytes, written: int) -> None:
        self._is_torn = True
        self._waiting[0] = rest
        self._waiting_bytes -= written

    def _open(self) -> int:
        if self._file is not None and self._size > self._rotate_bytes and not self._is_torn:
            self._rotate(self._file)
        if self._file is None:
            self._file, self._size = self._new(self._number)
        return self._file

    def _rotate(self, old: int) -> None:
        try:
            self._file, self._size = self._new(self._number + 1)
        except OSError:
            return  # the present file will do
        self._number += 1
        os.close(old)

    def _new(self, number: int) -> tuple[int, int]:
        path = f"{self._prefix}.{number}.ndjson"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        return file, os.fstat(file).st_size
