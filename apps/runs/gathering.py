"""The seconds of a run of several workers, as its leader reads them back from what their hosts have filed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Max, Min, QuerySet

from apps.runs import rows, tiers
from apps.runs.blocks import TOTAL, Row
from apps.runs.models import Endpoint, Failure, Run, RunWorker
from apps.runs.states import WorkerState
from workers.samples import EndpointTotals, FailureRow, FailureSample, FinalTotals, Tick
from workers.totals import Error, Totals

LATE_SECONDS = 5
"""So many seconds a worker may be behind the others until nobody waits for it any more."""
SECONDS_AT_ONCE = 30
LAST_SECONDS = 30.0
"""For the last seconds of all workers, once the master has ended."""
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class GatheredSource:
    """Conforms to `workers.collector.Source`.

    A second is whole once every worker that is at work has filed it, or the others are LATE_SECONDS ahead; what comes
    after that is in the stored seconds, and not in the sums here, which `finish` therefore makes anew.
    """

    run_id: UUID
    renew: Callable[[], object]
    """Holds the run while we wait for its end."""
    sleep: Callable[[float], None] = time.sleep
    warnings: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    _done_t: int | None = None
    """The last second that was told."""
    _first_t: int | None = None
    _totals: Totals = field(default_factory=Totals)
    _names: dict[int, rows.Key] = field(default_factory=dict)
    _errors: dict[int, Error] = field(default_factory=dict)
    _told_requests: int = 0
    _told_failures: int = 0

    def read(self) -> tuple[list[Tick], bool]:
        try:
            return self._read()
        except DatabaseError:
            connection.close()
            return [], False

    def _read(self) -> tuple[list[Tick], bool]:
        front = self._front()
        if front is None or (self._done_t is not None and front <= self._done_t):
            return [], False
        return self._read_until(front), True

    def finish(self, final: FinalTotals | None) -> list[Tick]:
        """Wait for the last seconds of all. While the database is away, for as long as a restart of it may take."""
        deadline = time.monotonic() + LAST_SECONDS
        while time.monotonic() < deadline:
            try:
                self.renew()
                if self._is_complete():
                    break
            except DatabaseError:
                connection.close()
            self.sleep(LOOK_SECONDS)
        try:
            return self._finish()
        except DatabaseError:
            connection.close()
            self.warnings.setdefault("left_unread", "")
            return []

    def _finish(self) -> list[Tick]:
        """What nobody has waited for; then everything once more, from the beginning: sums are of all that is filed."""
        ticks: list[Tick] = []
        ends = tiers.span(self.run_id)
        while ends is not None and (self._done_t is None or self._done_t < ends[1]):
            ticks += self._read_until(ends[1])
        self._totals = Totals()
        for row in tiers.each_second(self.run_id):
            self._totals.add(self._tick(row.seq, rows.tick_of(row, self._known(row)), row.errors))
        self._learn_errors()
        return ticks

    def totals(self) -> tuple[EndpointTotals, Sequence[EndpointTotals]] | None:
        if self._totals.requests == self._told_requests:
            return None
        self._told_requests = self._totals.requests
        return self._totals.total(), self._totals.endpoints()

    def failures(self) -> Sequence[FailureRow] | None:
        if self._totals.failures == self._told_failures:
            return None
        self._told_failures = self._totals.failures
        return list(self._totals.failures_of(self._errors))

    def samples(self) -> tuple[list[FailureSample], bool]:
        """Filed by the hosts."""
        return [], False

    def collected(self) -> FinalTotals | None:
        failures = list(self._totals.failures_of(self._errors))
        return FinalTotals("collected", self._totals.total(), self._totals.endpoints(), failures, ())

    def close(self) -> None:
        pass

    def _is_complete(self) -> bool:
        """Whether each worker has filed its last second."""
        alive = RunWorker.objects.filter(run_id=self.run_id, is_closed=False)
        return not alive.exclude(state__in=[WorkerState.LOST, WorkerState.WANTED]).exists()

    def _front(self) -> int | None:
        """The newest second that all have filed."""
        workers = RunWorker.objects.filter(run_id=self.run_id)
        newest = workers.aggregate(newest=Max("last_t"))["newest"]
        at_work = workers.filter(is_closed=False).exclude(state=WorkerState.LOST)
        if newest is None or (self._done_t is None and self._is_early(at_work, newest)):
            return None
        slowest = at_work.filter(last_t__gte=newest - LATE_SECONDS).aggregate(slowest=Min("last_t"))["slowest"]
        return newest if slowest is None else int(slowest)

    def _is_early(self, at_work: QuerySet[RunWorker], newest: int) -> bool:
        """Whether somebody may still file the first second of all."""
        ends = tiers.span(self.run_id)
        return ends is not None and newest < ends[0] + LATE_SECONDS and at_work.filter(last_t=None).exists()

    def _read_until(self, front: int) -> list[Tick]:
        if self._done_t is None:
            ends = tiers.span(self.run_id)
            if ends is None:
                return []
            self._first_t, self._done_t = ends[0], ends[0] - 1
            Run.objects.filter(pk=self.run_id, first_t=None).update(first_t=self._first_t)
        first, last = self._done_t + 1, min(front, self._done_t + SECONDS_AT_ONCE)
        ticks = []
        for row in tiers.seconds(self.run_id, first, last):
            tick = self._tick(row.t - (self._first_t or 0) + 1, rows.tick_of(row, self._known(row)), row.errors)
            ticks.append(replace(tick, health=row.health))
        if any(index not in self._errors for tick in ticks for index, _count in tick.errors):
            self._learn_errors()
        for tick in ticks:  # the database is not asked any more: either all of them count, or none
            self._totals.add(tick)
        self._done_t = last
        return ticks

    def _tick(self, seq: int, tick: Tick, errors: tuple[tuple[int, int], ...]) -> Tick:
        return replace(tick, seq=seq, errors=errors)

    def _known(self, row: Row) -> dict[int, rows.Key]:
        """Names of the endpoints in a row, those of new ones included."""
        if any(cell.endpoint not in self._names for cell in row.cells if cell.endpoint != TOTAL):
            found = Endpoint.objects.filter(run_id=self.run_id).values_list("index", "method", "name")
            self._names = {index: (method, name) for index, method, name in found}
        return self._names

    def _learn_errors(self) -> None:
        found = Failure.objects.filter(run_id=self.run_id).values_list("index", "method", "name", "error")
        self._errors = {index: Error(method, name, text) for index, method, name, text in found}
