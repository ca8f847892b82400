"""Adds up what endpoints did: over the endpoints of a second, over seconds, and over a whole run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workers.samples import EndpointTotals, FailureRow, SampleRow, Tick
from workers.sketch import percentiles

AGGREGATED = "Aggregated"

Key = tuple[str, str]
"""Method and name."""


@dataclass(frozen=True, slots=True)
class Error:
    """What an index of `Tick.errors` stands for."""

    method: str
    name: str
    text: str


@dataclass(slots=True)
class Sum:
    """Rows added up. Times in milliseconds."""

    requests: int = 0
    failures: int = 0
    sum_ms: float = 0.0
    bytes: int = 0
    min_ms: float | None = None
    max_ms: float | None = None
    sketch: dict[int, int] = field(default_factory=dict)

    def add(self, row: SampleRow) -> None:
        self.requests += row.requests
        self.failures += row.failures
        self.sum_ms += row.sum_ms
        self.bytes += row.bytes
        if row.min_ms is not None and (self.min_ms is None or row.min_ms < self.min_ms):
            self.min_ms = row.min_ms
        if row.max_ms is not None and (self.max_ms is None or row.max_ms > self.max_ms):
            self.max_ms = row.max_ms
        sketch = self.sketch
        for bucket, count in (row.sketch or {}).items():
            sketch[bucket] = sketch.get(bucket, 0) + count

    def row(self, method: str, name: str) -> SampleRow:
        """With its sketch, which is this sum's own: add nothing more."""
        found = percentiles(self.sketch, low=self.min_ms, high=self.max_ms)
        return SampleRow(
            method=method,
            name=name,
            requests=self.requests,
            failures=self.failures,
            sum_ms=self.sum_ms,
            bytes=self.bytes,
            min_ms=self.min_ms,
            max_ms=self.max_ms,
            p50_ms=found["p50_ms"],
            p90_ms=found["p90_ms"],
            p95_ms=found["p95_ms"],
            p99_ms=found["p99_ms"],
            p999_ms=found["p999_ms"],
            sketch=self.sketch,
        )

    def totals(self, method: str, name: str) -> EndpointTotals:
        found = percentiles(self.sketch, low=self.min_ms, high=self.max_ms)
        return EndpointTotals(
            method=method,
            name=name,
            requests=self.requests,
            failures=self.failures,
            sum_ms=self.sum_ms,
            min_ms=self.min_ms,
            max_ms=self.max_ms,
            bytes=self.bytes,
            percentiles={share.removesuffix("_ms"): ms for share, ms in found.items() if ms is not None},
            untimed=self.requests - sum(self.sketch.values()),
        )


@dataclass(slots=True)
class Seen:
    """How often an error came, and in which seconds first and last."""

    occurrences: int
    first: int
    last: int


class Totals:
    """A run's totals as its ticks come in. What has not changed is not computed again."""

    def __init__(self) -> None:
        self._all = Sum()
        self._sums: dict[Key, Sum] = {}
        self._known: dict[Key, EndpointTotals] = {}
        self._seen: dict[int, Seen] = {}

    @property
    def requests(self) -> int:
        return self._all.requests

    @property
    def failures(self) -> int:
        return self._all.failures

    def add(self, tick: Tick) -> None:
        self._all.add(tick.total)
        for row in tick.rows:
            key = (row.method, row.name)
            self._sums.setdefault(key, Sum()).add(row)
            self._known.pop(key, None)
        for index, count in tick.errors:
            seen = self._seen.setdefault(index, Seen(0, tick.t, tick.t))
            seen.occurrences += count
            seen.last = tick.t

    def total(self) -> EndpointTotals:
        return self._all.totals("", AGGREGATED)

    def endpoints(self) -> list[EndpointTotals]:
        """In the order in which they were first seen."""
        for key, found in self._sums.items():
            if key not in self._known:
                self._known[key] = found.totals(*key)
        return [self._known[key] for key in self._sums]

    def failures_of(self, errors: Mapping[int, Error]) -> Iterator[FailureRow]:
        """Of those errors that are known."""
        for index, seen in self._seen.items():
            if (error := errors.get(index)) is not None:
                yield FailureRow(error.method, error.name, error.text, seen.occurrences, seen.first, seen.last, index)
