"""Filing what one worker of a run measures. Every write is fenced; every write may come twice and counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import DatabaseError, transaction

from apps.runs import identities, logs, naming, rows, tiers
from apps.runs.models import FailureSample, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.sharing import Share
from workers.identity import Summary
from workers.samples import (
    MAX_SAMPLES,
    SAMPLES_PER_ERROR,
    EndpointTotals,
    ExceptionRow,
    FailureRow,
    Tick,
)
from workers.samples import FailureSample as Sample
from workers.totals import Error

SAMPLE_KEY = ("failure", "at", "response_ms", "body_bytes")
"""What tells one failing request from another: no two end in the same microsecond."""


@dataclass(slots=True)
class WorkerRecorder:
    """Conforms to `workers.supervisor.Sink`, for the worker `index` of a run.

    `error` tells what an error's number means to the process that counted it; the run has numbers of its own.
    """

    share: Share
    index: int
    error: Callable[[int], Error]
    on_event: Callable[[int, str, Mapping[str, object]], None] = lambda index, kind, data: None
    endpoints: dict[rows.Key, int] = field(default_factory=dict)
    errors: dict[Error, int] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    sums: rows.Sums = field(default_factory=rows.Sums)
    last_seq: int = 0
    seq_before: int = 0
    """Ticks of processes of the same index that were there before this one."""
    rolled_minute: int = 0
    log_pieces: int = logs.PIECES_KEPT
    """Of its log, so many pieces are kept; see `logs.pieces_of`."""
    log_seq: int | None = None
    """Number of the last line of its log; None until it is known how far processes before this one came."""
    unsure: bool = False

    @classmethod
    def following(
        cls,
        row: RunWorker,
        share: Share,
        error: Callable[[int], Error],
        on_event: Callable[[int, str, Mapping[str, object]], None],
        *,
        log_pieces: int = logs.PIECES_KEPT,
    ) -> WorkerRecorder:
        """Goes on where the process before has ended, if there was one."""
        sums = rows.Sums.of_totals(row.totals)
        return cls(share, row.index, error, on_event, sums=sums, seq_before=row.last_seq, log_pieces=log_pieces)

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        self.on_event(self.index, kind, data)

    def ticks(self, ticks: Sequence[Tick]) -> None:
        """File seconds, in order. Those already filed are passed over. Raises Fenced."""
        fresh = [tick for tick in ticks if tick.seq > self.last_seq]
        if not fresh:
            return
        with self._filing() as stored_seq:
            run_id = self.share.run_id
            keys = (rows.key_of(row) for tick in fresh for row in tick.rows)
            endpoints = naming.endpoints(run_id, self.endpoints, keys)
            wanted = {index: self.error(index) for tick in fresh for index, _count in tick.errors}
            errors = naming.errors(run_id, self.errors, wanted.values())
            classes = naming.classes(run_id, self.classes, (name for tick in fresh for name in rows.class_counts(tick)))
            told = [
                replace(tick, seq=tick.seq + self.seq_before, errors=_renamed(tick, wanted, errors)) for tick in fresh
            ]
            if missing := [tick for tick in told if tick.seq > stored_seq]:
                stored = [rows.stored_row(tick, endpoints, classes) for tick in missing]
                tiers.append(run_id, stored, worker=self.index)
            sums = rows.added(self.sums, fresh)
            self._write_progress(told, sums)
            ring_pages(run_id)
        self.endpoints, self.errors, self.classes, self.sums = endpoints, errors, classes, sums
        self.last_seq = fresh[-1].seq
        self._close_minutes(fresh[-1].t)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        """Failures are counted from the ticks, and exceptions by the master, both by the leader of the run."""

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        """As `tables`."""

    def failure_samples(self, samples: Sequence[Sample]) -> None:
        """Keep failing requests as examples; of all workers together no more than a run may have. Raises Fenced."""
        with self._filing():
            run_id = self.share.run_id
            errors = naming.errors(run_id, self.errors, (self.error(sample.error) for sample in samples))
            # Those that are there already came with a transaction that nobody heard of.
            keys = set(FailureSample.objects.filter(run_id=run_id).values_list(*SAMPLE_KEY))
            kept = Counter(key[0] for key in keys)
            fresh = []
            for sample in samples:
                number = errors[self.error(sample.error)]
                row = rows.failure_sample(run_id, replace(sample, error=number))
                key = tuple(getattr(row, name) for name in SAMPLE_KEY)
                if key not in keys and kept.total() < MAX_SAMPLES and kept[number] < SAMPLES_PER_ERROR:
                    keys.add(key)
                    kept[number] += 1
                    fresh.append(row)
            FailureSample.objects.bulk_create(fresh, batch_size=100)
        self.errors = errors

    def log(self, lines: Sequence[str]) -> None:
        """Keep lines of the process's log, behind those of processes before it. Raises Fenced."""
        run_id = self.share.run_id
        with self._filing():
            if self.log_seq is None:
                self.log_seq = logs.newest(run_id, self.index)
            newest = logs.append(run_id, self.index, lines, after=self.log_seq, most=self.log_pieces)
        self.log_seq = newest

    def generator(self, cpu_percent: float, rss_bytes: int, ids_in_use: int | None) -> None:
        health = {"cpu_percent": round(cpu_percent, 1), "rss_bytes": rss_bytes}
        self.share.write(self.index, generator=health, ids_in_use=ids_in_use)

    def identity(self, summary: Summary) -> None:
        self.share.write(self.index, identity=identities.packed(summary))

    def finish_blocks(self) -> None:
        """Pack and roll up the last minute."""
        tiers.close_worker(self.share.run_id, self.index)

    @contextmanager
    def _filing(self) -> Iterator[int]:
        """As `recording.Recorder._filing`, of one worker."""
        try:
            with transaction.atomic():
                stored_seq = self.share.check(self.index)
                if self.unsure:
                    self.endpoints, self.errors, self.classes = {}, {}, []
                yield stored_seq
        except DatabaseError:
            self.unsure = True
            raise
        self.unsure = False

    def _write_progress(self, told: Sequence[Tick], sums: rows.Sums) -> None:
        last = told[-1]
        fields: dict[str, Any] = {"last_seq": last.seq, "last_t": last.t, "totals": sums.as_totals({})}
        self.share.write(self.index, current_users=min(rows.MAX_USERS, last.users), **fields)

    def _close_minutes(self, t: int) -> None:
        minute = t // 60
        if self.rolled_minute and minute > self.rolled_minute:
            tiers.close_spans(self.share.run_id, before_t=minute * 60, worker=self.index)
        self.rolled_minute = minute


def _renamed(tick: Tick, own: Mapping[int, Error], numbers: Mapping[Error, int]) -> tuple[tuple[int, int], ...]:
    counts: dict[int, int] = {}
    for index, count in tick.errors:
        number = numbers[own[index]]
        counts[number] = counts.get(number, 0) + count
    return tuple(sorted(counts.items()))
