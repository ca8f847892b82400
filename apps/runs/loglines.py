"""Levels and words in Locust's log. Pure; `static/js/run/loglines.js` follows the same rules on the page.

Locust writes `[2026-01-31 12:03:11,123] host/WARNING/locust.main: text`. A line without such a head goes on with what
the line before began, as the lines of a traceback do.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LEVELS = ("debug", "info", "warning", "error", "critical")
"""From the least to the gravest, as the log module of Python has them."""
MAX_SEARCH_CHARS = 200
MAX_FOUND = 2_000
"""Lines of one answer."""

HEAD = re.compile(r"\[[^\]\n]{1,40}\] [^/\s]{1,255}/(DEBUG|INFO|WARNING|ERROR|CRITICAL)/")
TRACEBACK = "Traceback (most recent call last):"
"""gevent prints what ends a greenlet without asking the log: an error, whatever stands before it."""
CONTROL_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours and cursor moves of a terminal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines somebody wants: of `level` or graver, with `text` somewhere in them, whatever its case."""

    level: str = ""
    text: str = ""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.level and not self.text


@dataclass(slots=True)
class Found:
    """The newest lines that are wanted, how many there are in all, and the number of the last line there is."""

    newest: int = 0
    matches: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_FOUND))


def search(chunks: Iterable[tuple[int, str]], wanted: Wanted, *, after: int = 0) -> Found:
    """What is wanted of the lines after line `after`, or of all after 0; those before only say whose lines go on.

    A chunk has the number of its last line.
    """
    found, least, text = Found(after), rank_of(wanted.level), wanted.text.casefold()
    for number, rank, line in _ranked(chunks):
        found.newest = max(found.newest, number)
        if (number > after or not after) and rank >= least and (not text or text in plain(line).casefold()):
            found.matches += 1
            found.lines.append(line)
    return found


def rank_of(level: str) -> int:
    """Place in LEVELS; 0 for no level."""
    return LEVELS.index(level) if level else 0


def plain(line: str) -> str:
    """A line without the codes that are meant for a terminal."""
    return CONTROL_SEQUENCES.sub("", line)


def _ranked(chunks: Iterable[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """`(number, rank, line)`. What comes before any head is no news of a level: it counts as info."""
    rank = rank_of("info")
    for seq, text in chunks:
        lines = text.split("\n")
        for number, line in enumerate(lines, start=seq - len(lines) + 1):
            head = HEAD.match(plain(line[:400]))
            if head:
                rank = rank_of(head[1].lower())
            elif line.startswith(TRACEBACK):
                rank = max(rank, rank_of("error"))
            yield number, rank, line
