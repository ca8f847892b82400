"""Which hosts are heard of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.core.clock import db_now
from apps.pools import hosts
from apps.pools.models import OFFLINE, HostEvent, IdRange, Standing, WorkerHost
from apps.pools.watch import mark_silent, note, note_return
from apps.teams.models import AuditEvent
from tests.factories import HostFactory, PoolFactory, RunWorkerFactory

pytestmark = pytest.mark.django_db


def heard(seconds_ago: float, **fields: object) -> WorkerHost:
    return HostFactory.create(last_seen_at=db_now() - timedelta(seconds=seconds_ago), **fields)


def events(host: WorkerHost) -> list[str]:
    """States, oldest first."""
    return list(host.events.order_by("id").values_list("state", flat=True))


def test_a_host_that_fell_silent_is_offline_and_it_is_noted_once() -> None:
    lately, silent = heard(10), heard(16)
    now = db_now()
    assert [mark_silent(now), mark_silent(now)] == [1, 0]
    lately.refresh_from_db()
    silent.refresh_from_db()
    assert (lately.state, silent.state) == (Standing.ACTIVE, OFFLINE)
    assert (events(lately), events(silent)) == ([], [OFFLINE])


@pytest.mark.parametrize("standing", Standing.values)
def test_people_have_decided_the_same_about_a_silent_host(standing: str) -> None:
    host = heard(60, standing=standing)
    mark_silent(db_now())
    host.refresh_from_db()
    assert (host.standing, host.is_silent) == (standing, True)
    assert events(host) == [host.state] == [standing if standing == Standing.PENDING else OFFLINE]


def test_one_that_never_reported_is_silent() -> None:
    HostFactory.create(last_seen_at=None)
    assert mark_silent(db_now()) == 1


def test_the_return_of_a_silent_host_is_noted() -> None:
    host = heard(60)
    mark_silent(db_now())
    host.refresh_from_db()
    note_return(host)
    note_return(host)
    assert events(host) == [OFFLINE, Standing.ACTIVE]


def test_a_note_is_never_too_long_for_its_row() -> None:
    note(heard(1), "x" * 1000, by="y" * 1000)
    event = HostEvent.objects.get()
    assert (len(event.text), len(event.by)) == (300, 200)


def test_it_asks_little_however_many_hosts_there_are(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(5):
        heard(1)
    now = db_now()
    with django_assert_num_queries(1):
        mark_silent(now)


# --- hosts that were only passing ---------------------------------------------------------------------------------


def passing(**fields: object) -> WorkerHost:
    pool = PoolFactory.create(takes_new_hosts=True)
    return heard(25 * 3600, **{"pool": pool, "is_silent": True, "slots": None, **fields})


def test_a_host_that_came_by_itself_is_forgotten_a_day_after_it_went() -> None:
    host = passing()
    assert [hosts.forget_passing(db_now()), hosts.forget_passing(db_now())] == [1, 0]
    assert not WorkerHost.objects.filter(pk=host.pk).exists()
    entry = AuditEvent.objects.get(action="host.forget")
    assert entry.actor == "system:keeper"


@pytest.mark.parametrize(
    "fields",
    [
        {"last_seen_at": None},
        {"is_silent": False},
        {"standing": Standing.PENDING},
        {"standing": Standing.DRAINING},
        {"slots": 2},
        {"max_users": 100},
        {"link_mbit": 1000},
        {"address": "10.0.0.9"},
        {"labels": {"rack": "7"}},
    ],
)
def test_a_host_that_somebody_has_decided_about_stays(fields: dict[str, object]) -> None:
    WorkerHost.objects.filter(pk=passing().pk).update(**fields)
    assert hosts.forget_passing(db_now()) == 0


def test_a_host_stays_that_went_lately_has_ids_or_a_run_or_was_let_in_by_somebody() -> None:
    heard(23 * 3600, pool=PoolFactory.create(takes_new_hosts=True), is_silent=True, slots=None)
    passing(pool=PoolFactory.create(takes_new_hosts=False))
    owner = passing(pool=PoolFactory.create(takes_new_hosts=True, first_id=1, last_id=9))
    IdRange.objects.create(pool=owner.pool, host=owner, first=1, last=9)
    busy = passing()
    RunWorkerFactory.create(run__pool=busy.pool, host=busy)
    assert hosts.forget_passing(db_now()) == 0
