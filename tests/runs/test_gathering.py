"""Seconds of several workers, as the leader of their run reads them back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from apps.runs import gathering, tiers
from apps.runs.gathering import LATE_SECONDS, SECONDS_AT_ONCE, GatheredSource
from apps.runs.lease import Lease
from apps.runs.models import Failure, Run, RunWorker
from apps.runs.sharing import Share
from apps.runs.states import WorkerState
from apps.runs.worker_recording import WorkerRecorder
from tests.runs.makers import T0, counted, held, shared, tick
from workers.samples import Health, Tick
from workers.totals import Error

pytestmark = pytest.mark.django_db
FAST, SLOW = 100, 300
"""Buckets of a sketch."""


@pytest.fixture
def lease() -> Lease:
    return held(workers=2)


@pytest.fixture
def share(lease: Lease) -> Share:
    return shared(lease, 0, 1)


@pytest.fixture
def recorders(share: Share) -> list[WorkerRecorder]:
    return [WorkerRecorder(share, index, lambda number: Error("GET", "/a", f"{number}")) for index in (0, 1)]


class Closable:
    """A test's connection must stay open: its transaction is the test's."""

    def close(self) -> None:
        """Not really."""


@pytest.fixture
def source(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> GatheredSource:
    monkeypatch.setattr(gathering, "connection", Closable())
    return GatheredSource(lease.run_id, renew=lambda: None, sleep=lambda seconds: None)


def second(number: int, requests: int = 1, *, name: str = "/a", users: int = 3, bucket: int = FAST) -> Tick:
    return tick(number, counted(name, {bucket: requests}), users=users)


def file(recorder: WorkerRecorder, first: int, last: int, **figures: Any) -> None:
    recorder.ticks([second(number, **figures) for number in range(first, last + 1)])


def read(source: GatheredSource) -> list[tuple[int, int, int]]:
    """Number, requests and users of each second that is new."""
    ticks, _ = source.read()
    return [(one.seq, one.total.requests, one.users) for one in ticks]


def close(index: int, **fields: Any) -> None:
    RunWorker.objects.filter(index=index).update(is_closed=True, **fields)


# --- while it goes on ---------------------------------------------------------------------------------------------


def test_a_second_is_whole_when_all_have_filed_it(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    one, other = recorders
    assert source.read() == ([], False)
    file(one, 1, 3)
    assert read(source) == []  # the other one is about to file the same
    file(other, 1, 2, requests=4)
    assert read(source) == [(1, 5, 6), (2, 5, 6)]
    assert source.read() == ([], False)
    file(other, 3, 3)
    assert read(source) == [(3, 2, 6)]


def test_the_run_knows_when_it_began(source: GatheredSource, recorders: list[WorkerRecorder], lease: Lease) -> None:
    for recorder in recorders:
        file(recorder, 3, 4)
    assert [one.seq for one in source.read()[0]] == [1, 2]
    assert Run.objects.get(pk=lease.run_id).first_t == T0 + 2
    again = GatheredSource(lease.run_id, renew=lambda: None)
    assert [one.t for one in again.read()[0]] == [T0 + 2, T0 + 3]


def test_who_is_behind_is_waited_for_and_not_for_long(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    one, other = recorders
    file(one, 1, 1)
    file(other, 1, 1)
    assert read(source) == [(1, 2, 6)]
    file(one, 2, 1 + LATE_SECONDS)
    assert read(source) == []
    file(one, 2 + LATE_SECONDS, 2 + LATE_SECONDS)
    assert [seq for seq, _, _ in read(source)] == list(range(2, 3 + LATE_SECONDS))
    file(other, 2, 2 + LATE_SECONDS)
    assert read(source) == []  # it is stored, and counts in the end


def test_who_never_files_anything_is_not_waited_for_either(
    source: GatheredSource, recorders: list[WorkerRecorder]
) -> None:
    file(recorders[0], 1, LATE_SECONDS)
    assert read(source) == []
    file(recorders[0], LATE_SECONDS + 1, LATE_SECONDS + 1)
    assert len(read(source)) == LATE_SECONDS + 1


@pytest.mark.parametrize("fields", [{"is_closed": True}, {"state": WorkerState.LOST}])
def test_nobody_waits_for_who_has_ended_or_is_lost(
    source: GatheredSource, recorders: list[WorkerRecorder], fields: dict[str, Any]
) -> None:
    file(recorders[1], 1, 1)
    file(recorders[0], 1, 3)
    RunWorker.objects.filter(index=1).update(**fields)
    assert [seq for seq, _, _ in read(source)] == [1, 2, 3]


def test_much_is_read_a_piece_at_a_time(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    for recorder in recorders:
        file(recorder, 1, SECONDS_AT_ONCE + 5)
    assert len(read(source)) == SECONDS_AT_ONCE
    assert len(read(source)) == 5


def test_seconds_in_which_nobody_did_anything_are_left_out(
    source: GatheredSource, recorders: list[WorkerRecorder]
) -> None:
    for recorder in recorders:
        recorder.ticks([second(1), replace(second(2), t=T0 + 7)])
    assert [one.seq for one in source.read()[0]] == [1, 8]


def test_sketches_names_errors_and_health_are_put_together(
    source: GatheredSource, recorders: list[WorkerRecorder]
) -> None:
    health = Health(lag_ms=3.0)
    recorders[0].ticks([replace(second(1, 2), errors=((0, 1),), health=health)])
    recorders[1].ticks([replace(second(1, 3, name="/b", bucket=SLOW), errors=((0, 1), (1, 1)), health=health)])
    ((found,), _) = source.read()
    assert found.total.sketch == {FAST: 2, SLOW: 3}
    assert [(row.name, row.requests) for row in found.rows] == [("/a", 2), ("/b", 3)]
    assert dict(found.errors) == {0: 2, 1: 1} and found.health is not None and found.health.lag_ms == 3.0


# --- totals -------------------------------------------------------------------------------------------------------


def test_totals_are_told_when_they_have_changed(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    assert source.totals() is None
    for recorder in recorders:
        file(recorder, 1, 2, requests=2)
    source.read()
    told = source.totals()
    assert told is not None and (told[0].requests, [row.requests for row in told[1]]) == (8, [8])
    assert source.totals() is None


def test_the_last_seconds_of_all_are_waited_for(
    source: GatheredSource, recorders: list[WorkerRecorder], lease: Lease
) -> None:
    for recorder in recorders:
        file(recorder, 1, 1)
    source.read()
    turns = iter(range(1, 4))
    renewed: list[int] = []

    def sleep(seconds: float) -> None:
        turn = next(turns)
        file(recorders[turn % 2], 2, 2)
        if turn == 2:
            close(0)
            close(1)

    source.sleep, source.renew = sleep, lambda: renewed.append(1)
    assert [(one.seq, one.total.requests) for one in source.finish(None)] == [(2, 2)]
    assert len(renewed) == 3


def test_in_the_end_everything_counts_that_was_filed(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    """Also what came too late to be told second by second."""
    one, other = recorders
    file(one, 1, 9)
    assert len(source.read()[0]) == 9
    file(other, 1, 9, requests=3, bucket=SLOW)
    close(0)
    close(1)
    assert source.finish(None) == []
    collected = source.collected()
    assert collected is not None and collected.total.requests == 36
    assert collected.total.requests == tiers_sum(source)


def tiers_sum(source: GatheredSource) -> int:
    return sum(row.cells[0].requests for row in tiers.each_second(source.run_id))


@pytest.mark.parametrize("state", [WorkerState.LOST, WorkerState.WANTED])
def test_who_will_not_come_is_not_waited_for_at_the_end(
    source: GatheredSource, recorders: list[WorkerRecorder], state: WorkerState
) -> None:
    file(recorders[0], 1, 3)
    close(0)
    RunWorker.objects.filter(index=1).update(state=state)
    source.sleep = _never
    assert len(source.finish(None)) == 3


def _never(seconds: float) -> None:
    raise AssertionError("there is nothing to wait for")


def test_a_worker_that_does_not_close_is_given_up(
    source: GatheredSource, recorders: list[WorkerRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LAST_SECONDS", 0.05)
    file(recorders[0], 1, 3)
    assert len(source.finish(None)) == 3


def test_failures_are_those_of_all_workers(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    assert source.failures() is None
    failed = tuple(replace(row, failures=2) for row in second(1, 2).rows)
    for recorder in recorders:
        recorder.ticks(
            [replace(second(1, 2), total=replace(second(1, 2).total, failures=2), rows=failed, errors=((0, 2),))]
        )
    source.read()
    (row,) = source.failures() or ()
    assert (row.index, row.error, row.occurrences) == (0, "0", 4)
    assert source.failures() is None


def test_an_error_that_is_not_known_ends_no_run(source: GatheredSource, recorders: list[WorkerRecorder]) -> None:
    """It is left out of the table."""
    for recorder in recorders:
        recorder.ticks([replace(second(1, 2), errors=((0, 2),))])
    Failure.objects.all().delete()
    source.read()
    assert source.failures() is None or source.failures() == []
    found = source.collected()
    assert found is not None and found.failures == []


# --- the database is away -----------------------------------------------------------------------------------------


def _away(*_args: object, **_options: object) -> Any:
    raise OperationalError("the database is away")


def test_a_database_that_is_away_is_waited_for(
    source: GatheredSource, recorders: list[WorkerRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    for recorder in recorders:
        file(recorder, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(tiers, "seconds", _away)
        assert source.read() == ([], False)
    assert [seq for seq, _, _ in read(source)] == [1, 2]


def test_a_database_that_goes_away_in_the_middle_makes_nothing_count_twice(
    source: GatheredSource, recorders: list[WorkerRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    for recorder in recorders:
        recorder.ticks([replace(second(number, 2), errors=((0, 1),)) for number in (1, 2)])
    with monkeypatch.context() as patch:
        patch.setattr(GatheredSource, "_learn_errors", _away)
        assert source.read() == ([], False) and source.failures() is None
    assert [seq for seq, _, _ in read(source)] == [1, 2]
    told = source.totals()
    assert told is not None and told[0].requests == 8


def test_what_could_not_be_read_in_the_end_is_said(
    source: GatheredSource, recorders: list[WorkerRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LAST_SECONDS", 0.05)
    source.renew = _away
    monkeypatch.setattr(tiers, "span", _away)
    assert source.finish(None) == [] and source.warnings == {"left_unread": ""}
