"""Stands between the supervisor and a sink that may fail: keeps what was not taken, in order, within bounds."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from workers.identity import Summary
from workers.samples import MAX_SAMPLES, EndpointTotals, ExceptionRow, FailureRow, FailureSample, Tick

MAX_SPOOLED_WEIGHT = 500_000
"""Of the ticks kept while the sink fails, in rows: 1,000 endpoints for 8 minutes, or 10 endpoints for half a day."""
BUCKETS_OF_A_ROW = 10
"""So many buckets of a sketch weigh as much as a row without one: about 500 bytes."""

MAX_SPOOLED_LINES = 5_000
MAX_SPOOLED_EVENTS = 1_000
TICKS_AT_ONCE = 60
RETRY_SECONDS = 1.0
DELIVER_SECONDS = 3.0
"""The longest that a heap of ticks is delivered in one go: the lease has to be renewed in between."""

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a run's data goes. Any method may raise: the call is then repeated with the same arguments later.

    So a sink sees each tick at least once, in order of `seq`; storing by `seq` makes that exactly once.
    """

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        """`process_started {pid}`, `ready {locust, user_classes, own_shape}`, `test_start`, `first_request`,
        `spawning_complete {users}`, `test_stop`, `stopping {by}`, `steered {revision}`, `warning {code, text, data?}`,
        `stall {seconds, in_flight, oldest_ms, t}` and `stall_over {seconds, t}`: `t` is its first and last second."""

    def ticks(self, ticks: Sequence[Tick]) -> None: ...

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        """Both tables whole, only when one has changed."""

    def failure_samples(self, samples: Sequence[FailureSample]) -> None:
        """Failing requests as examples, each once; never before the table that has their error."""

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        """The collector's totals so far, over all endpoints and of each; every few seconds, when they have changed."""

    def log(self, lines: Sequence[str]) -> None:
        """Cleaned lines of the process's output; bounded in length, rate and number."""

    def generator(self, cpu_percent: float, rss_bytes: int, ids_in_use: int | None) -> None:
        """How the generator itself does, about every 2 s; 100 % is one core. `ids_in_use`: how many IDs its users have,
        None of a script that has not asked for any."""

    def identity(self, summary: Summary) -> None:
        """What the journal of IDs says so far (`workers.identity`); now and then, and at the end."""


class Spool:
    """A sink that never raises. Call `flush` often; it delivers what it can and stops at the first failure."""

    def __init__(self, sink: Sink, clock: Callable[[], float]) -> None:
        self._sink = sink
        self._clock = clock
        self._retry_at = 0.0
        self._is_stuck = False
        self._events: deque[tuple[str, Mapping[str, object]]] = deque(maxlen=MAX_SPOOLED_EVENTS)
        self._ticks: deque[Tick] = deque()
        self._weight = 0
        self._lines: deque[str] = deque(maxlen=MAX_SPOOLED_LINES)
        self._tables: tuple[Sequence[FailureRow], Sequence[ExceptionRow]] | None = None
        self._samples: deque[FailureSample] = deque(maxlen=MAX_SAMPLES)
        self._totals: tuple[EndpointTotals, Sequence[EndpointTotals]] | None = None
        self._usage: tuple[float, int, int | None] | None = None
        self._identity: Summary | None = None
        self.dropped_ticks = 0

    @property
    def empty(self) -> bool:
        return not (
            self._events or self._ticks or self._lines or self._tables or self._samples or self._identity is not None
        )

    @property
    def waiting_ticks(self) -> int:
        return len(self._ticks)

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        self._events.append((kind, data))

    def ticks(self, ticks: Sequence[Tick]) -> None:
        self._ticks.extend(ticks)
        self._weight += sum(map(_weight, ticks))
        while self._weight > MAX_SPOOLED_WEIGHT:
            self._weight -= _weight(self._ticks.popleft())
            self.dropped_ticks += 1

    def log(self, lines: Sequence[str]) -> None:
        self._lines.extend(lines)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        self._tables = (failures, exceptions)

    def failure_samples(self, samples: Sequence[FailureSample]) -> None:
        self._samples.extend(samples)

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        self._totals = (total, endpoints)

    def generator(self, cpu_percent: float, rss_bytes: int, ids_in_use: int | None) -> None:
        self._usage = (cpu_percent, rss_bytes, ids_in_use)

    def identity(self, summary: Summary) -> None:
        self._identity = summary

    def flush(self) -> bool:
        """Whether all has been delivered. After a failure it tries again only a second later."""
        if self._clock() < self._retry_at:
            return False
        try:
            self._deliver()
        except Exception:
            if not self._is_stuck:  # one of a series tells it all
                logger.warning("A run's data could not be stored; keeping it for the next try.", exc_info=True)
            self._is_stuck = True
            self._retry_at = self._clock() + RETRY_SECONDS
            return False
        self._is_stuck = False
        return not self._ticks

    def _deliver(self) -> None:
        while self._events:
            self._sink.event(*self._events[0])
            self._events.popleft()
        deadline = self._clock() + DELIVER_SECONDS
        while self._ticks and self._clock() < deadline:
            batch = [self._ticks[index] for index in range(min(TICKS_AT_ONCE, len(self._ticks)))]
            self._sink.ticks(batch)
            for _ in batch:
                self._weight -= _weight(self._ticks.popleft())
        if self._tables is not None:
            self._sink.tables(*self._tables)
            self._tables = None
        if self._samples:
            self._sink.failure_samples(tuple(self._samples))
            self._samples.clear()
        if self._totals is not None:
            self._sink.totals(*self._totals)
            self._totals = None
        if self._lines:
            self._sink.log(tuple(self._lines))
            self._lines.clear()
        if self._usage is not None:
            usage, self._usage = self._usage, None
            self._sink.generator(*usage)
        if self._identity is not None:
            self._sink.identity(self._identity)
            self._identity = None


def _weight(tick: Tick) -> int:
    rows = (tick.total, *tick.rows)
    return len(rows) + sum(len(row.sketch) for row in rows if row.sketch) // BUCKETS_OF_A_ROW
