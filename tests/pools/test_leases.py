"""Which IDs are in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from apps.core.errors import Conflict
from apps.pools import leases
from apps.pools.allocation import NoRoom, Room, Seat, Span, seats
from apps.pools.models import IdLease, IdRange, Standing, WorkerHost, WorkerPool
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def host_of(pool: WorkerPool, name: str, first: int = 0, last: int = 0, **more: object) -> WorkerHost:
    fields = {"standing": Standing.ACTIVE, "is_silent": False, "slots": 2} | more
    host: WorkerHost = factories.HostFactory.create(pool=pool, name=name, **fields)
    if first:
        IdRange.objects.create(pool=pool, host=host, first=first, last=last)
    return host


def place(pool: WorkerPool, *, workers: int, users: int, label: str = "#1 Checkout", now: datetime = NOW) -> UUID:
    """A run on the pool, as the claim does it."""
    run_id = uuid4()
    with transaction.atomic():
        held = leases.lock(pool.pk)
        placed = seats(leases.rooms(held, {}, now), workers=workers, users=users)
        leases.take(pool=held, seats=placed, run_id=run_id, run_label=label, now=now)
    return run_id


def leased(run_id: UUID) -> list[tuple[int, int, int]]:
    return list(IdLease.objects.filter(run_id=run_id, ended_at=None).values_list("worker", "first", "last"))


# --- rooms --------------------------------------------------------------------------------------------------------


def test_a_room_is_what_a_host_has_free(lab: WorkerPool) -> None:
    host = host_of(lab, "a", 1, 100, slots=4, max_users=300)
    place(lab, workers=1, users=30)
    assert leases.rooms(lab, {host.pk: (1, 30)}, NOW) == [Room(host.pk, "a", 3, 270, (Span(31, 100),))]
    assert leases.rooms(lab, {}, NOW) == [Room(host.pk, "a", 4, 300, (Span(31, 100),))]


def test_a_host_that_has_less_than_it_is_used_for_has_nothing_free(pool: WorkerPool) -> None:
    host = host_of(pool, "a", slots=1, max_users=10)
    assert leases.rooms(pool, {host.pk: (2, 20)}, NOW) == [Room(host.pk, "a", 0, 0, None)]


def test_a_host_without_a_range_has_no_ids(lab: WorkerPool) -> None:
    host_of(lab, "a")
    assert [room.spans for room in leases.rooms(lab, {}, NOW)] == [()]


def test_only_hosts_that_are_active_and_heard_of_have_room(pool: WorkerPool) -> None:
    for standing in Standing:
        host_of(pool, f"{standing}", standing=standing)
        host_of(pool, f"{standing}-silent", standing=standing, is_silent=True)
    host_of(factories.PoolFactory.create(), "elsewhere")
    assert [room.name for room in leases.rooms(pool, {}, NOW)] == ["active"]


def test_rooms_take_two_queries(lab: WorkerPool, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(5):
        host_of(lab, f"h{number}", number * 100 + 1, number * 100 + 100, slots=None, cores=3)
    with django_assert_num_queries(2):
        assert [room.slots for room in leases.rooms(lab, {}, NOW)] == [3] * 5


# --- taking and giving back ---------------------------------------------------------------------------------------


def test_a_run_leases_a_block_a_worker(lab: WorkerPool) -> None:
    a, b = host_of(lab, "a", 1, 250), host_of(lab, "b", 251, 500)
    run = place(lab, workers=3, users=500)
    assert leased(run) == [(0, 1, 250), (1, 251, 375), (2, 376, 500)]
    held = IdLease.objects.filter(run_id=run)
    assert [lease.host for lease in held] == [a, b, b]
    assert {(lease.run_label, lease.leased_at, lease.free_at) for lease in held} == {("#1 Checkout", NOW, None)}


def test_two_runs_never_share_an_id(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 250, slots=4), host_of(lab, "b", 251, 500, slots=4)
    first, second = place(lab, workers=2, users=300), place(lab, workers=2, users=200)
    taken = [n for run in (first, second) for _, start, last in leased(run) for n in range(start, last + 1)]
    assert sorted(taken) == list(range(1, 501))
    with pytest.raises(NoRoom):
        place(lab, workers=1, users=1)


def test_a_run_gives_back_all_or_one_workers_ids(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 500, slots=4)
    run, other = place(lab, workers=3, users=300), place(lab, workers=1, users=10)
    assert leases.end(run_id=run, worker=1, now=LATER) == 1
    assert [worker for worker, *_ in leased(run)] == [0, 2]
    assert leases.end(run_id=run, now=LATER) == 2
    assert leases.end(run_id=run, now=LATER) == 0
    assert leased(run) == [] and leased(other) == [(0, 301, 310)]
    assert leased(place(lab, workers=2, users=300)) == [(0, 1, 150), (1, 151, 300)]


def test_a_lost_workers_ids_are_held_until_it_is_sure_to_be_gone(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 100, slots=4)
    run = place(lab, workers=2, users=100)
    assert leases.hold(run_id=run, worker=1, until=LATER) == 1
    with pytest.raises(NoRoom):
        place(lab, workers=1, users=50, now=LATER - timedelta(seconds=1))
    assert leases.end_due(LATER - timedelta(seconds=1)) == 0
    assert leases.end_due(LATER) == 1
    assert [worker for worker, *_ in leased(run)] == [0]


def test_ids_that_are_due_are_taken_without_waiting_for_the_keeper(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 100, slots=4)
    run = place(lab, workers=2, users=100)
    leases.hold(run_id=run, worker=1, until=LATER)
    assert leased(place(lab, workers=1, users=50, now=LATER)) == [(0, 51, 100)]
    assert [worker for worker, *_ in leased(run)] == [0]


def test_what_somebody_has_is_not_leased_twice(lab: WorkerPool) -> None:
    host = host_of(lab, "a", 1, 100)
    place(lab, workers=1, users=50)
    with pytest.raises(Conflict) as caught:
        leases.take(pool=lab, seats=[Seat(host.pk, 0, 2, 49)], run_id=uuid4(), run_label="#2 Search", now=NOW)
    assert (caught.value.code, caught.value.message) == (
        "ids_leased",
        "#1 Checkout has IDs that this run was to get.",
    )
    assert IdLease.objects.count() == 1


@pytest.mark.parametrize(("offset", "users"), [(0, 11), (20, 9), (19, 1), (10, 1), (0, 100), (14, 2)])
def test_not_even_one_id_is_leased_twice(lab: WorkerPool, offset: int, users: int) -> None:
    """11 to 20 are somebody's."""
    host = host_of(lab, "a", 1, 100)
    held = IdLease.objects.create(
        pool=lab, host=host, run_id=uuid4(), run_label="#1", worker=0, first=11, last=20, leased_at=NOW
    )
    run, wanted = uuid4(), [Seat(host.pk, 0, users, offset)]
    if offset >= held.last:
        assert len(leases.take(pool=lab, seats=wanted, run_id=run, run_label="#2", now=NOW)) == 1
    else:
        with pytest.raises(Conflict):
            leases.take(pool=lab, seats=wanted, run_id=run, run_label="#2", now=NOW)


def test_a_label_is_as_long_as_there_is_room_for(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 100)
    place(lab, workers=1, users=1, label="x" * 1000)
    assert len(IdLease.objects.get().run_label) == IdLease._meta.get_field("run_label").max_length == 300


def test_a_pool_without_ids_leases_nothing(pool: WorkerPool) -> None:
    host_of(pool, "a")
    assert leased(place(pool, workers=2, users=300)) == []


def test_leases_outlive_the_host(lab: WorkerPool) -> None:
    host = host_of(lab, "a", 1, 100)
    run = place(lab, workers=1, users=10)
    host.delete()
    assert leased(run) == [(0, 1, 10)]


# --- in words -----------------------------------------------------------------------------------------------------


def test_it_names_who_holds_how_many(lab: WorkerPool) -> None:
    host_of(lab, "a", 1, 500, slots=9)
    small, large = place(lab, workers=1, users=20, label="#7 Search"), place(lab, workers=3, users=300)
    leases.end(run_id=place(lab, workers=1, users=5, label="#9 Over"), now=NOW)
    assert leases.holders(lab) == [
        leases.Holder(large, "#1 Checkout", 300),
        leases.Holder(small, "#7 Search", 20),
    ]


def test_it_says_why_there_is_no_room(pool: WorkerPool, lab: WorkerPool) -> None:
    slots, users = NoRoom("slots", needed=1, free=0), NoRoom("users", needed=500, free=200)
    assert leases.shortage(slots, pool) == "It needs 1 slot; pool local has 0 free on active hosts."
    told = "It needs 1 slot; pool lab has 0 free on active hosts. Slots of hosts without free IDs do not count."
    assert leases.shortage(slots, lab) == told
    told = "It needs room for 500 users; the active hosts of pool local have it for 200."
    assert leases.shortage(users, pool) == told
    short = NoRoom("ids", needed=500, free=200)
    assert leases.shortage(short, lab) == "It needs 500 IDs; it can have 200 of the active hosts of pool lab."
