"""Reads whole files that Locust rewrites in place, and the totals the child leaves at its end. Hostile input all of it.

A rewrite may be met half done; such a read gives `None`, and the caller keeps what it had and comes again.
"""

from __future__ import annotations

import calendar
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from workers.samples import MAX_ENDPOINTS, MAX_NAME_CHARS, OTHER, EndpointTotals, ExceptionRow, FailureRow, FinalTotals
from workers.tail import CsvRows, read_bounded
from workers.values import MAX_COUNT, MAX_ERROR_CHARS, MAX_TIME, count, measure, text

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_ROWS = 1_001
"""Different failures, or exceptions, that are kept; Locust itself is held to 1,000 and one for all others."""

MAX_FILE_LINES = 500_000
MAX_FILE_ROWS = 20_000
"""Beyond what Locust writes, with its tracebacks, and still read within the time between two looks at the clock."""

MAX_TRACEBACK_CHARS = 20_000
AGGREGATED = "Aggregated"
PERCENTILES = {"p50": "50%", "p90": "90%", "p95": "95%", "p99": "99%", "p999": "99.9%"}

FAILURE_COLUMNS = {
    "method": "Method",
    "name": "Name",
    "error": "Error",
    "occurrences": "Occurrences",
    "first_seen": "First Seen",
    "last_seen": "Last Seen",
}
EXCEPTION_COLUMNS = {"count": "Count", "message": "Message", "traceback": "Traceback"}
SEEN_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

Record = Mapping[str, str]
Row = TypeVar("Row")


def read_failures(path: Path) -> list[FailureRow] | None:
    return _table(path, FAILURE_COLUMNS, _failure)


def read_exceptions(path: Path) -> list[ExceptionRow] | None:
    return _table(path, EXCEPTION_COLUMNS, _exception)


def read_stats(path: Path) -> tuple[EndpointTotals, list[EndpointTotals]] | None:
    """Totals over all endpoints, and of each. Only a file that ends with the Aggregated row is complete."""
    records = _records(path)
    if not records or records[-1].get("Name") != AGGREGATED or records[-1].get("Type"):
        return None
    try:
        *endpoints, total = [_endpoint_of_csv(record) for record in records]
    except (KeyError, ValueError):
        return None
    return total, fold(endpoints)


def read_final(path: Path) -> tuple[FinalTotals, dict[str, Any]] | None:
    """The child's own totals and the other values it left; `None` when missing, torn or nonsense."""
    data = read_bounded(path, MAX_FILE_BYTES)
    if data is None:
        return None
    try:
        document = json.loads(data, parse_constant=_refuse)
        totals = FinalTotals(
            source="final",
            total=_endpoint(document["total"]),
            endpoints=fold([_endpoint(entry) for entry in document["endpoints"]]),
            failures=[_failure(row) for row in document["failures"][:MAX_ROWS]],
            exceptions=[_exception(row) for row in document["exceptions"][:MAX_ROWS]],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return None
    return totals, document


def fold(endpoints: Sequence[EndpointTotals]) -> list[EndpointTotals]:
    """The first `MAX_ENDPOINTS` as they are, all further ones together as `OTHER`."""
    kept = [entry for entry in endpoints if (entry.method, entry.name) != ("", OTHER)][:MAX_ENDPOINTS]
    names = {(entry.method, entry.name) for entry in kept}
    rest = [entry for entry in endpoints if (entry.method, entry.name) not in names]
    if not rest:
        return kept
    return [*kept, EndpointTotals(
        method="",
        name=OTHER,
        requests=min(MAX_COUNT, sum(entry.requests for entry in rest)),
        failures=min(MAX_COUNT, sum(entry.failures for entry in rest)),
        sum_ms=math.fsum(entry.sum_ms for entry in rest),
        min_ms=min((entry.min_ms for entry in rest if entry.min_ms is not None), default=None),
        max_ms=max((entry.max_ms for entry in rest if entry.max_ms is not None), default=None),
        bytes=min(MAX_COUNT, sum(entry.bytes for entry in rest)),
        percentiles=rest[0].percentiles if len(rest) == 1 else {},
        untimed=min(MAX_COUNT, sum(entry.untimed for entry in rest)),
    )]  # fmt: skip


def _table(path: Path, columns: Mapping[str, str], build: Callable[[Mapping[str, Any]], Row]) -> list[Row] | None:
    records = _records(path)
    if records is None:
        return None
    try:
        return [build({name: record.get(column) for name, column in columns.items()}) for record in records[:MAX_ROWS]]
    except (KeyError, ValueError, TypeError):
        return None


def _records(path: Path) -> list[Record] | None:
    """Rows below the header as mappings; `None` unless the last row is whole and all have the header's width."""
    data = read_bounded(path, MAX_FILE_BYTES)
    reader = CsvRows()
    rows = reader.feed(data) if data and data.count(b"\n") <= MAX_FILE_LINES else []
    if (
        not 0 < len(rows) <= MAX_FILE_ROWS
        or reader.pending
        or reader.refused
        or any(len(row) != len(rows[0]) for row in rows)
    ):
        return None
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def _failure(values: Mapping[str, Any]) -> FailureRow:
    return FailureRow(
        method=text(values["method"], MAX_NAME_CHARS),
        name=text(values["name"], MAX_NAME_CHARS),
        error=text(values["error"], MAX_ERROR_CHARS),
        occurrences=count(values["occurrences"]),
        first_seen=_seen(values.get("first_seen")),
        last_seen=_seen(values.get("last_seen")),
    )


def _exception(values: Mapping[str, Any]) -> ExceptionRow:
    return ExceptionRow(
        count=count(values["count"]),
        message=text(values["message"], MAX_ERROR_CHARS),
        traceback=text(values["traceback"], MAX_TRACEBACK_CHARS),
    )


def _endpoint(values: Mapping[str, Any]) -> EndpointTotals:
    percentiles = {key: measure(values["percentiles"].get(key)) for key in PERCENTILES}
    return EndpointTotals(
        method=text(values["method"], MAX_NAME_CHARS),
        name=text(values["name"], MAX_NAME_CHARS),
        requests=count(values["requests"]),
        failures=count(values["failures"]),
        sum_ms=measure(values["sum_ms"]) or 0.0,
        min_ms=measure(values["min_ms"]),
        max_ms=measure(values["max_ms"]),
        bytes=round(measure(values["bytes"]) or 0),
        percentiles={key: value for key, value in percentiles.items() if value is not None},
        untimed=count(values.get("untimed", 0)),
    )


def _endpoint_of_csv(record: Record) -> EndpointTotals:
    requests = count(record["Request Count"])
    return _endpoint(
        {
            "method": record["Type"],
            "name": record["Name"],
            "requests": requests,
            "failures": record["Failure Count"],
            "sum_ms": (measure(record["Average Response Time"]) or 0.0) * requests,
            "min_ms": record["Min Response Time"] if requests else None,
            "max_ms": record["Max Response Time"] if requests else None,
            "bytes": (measure(record["Average Content Size"]) or 0.0) * requests,
            "percentiles": {key: record.get(column) for key, column in PERCENTILES.items()},
        }
    )


def _seen(value: object) -> float | None:
    """Epoch seconds from a number, or from Locust's `2026-01-31T23:59:59Z`."""
    if isinstance(value, str) and value:
        try:
            value = calendar.timegm(time.strptime(value[:40], SEEN_FORMAT))
        except ValueError:
            return None
    seen = measure(value) if not isinstance(value, str) else None
    return seen if seen is not None and seen <= MAX_TIME else None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")
