"""From what the engine measured to what is stored. Pure; whatever a script claims fits into its column afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.runs.blocks import LATENCIES, TOTAL, Cell, Row, merge_at_once
from apps.runs.models import Failure, FailureSample, ScriptException
from workers import samples
from workers.samples import (
    MAX_NAME_CHARS,
    OTHER,
    EndpointTotals,
    ExceptionRow,
    FailureRow,
    Health,
    SampleRow,
    Tick,
)

LOG_CHUNK_CHARS = 16_000
MAX_USERS = 2**31 - 1
MAX_METHOD_CHARS = 50
MAX_ERROR_CHARS = 4_000
MAX_TRACEBACK_CHARS = 16_000
MAX_CLASS_CHARS = 200
MAX_URL_CHARS = 2_000
MAX_BODY_CHARS = 4_096
MAX_HEADERS = 100
MAX_HEADER_CHARS = 2_000
PERCENTILES = ("p50", "p90", "p95", "p99", "p999")

Key = tuple[str, str]
"""Method and name of an endpoint."""
OTHER_KEY: Key = ("", OTHER)


@dataclass(slots=True)
class Sums:
    """Running totals over all endpoints."""

    requests: int = 0
    failures: int = 0
    sum_ms: float = 0.0
    bytes: int = 0
    min_ms: float | None = None
    max_ms: float | None = None
    untimed: int = 0
    seconds: int = 0

    def add(self, row: SampleRow) -> None:
        """Count one second."""
        self.requests += row.requests
        self.failures += row.failures
        self.sum_ms += row.sum_ms
        self.bytes += row.bytes
        self.untimed += untimed(row)
        self.seconds += 1
        self.min_ms = min((value for value in (self.min_ms, row.min_ms) if value is not None), default=None)
        self.max_ms = max((value for value in (self.max_ms, row.max_ms) if value is not None), default=None)

    @classmethod
    def of_totals(cls, totals: Mapping[str, Any]) -> Sums:
        """From what `as_totals` made, as exactly as that tells; empty from nothing."""
        requests, rps = totals.get("requests", 0), totals.get("rps", 0.0)
        timed = totals.get("avg_ms") is not None
        return cls(
            requests=requests,
            failures=totals.get("failures", 0),
            sum_ms=totals["avg_ms"] * requests if timed else 0.0,
            bytes=totals.get("bytes", 0),
            min_ms=totals.get("min_ms"),
            max_ms=totals.get("max_ms"),
            untimed=0 if timed else requests,
            seconds=round(requests / rps) if rps else 0,
        )

    def as_totals(self, percentiles: Mapping[str, float]) -> dict[str, Any]:
        """The form of `Run.totals` while it runs; `percentiles` over the whole run, as Locust last said."""
        return {
            "requests": self.requests,
            "failures": self.failures,
            "rps": round(self.requests / self.seconds, 3) if self.seconds else 0.0,
            "avg_ms": round(self.sum_ms / timed, 3) if (timed := self.requests - self.untimed) > 0 else None,
            **{f"{name}_ms": percentiles.get(name) for name in PERCENTILES},
            "min_ms": self.min_ms,
            "max_ms": self.max_ms,
            "bytes": self.bytes,
        }


def endpoint_totals(row: EndpointTotals, seconds: float) -> dict[str, Any]:
    """Totals of a whole run in the form of `Run.totals`; `seconds` is the time its rate is over."""
    timed = row.requests - row.untimed
    return {
        "requests": row.requests,
        "failures": row.failures,
        "rps": round(row.requests / seconds, 3) if seconds > 0 else 0.0,
        "avg_ms": round(row.sum_ms / timed, 3) if timed > 0 else None,
        **{f"{name}_ms": row.percentiles.get(name) for name in PERCENTILES},
        "min_ms": row.min_ms,
        "max_ms": row.max_ms,
        "bytes": row.bytes,
    }


def key_of(row: SampleRow | EndpointTotals) -> Key:
    """What tells endpoints apart. Locust takes any text for a method."""
    return _text(row.method, MAX_METHOD_CHARS), _text(row.name, MAX_NAME_CHARS)


def log_chunks(lines: Sequence[str]) -> Iterator[str]:
    """Lines put together to texts that are not too long."""
    chunk = ""
    for line in lines:
        if chunk and len(chunk) + len(line) >= LOG_CHUNK_CHARS:
            yield chunk
            chunk = line
        else:
            chunk = f"{chunk}\n{line}" if chunk else line
    if chunk:
        yield chunk


def added(sums: Sums, ticks: Sequence[Tick]) -> Sums:
    total = replace(sums)
    for tick in ticks:
        total.add(tick.total)
    return total


def stored_row(tick: Tick, indexes: Mapping[Key, int], classes: Sequence[str] = ()) -> Row:
    """A tick as it is filed; `classes` are the columns of its users by class."""
    found: dict[int, list[Cell]] = {}
    for row in tick.rows:
        index = _index(indexes, key_of(row))
        found.setdefault(index, []).append(_cell(index, row))
    users = class_counts(tick)
    return Row(
        seq=tick.seq,
        t=tick.t,
        users=tick.users,
        seconds=1,
        cells=(
            _cell(TOTAL, tick.total),
            *(cells[0] if len(cells) == 1 else merge_at_once(cells) for _, cells in sorted(found.items())),
        ),
        health=_bounded(tick.health),
        classes=tuple(users.get(name, 0) for name in classes),
        errors=tuple(sorted(tick.errors)),
    )


def tick_of(row: Row, names: Mapping[int, Key]) -> Tick:
    """A tick again, of a stored second with sketches; `names` by index of the endpoint."""
    cells = {cell.endpoint: cell for cell in row.cells}
    total = cells.pop(TOTAL, Cell(TOTAL, 0, 0, 0, 0.0, sketch={}))
    return Tick(
        seq=row.seq,
        t=row.t,
        users=row.users,
        total=_sample(("", ""), total),
        rows=tuple(_sample(names[index], cell) for index, cell in cells.items() if index in names),
    )


def _sample(key: Key, cell: Cell) -> SampleRow:
    figures = {name: getattr(cell, name) for name in ("requests", "failures", "sum_ms", "bytes", *LATENCIES)}
    return SampleRow(*key, **figures, sketch=cell.sketch)


def class_counts(tick: Tick) -> dict[str, int]:
    """Users by class, under names as they are kept."""
    counts: dict[str, int] = {}
    for name, count in tick.classes.items():
        kept = clean(name, MAX_CLASS_CHARS)
        counts[kept] = counts.get(kept, 0) + count
    return counts


def _index(indexes: Mapping[Key, int], key: Key) -> int:
    return indexes[key] if key in indexes else indexes[OTHER_KEY]


def _cell(endpoint: int, row: SampleRow) -> Cell:
    told = {} if row.sketch is not None else {f"{name}_ms": getattr(row, f"{name}_ms") for name in PERCENTILES}
    return Cell(
        endpoint=endpoint,
        requests=row.requests,
        failures=row.failures,
        bytes=row.bytes,
        sum_ms=row.sum_ms,
        min_ms=row.min_ms,
        max_ms=row.max_ms,
        sketch=row.sketch,
        untimed=untimed(row),
        **told,
    )


def untimed(row: SampleRow) -> int:
    """Requests without a time; of those we know only where there is a sketch."""
    return 0 if row.sketch is None else max(0, row.requests - sum(row.sketch.values()))


def _bounded(health: Health | None) -> Health | None:
    if health is None or health.target_users is None:
        return health
    return replace(health, target_users=min(health.target_users, MAX_USERS))


def failure(run_id: UUID, row: FailureRow, index: int) -> Failure:
    return Failure(
        run_id=run_id,
        index=index,
        method=_text(row.method, MAX_METHOD_CHARS),
        name=_text(row.name, MAX_NAME_CHARS),
        error=_text(row.error, MAX_ERROR_CHARS),
        occurrences=row.occurrences,
        first_seen=None if row.first_seen is None else moment(row.first_seen),
        last_seen=None if row.last_seen is None else moment(row.last_seen),
    )


def failure_sample(run_id: UUID, sample: samples.FailureSample) -> FailureSample:
    return FailureSample(
        run_id=run_id,
        failure=sample.error,
        at=moment(sample.t),
        method=clean(sample.method, MAX_METHOD_CHARS),
        url=clean(sample.url, MAX_URL_CHARS),
        status=sample.status,
        response_ms=sample.response_ms,
        request_headers=_headers(sample.request_headers),
        response_headers=_headers(sample.response_headers),
        body=clean(sample.body, MAX_BODY_CHARS),
        body_bytes=sample.body_bytes,
    )


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        clean(name, MAX_NAME_CHARS): clean(value, MAX_HEADER_CHARS)
        for name, value in list(headers.items())[:MAX_HEADERS]
    }


def exception(run_id: UUID, row: ExceptionRow) -> ScriptException:
    return ScriptException(
        run_id=run_id,
        count=row.count,
        message=_text(row.message, MAX_ERROR_CHARS),
        traceback=_text(row.traceback, MAX_TRACEBACK_CHARS),
    )


def moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)


def clean(text: str, most: int) -> str:
    """Text that any database keeps: PostgreSQL has no NUL, and none has half of a surrogate pair."""
    return _text(text, most).encode("utf-8", "replace").decode("utf-8")


def _text(text: str, most: int) -> str:
    """PostgreSQL keeps no NUL."""
    return text[:most].replace("\0", "\N{REPLACEMENT CHARACTER}")
