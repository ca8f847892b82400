"""Follows the journal of IDs of one process."""

from __future__ import annotations

from collections.abc import Callable

from workers.command import RunFolder
from workers.exact_source import CLOCK_SECONDS, Rotation
from workers.identity import MAX_LINE_BYTES, Reader, Summary

SUMMARY_SECONDS = 10.0
SUMMARY_SHARE = 0.02
"""Of the supervisor's time, at most: a summary of 100,000 IDs takes half a second."""


class IdentitySource:
    """`clock`: monotonic seconds; `now`: UTC epoch seconds. `reader` may have read of processes before this one."""

    def __init__(self, folder: RunFolder, reader: Reader, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self._lines = Rotation(folder.ids, MAX_LINE_BYTES)
        self._reader = reader
        self._clock = clock
        self._began = now() - clock()
        self._summary_at = clock() + SUMMARY_SECONDS
        self._is_news = False

    @property
    def in_use(self) -> int | None:
        """How many IDs users have now; None as long as no user has asked for one."""
        return self._reader.in_use

    def read(self) -> bool:
        """Whether there was anything new."""
        lines, anything = self._lines.read()
        self._take(lines)
        return anything

    def summary_when_due(self) -> Summary | None:
        """Now and then, when there is something new."""
        began = self._clock()
        if began < self._summary_at or not self._is_news:
            return None
        summary = self._summary()
        took = self._clock() - began
        self._summary_at = self._clock() + max(SUMMARY_SECONDS, took / SUMMARY_SHARE)
        return summary

    def finish(self) -> Summary | None:
        """All that was read; None when there was nothing."""
        self._take(self._lines.end())
        return self._summary()

    def close(self) -> None:
        self._lines.close()

    def _summary(self) -> Summary | None:
        self._is_news = False
        summary = self._reader.summary()
        return summary if summary["ids"] or summary["unlisted"] else None

    def _take(self, lines: list[str]) -> None:
        if lines:
            self._is_news = True
            self._reader.feed(lines, until=self._began + self._clock() + CLOCK_SECONDS)
