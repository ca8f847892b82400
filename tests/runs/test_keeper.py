"""What the keeper mends, and what it leaves alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core.clock import db_now
from apps.core.models import IdempotencyKey, LeaderLease
from apps.pools.models import IdLease, IdRange, Standing, WorkerHost
from apps.runs import keeper as chores
from apps.runs import placing, tiers
from apps.runs.keeper import Keeper
from apps.runs.lease import LEASE_SECONDS, claim
from apps.runs.management.commands.keeper import keep
from apps.runs.models import Run, SampleBlock
from apps.runs.retention import Retention
from apps.runs.states import State, WorkerState
from apps.scenarios.models import WhenFull
from tests.factories import HostFactory, PoolFactory, RunFactory
from tests.runs.makers import held, row_of, seconds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_redis")]


@pytest.fixture
def watching() -> Keeper:
    """A keeper that has seen the database for long enough."""
    return Keeper(seen_since=db_now() - timedelta(hours=1), seen_at=db_now())


def expire() -> None:
    Run.objects.update(lease_until=db_now() - timedelta(seconds=1))


def test_it_queues_an_expired_claim_again(watching: Keeper) -> None:
    lease = held(State.CLAIMED)
    expire()
    watching.round()
    run = row_of(lease)
    assert (run.state, run.runner, run.lease_until, run.claimed_at) == (State.QUEUED, "", None, None)
    assert run.events.filter(data__state="queued", by="system:keeper").count() == 1
    again = claim(run.pk, runner="host-2")
    assert again is not None and again.fence == lease.fence + 1


def test_an_expired_claim_gives_back_its_places(watching: Keeper) -> None:
    lab = PoolFactory.create(first_id=1, last_id=100)
    host = HostFactory.create(pool=lab)
    IdRange.objects.create(pool=lab, host=host, first=1, last=100)
    run = RunFactory.create(pool=lab)
    assert placing.take(run.pk, runner="host-1", host=host) is not None
    expire()
    watching.round()
    assert not run.worker_rows.exists() and not IdLease.objects.filter(ended_at=None).exists()
    assert placing.take(run.pk, runner="host-1", host=host) is not None


def test_the_ids_of_a_lost_run_are_free_when_its_processes_are_sure_to_be_gone(watching: Keeper) -> None:
    lab = PoolFactory.create(first_id=1, last_id=100)
    host = HostFactory.create(pool=lab)
    IdRange.objects.create(pool=lab, host=host, first=1, last=100)
    run = RunFactory.create(pool=lab)
    placing.take(run.pk, runner="host-1", host=host)
    Run.objects.update(state=State.RUNNING)
    run.worker_rows.update(starts=1, state=WorkerState.READY)
    expire()
    watching.round()
    assert IdLease.objects.get().ended_at is None and run.worker_rows.get().ended_at is None
    long_ago = db_now() - timedelta(seconds=placing.QUARANTINE_SECONDS + 1)
    Run.objects.update(finished_at=long_ago)
    IdLease.objects.update(free_at=long_ago)
    watching.round()
    assert IdLease.objects.get().ended_at and run.worker_rows.get().ended_at


@pytest.mark.parametrize("wish", ["stop_requested_at", "abort_requested_at"])
def test_it_ends_an_expired_claim_that_somebody_stopped(watching: Keeper, wish: str) -> None:
    lease = held(State.CLAIMED)
    Run.objects.update(**{wish: timezone.now()})
    expire()
    watching.round()
    run = row_of(lease)
    assert (run.state, run.reason) == (State.STOPPED, "stop_requested") and run.finished_at


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING])
def test_it_declares_a_silent_run_lost_and_keeps_its_results(watching: Keeper, state: State) -> None:
    lease = held(state, totals={"requests": 190}, current_users=3)
    tiers.append(lease.run_id, list(seconds(1, 60)))
    tiers.append(lease.run_id, list(seconds(61, 95)))
    expire()
    watching.round()
    run = row_of(lease)
    assert (run.state, run.reason, run.verdict, run.current_users) == (State.LOST, "host_lost", "invalid", 0)
    assert run.totals == {"requests": 190} and run.finished_at and run.lease_until is None
    assert sum(row.cells[0].requests for row in tiers.read(run.pk, 60)) == 190
    watching.round()
    assert run.events.filter(data__state="lost").count() == 1


def test_a_broken_block_keeps_it_from_nothing(watching: Keeper) -> None:
    lease, other = held(), held()
    tiers.append(lease.run_id, list(seconds(1, 5)))
    SampleBlock.objects.update(data=b"garbage")
    expire()
    watching.round()
    assert row_of(lease).state == row_of(other).state == State.LOST


@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING])
def test_it_leaves_a_run_that_renews(watching: Keeper, state: State) -> None:
    lease = held(state)
    watching.round()
    assert row_of(lease).state == state


def test_it_judges_nobody_before_it_has_watched_for_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    lease, keeper, start = held(), Keeper(), db_now() + timedelta(hours=1)

    def round_at(second: float) -> str:
        monkeypatch.setattr(chores, "db_now", lambda: start + timedelta(seconds=second))
        keeper.round()
        return row_of(lease).state

    assert [round_at(second) for second in (0, 5, 10)] == ["running"] * 3
    keeper.lost_sight()
    assert [round_at(second) for second in (14, 20, 28)] == ["running"] * 3
    assert round_at(14 + LEASE_SECONDS) == "lost"


def test_it_judges_nobody_right_after_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    lease, start = held(), db_now()
    keeper = Keeper(seen_since=start - timedelta(hours=1), seen_at=start)
    monkeypatch.setattr(chores, "db_now", lambda: start + timedelta(hours=8))
    keeper.round()
    assert row_of(lease).state == State.RUNNING


def test_it_names_silent_hosts_once_it_has_watched_long_enough(watching: Keeper) -> None:
    host = HostFactory.create(last_seen_at=db_now() - timedelta(minutes=1))
    Keeper().round()
    host.refresh_from_db()
    assert host.state == "active"
    watching.round()
    host.refresh_from_db()
    assert host.state == "offline"


def test_two_keepers_change_a_run_once(watching: Keeper) -> None:
    lease = held()
    expire()
    now = db_now()
    stale: list[Any] = [chores._expired(now, chores.UNDER_LOAD) for _ in range(2)]
    assert stale == [[lease.run_id]] * 2
    assert [chores._end_as_lost(lease.run_id, now) for _ in range(2)] == [True, False]


def test_it_forgets_old_idempotency_keys(watching: Keeper) -> None:
    IdempotencyKey.objects.create(scope="user:1 /", key="old", request_sha256="")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    IdempotencyKey.objects.create(scope="user:1 /", key="new", request_sha256="")
    watching.round()
    assert IdempotencyKey.objects.get().key == "new"


def test_it_looks_for_stray_files_seldom(watching: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[datetime] = []
    monkeypatch.setattr("apps.runs.finish.delete_stray_files", lambda: looks.append(db_now()))
    for _ in range(3):
        watching.round()
    assert len(looks) == 1


def test_it_throws_away_old_seconds(watching: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFactory.create(state=State.FINISHED, finished_at=db_now() - timedelta(days=8))
    tiers.append(run.pk, list(seconds(1, 60)))
    tiers.close_all(run.pk)
    watching.round()
    assert sorted(SampleBlock.objects.values_list("step_s", flat=True)) == [10, 60]
    looks: list[datetime] = []

    def look(_self: Retention, now: datetime) -> bool:
        looks.append(now)
        return False

    monkeypatch.setattr(Retention, "round", look)
    for _ in range(3):
        watching.round()
    assert len(looks) == 1  # once more after something was done, then not for a while


def test_it_asks_for_a_bell_that_is_away_once_a_round(watching: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        RunFactory.create()
    watching.round()
    assert len([record for record in caplog.records if "no doorbell" in record.message]) == 1


# --- the command --------------------------------------------------------------------------------------------------


def rounds(count: int) -> Iterator[bool]:
    yield from [False] * count
    yield True


def run_command(keeper: Keeper, holder: str, count: int = 1) -> None:
    stop = rounds(count)
    keep(keeper, holder=holder, wait=lambda _seconds: None, stopped=lambda: next(stop))


class Counting(Keeper):
    done = 0
    lost = 0

    def round(self) -> None:
        self.done += 1

    def lost_sight(self) -> None:
        self.lost += 1


@pytest.mark.django_db(transaction=True)
def test_one_of_two_keepers_works() -> None:
    LeaderLease.objects.create(name="keeper", holder="other", until=db_now() + timedelta(seconds=30))
    idle, busy = Counting(), Counting()
    run_command(idle, "me", 3)
    LeaderLease.objects.update(until=db_now() - timedelta(seconds=1))
    run_command(busy, "me", 3)
    assert (idle.done, busy.done) == (0, 3)
    assert not LeaderLease.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_survives_a_database_that_is_away() -> None:
    class Failing(Counting):
        def round(self) -> None:
            super().round()
            raise OperationalError("the database is away")

    keeper = Failing()
    run_command(keeper, f"me.{os.getpid()}", 2)
    assert (keeper.done, keeper.lost) == (2, 2)


# --- a full pool --------------------------------------------------------------------------------------------------


FULL = "It needs 1 slot; pool lab has 0 free on active hosts. Slots are taken by 1 run of another team (1)."


@pytest.fixture
def full() -> WorkerHost:
    """A host whose only slot is taken: its runner does not listen to the pool's bell."""
    host: WorkerHost = HostFactory.create(pool=PoolFactory.create(name="lab"), slots=1)
    assert placing.take(RunFactory.create(pool=host.pool).pk, runner="r", host=host) is not None
    Run.objects.update(lease_until=db_now() + timedelta(hours=1))
    return host


def test_it_says_what_a_run_waits_for_in_a_full_pool(watching: Keeper, full: WorkerHost) -> None:
    run = RunFactory.create(pool=full.pool)
    watching.round()
    run.refresh_from_db()
    assert (run.state, run.waits_for) == (State.QUEUED, FULL)


def test_it_refuses_a_run_that_is_not_to_wait_in_a_full_pool(watching: Keeper, full: WorkerHost) -> None:
    run = RunFactory.create(pool=full.pool, when_full=WhenFull.REFUSE)
    watching.round()
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.FAILED, "no_room")
    assert run.diagnosis["message"] == FULL


@pytest.mark.parametrize("change", [{"slots": 2}, {"standing": Standing.DRAINING}, {"is_silent": True}])
def test_it_leaves_to_runners_what_they_can_judge(
    watching: Keeper, full: WorkerHost, change: dict[str, object]
) -> None:
    """One that has a free slot hears the bell; and where none is at work, a run waits for one."""
    WorkerHost.objects.filter(pk=full.pk).update(**change)
    run = RunFactory.create(pool=full.pool, when_full=WhenFull.REFUSE)
    watching.round()
    run.refresh_from_db()
    assert (run.state, run.waits_for) == (State.QUEUED, "")
