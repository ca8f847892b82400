"""Where a run goes, what it has there, and when it is free again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.core.clock import db_now
from apps.pools.models import IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.runs import placing
from apps.runs.lease import Lease
from apps.runs.models import Run, RunWorker
from apps.runs.placing import QUARANTINE_SECONDS, Elsewhere, free_due, release, take, taken, withdraw
from apps.runs.states import State, WorkerState
from apps.scenarios.models import WhenFull
from tests.factories import HostFactory, PoolFactory, RunFactory, RunWorkerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_redis")]
LATER = timedelta(seconds=QUARANTINE_SECONDS + 1)


@pytest.fixture
def lab(db: None) -> WorkerPool:
    """A pool with IDs."""
    return PoolFactory.create(name="lab", id_prefix="test_", id_width=4, first_id=1, last_id=500)


def host_of(pool: WorkerPool, name: str, first: int = 0, last: int = 0, **more: object) -> WorkerHost:
    host: WorkerHost = HostFactory.create(pool=pool, name=name, **{"slots": 2, **more})
    if first:
        IdRange.objects.create(pool=pool, host=host, first=first, last=last)
    return host


@pytest.fixture
def a(lab: WorkerPool) -> WorkerHost:
    return host_of(lab, "a", 1, 250)


@pytest.fixture
def b(lab: WorkerPool) -> WorkerHost:
    return host_of(lab, "b", 251, 500)


def queued(pool: WorkerPool, **fields: object) -> Run:
    return RunFactory.create(pool=pool, **{"users": 10, **fields})


def taken_by(run: Run, host: WorkerHost) -> Lease:
    lease = take(run.pk, runner="r", host=host)
    assert lease is not None
    return lease


def workers(run: Run) -> list[tuple[int, str, int, int]]:
    return list(RunWorker.objects.filter(run=run).values_list("index", "host_name", "users", "offset"))


def leased(run: Run) -> list[tuple[int, int, int]]:
    return list(IdLease.objects.filter(run_id=run.pk, ended_at=None).values_list("worker", "first", "last"))


# --- taking -------------------------------------------------------------------------------------------------------


def test_a_host_of_another_pool_does_not_take_it_whoever_rings(a: WorkerHost, lab: WorkerPool) -> None:
    stranger = host_of(PoolFactory.create(name="office"), "c")
    for workers_wanted in (1, 2):
        run = queued(lab, workers=workers_wanted)
        assert take(run.pk, runner="r", host=stranger) is None
        run.refresh_from_db()
        assert (run.state, run.waits_for, workers(run)) == (State.QUEUED, "", [])


def test_a_run_of_one_process_goes_to_the_host_that_takes_it(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab)
    assert taken_by(run, b) == Lease(run.pk, 1)
    run.refresh_from_db()
    assert (run.state, run.runner, run.id_prefix, run.id_width, run.waits_for) == ("claimed", "r", "test_", 4, "")
    assert workers(run) == [(0, "b", 10, 250)]
    assert leased(run) == [(0, 251, 260)]
    worker = RunWorker.objects.get()
    assert (worker.state, worker.host_id, worker.starts, worker.ended_at) == (WorkerState.WANTED, b.pk, 0, None)


def test_workers_go_to_all_hosts_and_users_to_all_workers(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab, workers=3, users=20)
    taken_by(run, b)
    assert workers(run) == [(0, "a", 6, 0), (1, "b", 7, 250), (2, "b", 7, 257)]
    assert leased(run) == [(0, 1, 6), (1, 251, 257), (2, 258, 264)]
    assert {lease.run_label for lease in IdLease.objects.all()} == {f"#{run.number} {run.scenario.name}"}


def test_a_host_that_was_moved_takes_nothing_of_its_old_pool(lab: WorkerPool, pool: WorkerPool) -> None:
    """Its runner listens to the old bell until it has looked."""
    moved = host_of(pool, "a")
    for workers in (1, 2):
        run = queued(lab, workers=workers)
        host_of(lab, f"b{workers}", workers * 100, workers * 100 + 99)
        assert take(run.pk, runner="r", host=moved) is None
        run.refresh_from_db()
        assert (run.state, run.waits_for, run.worker_rows.count()) == (State.QUEUED, "", 0)


def test_without_ids_users_are_numbered_within_the_run(pool: WorkerPool) -> None:
    host = host_of(pool, "a", slots=3)
    for _ in range(2):
        run = queued(pool, workers=1)
        taken_by(run, host)
        assert workers(run) == [(0, "a", 10, 0)]
    run.refresh_from_db()
    assert (run.id_prefix, run.id_width) == ("", 1) and not IdLease.objects.exists()


def test_two_runs_never_share_ids(a: WorkerHost, lab: WorkerPool) -> None:
    first, second = queued(lab, users=100), queued(lab, users=100)
    taken_by(first, a)
    taken_by(second, a)
    assert (leased(first), leased(second)) == ([(0, 1, 100)], [(0, 101, 200)])


def test_a_run_that_has_room_elsewhere_is_for_the_runner_there(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    for _ in range(2):
        taken_by(queued(lab), a)
    run = queued(lab)
    with pytest.raises(Elsewhere) as raised:
        take(run.pk, runner="r", host=a)
    assert raised.value.host_id == b.pk
    run.refresh_from_db()
    assert run.state == State.QUEUED and workers(run) == [] and leased(run) == []
    taken_by(run, b)


def test_a_host_that_takes_nothing_new_gets_nothing(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    WorkerHost.objects.filter(pk=a.pk).update(standing=Standing.DRAINING)
    with pytest.raises(Elsewhere):
        take(queued(lab).pk, runner="r", host=a)


@pytest.mark.parametrize("state", sorted(set(State) - {State.QUEUED}))
def test_only_a_queued_run_is_taken(a: WorkerHost, lab: WorkerPool, state: State) -> None:
    run = queued(lab, state=state)
    assert take(run.pk, runner="r", host=a) is None
    assert workers(run) == [] and leased(run) == []


# --- no room ------------------------------------------------------------------------------------------------------


def test_it_waits_with_a_sentence_and_is_taken_when_another_run_ends(
    a: WorkerHost, lab: WorkerPool, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    holding = queued(lab, users=241)
    run = queued(lab, scenario=holding.scenario)
    lease = taken_by(holding, a)
    assert take(run.pk, runner="r", host=a) is None
    run.refresh_from_db()
    assert (run.state, run.rings) == (State.QUEUED, 0)
    assert run.waits_for == (
        "It needs 10 IDs; it can have 9 of the active hosts of pool lab. "
        f"IDs are leased by #{holding.number} {holding.scenario.name} (241)."
    )
    RunWorker.objects.update(starts=1, ended_at=db_now(), state=WorkerState.ENDED)
    with django_capture_on_commit_callbacks(execute=True):
        placing.end(lease, State.FAILED, reason="runner_error", finished_at=db_now())
    run.refresh_from_db()
    assert run.rings == 1
    taken_by(run, a)
    run.refresh_from_db()
    assert run.waits_for == "" and leased(run) == [(0, 1, 10)]


def test_it_is_refused_when_it_is_not_to_wait(a: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab, workers=3, when_full=WhenFull.REFUSE)
    assert take(run.pk, runner="r", host=a) is None
    run.refresh_from_db()
    assert (run.state, run.reason, run.waits_for) == (State.FAILED, "no_room", "")
    assert run.diagnosis["message"].startswith("It needs 3 slots; pool lab has 2 free on active hosts.")
    assert run.finished_at and run.events.get(kind="state").data == {"state": "failed", "reason": "no_room"}


def test_slots_and_users_of_all_runs_are_counted(pool: WorkerPool) -> None:
    host = host_of(pool, "a", slots=3, max_users=30)
    taken_by(queued(pool, users=25), host)
    assert taken(pool) == {host.pk: (1, 25)}
    assert take(queued(pool, users=6).pk, runner="r", host=host) is None
    assert "6 users" in Run.objects.get(users=6).waits_for
    taken_by(queued(pool, users=5), host)
    assert taken(pool) == {host.pk: (2, 30)}


@pytest.mark.parametrize("state", sorted(WorkerState))
def test_a_process_takes_its_slot_until_it_is_known_to_be_gone(pool: WorkerPool, state: WorkerState) -> None:
    """Also one that is lost: it may be alive."""
    host = host_of(pool, "a")
    worker = RunWorkerFactory.create(run__pool=pool, host=host, state=state)
    assert taken(pool) == {host.pk: (0, 0) if state == WorkerState.ENDED else (1, 5)}
    RunWorker.objects.filter(pk=worker.pk).update(ended_at=db_now())
    assert taken(pool) == {host.pk: (0, 0)}


# --- giving back --------------------------------------------------------------------------------------------------


def test_what_was_never_started_is_free_at_once(a: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab)
    placing.end(taken_by(run, a), State.STOPPED, reason="stop_requested", finished_at=db_now())
    worker = RunWorker.objects.get()
    assert (worker.state, worker.is_closed) == (WorkerState.ENDED, True) and worker.ended_at
    assert leased(run) == [] and taken(lab)[a.pk] == (0, 0)


def test_what_has_ended_is_free_and_the_rest_when_it_is_sure_to_be(
    a: WorkerHost, b: WorkerHost, lab: WorkerPool
) -> None:
    run, now = queued(lab, workers=2), db_now()
    taken_by(run, a)
    RunWorker.objects.update(starts=1, state=WorkerState.READY)
    RunWorker.objects.filter(index=0).update(ended_at=now, state=WorkerState.ENDED)
    Run.objects.update(state=State.LOST, finished_at=now)
    release(run.pk, now)
    assert leased(run) == [(1, 251, 255)] and taken(lab) == {a.pk: (0, 0), b.pk: (1, 5)}
    free_due(now + LATER - timedelta(seconds=2))
    assert leased(run) == [(1, 251, 255)] and taken(lab)[b.pk] == (1, 5)
    free_due(now + LATER)
    assert leased(run) == [] and taken(lab)[b.pk] == (0, 0)
    worker = RunWorker.objects.get(index=1)
    assert (worker.state, worker.is_closed) == (WorkerState.ENDED, True)


def test_nothing_of_a_run_that_goes_on_is_freed(a: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab)
    taken_by(run, a)
    RunWorker.objects.update(starts=1, state=WorkerState.SILENT)
    free_due(db_now() + timedelta(days=1))
    assert leased(run) == [(0, 1, 10)] and taken(lab)[a.pk] == (1, 10)


def test_a_run_that_goes_back_to_the_queue_leaves_nothing_behind(a: WorkerHost, lab: WorkerPool) -> None:
    run = queued(lab)
    taken_by(run, a)
    withdraw(run.pk, db_now())
    Run.objects.update(state=State.QUEUED)
    assert workers(run) == [] and leased(run) == []
    assert taken_by(run, a) == Lease(run.pk, 2) and leased(run) == [(0, 1, 10)]


# --- at once ------------------------------------------------------------------------------------------------------


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(6) as pool:
        yield pool


@pytest.mark.django_db(transaction=True)
def test_runs_that_are_taken_at_once_share_nothing(threads: ThreadPoolExecutor) -> None:
    lab = PoolFactory.create(name="lab", first_id=1, last_id=500)
    host = host_of(lab, "a", 1, 500, slots=4)
    runs, start = [queued(lab, users=100) for _ in range(6)], Barrier(6)

    def try_it(run: Run) -> bool:
        try:
            start.wait()
            return take(run.pk, runner="r", host=host) is not None
        finally:
            connection.close()

    assert sum(threads.map(try_it, runs)) == 4
    spans = sorted(span for run in runs for span in leased(run))
    assert [(first, last) for _, first, last in spans] == [(1, 100), (101, 200), (201, 300), (301, 400)]
    assert Run.objects.filter(state=State.QUEUED).exclude(waits_for="").count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_run_is_taken_once(threads: ThreadPoolExecutor) -> None:
    lab = PoolFactory.create(name="lab", first_id=1, last_id=500)
    hosts = [host_of(lab, f"h{number}", number * 50 + 1, number * 50 + 50) for number in range(6)]
    run, start = queued(lab), Barrier(6)

    def try_it(host: WorkerHost) -> bool:
        try:
            start.wait()
            return take(run.pk, runner="r", host=host) is not None
        finally:
            connection.close()

    assert sum(threads.map(try_it, hosts)) == 1
    assert len(workers(run)) == len(leased(run)) == 1
