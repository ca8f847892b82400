"""Pools over REST."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.pools.models import WorkerPool
from tests import factories


@pytest.mark.parametrize("by", ["id", "name"])
def test_it_shows_a_pool_with_its_hosts_and_runners(vic_client: Client, pool: WorkerPool, by: str) -> None:
    host = factories.HostFactory.create(pool=pool, name="big-box", versions={"locust": "2.47.0"}, cores=4)
    factories.RunnerFactory.create(host=host, name="r1", draining=True)
    body = vic_client.get(f"/api/v1/pools/{getattr(pool, by)}/").json()
    assert (body["name"], body["is_default"]) == ("local", True)
    [shown] = body["hosts"]
    assert (shown["name"], shown["cores"], shown["versions"]) == ("big-box", 4, {"locust": "2.47.0"})
    [runner] = shown["runners"]
    assert (runner["name"], runner["online"], runner["draining"]) == ("r1", True, True)


@pytest.mark.parametrize("ref", ["nothing", "0" * 32, "%00", "x" * 5000])
def test_it_does_not_find_what_is_not_there(vic_client: Client, ref: str) -> None:
    answer = vic_client.get(f"/api/v1/pools/{ref}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_lists_with_a_constant_number_of_queries(
    vic_client: Client, pool: WorkerPool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for other in [pool, *factories.PoolFactory.create_batch(2)]:
        for host in factories.HostFactory.create_batch(3, pool=other):
            factories.RunnerFactory.create_batch(2, host=host)
    with django_assert_num_queries(5):  # session, user, pools, hosts, runners
        rows = vic_client.get("/api/v1/pools/").json()["results"]
    assert sum(len(host["runners"]) for row in rows for host in row["hosts"]) == 18
