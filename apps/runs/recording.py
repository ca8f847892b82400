"""Filing what a run measures while it goes on. Every write is fenced; every write may come twice and counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F

from apps.core.bulk import update_each
from apps.runs import logs, naming, rows, tiers
from apps.runs.blocks import Row
from apps.runs.lease import Lease
from apps.runs.models import LEADER, Endpoint, Failure, FailureSample, Run, RunEvent, ScriptException
from apps.runs.notify import ring_pages
from workers import samples as measured
from workers.samples import (
    MAX_ERRORS,
    MAX_SAMPLES,
    SAMPLES_PER_ERROR,
    EndpointTotals,
    ExceptionRow,
    FailureRow,
    Tick,
)
from workers.values import MAX_COUNT

MAX_TABLE_ROWS = 500
MAX_WARNINGS = 50


@dataclass(slots=True)
class Recorder:
    """Files ticks, tables, log and events of the run that `lease` holds."""

    lease: Lease
    indexes: dict[rows.Key, int] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    """Names of the user classes, in order of their columns; only ever appended to."""
    sums: rows.Sums = field(default_factory=rows.Sums)
    last_seq: int = 0
    rolled_minute: int = 0
    log_seq: int = 0
    warned: set[str] = field(default_factory=set)
    samples: Counter[int] = field(default_factory=Counter)
    """How many failing requests were handed in, by error."""
    cpu_peak: float = 0.0
    peak_users: int = 0
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """Over all requests so far, as the collector last said."""
    unsure: bool = False
    """A transaction failed, so nobody knows whether it was committed."""

    @property
    def run_id(self) -> UUID:
        """The run that is being recorded."""
        return self.lease.run_id

    def ticks(self, ticks: Sequence[Tick]) -> None:
        """File seconds, in order. Those already filed are passed over. Raises Fenced."""
        fresh = [tick for tick in ticks if tick.seq > self.last_seq]
        if not fresh:
            return
        with self._filing() as stored_seq:
            indexes = self._named(rows.key_of(row) for tick in fresh for row in tick.rows)
            classes = self._with_new_classes(fresh)
            if missing := [tick for tick in fresh if tick.seq > stored_seq]:
                self._store([rows.stored_row(tick, indexes, classes) for tick in missing])
            sums = rows.added(self.sums, fresh)
            self._write_progress(fresh, sums)
        # Remembered only now: after a failed transaction the same ticks come again.
        self.indexes, self.classes, self.sums, self.last_seq = indexes, classes, sums, fresh[-1].seq
        self._close_minutes(fresh[-1].t)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        """File the failures and exceptions as they are now. Raises Fenced."""
        with self._filing():
            self.lease.write(tables_version=F("tables_version") + 1)
            self._file_failures(failures)
            ScriptException.objects.filter(run_id=self.run_id).delete()
            ScriptException.objects.bulk_create(rows.exception(self.run_id, row) for row in exceptions[:MAX_TABLE_ROWS])

    def failure_samples(self, samples: Sequence[measured.FailureSample]) -> None:
        """Keep failing requests as examples; the first ones of each error, in the order they come. Raises Fenced."""
        with self._filing():
            stored = Counter(FailureSample.objects.filter(run_id=self.run_id).values_list("failure", flat=True))
            room, seen = MAX_SAMPLES - stored.total(), self.samples.copy()
            fresh: list[FailureSample] = []
            for sample in samples:
                seen[sample.error] += 1
                # What is stored already came with a transaction that nobody heard of.
                if stored[sample.error] < seen[sample.error] <= SAMPLES_PER_ERROR and len(fresh) < room:
                    fresh.append(rows.failure_sample(self.run_id, sample))
            FailureSample.objects.bulk_create(fresh, batch_size=100)
            if fresh:
                self.lease.write(tables_version=F("tables_version") + 1)
        self.samples = seen

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        """The totals so far, over all and of each endpoint. Raises Fenced."""
        seconds = float(max(1, self.sums.seconds))
        with self._filing():
            self.lease.write(tables_version=F("tables_version") + 1)
            indexes = self._named(map(rows.key_of, endpoints))
            known = {endpoint.index: endpoint for endpoint in Endpoint.objects.filter(run_id=self.run_id)}
            changed = []
            for row in endpoints:
                if rows.key_of(row) not in indexes:
                    continue
                endpoint, fresh = known[indexes[rows.key_of(row)]], rows.endpoint_totals(row, seconds)
                if endpoint.totals != fresh:
                    endpoint.totals = fresh
                    changed.append(endpoint)
            update_each(changed, "totals")
        self.indexes, self.percentiles = indexes, total.percentiles

    def log(self, lines: Sequence[str]) -> None:
        """Keep lines of Locust's log for the page. Raises Fenced."""
        with self._filing():
            newest = logs.append(self.run_id, LEADER, lines, after=self.log_seq)
        self.log_seq = newest

    def step(self, text: str, **data: Any) -> None:
        """A line of the "starting" list: claimed, Locust started, first request. Raises Fenced."""
        with self._filing():
            RunEvent.objects.create(run_id=self.run_id, kind="step", text=text, data=data)

    def warning(self, code: str, text: str, data: Mapping[str, Any] | None = None) -> None:
        """Something that makes the numbers doubtful, once a code and text. Raises Fenced."""
        key = f"{code}:{text}"
        if key in self.warned or len(self.warned) >= MAX_WARNINGS:
            return
        with self._filing():
            facts = {**(data or {}), "code": code}
            RunEvent.objects.create(run_id=self.run_id, kind="warning", text=text[:500], data=facts)
        self.warned.add(key)

    def stall(self, kind: str, text: str, *, t: int, data: Mapping[str, Any]) -> None:
        """The beginning (`stall`) or end (`stall_over`) of a time without an answer, at second `t`. Raises Fenced."""
        with self._filing():
            if not RunEvent.objects.filter(run_id=self.run_id, kind=kind, data__t=t).exists():
                at, facts = rows.moment(t), {**data, "t": t}
                RunEvent.objects.create(run_id=self.run_id, kind=kind, text=text, at=at, data=facts)

    def locust_counts(self, endpoints: Sequence[EndpointTotals]) -> None:
        """Locust's own number of requests of each endpoint, beside ours. Raises Fenced."""
        with self._filing():
            indexes = self._named(map(rows.key_of, endpoints))
            counts: Counter[int] = Counter()
            for row in endpoints:
                counts[indexes.get(rows.key_of(row), indexes.get(rows.OTHER_KEY, -1))] += row.requests
            changed = list(Endpoint.objects.filter(run_id=self.run_id, index__in=counts))
            for endpoint in changed:
                endpoint.locust_requests = min(MAX_COUNT, counts[endpoint.index])
            update_each(changed, "locust_requests")
            self.lease.write(tables_version=F("tables_version") + 1)
        self.indexes = indexes

    def generator(self, cpu_percent: float, rss_bytes: int, *, loaded: bool) -> None:
        """How the load generator itself is doing; its peak counts while it is `loaded`. Raises Fenced."""
        self.cpu_peak = max(self.cpu_peak, cpu_percent if loaded else 0.0)
        peak = round(self.cpu_peak, 1)
        health = {"cpu_percent": round(cpu_percent, 1), "rss_bytes": rss_bytes, "cpu_peak_percent": peak}
        self.lease.write(generator=health)

    def finish_blocks(self) -> None:
        """Pack and roll up the last minute. Raises Fenced."""
        with self._filing():
            tiers.close_all(self.run_id)

    def index_of(self, row: EndpointTotals) -> int | None:
        """What blocks call this endpoint; None when no second of it was filed."""
        return self.indexes.get(rows.key_of(row), self.indexes.get(rows.OTHER_KEY))

    @contextmanager
    def _filing(self) -> Iterator[int]:
        """A transaction that only the holder of the run gets, with the number of the last tick in the database.

        The connection may break at the commit: then the rows are there although the transaction failed, and what is
        to be written again has to be compared with them.
        """
        try:
            with transaction.atomic():
                stored_seq = self.lease.check()
                if self.unsure:
                    self.indexes, self.classes = _stored_indexes(self.run_id), _stored_classes(self.run_id)
                yield stored_seq
                ring_pages(self.run_id)
        except DatabaseError:
            self.unsure = True
            raise
        self.unsure = False

    def _file_failures(self, failures: Sequence[FailureRow]) -> None:
        if any(row.index is not None for row in failures):
            self._update_failures(failures)
            return
        Failure.objects.filter(run_id=self.run_id).delete()
        numbered = enumerate(failures[:MAX_TABLE_ROWS])
        Failure.objects.bulk_create(rows.failure(self.run_id, row, index) for index, row in numbered)

    def _update_failures(self, failures: Sequence[FailureRow]) -> None:
        """Errors that have an index keep their row: examples belong to it."""
        known = {row.index: row for row in Failure.objects.filter(run_id=self.run_id).defer("method", "name", "error")}
        given = {row.index: row for row in failures[: MAX_ERRORS + 1] if row.index is not None}
        fresh = [rows.failure(self.run_id, row, index) for index, row in given.items() if index not in known]
        changed = [stored for index, stored in known.items() if index in given and _is_news(stored, given[index])]
        Failure.objects.bulk_create(fresh, batch_size=200)
        update_each(changed, "occurrences", "first_seen", "last_seen")

    def _store(self, fresh: Sequence[Row]) -> None:
        tiers.append(self.run_id, fresh)

    def _named(self, keys: Iterable[rows.Key]) -> dict[rows.Key, int]:
        return naming.endpoints(self.run_id, self.indexes, keys)

    def _with_new_classes(self, fresh: Sequence[Tick]) -> list[str]:
        return naming.classes(self.run_id, self.classes, (name for tick in fresh for name in rows.class_counts(tick)))

    def _write_progress(self, fresh: Sequence[Tick], sums: rows.Sums) -> None:
        last = fresh[-1]
        self.peak_users = min(rows.MAX_USERS, max(self.peak_users, *(tick.users for tick in fresh)))
        completed = [tick.t for tick in fresh if tick.total.requests]
        last_request = {"last_request_at": rows.moment(completed[-1])} if completed else {}
        self.lease.write(
            last_seq=last.seq,
            last_tick_at=rows.moment(last.t),
            current_users=min(rows.MAX_USERS, last.users),
            peak_users=self.peak_users,
            totals=sums.as_totals(self.percentiles),
            **last_request,
        )

    def _close_minutes(self, t: int) -> None:
        minute = t // 60
        if self.rolled_minute and minute > self.rolled_minute:
            with self._filing():
                tiers.close_spans(self.run_id, before_t=minute * 60)
        self.rolled_minute = minute


class LeadRecorder(Recorder):
    """Of a run whose seconds are filed by the hosts of its workers: here they count for its totals and its progress."""

    __slots__ = ()

    def _store(self, fresh: Sequence[Row]) -> None:
        pass

    def _file_failures(self, failures: Sequence[FailureRow]) -> None:
        """Hosts may have filed errors of which none has been counted yet: nothing is removed."""
        self._update_failures(failures)

    def _close_minutes(self, t: int) -> None:
        pass


def _stored_indexes(run_id: UUID) -> dict[rows.Key, int]:
    stored = Endpoint.objects.filter(run_id=run_id).values_list("method", "name", "index")
    return {(method, name): index for method, name, index in stored}


def _stored_classes(run_id: UUID) -> list[str]:
    return list(Run.objects.values_list("user_classes", flat=True).get(pk=run_id))


def _is_news(stored: Failure, row: FailureRow) -> bool:
    """Whether this is no longer what is stored; takes over what it is now."""
    before = stored.occurrences, stored.first_seen, stored.last_seen
    stored.occurrences = row.occurrences
    stored.first_seen = None if row.first_seen is None else rows.moment(row.first_seen)
    stored.last_seen = None if row.last_seen is None else rows.moment(row.last_seen)
    return before != (stored.occurrences, stored.first_seen, stored.last_seen)
