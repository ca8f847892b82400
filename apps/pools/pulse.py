"""What a runner tells the database every few seconds, and what it learns there about its host."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q

from apps.pools import watch
from apps.pools.models import Runner, WorkerHost
from apps.pools.telemetry import Clock, Gauge, Report, Work, compare_clocks, cores, versions

log = logging.getLogger(__name__)

RECENT_SAMPLES = 120
"""Ten minutes of reports."""

Sample = tuple[float, float, float, float, float]
"""Epoch seconds, CPU %, memory %, received Mbit/s, sent Mbit/s: of `WorkerHost.recent`."""


class Pulse:
    """The sign of life of one runner and its host."""

    def __init__(self, runner: Runner) -> None:
        self._runner_id, self._host_id = runner.pk, runner.host_id
        self._gauge = Gauge(Path(settings.RUNS_DIR))
        self._recent: deque[Sample] = deque(runner.host.recent, RECENT_SAMPLES)
        self._placed: dict[str, int] = {}
        """How many slots of this host each run in hand had at the last beat. Not in it: those that had no place yet."""

    def look(self) -> WorkerHost | None:
        """The host as it now stands, with its pool; None when somebody removed it. Raises DatabaseError."""
        return look(self._host_id)

    def slots_of(self, run_ids: Iterable[str]) -> int:
        """How many slots of this host these runs have; one for each that had no place yet at the last beat."""
        return sum(self._placed.get(run_id, 1) for run_id in run_ids)

    def beat(self, *, draining: bool, running: Sequence[Work]) -> WorkerHost | None:
        """Say that the runner lives and how its host does; the host as `look` gives it. Raises DatabaseError."""
        clock = compare_clocks()
        now = datetime.now(UTC) - timedelta(seconds=clock.ahead)
        with transaction.atomic():
            host = look(self._host_id, locked=True)
            if host is None:
                return None
            watch.note_return(host)
            self._placed = placed(host.pk, {work["run"] for work in running})
            said = self._said(host, clock, now, running)
            WorkerHost.objects.filter(pk=host.pk).update(last_seen_at=now, is_silent=False, **said)
            Runner.objects.filter(pk=self._runner_id).update(last_seen_at=now, draining=draining)
        return host

    def _said(self, host: WorkerHost, clock: Clock, now: datetime, running: Sequence[Work]) -> dict[str, Any]:
        """Fields of the host's row. A machine that cannot be read must not pass for one that is silent."""
        try:
            load = self._gauge.read()
        except Exception:
            log.warning("this host's load cannot be read", exc_info=True)
            return {}
        report = Report(
            **load,
            at=round(now.timestamp(), 3),
            cores=cores(),
            versions=versions(),
            clock_offset_ms=round(clock.ahead * 1000, 3),
            round_trip_ms=round(clock.round_trip * 1000, 3),
            slots=host.slot_count,
            slots_free=max(0, host.slot_count - self.slots_of({work["run"] for work in running})),
            running=list(running),
        )
        self._recent.append(sample(report))
        return {"report": report, "recent": list(self._recent), "versions": report["versions"], "cores": cores()}


def sample(report: Report) -> Sample:
    """What is kept of a report for the small charts."""
    traffic = report["received_mbit"], report["sent_mbit"]
    return (round(report["at"]), report["cpu_percent"], report["memory_percent"], *traffic)


def placed(host_id: UUID, run_ids: Collection[str]) -> dict[str, int]:
    """How many of a host's slots each of these runs has; only of runs that have places, here or elsewhere."""
    if not run_ids:
        return {}
    here = Count("run_workers", filter=Q(pk=host_id, run_workers__ended_at=None))
    rows = WorkerHost.objects.filter(run_workers__run_id__in=run_ids).order_by().values("run_workers__run_id")
    return {str(row["run_workers__run_id"]): row["here"] for row in rows.annotate(here=here)}


def look(host_id: UUID, *, locked: bool = False) -> WorkerHost | None:
    """A host with its pool, without its figures; `locked` until the end of the transaction."""
    rows = WorkerHost.objects.select_related("pool").defer("report", "recent").filter(pk=host_id)
    return (rows.select_for_update(of=("self",)) if locked else rows).first()
