"""What the child tells its supervisor: a line for each event, and Locust's own totals at the very end."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from locust.stats import StatsEntry, StatsError

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
MAX_ERROR_CHARS = 2_000
MAX_TRACEBACK_CHARS = 20_000
MAX_EXCEPTIONS = 200


class Events:
    """Appends a JSON line per event, each with one write so that no reader sees half of one for long."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, kind: str, **data: object) -> None:
        line = json.dumps({"kind": kind, "t": time.time(), **data}) + "\n"
        try:
            os.write(self._file, line.encode("ascii"))
        except OSError:
            pass  # a full disk is no reason to end the load


def final_totals(environment: Any) -> dict[str, object]:
    """Everything Locust counted, as JSON values; numbers that are not finite become null."""
    stats = environment.stats
    errors = list(stats.errors.values())
    exceptions = list(environment.runner.exceptions.values())[:MAX_EXCEPTIONS] if environment.runner else []
    return {
        "total": _entry(stats.total),
        "endpoints": [_entry(entry) for entry in stats.entries.values() if entry.num_requests or entry.num_failures],
        "failures": [_failure(error) for error in errors],
        "exceptions": [_exception(row) for row in exceptions],
    }


def write_atomically(path: Path, document: dict[str, object]) -> None:
    scratch = path.with_suffix(".tmp")
    with scratch.open("w", encoding="ascii") as file:
        json.dump(document, file, allow_nan=False)
    scratch.replace(path)


def _entry(entry: StatsEntry) -> dict[str, object]:
    values = {key: _finite(entry.get_response_time_percentile(share)) for key, share in PERCENTILES.items()}
    timed = entry.num_requests > entry.num_none_requests
    return {
        "method": entry.method,
        "name": entry.name,
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "sum_ms": _finite(entry.total_response_time),
        "min_ms": _finite(entry.min_response_time) if timed else None,
        "max_ms": _finite(entry.max_response_time) if timed else None,
        "bytes": _finite(entry.total_content_length),
        "percentiles": values if timed else {},
        "untimed": entry.num_none_requests,
    }


def _failure(error: StatsError) -> dict[str, object]:
    return {
        "method": error.method,
        "name": error.name,
        "error": StatsError.parse_error(error.error)[:MAX_ERROR_CHARS],
        "occurrences": error.occurrences,
        "first_seen": error.first_seen,
        "last_seen": error.last_seen,
    }


def _exception(row: dict[str, Any]) -> dict[str, object]:
    text = str(row["traceback"])
    return {
        "count": row["count"],
        "message": str(row["msg"])[:MAX_ERROR_CHARS],
        "traceback": text[-MAX_TRACEBACK_CHARS:],
    }


def _finite(value: object) -> float | int | None:
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None
