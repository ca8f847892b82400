"""One of several equal processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection

from apps.core.clock import db_now, utc, utc_or_none
from apps.core.leader import acquire, release
from apps.core.models import LeaderLease

pytestmark = pytest.mark.django_db


def test_the_first_leads_until_it_lets_go() -> None:
    assert acquire("keeper", holder="one", seconds=15)
    assert not acquire("keeper", holder="two", seconds=15)
    assert acquire("keeper", holder="one", seconds=15)
    release("keeper", holder="two")
    assert not acquire("keeper", holder="two", seconds=15)
    release("keeper", holder="one")
    assert acquire("keeper", holder="two", seconds=15)


def test_a_silent_leader_is_followed() -> None:
    acquire("keeper", holder="one", seconds=15)
    LeaderLease.objects.update(until=db_now() - timedelta(seconds=1))
    assert acquire("keeper", holder="two", seconds=15)
    assert not acquire("keeper", holder="one", seconds=15)


def test_every_job_has_its_own_leader() -> None:
    assert acquire("keeper", holder="one", seconds=15)
    assert acquire("other", holder="two", seconds=15)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["first", "expired"])
def test_one_of_many_leads(known: bool) -> None:
    if known:
        LeaderLease.objects.create(name="keeper", holder="gone", until=db_now() - timedelta(seconds=1))
    start = Barrier(6)

    def one(number: int) -> bool:
        try:
            start.wait()
            return acquire("keeper", holder=f"keeper-{number}", seconds=15)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(6))) == 1


def test_the_databases_clock_is_in_utc() -> None:
    assert abs(db_now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert utc(datetime(2026, 1, 31, 12, tzinfo=UTC)) == utc(1_769_860_800) == "2026-01-31T12:00:00.000Z"
    assert utc_or_none(None) is None
    assert utc_or_none(1_769_860_800.5) == "2026-01-31T12:00:00.500Z"
