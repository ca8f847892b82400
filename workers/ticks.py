"""Turns rows of Locust's history CSV into ticks. Pure.

Counts are differences of the `Total …` columns: `Requests/s` is an average of ten seconds that end three seconds before
the last completed request, and stands still when the target hangs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from workers.samples import MAX_ENDPOINTS, MAX_NAME_CHARS, OTHER, EndpointTotals, FinalTotals, SampleRow, Tick

AGGREGATED = "Aggregated"
MAX_COUNT = 10**15
MIN_TIME, MAX_TIME = 1_000_000_000, 4_000_000_000  # years 2001 to 2096: a timestamp outside is not one

Key = tuple[str, str]
OTHER_KEY: Key = ("", OTHER)


class Percentiles(TypedDict):
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None


UNKNOWN = Percentiles(p50_ms=None, p90_ms=None, p95_ms=None, p99_ms=None, p999_ms=None)


@dataclass(frozen=True, slots=True)
class Counters:
    """What an endpoint, or all together, had done up to some moment."""

    requests: int = 0
    failures: int = 0
    sum_ms: float = 0.0
    bytes: int = 0
    min_ms: float | None = None


ZERO = Counters()


class History:
    """Keeps the last counters of each endpoint; `feed` gives the ticks that rows complete.

    The file belongs to the script: `since`, and `until` of each `feed`, in UTC epoch seconds, are what keeps a made-up
    one from being a hundred thousand ticks. Rows outside are refused.
    """

    def __init__(self, since: int = MIN_TIME) -> None:
        self.refused = 0
        """Rows that did not hold what their header promised."""
        self.overflowed = False
        """More than `MAX_ENDPOINTS` names were seen, or rows were lost: the rest is in `OTHER`."""
        self._columns: dict[str, int] = {}
        self._seen: dict[Key, Counters] = {}
        self._total = ZERO
        self._since = since
        self._rows: dict[Key, SampleRow] = {}
        self._seq = 0
        self._last_t = 0
        self._users = 0

    def feed(self, rows: Sequence[Sequence[str]], until: int = MAX_TIME) -> list[Tick]:
        ticks = []
        for cells in rows:
            if cells and cells[0] == "Timestamp":
                self._columns = {name: index for index, name in enumerate(cells)}
            elif (tick := self._row(cells, until)) is not None:
                ticks.append(tick)
        return ticks

    def finish(self, final: FinalTotals | None) -> Tick | None:
        """What Locust counted after the last row it wrote. Percentiles of these requests are not known."""
        if final is None or self._last_t == 0:
            return None
        self._rows = {}
        for endpoint in final.endpoints:
            self._count((endpoint.method, endpoint.name), _counters(endpoint), {})
        total = _delta("", AGGREGATED, self._total, _counters(final.total), {})
        if total is None or not total.requests:
            return None
        return self._tick(self._last_t + 1, total)

    def _row(self, cells: Sequence[str], until: int) -> Tick | None:
        values = {name: cells[index] for name, index in self._columns.items() if index < len(cells)}
        t, counters = _integer(values.get("Timestamp"), MAX_TIME), _read_counters(values)
        users = _integer(values.get("User Count"), MAX_COUNT)
        complete = len(cells) == len(self._columns) and t is not None and users is not None
        if not complete or t is None or users is None or not self._since <= t <= until or counters is None:
            self.refused += 1
            return None
        if values["Name"] == AGGREGATED and not values["Type"]:
            if self._last_t >= until:
                self.refused += 1
                return None
            self._users = users
            total = _delta("", AGGREGATED, self._total, counters, values)
            self._total = counters
            return self._tick(t, total or _nothing("", AGGREGATED))
        self._count((values["Type"][:MAX_NAME_CHARS], values["Name"][:MAX_NAME_CHARS]), counters, values)
        return None

    def _count(self, key: Key, counters: Counters, values: Mapping[str, str]) -> None:
        if key == OTHER_KEY:
            self.overflowed = True
        elif key not in self._seen and len(self._seen) - (OTHER_KEY in self._seen) >= MAX_ENDPOINTS:
            return  # what is missing from the total goes to OTHER
        row = _delta(*key, self._seen.get(key, ZERO), counters, values)
        self._seen[key] = counters
        if row is not None:
            self._rows[key] = _both(self._rows[key], row) if key in self._rows else row

    def _tick(self, t: int, total: SampleRow) -> Tick:
        rows, self._rows = list(self._rows.values()), {}
        rest = total.requests - sum(row.requests for row in rows)
        if rest > 0:
            self.overflowed = True
            rows = _with_rest(rows, total, rest)
        elif rest < 0:
            total = _sum_of(rows, total)
        self._seq += 1
        self._last_t = max(t, self._last_t + 1)
        return Tick(self._seq, self._last_t, self._users, total, tuple(rows))


def _delta(method: str, name: str, before: Counters, after: Counters, values: Mapping[str, str]) -> SampleRow | None:
    """What happened between two moments; `None` when nothing did. Smaller counters mean that Locust began anew."""
    if after.requests < before.requests or after.failures < before.failures:
        before = ZERO
    requests = after.requests - before.requests
    if requests == 0:
        return None
    sum_ms = max(0.0, after.sum_ms - before.sum_ms)
    percentiles, max_ms = _percentiles(values, sum_ms / requests)
    return SampleRow(
        method=method,
        name=name,
        requests=requests,
        failures=after.failures - before.failures,
        sum_ms=sum_ms,
        bytes=max(0, after.bytes - before.bytes),
        min_ms=after.min_ms if after.min_ms != before.min_ms else None,
        max_ms=max_ms,
        **percentiles,
    )


def _percentiles(values: Mapping[str, str], average_ms: float) -> tuple[Percentiles, float | None]:
    """The columns of the last ten seconds. Locust prints 0 in all of them as long as it cannot tell."""
    max_ms = _number(values.get("100%"))
    if max_ms == 0 and average_ms >= 1:
        return UNKNOWN, None
    return Percentiles(
        p50_ms=_number(values.get("50%")),
        p90_ms=_number(values.get("90%")),
        p95_ms=_number(values.get("95%")),
        p99_ms=_number(values.get("99%")),
        p999_ms=_number(values.get("99.9%")),
    ), max_ms


def _both(one: SampleRow, other: SampleRow) -> SampleRow:
    """Two rows of an endpoint in one second: Locust writes one, but then a row of the total may have been refused."""
    return replace(
        other,
        requests=one.requests + other.requests,
        failures=one.failures + other.failures,
        sum_ms=one.sum_ms + other.sum_ms,
        bytes=one.bytes + other.bytes,
        min_ms=min((ms for ms in (one.min_ms, other.min_ms) if ms is not None), default=None),
        max_ms=max((ms for ms in (one.max_ms, other.max_ms) if ms is not None), default=None),
    )


def _with_rest(rows: list[SampleRow], total: SampleRow, rest: int) -> list[SampleRow]:
    """`rows` and, in OTHER, what they lack to the total."""
    named = [row for row in rows if (row.method, row.name) != OTHER_KEY]
    other = SampleRow(
        method="",
        name=OTHER,
        requests=total.requests - sum(row.requests for row in named),
        failures=max(0, total.failures - sum(row.failures for row in named)),
        sum_ms=max(0.0, total.sum_ms - sum(row.sum_ms for row in named)),
        bytes=max(0, total.bytes - sum(row.bytes for row in named)),
        min_ms=None,
        max_ms=None,
        **UNKNOWN,
    )
    return [*named, other]


def _sum_of(rows: Sequence[SampleRow], total: SampleRow) -> SampleRow:
    return SampleRow(
        method=total.method,
        name=total.name,
        requests=sum(row.requests for row in rows),
        failures=sum(row.failures for row in rows),
        sum_ms=math.fsum(row.sum_ms for row in rows),
        bytes=sum(row.bytes for row in rows),
        min_ms=total.min_ms,
        max_ms=total.max_ms,
        p50_ms=total.p50_ms,
        p90_ms=total.p90_ms,
        p95_ms=total.p95_ms,
        p99_ms=total.p99_ms,
        p999_ms=total.p999_ms,
    )


def _nothing(method: str, name: str) -> SampleRow:
    return SampleRow(method, name, 0, 0, 0.0, 0, None, None, **UNKNOWN)


def _counters(totals: EndpointTotals) -> Counters:
    return Counters(totals.requests, totals.failures, totals.sum_ms, totals.bytes, totals.min_ms)


def _read_counters(values: Mapping[str, str]) -> Counters | None:
    requests = _integer(values.get("Total Request Count"), MAX_COUNT)
    failures = _integer(values.get("Total Failure Count"), MAX_COUNT)
    if requests is None or failures is None or "Name" not in values or "Type" not in values:
        return None
    average = _number(values.get("Total Average Response Time")) or 0.0
    size = _number(values.get("Total Average Content Size")) or 0.0
    least = _number(values.get("Total Min Response Time"))
    return Counters(requests, failures, average * requests, round(size * requests), least)


def _integer(text: str | None, most: int) -> int | None:
    if text is None or len(text) > 16 or not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if value <= most else None


def _number(text: str | None) -> float | None:
    """A finite number from 0 on; `None` for anything else, such as `N/A`, `nan` or `-1`."""
    try:
        value = float(text) if text is not None and len(text) <= 40 else math.nan
    except ValueError:
        return None
    return value if 0 <= value <= MAX_COUNT else None
