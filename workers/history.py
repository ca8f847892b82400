"""Writes `stats_history.csv` as Locust does with its full history, out of our own seconds. Pure.

The columns, their order and their units are Locust's (`StatsCSVFileWriter` of 2.47), so that tools made for its file go
on working. The figures are right where Locust's are not: rates and percentiles are of the last ten seconds there are,
not of ten that ended three seconds before the last request, and no second is left out. Names are written as they are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

from workers.samples import SampleRow, Tick
from workers.sketch import LAST_BUCKET, Sketch, middle_ms, quantiles
from workers.totals import AGGREGATED, Key

SHARES = {
    "50%": 0.5,
    "66%": 0.66,
    "75%": 0.75,
    "80%": 0.8,
    "90%": 0.9,
    "95%": 0.95,
    "98%": 0.98,
    "99%": 0.99,
    "99.9%": 0.999,
    "99.99%": 0.9999,
    "100%": 1.0,
}
HEADER = [
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
    *SHARES,
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
]
WINDOW_SECONDS = 10
MAX_BYTES = 512 * 1024 * 1024
ROW_BYTES = 190
"""Of a row without its name: 24 numbers, as long as they get in a long run; measured at 145."""

_NOTHING: Sketch = {}
_SHARES = list(SHARES.values())
_UNKNOWN = ["N/A"] * len(SHARES)


def step_for(seconds: int, endpoints: Iterable[Key]) -> int:
    """Every how many seconds there may be rows, so that a run of so many seconds stays below `MAX_BYTES`."""
    texts = ("".join(key) for key in endpoints)
    names = sum(ROW_BYTES + len(text.encode("utf-8", "replace")) + text.count('"') for text in texts)
    return max(1, math.ceil(seconds * (names + ROW_BYTES) / MAX_BYTES))


def rows(ticks: Iterable[Tick], step: int = 1) -> Iterator[list[str]]:
    """Of every `step`-th second: a row for each endpoint seen so far, by name, and `Aggregated` last.

    `ticks` are those of a run from its first second on, of one second each, with sketches. What is kept of them is ten
    seconds and a sum for each endpoint, however many there are.
    """
    history = _History()
    for number, tick in enumerate(ticks):
        history.add(tick)
        if number % step == 0:
            yield from history.rows(tick)


class _History:
    def __init__(self) -> None:
        self._first: int | None = None
        self._window: deque[Tick] = deque()
        self._total = _Endpoint("", AGGREGATED)
        self._endpoints: dict[Key, _Endpoint] = {}
        self._sorted: list[_Endpoint] = []

    def add(self, tick: Tick) -> None:
        self._first = tick.t if self._first is None else self._first
        while self._window and self._window[0].t <= tick.t - WINDOW_SECONDS:
            self._forget(self._window.popleft())
        self._window.append(tick)
        self._total.add(tick.total)
        for row in tick.rows:
            self._endpoint(row).add(row)

    def rows(self, tick: Tick) -> Iterator[list[str]]:
        if len(self._sorted) < len(self._endpoints):
            order = sorted(self._endpoints, key=lambda key: (key[1], key[0]))
            self._sorted = [self._endpoints[key] for key in order]
        seconds = min(WINDOW_SECONDS, tick.t - (self._first or 0) + 1)
        head = [str(tick.t), str(tick.users)]
        for endpoint in (*self._sorted, self._total):
            yield head + endpoint.cells(seconds)

    def _forget(self, tick: Tick) -> None:
        self._total.forget(tick.total)
        for row in tick.rows:
            self._endpoint(row).forget(row)

    def _endpoint(self, row: SampleRow) -> _Endpoint:
        key = (row.method, row.name)
        if key not in self._endpoints:
            self._endpoints[key] = _Endpoint(*key)
        return self._endpoints[key]


class _Endpoint:
    """One endpoint: its last ten seconds, and the whole run."""

    def __init__(self, method: str, name: str) -> None:
        self._names = [method, name]
        self._recent: dict[int, int] = {}
        self._recent_requests = self._recent_failures = 0
        self._requests = self._failures = self._bytes = 0
        self._sum_ms = 0.0
        self._min_ms: float | None = None
        self._max_ms: float | None = None
        self._median = Median()
        self._idle_cells: list[str] | None = None

    def add(self, row: SampleRow) -> None:
        self._idle_cells = None
        self._recent_requests += row.requests
        self._recent_failures += row.failures
        self._requests += row.requests
        self._failures += row.failures
        self._bytes += row.bytes
        self._sum_ms += row.sum_ms
        if row.min_ms is not None:
            self._min_ms = row.min_ms if self._min_ms is None else min(self._min_ms, row.min_ms)
        if row.max_ms is not None:
            self._max_ms = row.max_ms if self._max_ms is None else max(self._max_ms, row.max_ms)
        recent = self._recent
        for bucket, count in (row.sketch or _NOTHING).items():
            recent[bucket] = recent.get(bucket, 0) + count
        self._median.add(row.sketch or _NOTHING)

    def forget(self, row: SampleRow) -> None:
        """A second that has left the window."""
        self._recent_requests -= row.requests
        self._recent_failures -= row.failures
        recent = self._recent
        for bucket, count in (row.sketch or _NOTHING).items():
            if recent[bucket] == count:
                del recent[bucket]
            else:
                recent[bucket] -= count

    def cells(self, seconds: int) -> list[str]:
        """All but the first two, which all endpoints share. An endpoint that is idle has the same ones for long."""
        if self._recent_requests:
            return self._make(seconds)
        if self._idle_cells is None:
            self._idle_cells = self._make(seconds)
        return self._idle_cells

    def _make(self, seconds: int) -> list[str]:
        timed = self._median.count
        return [
            *self._names,
            f"{self._recent_requests / seconds:.6f}",
            f"{self._recent_failures / seconds:.6f}",
            *self._percentiles(),
            str(self._requests),
            str(self._failures),
            str(round(self._within(self._median.ms()))),
            str(self._sum_ms / timed if timed else 0.0),
            str(self._min_ms or 0),
            str(self._max_ms or 0),
            str(self._bytes / self._requests if self._requests else 0),
        ]

    def _percentiles(self) -> list[str]:
        """Whole milliseconds, as Locust has them; 0 when there was no request of late, N/A when there never was."""
        if not self._requests:
            return _UNKNOWN
        found = quantiles(self._recent, _SHARES, low=self._min_ms, high=self._max_ms)
        return [str(round(ms or 0)) for ms in found]

    def _within(self, ms: float) -> float:
        return min(max(ms, self._min_ms or 0.0), ms if self._max_ms is None else self._max_ms)


class Median:
    """The median of a sketch that only grows, kept beside it: each addition moves it by a few buckets at most."""

    def __init__(self) -> None:
        self.count = 0
        self._counts = [0] * (LAST_BUCKET + 1)
        self._bucket = 0
        self._below = 0

    def add(self, sketch: Sketch) -> None:
        counts, middle = self._counts, self._bucket
        for bucket, count in sketch.items():
            counts[bucket] += count
            self.count += count
            if bucket < middle:
                self._below += count
        self._find()

    def _find(self) -> None:
        wanted = (self.count + 1) // 2
        while self._below >= wanted > 0:
            self._bucket -= 1
            self._below -= self._counts[self._bucket]
        while self._below + self._counts[self._bucket] < wanted:
            self._below += self._counts[self._bucket]
            self._bucket += 1

    def ms(self) -> float:
        """0 when there is nothing yet."""
        return middle_ms(self._bucket) if self.count else 0.0
