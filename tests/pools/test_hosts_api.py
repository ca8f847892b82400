"""Hosts over REST."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.pools import serializers
from apps.pools.models import IdRange, Standing, WorkerHost, WorkerPool
from apps.runs.models import Run
from tests import factories
from tests.pools import makers
from tests.runs.test_presentation import assert_fits

HOSTS = "/api/v1/hosts/"
JSON = "application/json"


def test_a_host_says_how_it_does(vic_client: Client, host: WorkerHost, run: Run) -> None:
    body = vic_client.get(f"{HOSTS}a/").json()
    assert_fits(body, serializers.HostFullOut())
    assert (body["state"], body["slots"], body["slots_taken"], body["users"]) == ("active", 8, 1, 100)
    assert body["runs"] == [{"id": str(run.pk), "label": str(run), "workers": 1, "users": 100}]
    assert body["ids"]["last_text"] == "test_00200"
    assert body["load"]["memory_bytes"] == 16e9 and body["load"]["load_average"] == [2.5, 1.25, 0.75]
    assert len(body["recent"]) == 120
    assert body["events"][0]["text"] == "It joined with a key."


def test_where_a_host_is_and_what_machine_only_the_admin_sees(
    vic_client: Client, admin_client: Client, host: WorkerHost
) -> None:
    host.report["running"] = [{"function": "execute_run", "run": "01900000-0000-7000-8000-000000000000", "since": 1.0}]
    host.save()
    for url in (HOSTS, f"{HOSTS}a/", "/api/v1/pools/", "/api/v1/pools/lab/", "/pools/lab/", "/pools/lab/hosts/a/"):
        text = vic_client.get(url).content.decode()
        for secret in ("10.20.0.1", host.machine, "01900000-0000-7000", "user:admin"):
            assert secret not in text, url
    shown = admin_client.get(f"{HOSTS}a/").json()
    assert (shown["address"], shown["machine"], shown["events"][0]["by"]) == ("10.20.0.1", host.machine, "user:admin")
    assert shown["report"]["addresses"] == ["10.20.0.1"]
    assert shown["report"]["running"][0]["run"] is None


def test_the_run_of_another_team_has_no_name(charlie_client: Client, run: Run) -> None:
    body = charlie_client.get(f"{HOSTS}a/").json()
    assert body["runs"] == [{"id": None, "label": None, "workers": 1, "users": 100}]
    assert "Checkout" not in json.dumps(body)


def test_a_silent_host_has_no_load(vic_client: Client, host: WorkerHost) -> None:
    WorkerHost.objects.update(is_silent=True)
    assert vic_client.get(f"{HOSTS}a/").json()["load"] is None


def test_hosts_are_listed_by_pool_and_state(vic_client: Client, lab: WorkerPool, pool: WorkerPool) -> None:
    factories.HostFactory.create(pool=pool, name="elsewhere")
    states = {"active": {}, "draining": {"standing": Standing.DRAINING}, "pending": {"standing": Standing.PENDING}}
    for name, given in (states | {"offline": {"is_silent": True}}).items():
        factories.HostFactory.create(pool=lab, name=name, **given)

    def names(query: str) -> set[str]:
        return {row["name"] for row in vic_client.get(f"{HOSTS}?{query}").json()["results"]}

    for state in ("active", "draining", "pending", "offline"):
        assert names(f"pool=lab&state={state}") == {state}
    assert len(names("pool=lab")) == 4 and len(names("")) == 5
    assert vic_client.get(f"{HOSTS}?state=ill").json()["fields"].keys() == {"state"}
    assert vic_client.get(f"{HOSTS}?pool=none").status_code == 404


def test_forty_hosts_take_as_many_queries_as_one(
    vic_client: Client, lab: WorkerPool, scenario: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    hosts = [makers.add_host(lab, f"h{n:02}", n) for n in range(40)]
    for n, host in enumerate(hosts):
        makers.own(host, n + 1, n + 1)
    makers.place(factories.RunFactory.create(scenario=scenario, pool=lab), hosts, users=1)
    with django_assert_num_queries(10):
        assert len(vic_client.get(f"{HOSTS}?page_size=100").json()["results"]) == 40


def test_the_admin_changes_a_host_and_its_ids(admin_client: Client, host: WorkerHost) -> None:
    given = {"slots": 4, "labels": {"zone": "b"}, "first": 101, "last": 300}
    body = admin_client.patch(f"{HOSTS}{host.pk}/", given, content_type=JSON).json()
    assert (body["slots"], body["labels"], body["address"]) == (4, {"zone": "b"}, "10.20.0.1")
    assert (body["ids"]["first"], body["ids"]["last"]) == (101, 300)
    body = admin_client.patch(f"{HOSTS}a/", {"first": None, "last": None, "slots": None}, content_type=JSON).json()
    assert (body["ids"], body["slots"], body["slots_set"]) == (None, 8, None)


def test_a_range_of_another_host_is_refused_by_its_name(admin_client: Client, host: WorkerHost) -> None:
    other = makers.add_host(host.pool, "b")
    given = {"slots": 3, "first": 150, "last": 300}
    answer = admin_client.patch(f"{HOSTS}b/", given, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "range_taken")
    assert answer.json()["fields"] == {"first": ["test_00001 to test_00200 belong to host a."]}
    other.refresh_from_db()
    assert other.slots is None and not IdRange.objects.filter(host=other).exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slots": 0}, "slots"),
        ({"slots": "4"}, "slots"),
        ({"address": "a b"}, "address"),
        ({"labels": {"": "x"}}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"first": 5}, "last"),
        ({"first": 1, "last": 600}, "last"),
        ({"standing": "active"}, "standing"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin_client: Client, host: WorkerHost, given: dict[str, Any], field: str
) -> None:
    answer = admin_client.patch(f"{HOSTS}a/", given, content_type=JSON)
    assert answer.status_code == 400
    assert next(iter(answer.json()["fields"])).startswith(field)


def test_a_host_is_approved_drained_and_activated(admin_client: Client, lab: WorkerPool) -> None:
    factories.HostFactory.create(pool=lab, name="a", standing=Standing.PENDING)
    assert admin_client.post(f"{HOSTS}a/drain/").json()["code"] == "host_pending"
    states = [admin_client.post(f"{HOSTS}a/{act}/").json()["state"] for act in ("approve", "drain", "activate")]
    assert states == ["active", "draining", "active"]


def test_a_host_that_runs_something_is_not_removed(admin_client: Client, host: WorkerHost, run: Run) -> None:
    host.leases.update(ended_at=datetime.now(UTC))  # the worker alone is enough
    answer = admin_client.delete(f"{HOSTS}a/")
    assert (answer.status_code, answer.json()["code"]) == (409, "host_busy")
    assert answer.json()["message"] == f"Host a is used by {run}."
    host.run_workers.update(ended_at=datetime.now(UTC))
    assert admin_client.delete(f"{HOSTS}a/").status_code == 204
    assert not WorkerHost.objects.exists()


# --- another pool, another name -----------------------------------------------------------------------------------


def test_a_host_is_moved(admin_client: Client, host: WorkerHost, pool: WorkerPool) -> None:
    moved = admin_client.post(f"{HOSTS}a/move/", {"pool": "local"}, content_type=JSON)
    assert moved.status_code == 200
    assert_fits(moved.json(), serializers.HostFullOut())
    assert (moved.json()["pool"], moved.json()["ids"], moved.json()["events"][0]["text"]) == (
        "local",
        None,
        "It came from another pool",
    )
    again = admin_client.post(f"{HOSTS}a/move/", {"pool": str(pool.pk)}, content_type=JSON)
    assert again.status_code == 200 and not IdRange.objects.exists()


def test_a_host_that_a_run_uses_is_not_moved(
    admin_client: Client, host: WorkerHost, run: Run, pool: WorkerPool
) -> None:
    refused = admin_client.post(f"{HOSTS}a/move/", {"pool": "local"}, content_type=JSON)
    assert (refused.status_code, refused.json()["code"]) == (409, "host_busy")
    assert refused.json()["message"] == f"Host a is used by {run}. Drain it, and move it when they are over."


def test_a_host_keeps_its_name(admin_client: Client, host: WorkerHost) -> None:
    refused = admin_client.patch(f"{HOSTS}a/", {"name": "z", "slots": 3}, content_type=JSON)
    assert (refused.status_code, refused.json()["code"], list(refused.json()["fields"])) == (
        409,
        "host_name_kept",
        ["name"],
    )
    host.refresh_from_db()
    assert (host.name, host.slots) == ("a", None)
    assert admin_client.patch(f"{HOSTS}a/", {"name": "a", "slots": 3}, content_type=JSON).json()["slots"] == 3
