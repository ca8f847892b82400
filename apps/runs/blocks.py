"""What a run's ticks are once they are filed: rows of cells, and how fine rows become coarse ones. Pure.

How rows are packed into bytes is the affair of `codec`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest

from workers import sketch as sketches
from workers.samples import Health
from workers.sketch import Sketch

TOTAL = 0xFFFF
"""The endpoint index of a tick's row over all endpoints."""

LATENCIES = ("min_ms", "max_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms")
PERCENTILES = LATENCIES[2:]
LONGEST_STEP_S = 60
_SAME = -1


class BadBlock(ValueError):
    """Bytes that are no block."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one endpoint (or `TOTAL`) did in the time of its row. Times in milliseconds.

    `p50_ms` … `p999_ms` are what Locust's CSV files said; with a `sketch` they are None, because they follow from it
    (see `percentiles`).
    """

    endpoint: int
    requests: int
    failures: int
    bytes: int
    sum_ms: float
    min_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    sketch: Sketch | None = None
    """Of the requests that have a time."""
    untimed: int = 0
    """How many of `requests` have none."""
    requests_low: int = _SAME
    """The fewest and the most requests of any one second in it; given none, all of it is one second."""
    requests_high: int = _SAME
    failures_high: int = _SAME

    def __post_init__(self) -> None:
        # Written out, since it is done a hundred thousand times a minute.
        if self.requests_low == _SAME:
            object.__setattr__(self, "requests_low", self.requests)
        if self.requests_high == _SAME:
            object.__setattr__(self, "requests_high", self.requests)
        if self.failures_high == _SAME:
            object.__setattr__(self, "failures_high", self.failures)

    @property
    def avg_ms(self) -> float | None:
        """Mean response time; None without a request that has one."""
        timed = self.requests - self.untimed
        return self.sum_ms / timed if timed > 0 else None


@dataclass(frozen=True, slots=True)
class Row:
    """One tick, or several rolled into one. `t` is the UTC epoch second at which it begins."""

    seq: int
    """Of the last tick in it."""
    t: int
    users: int
    """The most users there were."""
    seconds: int
    """How many ticks are in it."""
    cells: tuple[Cell, ...]
    """One an endpoint; `TOTAL` first, then by index."""
    users_low: int = _SAME
    """The fewest; given none, as many as `users`."""
    health: Health | None = None
    """The worst of the load generator; of the users wanted and of the open files, what was last."""
    classes: tuple[int, ...] = ()
    """The most users of each class, in the order of `Run.user_classes`."""
    errors: tuple[tuple[int, int], ...] = ()
    """`(index, count)` by index of the `Failure`."""

    def __post_init__(self) -> None:
        if self.users_low == _SAME:
            object.__setattr__(self, "users_low", self.users)


def percentiles(cell: Cell) -> dict[str, float | None]:
    """`p50_ms p90_ms p95_ms p99_ms p999_ms` of a cell, whatever collected it."""
    if cell.sketch is None:
        return {name: getattr(cell, name) for name in PERCENTILES}
    return sketches.percentiles(cell.sketch, low=cell.min_ms, high=cell.max_ms)


def roll_up(rows: Iterable[Row], step_s: int) -> list[Row]:
    """Rows of `step_s` seconds, aligned to multiples of it, from finer rows in order of time.

    Counts, sums and sketches add up; extremes are kept. Percentiles of Locust's CSV cannot be merged exactly: each is
    one over the last ten seconds, so within ten seconds the last one holds, and beyond that their mean weighted by
    requests is the nearest to the truth.
    """
    groups = groupby(rows, key=lambda row: row.t // step_s * step_s)
    return [_merge_rows(list(group), start, step_s) for start, group in groups]


def merge_cells(cells: Sequence[Cell], *, seconds: int, step_s: int) -> Cell:
    """Cells of one endpoint from `seconds` rows, of which those without a cell had no request."""
    pick = _last if step_s <= 10 else _weighted
    known = [cell.sketch for cell in cells if cell.sketch is not None]
    given = {} if known else {name: pick(cells, name) for name in PERCENTILES}
    return Cell(
        endpoint=cells[0].endpoint,
        requests=sum(cell.requests for cell in cells),
        failures=sum(cell.failures for cell in cells),
        bytes=sum(cell.bytes for cell in cells),
        sum_ms=math.fsum(cell.sum_ms for cell in cells),
        min_ms=min((cell.min_ms for cell in cells if cell.min_ms is not None), default=None),
        max_ms=max((cell.max_ms for cell in cells if cell.max_ms is not None), default=None),
        sketch=sketches.merged(known) if known else None,
        untimed=sum(cell.untimed for cell in cells),
        requests_low=min(cell.requests_low for cell in cells) if len(cells) >= seconds else 0,
        requests_high=max(cell.requests_high for cell in cells),
        failures_high=max(cell.failures_high for cell in cells),
        **given,
    )


def merge_at_once(cells: Sequence[Cell]) -> Cell:
    """One cell for several of the same second: names that share an index."""
    merged = merge_cells(cells, seconds=1, step_s=LONGEST_STEP_S)
    return replace(merged, requests_low=_SAME, requests_high=_SAME, failures_high=_SAME)


def across(rows: Sequence[Row]) -> Row:
    """One row for those of the same second of several workers: together they are the run."""
    if len(rows) == 1:
        return rows[0]
    by_endpoint: dict[int, list[Cell]] = {}
    for row in rows:
        for cell in row.cells:
            by_endpoint.setdefault(cell.endpoint, []).append(cell)
    return Row(
        seq=rows[0].seq,
        t=rows[0].t,
        users=sum(row.users for row in rows),
        seconds=max(row.seconds for row in rows),
        cells=tuple(merge_at_once(by_endpoint[index]) for index in sorted(by_endpoint, key=in_order)),
        users_low=sum(row.users_low for row in rows),
        health=_health_across([row.health for row in rows if row.health is not None]),
        classes=tuple(sum(counts) for counts in zip_longest(*(row.classes for row in rows), fillvalue=0)),
        errors=_merge_errors(rows),
    )


def _merge_rows(rows: list[Row], start: int, step_s: int) -> Row:
    if len(rows) == 1:
        return replace(rows[0], t=start)
    by_endpoint: dict[int, list[Cell]] = {}
    for row in rows:
        for cell in row.cells:
            by_endpoint.setdefault(cell.endpoint, []).append(cell)
    return Row(
        seq=rows[-1].seq,
        t=start,
        users=max(row.users for row in rows),
        seconds=sum(row.seconds for row in rows),
        cells=tuple(
            merge_cells(by_endpoint[index], seconds=len(rows), step_s=step_s)
            for index in sorted(by_endpoint, key=in_order)
        ),
        users_low=min(row.users_low for row in rows),
        health=_merge_health([row.health for row in rows if row.health is not None]),
        classes=tuple(max(counts) for counts in zip_longest(*(row.classes for row in rows), fillvalue=0)),
        errors=_merge_errors(rows),
    )


def in_order(endpoint: int) -> int:
    """Sorts endpoints, `TOTAL` first."""
    return -1 if endpoint == TOTAL else endpoint


def _merge_health(known: list[Health]) -> Health | None:
    if not known:
        return None
    worst = ("in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes")
    values = {name: [value for one in known if (value := getattr(one, name)) is not None] for name in Health.__slots__}
    return Health(**{
        name: (max(found) if name in worst else found[-1]) if found else None for name, found in values.items()
    })  # fmt: skip


def _health_across(known: list[Health]) -> Health | None:
    """What several load generators have together is the sum; of the others the worst counts."""
    if not known:
        return None
    added = ("target_users", "in_flight", "rss_bytes", "open_files")
    values = {name: [value for one in known if (value := getattr(one, name)) is not None] for name in Health.__slots__}
    return Health(**{
        name: (sum(found) if name in added else max(found)) if found else None for name, found in values.items()
    })  # fmt: skip


def _merge_errors(rows: Sequence[Row]) -> tuple[tuple[int, int], ...]:
    sums: dict[int, int] = {}
    for row in rows:
        for index, count in row.errors:
            sums[index] = sums.get(index, 0) + count
    return tuple(sorted(sums.items()))


def _last(cells: Sequence[Cell], name: str) -> float | None:
    return next((value for cell in reversed(cells) if (value := getattr(cell, name)) is not None), None)


def _weighted(cells: Sequence[Cell], name: str) -> float | None:
    known = [(value, cell.requests) for cell in cells if (value := getattr(cell, name)) is not None]
    weight = sum(requests for _, requests in known)
    return sum(value * requests for value, requests in known) / weight if weight else None
