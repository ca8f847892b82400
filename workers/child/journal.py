"""Says in lines which ID was whose and when, and what each counted: `workers/identity.py` reads them. Pure.

    {"seq": 1, "t": 1800000001.02, "start": true}
    {"seq": 2, "t": …, "classes_new": ["Shopper"], "leases": [[number, from, to or null, class]],
     "sequences": [[number, first, last]], "resumed": [[number, n]], "unlisted": 0}
    {"seq": 9, "t": …, "end": true, …}

A lease whose end is null has another entry with its end later. `sequences` are numbers n that were committed without a
gap, in the order in which that happened; `resumed` is where an ID goes on that has counted before, in another process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from .exact.lines import Lines, spell_small
from .exact.values import clean

IDLE_SECONDS = 10.0
"""So often there is a line at least: it tells until when leases without an end were alive."""
CHUNK_ENTRIES = 500
"""Entries of a line: about 0.5 ms."""
MAX_WAITING = 20_000
"""Entries that wait for being written, of each kind: beyond this a script takes and drops IDs for its own sake."""
MAX_LEASES = 1_000_000
"""Listed in all, about 50 MB. What is beyond is counted."""
MAX_CLASSES = 50
MAX_NAME_CHARS = 200
OTHER = "(other)"

Entry = list[Any]


class Journal:
    """`now`: UTC epoch seconds that never go back."""

    def __init__(self, out: Lines, now: Callable[[], float]) -> None:
        self._out, self._now = out, now
        self._seq = 0
        self._told_at = 0.0
        self._leases: dict[int, Entry] = {}
        """Entries to be written, by a number of their own."""
        self._open: dict[int, int] = {}
        """By ID the entry of its present lease; those that are not listed are missing."""
        self._since: dict[int, tuple[float, int]] = {}
        """By entry that was written without an end: its beginning and class."""
        self._listed = 0
        self._unlisted = 0
        self._classes: dict[str, int] = {}
        self._new_classes: list[str] = []
        self._sequences: dict[int, list[tuple[int, int]]] = {}
        self._waiting_sequences = 0
        self._resumed: list[tuple[int, int]] = []
        self._write({"start": True})

    def lease(self, number: int, user_class: str) -> None:
        if len(self._leases) >= MAX_WAITING or self._listed >= MAX_LEASES:
            self._unlisted += 1
            return
        self._listed += 1
        self._open[number] = self._listed
        self._leases[self._listed] = [number, self._time(), None, self._class(user_class)]

    def release(self, number: int) -> None:
        key = self._open.pop(number, None)
        if key in self._leases:
            self._leases[key][2] = self._time()
        elif key is not None:
            since, kind = self._since.pop(key)
            self._leases[key] = [number, since, self._time(), kind]

    def sequence(self, number: int, n: int) -> None:
        ranges = self._sequences.setdefault(number, [])
        if ranges and ranges[-1][1] + 1 == n:
            ranges[-1] = (ranges[-1][0], n)
        elif self._waiting_sequences < MAX_WAITING:
            self._waiting_sequences += 1
            ranges.append((n, n))
        else:
            self._unlisted += 1

    def resume(self, number: int, n: int) -> None:
        if len(self._resumed) < MAX_WAITING:
            self._resumed.append((number, n))

    def write(self) -> bool:
        """Write a line, if there is something new or it has been long; whether there is more for another one."""
        if self._out.is_full:
            self._out.flush()
            return False
        document = self._take()
        if document or self._now() >= self._told_at + IDLE_SECONDS:
            self._write(document)
        else:
            self._out.flush()
        return bool(self._leases or self._sequences or self._resumed)

    def end(self) -> None:
        """All that is left, and a closing line."""
        while self.write():
            pass
        self._write({"end": True})

    def _take(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "classes_new": self._new_classes,
            "leases": self._take_leases(),
            "sequences": self._take_sequences(),
            "resumed": self._resumed[:CHUNK_ENTRIES],
        }
        self._new_classes = []
        del self._resumed[:CHUNK_ENTRIES]
        return {key: value for key, value in document.items() if value}

    def _take_leases(self) -> list[Entry]:
        entries = []
        for key in _first(self._leases):
            entry = self._leases.pop(key)
            entries.append(entry)
            if entry[2] is None:
                self._since[key] = (entry[1], entry[3])
        return entries

    def _take_sequences(self) -> list[tuple[int, int, int]]:
        entries: list[tuple[int, int, int]] = []
        for number in _first(self._sequences):
            entries += [(number, first, last) for first, last in self._sequences.pop(number)]
        self._waiting_sequences = max(0, self._waiting_sequences - len(entries))
        return entries

    def _write(self, document: dict[str, Any]) -> None:
        self._seq += 1
        self._told_at = self._now()
        unlisted = {"unlisted": self._unlisted} if self._unlisted else {}
        self._out.append(spell_small({"seq": self._seq, "t": self._time(), **document, **unlisted}))

    def _class(self, name: str) -> int:
        name = clean(name, MAX_NAME_CHARS)
        if name not in self._classes and len(self._classes) >= MAX_CLASSES:
            name = OTHER
        if name not in self._classes:
            self._classes[name] = len(self._classes)
            self._new_classes.append(name)
        return self._classes[name]

    def _time(self) -> float:
        return round(self._now(), 3)


def steady_clock() -> Callable[[], float]:
    """UTC epoch seconds that nobody can set while we run."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def _first(entries: dict[int, Any]) -> list[int]:
    return list(islice(entries, CHUNK_ENTRIES))
