"""What the runner of a host may do with the workers of a run that are its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from apps.core.clock import db_now
from apps.pools.models import IdLease, WorkerPool
from apps.runs import sharing
from apps.runs.lease import LEASE_SECONDS, RENEW_SECONDS, Fenced, Lease
from apps.runs.models import Run, RunWorker
from apps.runs.sharing import MAX_STARTS, Seen, Share, claim_share, may_begin_anew
from apps.runs.states import HELD, State, WorkerState
from apps.scenarios.models import OnLost
from tests.factories import HostFactory, PoolFactory, RunWorkerFactory
from tests.runs.makers import held, row_of, shared
from workers.spec import Steering

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lease() -> Lease:
    return held(workers=3)


@pytest.fixture
def share(lease: Lease) -> Share:
    return shared(lease, 0, 1)


def worker(index: int) -> RunWorker:
    return RunWorker.objects.get(index=index)


# --- claiming -----------------------------------------------------------------------------------------------------


def test_a_host_takes_its_own_workers_once(lease: Lease) -> None:
    host = HostFactory.create()
    RunWorkerFactory.create(run=row_of(lease), index=2)  # of another host
    share = shared(lease, 1, 0, host=host)
    assert share == Share(lease.run_id, host.pk, 1, (0, 1))
    assert claim_share(lease.run_id, host.pk, runner="again") is None
    for index in (0, 1):
        row = worker(index)
        assert (row.state, row.fence, row.runner, row.starts) == (WorkerState.STARTING, 1, "host-1", 1)
        assert row.started_at and row.lease_until
        assert timedelta(0) < row.lease_until - db_now() <= timedelta(seconds=LEASE_SECONDS)
    assert worker(2).state == WorkerState.WANTED


@pytest.mark.parametrize("state", sorted(set(State) - HELD))
def test_nobody_takes_workers_of_a_run_that_nobody_leads(state: State) -> None:
    host = HostFactory.create()
    row = RunWorkerFactory.create(run__state=state, host=host)
    assert claim_share(row.run_id, host.pk, runner="r") is None


@pytest.mark.django_db(transaction=True)
def test_one_of_many_takes_them() -> None:
    host, start = HostFactory.create(), Barrier(6)
    row = RunWorkerFactory.create(run__state=State.STARTING, host=host)

    def try_it(number: int) -> Share | None:
        try:
            start.wait()
            return claim_share(row.run_id, host.pk, runner=f"host-{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        assert sum(share is not None for share in threads.map(try_it, range(6))) == 1
    row.refresh_from_db()
    assert (row.starts, row.fence) == (1, 1)


# --- fences -------------------------------------------------------------------------------------------------------

DEEDS: dict[str, Callable[[Share], object]] = {
    "renew": lambda share: share.renew(),
    "look": lambda share: share.look(),
    "write": lambda share: share.write(0, current_users=9),
    "check": lambda share: share.check(0),
    "end": lambda share: share.end(0, reason="over"),
    "begin_anew": lambda share: share.begin_anew(0),
    "offer": lambda share: share.offer(0, reason="killed"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_does_anything_with_workers_that_are_somebody_elses(share: Share, deed: str) -> None:
    RunWorker.objects.update(fence=2)
    before = list(RunWorker.objects.values())
    with pytest.raises(Fenced), transaction.atomic():
        DEEDS[deed](share)
    assert list(RunWorker.objects.values()) == before


@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_does_anything_with_workers_of_another_host(share: Share, deed: str) -> None:
    RunWorker.objects.update(host=HostFactory.create())
    with pytest.raises(Fenced), transaction.atomic():
        DEEDS[deed](share)


def test_nothing_is_filed_once_the_run_is_over(share: Share) -> None:
    RunWorker.objects.filter(index=0).update(last_seq=7)
    with transaction.atomic():
        assert share.check(0) == 7
    Run.objects.update(state=State.LOST)
    with pytest.raises(Fenced), transaction.atomic():
        share.check(0)


def test_it_holds_on(share: Share) -> None:
    RunWorker.objects.update(lease_until=db_now() - timedelta(hours=1))
    share.renew()
    assert all(row.lease_until and row.lease_until > db_now() for row in RunWorker.objects.all())


# --- looking ------------------------------------------------------------------------------------------------------


def test_it_sees_how_the_run_is(share: Share) -> None:
    nothing = Seen(is_over=False, is_aborted=False, is_masterless=False, given_up=frozenset(), steering=None)
    assert share.look() == nothing
    RunWorker.objects.filter(index=1).update(state=WorkerState.LOST)
    Run.objects.update(abort_requested_at=db_now(), steering_revision=4, run_time_s=90.0, wanted_users=7)
    assert share.look() == Seen(False, True, False, frozenset({1}), Steering(4, 90.0))
    Run.objects.update(link={"is_over": True})
    assert share.look().is_masterless
    Run.objects.update(state=State.FINISHED)
    assert share.look().is_over


def test_a_run_that_is_gone_is_nobodys(share: Share, lease: Lease) -> None:
    row_of(lease).delete()
    with pytest.raises(Fenced):
        share.look()


@pytest.mark.parametrize(
    ("seconds_ago", "expected"), [(0, False), (RENEW_SECONDS + 1, False), (2 * RENEW_SECONDS + 1, True)]
)
def test_a_leader_that_does_not_renew_is_gone(share: Share, lease: Lease, seconds_ago: int, expected: bool) -> None:
    until = db_now() + timedelta(seconds=LEASE_SECONDS - seconds_ago)
    Run.objects.update(lease_until=until)
    assert share.is_leaderless() is expected


def test_a_run_that_was_given_back_has_no_leader(share: Share) -> None:
    Run.objects.update(lease_until=None)
    assert share.is_leaderless()


# --- the end ------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(db: None) -> WorkerPool:
    return PoolFactory.create(name="lab", first_id=1, last_id=500)


def lend(lease: Lease, lab: WorkerPool) -> None:
    for index in (0, 1):
        IdLease.objects.create(
            pool=lab,
            run_id=lease.run_id,
            run_label="#1",
            worker=index,
            first=index * 10 + 1,
            last=index * 10 + 5,
            leased_at=db_now(),
        )


def lent() -> list[int]:
    return list(IdLease.objects.filter(ended_at=None).values_list("worker", flat=True))


def test_a_worker_that_ends_keeps_its_ids_while_the_run_goes_on(share: Share, lease: Lease, lab: WorkerPool) -> None:
    """Its users may be made anew elsewhere, under the same IDs."""
    lend(lease, lab)
    RunWorker.objects.update(current_users=5)
    share.end(0, reason="x" * 400)
    row = worker(0)
    assert (row.state, row.is_closed, row.current_users, row.reason) == (WorkerState.ENDED, True, 0, "x" * 300)
    assert row.ended_at and worker(1).ended_at is None and lent() == [0, 1]


def test_a_worker_that_ends_after_its_run_gives_its_ids_back(share: Share, lease: Lease, lab: WorkerPool) -> None:
    lend(lease, lab)
    Run.objects.update(state=State.LOST)
    share.end(0, reason="")
    assert lent() == [1]


def test_a_worker_begins_anew_where_it_had_got_to(share: Share) -> None:
    share.write(0, last_seq=12)
    share.end(0, reason="killed")
    share.begin_anew(0)
    row = worker(0)
    assert (row.state, row.reason, row.ended_at, row.is_closed, row.starts) == ("starting", "", None, False, 2)
    assert row.last_seq == 12


# --- when the owner has died --------------------------------------------------------------------------------------


def test_what_a_dead_owner_had_is_somebody_elses(share: Share, lease: Lease) -> None:
    RunWorkerFactory.create(run=row_of(lease), index=2)  # of another host
    assert sharing.orphaned(share.host_id) == [lease.run_id]
    taken = sharing.seize(lease.run_id, share.host_id)
    assert taken == Share(lease.run_id, share.host_id, 2, (0, 1))
    with pytest.raises(Fenced):
        share.renew()
    assert worker(0).state == WorkerState.STARTING and worker(2).fence == 0


@pytest.mark.parametrize(
    "fields", [{"starts": 0}, {"ended_at": LONG_AGO}, {"state": WorkerState.WANTED}, {"host": None}]
)
def test_what_nobody_has_in_hand_is_not_seized(share: Share, lease: Lease, fields: dict[str, Any]) -> None:
    RunWorker.objects.update(**fields)
    assert sharing.orphaned(share.host_id) == [] and sharing.seize(lease.run_id, share.host_id) is None


def test_a_run_of_one_process_has_no_owner_but_its_runner() -> None:
    share = shared(held(workers=1), 0)
    assert sharing.orphaned(share.host_id) == []


def test_a_worker_that_is_offered_is_taken_by_the_next(share: Share, lease: Lease) -> None:
    RunWorker.objects.update(current_users=5, last_seq=9)
    share.offer(0, reason="x" * 400)
    row = worker(0)
    assert (row.state, row.reason, row.lease_until, row.is_closed) == (WorkerState.WANTED, "x" * 300, None, True)
    assert (row.current_users, row.ended_at) == (0, None)  # its slot is not given away
    taken = claim_share(lease.run_id, share.host_id, runner="host-2")
    assert taken == Share(lease.run_id, share.host_id, 2, (0,))
    row = worker(0)
    assert (row.state, row.starts, row.reason, row.is_closed, row.last_seq) == (WorkerState.STARTING, 2, "", False, 9)


def test_nothing_of_a_run_that_is_over_is_offered(share: Share) -> None:
    Run.objects.update(state=State.FINISHED)
    with pytest.raises(Fenced):
        share.offer(0, reason="")
    assert worker(0).state == WorkerState.STARTING


@pytest.mark.parametrize(
    ("on_lost", "starts", "was_ready", "expected"),
    [
        (OnLost.REBALANCE, 1, True, True),
        (OnLost.REBALANCE, MAX_STARTS - 1, True, True),
        (OnLost.REBALANCE, MAX_STARTS, True, False),
        (OnLost.REBALANCE, 1, False, False),
        (OnLost.DEGRADE, 1, True, False),
        (OnLost.END, 1, True, False),
    ],
)
def test_who_begins_anew(on_lost: str, starts: int, was_ready: bool, expected: bool) -> None:
    row = RunWorker(starts=starts, ready_at=db_now() if was_ready else None)
    assert may_begin_anew(row, on_lost) is expected
