"""What stands behind the script's module `hatchery` in a run of ours: the run's IDs, its journal, its data files.

`start(config)` before the locustfile is imported, `finish()` of what comes back after the last user. `config`:

    spans     [[first, last], …]: numbers this process begins with
    blocks    [[first, last], …]: those of all workers of the run, in the order of the workers
    journal   what the names of the journal's files begin with; each process needs one of its own
    counters  file with the sequences, one for all workers of the run on this host; may be missing
    files     {name: [mode, end]}: what people chose for data files

`link` of the `Identity` may be set later, to what can ask the master for more.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from . import hatchery
from .counters import Counters
from .exact.lines import Lines
from .exact.pauses import pause
from .journal import Journal, steady_clock
from .ledger import Span

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0


class Link(Protocol):
    """To the master's ledger. Both may wait, and may raise."""

    def take(self, count: int) -> list[int]: ...

    def give_back(self, numbers: list[int]) -> None: ...


def start(config: Mapping[str, Any]) -> Identity:
    """Put ours behind the script's module."""
    identity = Identity(config)
    hatchery.use(identity)
    identity.begin()
    return identity


class Identity(hatchery.Backend):
    """`now`: UTC epoch seconds that never go back."""

    def __init__(self, config: Mapping[str, Any], now: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.link: Link | None = None
        self._spans: list[Span] = config["spans"]
        blocks: list[Span] = config["blocks"]
        sizes = [last - first + 1 for first, last in blocks]
        places = itertools.accumulate(sizes, initial=0)
        self._starts = sorted((first, place) for (first, _), place in zip(blocks, places, strict=False))
        """First number of each block, and its position in the run."""
        self._files: Mapping[str, list[str]] = config.get("files", {})
        counters = config.get("counters")
        self._counters = Counters(Path(counters) if counters else None, sum(sizes))
        self._journal = Journal(Lines(config["journal"]), now or steady_clock())
        self._known: dict[int, int] = {}
        """By ID what this process saw committed last; another one may have gone on since."""
        self._process = os.getpid()
        self._is_over = self._is_broken = False

    def have(self, spans: list[Span]) -> None:
        """What this process begins with, should that be known only now; before the first user."""
        self._spans = spans

    def numbers(self) -> Iterator[int]:
        """Asked for when the first user comes, and not before."""
        for first, last in sorted(self._spans):
            yield from range(first, last + 1)

    def position(self, number: int) -> int:
        """Also of a number that this worker was lent."""
        first, place = self._starts[max(0, bisect_right(self._starts, (number, sys.maxsize)) - 1)]
        return place + number - first

    def take(self, count: int) -> list[int]:
        return self.link.take(count) if self.link else []

    def give_back(self, numbers: list[int]) -> None:
        if self.link:
            self.link.give_back(numbers)

    def committed(self, number: int) -> int:
        return self._counters[self.position(number)]

    def commit(self, number: int, n: int) -> None:
        self._counters[self.position(number)] = self._known[number] = n

    def file_use(self, name: str) -> tuple[str, str] | None:
        mode, at_end = self._files.get(os.path.normpath(name), (None, None))
        return None if mode is None or at_end is None else (mode, at_end)

    def report(self, kind: str, **facts: Any) -> None:
        match kind, facts:
            case "lease", {"number": number, "user_class": user_class}:
                self._resume(number)
                self._journal.lease(number, user_class)
            case "release", {"number": number}:
                self._journal.release(number)
            case "sequence", {"number": number, "n": n}:
                self._journal.sequence(number, n)

    def begin(self) -> None:
        """Write the journal from now on, once a second."""
        import gevent

        gevent.spawn(self._write_each_second)

    def finish(self) -> None:
        """Write what is left of the journal. Idempotent, and never raises."""
        if not self._is_over and os.getpid() == self._process:
            self._is_over = True
            self._try(self._journal.end)

    def _resume(self, number: int) -> None:
        if (n := self.committed(number)) != self._known.get(number, 0):
            self._known[number] = n
            self._journal.resume(number, n)

    def _write_each_second(self) -> None:
        import gevent

        while not self._is_over and os.getpid() == self._process:  # or in a fork of this one
            self._try(self._write)
            gevent.sleep(WRITE_SECONDS)

    def _write(self) -> None:
        while not self._is_over and self._journal.write():
            pause()

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:
            if not self._is_broken:
                self._is_broken = True
                logger.error("The journal of IDs could not be written", exc_info=error)
