"""Sums of whole blocks, remembered by this process: who drags one window over a chart soon drags another one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from uuid import UUID

from apps.runs.summary import Tally

MOST_BUCKETS = 2_000_000
"""About 30 MB; a block of an hour of 100 endpoints has some 20,000."""


class Kept:
    """Tallies by block; those that were not asked for the longest go first. A block never changes, it only goes."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._size = 0
        self._tallies: OrderedDict[UUID, Tally] = OrderedDict()
        self._lock = Lock()

    def get(self, block: UUID, count: Callable[[], Tally]) -> Tally:
        """What is remembered of this block, or what `count` finds."""
        with self._lock:
            if block in self._tallies:
                self._tallies.move_to_end(block)
                return self._tallies[block]
        found = count()
        with self._lock:
            if block not in self._tallies:
                self._tallies[block] = found
                self._size += _size(found)
            while self._size > self._most:
                self._size -= _size(self._tallies.popitem(last=False)[1])
        return found

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._tallies.clear()
            self._size = 0


def _size(tally: Tally) -> int:
    sketches = tally.cells.sketches
    return len(tally.cells) + (len(sketches.buckets) if sketches else 0)
