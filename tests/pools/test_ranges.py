"""Which host owns which IDs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core.errors import Conflict, HatcheryError, Invalid
from apps.pools import ranges
from apps.pools.models import MAX_ID, MAX_ID_WIDTH, IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests import factories

BY = Actor(system="test")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def a(lab: WorkerPool) -> WorkerHost:
    return factories.HostFactory.create(pool=lab, name="a", slots=1, standing=Standing.ACTIVE)


@pytest.fixture
def b(lab: WorkerPool) -> WorkerHost:
    return factories.HostFactory.create(pool=lab, name="b", slots=2, standing=Standing.ACTIVE)


def lease(host: WorkerHost, first: int, last: int, **more: object) -> IdLease:
    fields = {"run_id": uuid4(), "run_label": "#128 Checkout", "worker": 0, "leased_at": NOW} | more
    return IdLease.objects.create(pool=host.pool, host=host, first=first, last=last, **fields)


def owned(pool: WorkerPool) -> list[tuple[str, int, int]]:
    return list(pool.ranges.values_list("host__name", "first", "last"))


def refusal(action: Callable[[], object], kind: type[HatcheryError] = HatcheryError) -> tuple[str, list[str], str]:
    """Its code, its fields, its sentence."""
    with pytest.raises(kind) as caught:
        action()
    return caught.value.code, list(caught.value.fields), caught.value.message


# --- one host -----------------------------------------------------------------------------------------------------


def test_it_gives_a_host_its_range_and_writes_it_down(a: WorkerHost, lab: WorkerPool) -> None:
    ranges.assign(host=a, first=1, last=166, by=BY)
    ranges.assign(host=a, first=1, last=200, by=BY)
    assert owned(lab) == [("a", 1, 200)]
    newest, oldest = AuditEvent.objects.all()
    assert (newest.action, newest.object, newest.actor, newest.team_id) == ("host.assign_ids", "a", "system:test", None)
    assert newest.details == {"before": [1, 166], "after": [1, 200]}
    assert oldest.details["before"] is None


def test_the_same_again_changes_nothing(a: WorkerHost) -> None:
    first = ranges.assign(host=a, first=1, last=166, by=BY)
    lease(a, 1, 10)
    assert ranges.assign(host=a, first=1, last=166, by=BY) == first
    assert AuditEvent.objects.count() == 1


def test_it_takes_a_range_away(a: WorkerHost, lab: WorkerPool) -> None:
    ranges.assign(host=a, first=1, last=166, by=BY)
    ranges.clear(host=a, by=BY)
    ranges.clear(host=a, by=BY)
    assert owned(lab) == []
    assert [event.action for event in AuditEvent.objects.all()] == ["host.clear_ids", "host.assign_ids"]


@pytest.mark.parametrize(("first", "last"), [(100, 200), (1, 100), (200, 500), (150, 150), (1, 500)])
def test_it_names_the_owner_of_an_overlap(a: WorkerHost, b: WorkerHost, first: int, last: int) -> None:
    ranges.assign(host=b, first=100, last=200, by=BY)
    told = refusal(lambda: ranges.assign(host=a, first=first, last=last, by=BY), Conflict)
    assert told == ("range_taken", ["first"], "test_00100 to test_00200 belong to host b.")
    assert owned(b.pool) == [("b", 100, 200)]


def test_it_names_a_single_id(a: WorkerHost, b: WorkerHost) -> None:
    ranges.assign(host=b, first=7, last=7, by=BY)
    assert refusal(lambda: ranges.assign(host=a, first=1, last=9, by=BY))[2] == "test_00007 belongs to host b."


@pytest.mark.parametrize(
    ("first", "last", "code", "field", "sentence"),
    [
        (9, 8, "range_reversed", "last", "The range ends before it begins: 8 is less than 9."),
        (None, 8, "range_empty", "first", "A range needs a first and a last number."),
        (9, None, "range_empty", "last", "A range needs a first and a last number."),
        (0, 8, "range_outside", "first", f"An ID is a number from 1 to {MAX_ID}."),
        (1, 501, "range_outside", "last", "The IDs of pool lab are test_00001 to test_00500."),
        (1, MAX_ID + 1, "range_outside", "last", f"An ID is a number from 1 to {MAX_ID}."),
        (-(2**70), 2**70, "range_outside", "first", f"An ID is a number from 1 to {MAX_ID}."),
    ],
)
def test_it_refuses_what_is_no_range(
    a: WorkerHost, first: int | None, last: int | None, code: str, field: str, sentence: str
) -> None:
    assert refusal(lambda: ranges.assign(host=a, first=first, last=last, by=BY), Invalid) == (code, [field], sentence)


def test_a_pool_without_ids_has_no_ranges(pool: WorkerPool) -> None:
    host = factories.HostFactory.create(pool=pool)
    code, _fields, sentence = refusal(lambda: ranges.assign(host=host, first=1, last=2, by=BY), Conflict)
    assert (code, sentence) == ("no_ids", "Pool local has no IDs yet: give it a format first.")


@pytest.mark.parametrize(("first", "last", "is_free"), [(1, 49, True), (61, 99, True), (1, 50, False), (60, 99, False)])
def test_a_range_up_to_an_id_that_is_leased_is_free(
    a: WorkerHost, b: WorkerHost, first: int, last: int, is_free: bool
) -> None:
    """50 to 60 are a run's, on a host whose range was another once."""
    lease(a, 50, 60)
    if is_free:
        assert ranges.assign(host=b, first=first, last=last, by=BY).first == first
    else:
        assert refusal(lambda: ranges.assign(host=b, first=first, last=last, by=BY), Conflict)[0] == "ids_leased"


def test_a_range_stays_while_its_ids_are_leased(a: WorkerHost, lab: WorkerPool) -> None:
    ranges.assign(host=a, first=1, last=166, by=BY)
    held = lease(a, 11, 20)
    told = ("ids_leased", ["first"], "#128 Checkout has leased test_00011 to test_00020. Wait until it is over.")
    assert refusal(lambda: ranges.assign(host=a, first=1, last=200, by=BY), Conflict) == told
    assert refusal(lambda: ranges.clear(host=a, by=BY), Conflict) == told
    assert owned(lab) == [("a", 1, 166)]
    held.ended_at = NOW
    held.save()
    ranges.clear(host=a, by=BY)
    assert owned(lab) == []


def test_nobody_gets_ids_that_a_run_still_has(a: WorkerHost, b: WorkerHost) -> None:
    lease(b, 5, 5)
    code, _fields, sentence = refusal(lambda: ranges.assign(host=a, first=1, last=9, by=BY))
    assert (code, sentence) == ("ids_leased", "#128 Checkout has leased test_00005. Wait until it is over.")


def test_a_host_that_left_the_pool_gets_nothing_of_it(a: WorkerHost) -> None:
    stale = WorkerHost.objects.get(pk=a.pk)
    a.pool = factories.local_pool()
    a.save()
    told = refusal(lambda: ranges.assign(host=stale, first=1, last=9, by=BY), Invalid)
    assert told == ("other_pool", ["hosts"], "Host a is not in pool lab.")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_assign_at_once_one_is_refused(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    start = Barrier(2)

    def one(host: WorkerHost) -> str:
        try:
            start.wait()
            ranges.assign(host=host, first=1, last=100, by=BY)
        except Conflict as error:
            return error.code
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(one, [a, b])) == ["done", "range_taken"]
    assert IdRange.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no exclusion constraints")
def test_the_database_itself_keeps_ranges_and_leases_apart(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    IdRange.objects.create(pool=lab, host=a, first=1, last=100)
    with pytest.raises(IntegrityError, match="id_ranges_apart"), transaction.atomic():
        IdRange.objects.create(pool=lab, host=b, first=100, last=200)
    lease(a, 1, 100, ended_at=NOW)
    lease(a, 50, 150)
    with pytest.raises(IntegrityError, match="id_leases_apart"), transaction.atomic():
        lease(b, 150, 160)
    IdRange.objects.create(pool=factories.local_pool(), host=b, first=1, last=100)


# --- splitting ----------------------------------------------------------------------------------------------------


def test_it_splits_evenly_over_the_slots(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    ranges.assign(host=b, first=1, last=1, by=BY)
    parts = ranges.preview_split(pool=lab, first=1, last=500)
    assert [(part.host.name, part.slot, part.span.first - 1) for part in parts] == [
        ("a", 1, 0),
        ("b", 1, 166),
        ("b", 2, 333),
    ]
    assert owned(lab) == [("b", 1, 1)]
    assert ranges.split_evenly(pool=lab, first=1, last=500, by=BY) == parts
    assert owned(lab) == [("a", 1, 166), ("b", 167, 500)]
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.action, event.details) == ("pool.split_ids", {"ranges": {"a": [1, 166], "b": [167, 500]}})


def test_it_splits_over_the_hosts_it_is_told_in_their_order(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    c = factories.HostFactory.create(pool=lab, name="c", slots=1, standing=Standing.PENDING)
    ranges.split_evenly(pool=lab, first=101, last=200, hosts=[c, a], by=BY)
    assert owned(lab) == [("c", 101, 150), ("a", 151, 200)]


def test_without_a_choice_it_leaves_pending_hosts_out(a: WorkerHost, lab: WorkerPool) -> None:
    factories.HostFactory.create(pool=lab, name="new", standing=Standing.PENDING)
    ranges.split_evenly(pool=lab, first=1, last=500, by=BY)
    assert owned(lab) == [("a", 1, 500)]


def test_a_split_that_is_refused_changes_nothing(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    ranges.assign(host=a, first=1, last=10, by=BY)
    ranges.assign(host=b, first=400, last=500, by=BY)
    stranger = factories.HostFactory.create(name="z")
    refused = {
        "range_taken": {"first": 1, "last": 500, "hosts": [a]},
        "too_few_ids": {"first": 1, "last": 2},
        "range_outside": {"first": 1, "last": 501},
        "range_reversed": {"first": 2, "last": 1},
        "other_pool": {"first": 1, "last": 500, "hosts": [a, stranger]},
        "no_hosts": {"first": 1, "last": 500, "hosts": []},
    }
    for code, what in refused.items():
        assert refusal(lambda what=what: ranges.preview_split(pool=lab, **what))[0] == code  # type: ignore[misc]
        assert refusal(lambda what=what: ranges.split_evenly(pool=lab, **what, by=BY))[0] == code  # type: ignore[misc]
    lease(b, 450, 460)
    sentence = "#128 Checkout has leased test_00450 to test_00460. Wait until it is over."
    assert refusal(lambda: ranges.split_evenly(pool=lab, first=1, last=100, by=BY))[2] == sentence
    assert owned(lab) == [("a", 1, 10), ("b", 400, 500)]


def test_it_says_how_many_ids_are_too_few(a: WorkerHost, b: WorkerHost, lab: WorkerPool) -> None:
    told = refusal(lambda: ranges.split_evenly(pool=lab, first=1, last=2, by=BY), Invalid)
    assert told == ("too_few_ids", ["last"], "3 slots cannot share 2 IDs.")


# --- the format ---------------------------------------------------------------------------------------------------


def test_it_gives_a_pool_a_format_and_takes_it_away(pool: WorkerPool) -> None:
    changed = ranges.set_format(pool=pool, prefix="user-", width=3, first=1, last=999, by=BY)
    assert changed.has_ids and changed.id_text(7) == "user-007"
    assert not ranges.set_format(pool=pool, prefix="", width=0, first=None, last=None, by=BY).has_ids
    newest, _oldest = AuditEvent.objects.all()
    assert newest.details == {"before": ["user-", 3, 1, 999], "after": ["", 0, None, None]}


def test_a_format_may_go_to_its_limits(lab: WorkerPool, a: WorkerHost) -> None:
    ranges.assign(host=a, first=100, last=400, by=BY)
    changed = ranges.set_format(pool=lab, prefix="x" * 50, width=MAX_ID_WIDTH, first=100, last=400, by=BY)
    assert (changed.id_text(7), changed.first_id, changed.last_id) == ("x" * 50 + "7".zfill(MAX_ID_WIDTH), 100, 400)


def test_numbers_need_no_zeros(pool: WorkerPool) -> None:
    changed = ranges.set_format(pool=pool, prefix="u", width=0, first=1, last=MAX_ID, by=BY)
    assert changed.id_text(7) == "u7"


@pytest.mark.parametrize(
    ("prefix", "width", "first", "last", "code", "field"),
    [
        ("x" * 51, 5, 1, 9, "bad_id_prefix", "id_prefix"),
        ("   ", 5, 1, 9, "bad_id_prefix", "id_prefix"),
        ("a\n", 5, 1, 9, "bad_id_prefix", "id_prefix"),
        ("a\x00", 5, 1, 9, "bad_id_prefix", "id_prefix"),
        ("\u202etset", 5, 1, 9, "bad_id_prefix", "id_prefix"),
        ("t_", 13, 1, 9, "bad_id_width", "id_width"),
        ("t_", -1, 1, 9, "bad_id_width", "id_width"),
        ("t_", 2, 1, 100, "id_too_wide", "last_id"),
        ("t_", 5, 9, 1, "range_reversed", "last_id"),
        ("t_", 5, 0, 1, "range_outside", "first_id"),
        ("t_", 5, None, 1, "range_empty", "first_id"),
        ("t_", 5, 1, None, "range_empty", "last_id"),
    ],
)
def test_it_refuses_what_is_no_format(
    pool: WorkerPool, prefix: str, width: int, first: int | None, last: int | None, code: str, field: str
) -> None:
    told = refusal(lambda: ranges.set_format(pool=pool, prefix=prefix, width=width, first=first, last=last, by=BY))
    assert told[:2] == (code, [field])
    pool.refresh_from_db()
    assert not pool.has_ids


@pytest.mark.parametrize(("first", "last"), [(1, 499), (101, 500), (None, None)])
def test_the_format_keeps_room_for_the_ranges_of_hosts(
    lab: WorkerPool, a: WorkerHost, first: int | None, last: int | None
) -> None:
    ranges.assign(host=a, first=100, last=500, by=BY)
    told = refusal(lambda: ranges.set_format(pool=lab, prefix="", width=5, first=first, last=last, by=BY), Conflict)
    assert (told[0], told[2]) == ("range_outside", "test_00100 to test_00500 belong to host a.")


def test_the_format_stays_while_ids_are_leased(lab: WorkerPool, a: WorkerHost) -> None:
    lease(a, 1, 5)
    ranges.set_format(pool=lab, prefix="test_", width=5, first=1, last=500, by=BY)  # as it is
    told = refusal(lambda: ranges.set_format(pool=lab, prefix="u", width=5, first=1, last=500, by=BY), Conflict)
    assert told == (
        "ids_leased",
        ["first_id"],
        "#128 Checkout has leased test_00001 to test_00005. Wait until it is over.",
    )
