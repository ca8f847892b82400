"""Filing what a run measures while it goes on. Every write is fenced; every write may come twice and counts once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.runs import tiers
from apps.runs.blocks import TOTAL, Cell, Row
from apps.runs.lease import Lease
from apps.runs.models import Endpoint, Failure, LogChunk, RunEvent, ScriptException
from apps.runs.notify import ring_pages
from workers.samples import EndpointTotals, ExceptionRow, FailureRow, SampleRow, Tick

LOG_CHUNKS_KEPT = 400
"""Newest pieces of the log kept in the database while a run is live; the whole log becomes an artifact."""
MAX_TABLE_ROWS = 500
MAX_ERROR_CHARS = 4_000
MAX_TRACEBACK_CHARS = 16_000
MAX_WARNINGS = 50


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


@dataclass(slots=True)
class Recorder:
    """Files ticks, tables, log and events of the run that `lease` holds."""

    lease: Lease
    indexes: dict[tuple[str, str], int] = field(default_factory=dict)
    sums: Sums = field(default_factory=Sums)
    last_seq: int = 0
    rolled_minute: int = 0
    log_seq: int = 0
    warned: set[str] = field(default_factory=set)
    cpu_peak: float = 0.0
    peak_users: int = 0
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """Over all requests so far, as Locust last said."""

    @property
    def run_id(self) -> UUID:
        """The run that is being recorded."""
        return self.lease.run_id

    def ticks(self, ticks: Sequence[Tick]) -> None:
        """File seconds, in order. Those already filed are passed over. Raises Fenced."""
        fresh = [tick for tick in ticks if tick.seq > self.last_seq]
        if not fresh:
            return
        with transaction.atomic():
            indexes = self._indexes_for(fresh)
            tiers.append(self.run_id, [_row(tick, indexes) for tick in fresh])
            sums = _added(self.sums, fresh)
            self._write_progress(fresh, sums)
            ring_pages(self.run_id)
        # Remembered only now: after a failed transaction the same ticks come again.
        self.indexes, self.sums, self.last_seq = indexes, sums, fresh[-1].seq
        self._close_minutes(fresh[-1].t)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        """Replace the failures and exceptions by what Locust says now. Raises Fenced."""
        with transaction.atomic():
            self.lease.write(tables_version=F("tables_version") + 1)
            Failure.objects.filter(run_id=self.run_id).delete()
            Failure.objects.bulk_create(_failure(self.run_id, row) for row in failures[:MAX_TABLE_ROWS])
            ScriptException.objects.filter(run_id=self.run_id).delete()
            ScriptException.objects.bulk_create(_exception(self.run_id, row) for row in exceptions[:MAX_TABLE_ROWS])
            ring_pages(self.run_id)

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        """Locust's own totals so far, over all and of each endpoint. Raises Fenced."""
        seconds = float(max(1, self.sums.seconds))
        with transaction.atomic():
            self.lease.write(tables_version=F("tables_version") + 1)
            indexes = self._with_new(self.indexes, [(row.method, row.name) for row in endpoints])
            known = {endpoint.index: endpoint for endpoint in Endpoint.objects.filter(run_id=self.run_id)}
            changed = []
            for row in endpoints:
                endpoint, fresh = known[indexes[row.method, row.name]], endpoint_totals(row, seconds)
                if endpoint.totals != fresh:
                    endpoint.totals = fresh
                    changed.append(endpoint)
            Endpoint.objects.bulk_update(changed, ["totals"], batch_size=200)
        self.indexes, self.percentiles = indexes, total.percentiles

    def log(self, lines: Sequence[str]) -> None:
        """Keep lines of Locust's log for the page. Raises Fenced."""
        with transaction.atomic():
            self.lease.check()
            LogChunk.objects.create(run_id=self.run_id, seq=self.log_seq + 1, text="\n".join(lines))
            LogChunk.objects.filter(run_id=self.run_id, seq__lte=self.log_seq + 1 - LOG_CHUNKS_KEPT).delete()
            ring_pages(self.run_id)
        self.log_seq += 1

    def step(self, text: str, **data: Any) -> None:
        """A line of the "starting" list: claimed, Locust started, first request."""
        RunEvent.objects.create(run_id=self.run_id, kind="step", text=text, data=data)
        ring_pages(self.run_id)

    def warning(self, code: str, text: str) -> None:
        """Something that makes the numbers doubtful, once a code and text."""
        key = f"{code}:{text}"
        if key in self.warned or len(self.warned) >= MAX_WARNINGS:
            return
        self.warned.add(key)
        RunEvent.objects.create(run_id=self.run_id, kind="warning", text=text[:500], data={"code": code})
        ring_pages(self.run_id)

    def generator(self, cpu_percent: float, rss_bytes: int) -> None:
        """How the load generator itself is doing. Raises Fenced."""
        self.cpu_peak = max(self.cpu_peak, cpu_percent)
        health = {"cpu_percent": round(cpu_percent, 1), "rss_bytes": rss_bytes, "cpu_peak_percent": round(self.cpu_peak, 1)}
        self.lease.write(generator=health)

    def finish_blocks(self) -> None:
        """Pack and roll up the last minute."""
        last = tiers.last_t(self.run_id)
        if last is not None:
            tiers.close_all(self.run_id, last_t=last)

    def _write_progress(self, fresh: Sequence[Tick], sums: Sums) -> None:
        last = fresh[-1]
        self.peak_users = max(self.peak_users, *(tick.users for tick in fresh))
        completed = [tick.t for tick in fresh if tick.total.requests]
        last_request = {"last_request_at": _moment(completed[-1])} if completed else {}
        self.lease.write(
            last_seq=last.seq,
            last_tick_at=_moment(last.t),
            current_users=last.users,
            peak_users=self.peak_users,
            totals=sums.as_totals(self.percentiles),
            **last_request,
        )

    def _close_minutes(self, t: int) -> None:
        minute = t // 60
        if self.rolled_minute and minute > self.rolled_minute:
            tiers.close_spans(self.run_id, before_t=minute * 60)
        self.rolled_minute = minute

    def _indexes_for(self, ticks: Sequence[Tick]) -> dict[tuple[str, str], int]:
        return self._with_new(self.indexes, ((row.method, row.name) for tick in ticks for row in tick.rows))

    def _with_new(
        self, known: Mapping[tuple[str, str], int], names: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """`known`, and rows for the names that are not in it."""
        indexes = dict(known)
        fresh = []
        for method, name in names:
            if (method, name) not in indexes:
                indexes[method, name] = len(indexes)
                fresh.append(Endpoint(run_id=self.run_id, index=indexes[method, name], method=method, name=name))
        if fresh:
            Endpoint.objects.bulk_create(fresh)
            self.lease.write(tables_version=F("tables_version") + 1)
        return indexes


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


def _added(sums: Sums, ticks: Sequence[Tick]) -> Sums:
    total = replace(sums)
    for tick in ticks:
        total.add(tick.total)
    return total


def _row(tick: Tick, indexes: Mapping[tuple[str, str], int]) -> Row:
    cells = (_cell(TOTAL, tick.total), *(_cell(indexes[row.method, row.name], row) for row in tick.rows))
    return Row(seq=tick.seq, t=tick.t, users=tick.users, seconds=1, cells=cells)


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


def _failure(run_id: UUID, row: FailureRow) -> Failure:
    return Failure(
        run_id=run_id,
        method=row.method[:50],
        name=row.name[:500],
        error=row.error[:MAX_ERROR_CHARS],
        occurrences=row.occurrences,
        first_seen=None if row.first_seen is None else _moment(row.first_seen),
        last_seen=None if row.last_seen is None else _moment(row.last_seen),
    )


def _exception(run_id: UUID, row: ExceptionRow) -> ScriptException:
    return ScriptException(
        run_id=run_id,
        count=row.count,
        message=row.message[:MAX_ERROR_CHARS],
        traceback=row.traceback[:MAX_TRACEBACK_CHARS],
    )


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)
