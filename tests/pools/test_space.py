"""Who has which of a pool's IDs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.pools.models import IdLease, IdRange, WorkerHost, WorkerPool
from apps.pools.space import Space, space
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def own(pool: WorkerPool, name: str, first: int, last: int) -> WorkerHost:
    host: WorkerHost = factories.HostFactory.create(pool=pool, name=name)
    IdRange.objects.create(pool=pool, host=host, first=first, last=last)
    return host


def lease(pool: WorkerPool, label: str, *blocks: tuple[int, int], **more: object) -> None:
    run_id = uuid4()
    for worker, (first, last) in enumerate(blocks):
        IdLease.objects.create(
            pool=pool,
            run_id=run_id,
            run_label=label,
            worker=worker,
            first=first,
            last=last,
            leased_at=NOW,
            **more,
        )


def told(found: Space) -> list[tuple[int, int, str, str, str]]:
    return [(part.first, part.last, str(part.host or ""), part.state, part.run_label) for part in found.segments]


def test_it_says_who_has_what_in_order(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    pool = factories.PoolFactory.create(first_id=1, last_id=100)
    own(pool, "b", 51, 80)
    own(pool, "a", 11, 50)
    lease(pool, "#1 Checkout", (11, 20), (21, 30), (51, 80))
    lease(pool, "#2 Search", (31, 40))
    lease(pool, "#3 Over", (41, 50), ended_at=NOW)
    with django_assert_num_queries(2):
        found = space(pool)
    assert told(found) == [
        (1, 10, "", "unowned", ""),
        (11, 30, "a", "leased", "#1 Checkout"),
        (31, 40, "a", "leased", "#2 Search"),
        (41, 50, "a", "free", ""),
        (51, 80, "b", "leased", "#1 Checkout"),
        (81, 100, "", "unowned", ""),
    ]


def test_ids_of_a_host_that_is_gone_stay_leased() -> None:
    pool = factories.PoolFactory.create(first_id=1, last_id=10)
    lease(pool, "#1 Checkout", (1, 10))
    assert told(space(pool)) == [(1, 10, "", "leased", "#1 Checkout")]


def test_a_pool_without_ids_has_no_space(pool: WorkerPool) -> None:
    assert space(pool) == Space(None, ())
