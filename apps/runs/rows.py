"""From what the engine measured to what is stored. Pure; whatever a script claims fits into its column afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.runs.blocks import TOTAL, Cell, Row
from apps.runs.models import Failure, ScriptException
from workers.samples import MAX_NAME_CHARS, OTHER, EndpointTotals, ExceptionRow, FailureRow, SampleRow, Tick

LOG_CHUNK_CHARS = 16_000
MAX_USERS = 2**31 - 1
MAX_METHOD_CHARS = 50
MAX_ERROR_CHARS = 4_000
MAX_TRACEBACK_CHARS = 16_000

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
    seconds: int = 0

    def add(self, row: SampleRow) -> None:
        """Count one second."""
        self.requests += row.requests
        self.failures += row.failures
        self.sum_ms += row.sum_ms
        self.bytes += row.bytes
        self.seconds += 1
        self.min_ms = min((value for value in (self.min_ms, row.min_ms) if value is not None), default=None)
        self.max_ms = max((value for value in (self.max_ms, row.max_ms) if value is not None), default=None)

    def as_totals(self, percentiles: Mapping[str, float]) -> dict[str, Any]:
        """The form of `Run.totals` while it runs; `percentiles` over the whole run, as Locust last said."""
        return {
            "requests": self.requests,
            "failures": self.failures,
            "rps": round(self.requests / self.seconds, 3) if self.seconds else 0.0,
            "avg_ms": round(self.sum_ms / self.requests, 3) if self.requests else None,
            "p50_ms": percentiles.get("p50"),
            "p95_ms": percentiles.get("p95"),
            "p99_ms": percentiles.get("p99"),
            "min_ms": self.min_ms,
            "max_ms": self.max_ms,
            "bytes": self.bytes,
        }


def endpoint_totals(row: EndpointTotals, seconds: float) -> dict[str, Any]:
    """Locust's totals in the form of `Run.totals`; `seconds` is the time its rate is over."""
    return {
        "requests": row.requests,
        "failures": row.failures,
        "rps": round(row.requests / seconds, 3) if seconds > 0 else 0.0,
        "avg_ms": round(row.sum_ms / row.requests, 3) if row.requests else None,
        "p50_ms": row.percentiles.get("p50"),
        "p95_ms": row.percentiles.get("p95"),
        "p99_ms": row.percentiles.get("p99"),
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


def stored_row(tick: Tick, indexes: Mapping[Key, int]) -> Row:
    cells = (_cell(TOTAL, tick.total), *(_cell(_index(indexes, key_of(row)), row) for row in tick.rows))
    return Row(seq=tick.seq, t=tick.t, users=tick.users, seconds=1, cells=cells)


def _index(indexes: Mapping[Key, int], key: Key) -> int:
    return indexes[key] if key in indexes else indexes[OTHER_KEY]


def _cell(endpoint: int, row: SampleRow) -> Cell:
    return Cell(
        endpoint,
        row.requests,
        row.failures,
        row.bytes,
        row.sum_ms,
        row.min_ms,
        row.max_ms,
        row.p50_ms,
        row.p90_ms,
        row.p95_ms,
        row.p99_ms,
        row.p999_ms,
    )


def failure(run_id: UUID, row: FailureRow) -> Failure:
    return Failure(
        run_id=run_id,
        method=_text(row.method, MAX_METHOD_CHARS),
        name=_text(row.name, MAX_NAME_CHARS),
        error=_text(row.error, MAX_ERROR_CHARS),
        occurrences=row.occurrences,
        first_seen=None if row.first_seen is None else moment(row.first_seen),
        last_seen=None if row.last_seen is None else moment(row.last_seen),
    )


def exception(run_id: UUID, row: ExceptionRow) -> ScriptException:
    return ScriptException(
        run_id=run_id,
        count=row.count,
        message=_text(row.message, MAX_ERROR_CHARS),
        traceback=_text(row.traceback, MAX_TRACEBACK_CHARS),
    )


def moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)


def _text(text: str, most: int) -> str:
    """PostgreSQL keeps no NUL."""
    return text[:most].replace("\0", "\N{REPLACEMENT CHARACTER}")
