"""The last sequence number of each ID, where the death of this process does not reach it. Pure but for the file."""

from __future__ import annotations

import logging
import mmap
import os
from pathlib import Path

logger = logging.getLogger(__name__)

SLOT_BYTES = 8


class Counters:
    """One number for each ID of the run, by position, in a file that is mapped into memory.

    What was written is in the kernel's hands at once: a process that starts anew on this host goes on from there. A
    number is written in one piece. Without a file, or room for one, it counts in memory, and says so.
    """

    def __init__(self, path: Path | None, size: int) -> None:
        self._more: dict[int, int] = {}
        """What has no slot in the file."""
        self._slots: memoryview = memoryview(b"").cast("Q")
        if path is not None and size > 0:
            try:
                self._slots = _mapped(path, size * SLOT_BYTES).cast("Q")
            except OSError as error:
                logger.warning("Sequence numbers would not survive a new start of this worker: %s.", error)

    def __getitem__(self, position: int) -> int:
        """0 for an ID whose sequence has not begun."""
        return self._slots[position] if 0 <= position < len(self._slots) else self._more.get(position, 0)

    def __setitem__(self, position: int, n: int) -> None:
        if 0 <= position < len(self._slots):
            self._slots[position] = n
        else:
            self._more[position] = n


def _mapped(path: Path, size: int) -> memoryview:
    """Room for all of it is made at once: a full disk would end the process as soon as it touches a page of it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.posix_fallocate(file, 0, size)
        return memoryview(mmap.mmap(file, size))
    finally:
        os.close(file)
