"""A run's seconds from Locust's own CSV files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from workers import tables, tail
from workers.command import RunFolder
from workers.samples import EndpointTotals, FailureRow, FailureSample, FinalTotals, Tick
from workers.ticks import History

CLOCK_SECONDS = 600
"""How far Locust's clock may be off, or set, against ours; a history of other times was made up."""


class CsvSource:
    """Conforms to `collector.Source`."""

    ended = False
    """There is no last line to know it by."""

    def __init__(self, folder: RunFolder, now: Callable[[], float] = time.time) -> None:
        self.warnings: dict[str, str] = {}
        self._folder = folder
        self._now = now
        self._file, self._csv = tail.FileTail(folder.history), tail.CsvRows()
        self._history = History(int(now()) - CLOCK_SECONDS)
        self._stats: tuple[EndpointTotals, Sequence[EndpointTotals]] | None = None
        self._failures_signature: object = None

    def read(self) -> tuple[list[Tick], bool]:
        data = self._file.read()
        ticks = self._history.feed(self._csv.feed(data), until=int(self._now()) + CLOCK_SECONDS) if data else []
        if self._history.overflowed:
            self.warnings["too_many_names"] = ""
        if self._history.refused or self._csv.refused:
            self.warnings["bad_rows"] = ""
        return ticks, bool(data)

    def finish(self, final: FinalTotals | None) -> list[Tick]:
        last = self._history.finish(final)
        return [] if last is None else [last]

    def totals(self) -> tuple[EndpointTotals, Sequence[EndpointTotals]] | None:
        stats = tables.read_stats(self._folder.stats)
        if stats is None or stats == self._stats:
            return None
        self._stats = stats
        return stats

    def failures(self) -> Sequence[FailureRow] | None:
        signature = tail.signature(self._folder.failures)
        if signature == self._failures_signature:
            return None
        found = tables.read_failures(self._folder.failures)
        if found is not None:
            self._failures_signature = signature
        return found

    def samples(self) -> tuple[list[FailureSample], bool]:
        return [], False

    def collected(self) -> FinalTotals | None:
        return None

    def close(self) -> None:
        self._file.close()
