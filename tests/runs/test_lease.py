"""Who may write to a run, and what happens to those who may no longer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone, translation

from apps.core.clock import db_now
from apps.runs.lease import LEASE_SECONDS, Fenced, Lease, Wishes, claim
from apps.runs.models import Endpoint, Failure, LogChunk, Run, RunEvent, SampleBlock
from apps.runs.recording import Recorder
from apps.runs.states import HELD, TERMINAL, TRANSITIONS, State
from tests.factories import RunFactory
from tests.runs.makers import held, row_of, sample, tick, totals
from workers.outcome import Order
from workers.spec import Steering

pytestmark = pytest.mark.django_db


def test_it_claims_a_queued_run() -> None:
    run = RunFactory.create()
    lease = claim(run.pk, runner="host-1")
    run.refresh_from_db()
    assert lease == Lease(run.pk, 1)
    assert (run.state, run.fence, run.runner) == (State.CLAIMED, 1, "host-1")
    assert run.claimed_at and run.lease_until
    assert timedelta(0) < run.lease_until - db_now() <= timedelta(seconds=LEASE_SECONDS)
    assert run.events.get().by == "runner:host-1"


@pytest.mark.parametrize("state", sorted(set(State) - {State.QUEUED}))
def test_it_claims_nothing_else(state: State) -> None:
    run = RunFactory.create(state=state)
    assert claim(run.pk, runner="host-1") is None
    assert not run.events.exists()


def test_it_claims_no_run_that_is_gone() -> None:
    assert claim("01890000-0000-7000-8000-000000000000", runner="host-1") is None


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_many_claim() -> None:
    run, start = RunFactory.create(), Barrier(6)

    def try_it(number: int) -> Lease | None:
        try:
            start.wait()
            return claim(run.pk, runner=f"host-{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        leases = [lease for lease in pool.map(try_it, range(6)) if lease]
    assert len(leases) == 1
    assert row_of(leases[0]).fence == 1
    assert RunEvent.objects.filter(run=run, data__state="claimed").count() == 1


def test_it_renews_and_hears_wishes() -> None:
    lease = held()
    Run.objects.update(lease_until=db_now())
    assert lease.renew() == lease.wishes() == Wishes(Order.GO)
    until = row_of(lease).lease_until
    assert until and until > db_now() + timedelta(seconds=LEASE_SECONDS - 2)
    Run.objects.update(stop_requested_at=timezone.now())
    assert lease.renew() == lease.wishes() == Wishes(Order.STOP)
    Run.objects.update(abort_requested_at=timezone.now())
    assert lease.renew() == lease.wishes() == Wishes(Order.ABORT)


def test_it_hears_what_is_wanted_of_the_test_in_the_same_breath(django_assert_num_queries: Any) -> None:
    lease = held()
    Run.objects.update(steering_revision=3, wanted_users=0, wanted_spawn_rate=0.5, is_paused=True, run_time_s=90)
    with django_assert_num_queries(1):
        wishes = lease.wishes()
    assert wishes == Wishes(Order.GO, Steering(3, 90.0, 0, 0.5, True)) == lease.renew()
    Run.objects.update(stop_requested_at=timezone.now())
    assert lease.wishes() == Wishes(Order.STOP, wishes.steering)


def test_it_does_not_hold_on_by_asking() -> None:
    lease, until = held(), db_now()
    Run.objects.update(lease_until=until)
    lease.wishes()
    assert row_of(lease).lease_until == until


@pytest.mark.parametrize("change", [{"fence": 2}, {"state": State.LOST}, {"state": State.QUEUED}])
def test_it_tells_a_stale_holder_to_leave(change: dict[str, Any]) -> None:
    lease = held()
    Run.objects.update(**change)
    assert lease.renew() == lease.wishes() == Wishes(Order.FENCED)


@pytest.mark.parametrize("source", sorted(State))
def test_it_moves_only_along_the_arrows(source: State) -> None:
    lease = held(source)
    for target in State:
        Run.objects.update(state=source)
        if source in HELD and target in TRANSITIONS[source]:
            lease.move(target)
            assert row_of(lease).state == target
            assert (row_of(lease).lease_until is None) is (target in TERMINAL)
        else:
            with pytest.raises(Fenced):
                lease.move(target)
            assert row_of(lease).state == source


WRITES: dict[str, Callable[[Recorder], object]] = {
    "ticks": lambda recorder: recorder.ticks([tick(1, sample("/"))]),
    "tables": lambda recorder: recorder.tables([], []),
    "totals": lambda recorder: recorder.totals(totals("all", 1), [totals("/", 1)]),
    "log": lambda recorder: recorder.log(["line"]),
    "step": lambda recorder: recorder.step("Locust started"),
    "warning": lambda recorder: recorder.warning("code", "text"),
    "generator": lambda recorder: recorder.generator(50.0, 1_000, loaded=True),
    "finish_blocks": lambda recorder: recorder.finish_blocks(),
    "write": lambda recorder: recorder.lease.write(current_users=9),
    "move": lambda recorder: recorder.lease.move(State.STOPPING),
    "check": lambda recorder: recorder.lease.check(),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("change", [{"fence": 2}, {"state": State.LOST}])
def test_it_lets_a_stale_holder_change_nothing(name: str, change: dict[str, Any]) -> None:
    lease = held()
    Run.objects.update(**change)
    before, events = Run.objects.values().get(), RunEvent.objects.count()
    with pytest.raises(Fenced):
        WRITES[name](Recorder(lease))
    assert Run.objects.values().get() == before
    assert RunEvent.objects.count() == events
    for model in (SampleBlock, Endpoint, Failure, LogChunk):
        assert not model._default_manager.exists()


def test_it_keeps_the_sentence_as_the_source_has_it() -> None:
    lease = held()
    with translation.override("de"):
        lease.move(State.FAILED, reason="timeout")
    event = RunEvent.objects.filter(kind="state").latest("id")
    assert event.text.startswith("It did not end by itself")
    assert event.data == {"state": "failed", "reason": "timeout"}
