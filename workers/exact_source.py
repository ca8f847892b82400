"""A run's seconds from the lines that our own collector in the child writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workers import tail
from workers.command import RunFolder
from workers.exact import MAX_LINE_BYTES, Reader
from workers.exact_samples import MAX_SAMPLE_BYTES, Samples
from workers.samples import MAX_SAMPLES, EndpointTotals, FailureRow, FailureSample, FinalTotals, Tick
from workers.totals import Error, Totals

CLOCK_SECONDS = 600
"""How far the child's clock, which it read once, may be from ours, which may be set; other times were made up."""


class Rotation:
    """Lines of `<prefix>.1.ndjson`, `<prefix>.2.ndjson`, …; what has been read is removed once there is a next."""

    def __init__(self, prefix: Path, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._prefix = prefix
        self._number = 1
        self._file = tail.FileTail(self._path(1))
        self._lines = tail.Lines(max_line_bytes)

    def read(self) -> tuple[list[str], bool]:
        """Whole lines, and whether there was anything new at all."""
        has_next = tail.signature(self._path(self._number + 1)) is not None  # before the read: then it was the last one
        data = self._file.read()
        if data:
            return self._lines.feed(data), True
        if has_next:
            self._go_on()
        return [], has_next

    def end(self) -> list[str]:
        """The last line, should only its end be missing."""
        return [line for line in self._lines.end() if line.endswith("}")]

    def close(self) -> None:
        self._file.close()

    def _go_on(self) -> None:
        self._file.close()
        tail.remove(self._path(self._number))
        self._number += 1
        self._file = tail.FileTail(self._path(self._number))

    def _path(self, number: int) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}.{number}.ndjson")


class ExactSource:
    """Conforms to `collector.Source`. `clock`: monotonic seconds; `now`: UTC epoch seconds."""

    def __init__(
        self, folder: RunFolder, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self.warnings: dict[str, str] = {}
        self._clock = clock
        self._began = now() - clock()
        self._lines = Rotation(folder.samples)
        self._reader = Reader(since=int(now()) - CLOCK_SECONDS)
        self._failed, self._failed_lines = tail.FileTail(folder.failed), tail.Lines(MAX_SAMPLE_BYTES)
        self._samples = Samples(MAX_SAMPLES)
        self._totals = Totals()
        self._told_requests = self._told_failures = 0
        self._told_errors: frozenset[int] = frozenset()
        self._waiting: list[FailureSample] = []

    def error(self, index: int) -> Error:
        """What an index in the ticks, or in the examples that were told, means."""
        return self._reader.errors[index]

    @property
    def ended(self) -> bool:
        """Whether the child has written its last line."""
        return self._reader.closing is not None

    def read(self) -> tuple[list[Tick], bool]:
        lines, anything = self._lines.read()
        return self._take(lines), anything

    def finish(self, final: FinalTotals | None) -> list[Tick]:
        ticks = self._take(self._lines.end())
        if self._reader.overflowed:
            self._warn("too_many_names")  # the child's own warning, which has an example, came before
        return ticks

    def totals(self) -> tuple[EndpointTotals, Sequence[EndpointTotals]] | None:
        if self._totals.requests == self._told_requests:
            return None
        self._told_requests = self._totals.requests
        return self._totals.total(), self._totals.endpoints()

    def failures(self) -> Sequence[FailureRow] | None:
        if self._totals.failures == self._told_failures:
            return None
        self._told_failures = self._totals.failures
        return self._failures()

    def samples(self) -> tuple[list[FailureSample], bool]:
        data = self._failed.read()
        self._waiting += self._samples.feed(self._failed_lines.feed(data)) if data else []
        told = [sample for sample in self._waiting if sample.error in self._told_errors]
        self._waiting = [sample for sample in self._waiting if sample.error not in self._told_errors]
        return told, bool(data)

    def collected(self) -> FinalTotals | None:
        return FinalTotals("collected", self._totals.total(), self._totals.endpoints(), self._failures(), ())

    def close(self) -> None:
        self._lines.close()
        self._failed.close()

    def _failures(self) -> list[FailureRow]:
        rows = list(self._totals.failures_of(self._reader.errors))
        self._told_errors = frozenset(row.index for row in rows if row.index is not None)
        return rows

    def _take(self, lines: Sequence[str]) -> list[Tick]:
        ticks = self._reader.feed(lines, until=int(self._began + self._clock()) + CLOCK_SECONDS)
        for tick in ticks:
            self._totals.add(tick)
        if lines:
            self._judge()
        return ticks

    def _judge(self) -> None:
        reader = self._reader
        if reader.refused:
            self._warn("bad_rows")
        if reader.nonsense:
            self._warn("bad_values")
        if reader.stepped_s:
            self._warn("clock_stepped", f"The clock of the load generator was set by {reader.stepped_s:+.1f} s.")
        if reader.missing:
            self._warn("samples_lost")
        closing = reader.closing
        if closing is not None and (closing.requests, closing.failures) != (
            self._totals.requests,
            self._totals.failures,
        ):
            lost = closing.requests - self._totals.requests
            self._warn("samples_lost", f"Of {closing.requests} requests that were counted, {lost} did not arrive here.")

    def _warn(self, code: str, text: str = "") -> None:
        self.warnings.setdefault(code, text)
