"""Pools and hosts in Django's admin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.pools.models import HostEvent, IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.teams.models import AuditEvent, Project, Team
from tests import factories

POOLS, HOSTS = "/admin/pools/workerpool/", "/admin/pools/workerhost/"
LABELS = "names of 1 to 50 characters without “=”, texts of up to 100, no blanks around either."
NO_EVENTS = {"events-TOTAL_FORMS": 0, "events-INITIAL_FORMS": 0}


@pytest.fixture
def host(lab: WorkerPool) -> WorkerHost:
    return factories.HostFactory.create(pool=lab, name="a", standing=Standing.PENDING)


def pool_form(**given: Any) -> dict[str, Any]:
    return {"name": "lab", "id_width": 5, "users_per_worker": 166, "is_for_all": "on"} | given


def host_form(**given: Any) -> dict[str, Any]:
    pool = WorkerPool.objects.exclude(name="local").get()
    return {"labels": "", "pool": str(pool.pk)} | NO_EVENTS | given


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def lease(host: WorkerHost, first: int = 11, last: int = 20) -> None:
    fields = {"run_id": uuid4(), "run_label": "#128 Checkout", "worker": 0, "leased_at": datetime.now(UTC)}
    IdLease.objects.create(pool=host.pool, host=host, first=first, last=last, **fields)


# --- pools --------------------------------------------------------------------------------------------------------


def test_it_makes_a_pool(admin_client: Client, acme: Team, shop: Project) -> None:
    given = {
        "is_for_all": "",
        "teams": [acme.pk],
        "projects": [shop.pk],
        "id_prefix": "u_",
        "first_id": 1,
        "last_id": 9,
    }
    assert admin_client.post(f"{POOLS}add/", pool_form(**given)).status_code == 302
    made = WorkerPool.objects.get(name="lab")
    assert (made.id_text(9), made.last_id, made.is_for_all) == ("u_00009", 9, False)
    assert list(made.teams.all()) == [acme] and list(made.projects.all()) == [shop]
    assert [event.action for event in AuditEvent.objects.all()] == ["pool.set_ids", "pool.create"]
    assert {event.actor for event in AuditEvent.objects.all()} == {"user:admin"}


def test_it_changes_a_pool(admin_client: Client, lab: WorkerPool) -> None:
    form = pool_form(name="den", id_prefix="test_", first_id=1, last_id=600, users_per_worker=100)
    assert admin_client.post(f"{POOLS}{lab.pk}/change/", form).status_code == 302
    lab.refresh_from_db()
    assert (lab.name, lab.last_id, lab.users_per_worker) == ("den", 600, 100)


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"name": "local"}, "name", "This name is taken."),
        (
            {"name": "Lab"},
            "name",
            "Use small letters and digits, with single hyphens or underscores between them, at most 60.",
        ),
        (
            {"first_port": 5600, "last_port": 5557},
            "last_port",
            "Ports go from 1024 to 65535, the first not above the last.",
        ),
        ({"first_id": 9, "last_id": 8}, "last_id", "The range ends before it begins: 8 is less than 9."),
        ({"first_id": 1, "last_id": 100_000}, "last_id", "100000 has more than 5 digits."),
        ({"first_id": 1, "last_id": 90}, "last_id", "test_00001 to test_00100 belong to host a."),
    ],
)
def test_a_pool_that_cannot_be_is_refused_at_its_field(
    admin_client: Client, pool: WorkerPool, host: WorkerHost, given: dict[str, Any], field: str, sentence: str
) -> None:
    IdRange.objects.create(pool=host.pool, host=host, first=1, last=100)
    form = pool_form(id_prefix="test_", first_id=1, last_id=500) | given
    answer = admin_client.post(f"{POOLS}{host.pool_id}/change/", form)
    assert answer.status_code == 200
    assert errors(answer) == {field: [sentence]}
    assert not AuditEvent.objects.exists()


def test_it_makes_one_pool_the_default(admin_client: Client, pool: WorkerPool, lab: WorkerPool) -> None:
    both = {"action": "make_default", "_selected_action": [str(pool.pk), str(lab.pk)]}
    assert said(admin_client.post(POOLS, both)) == ["Choose one pool."]
    admin_client.post(POOLS, both | {"_selected_action": [str(lab.pk)]})
    assert WorkerPool.objects.get(is_default=True) == lab


def test_it_splits_the_ids_of_pools(admin_client: Client, pool: WorkerPool, host: WorkerHost) -> None:
    WorkerHost.objects.update(standing=Standing.ACTIVE)
    form = {"action": "split_evenly", "_selected_action": [str(pool.pk), str(host.pool_id)]}
    assert said(admin_client.post(POOLS, form)) == [
        "Pool local has no IDs yet: give it a format first.",
        "Done for 1.",
    ]
    assert (host.id_range.first, host.id_range.last) == (1, 500)


def test_a_pool_in_use_is_not_deleted(admin_client: Client, pool: WorkerPool, lab: WorkerPool) -> None:
    factories.RunFactory.create_batch(2, pool=lab)
    for wanted, sentence in [
        (pool, "The pool local is always there."),
        (lab, "2 runs were on pool lab, and are kept with it."),
    ]:
        for answer in (
            admin_client.get(f"{POOLS}{wanted.pk}/delete/"),
            admin_client.post(f"{POOLS}{wanted.pk}/delete/", {"post": "yes"}),
        ):
            assert answer.headers["Location"] == f"{POOLS}{wanted.pk}/change/"
            assert said(answer)[-1] == sentence
    assert WorkerPool.objects.count() == 2


def test_it_deletes_a_pool(admin_client: Client, lab: WorkerPool) -> None:
    assert admin_client.get(f"{POOLS}{lab.pk}/delete/").status_code == 200
    assert admin_client.post(f"{POOLS}{lab.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not WorkerPool.objects.filter(pk=lab.pk).exists()
    assert [event.action for event in AuditEvent.objects.all()] == ["pool.delete"]


# --- hosts --------------------------------------------------------------------------------------------------------


def test_it_changes_a_host_and_its_range(admin_client: Client, host: WorkerHost) -> None:
    url, given = f"{HOSTS}{host.pk}/change/", {"slots": 2, "address": "127.0.0.1", "labels": "zone = a"}
    assert admin_client.post(url, host_form(**given, first=1, last=166)).status_code == 302
    host.refresh_from_db()
    assert (host.slots, host.address, host.labels) == (2, "127.0.0.1", {"zone": "a"})
    assert (host.id_range.first, host.id_range.last) == (1, 166)
    assert 'value="166"' in admin_client.get(url).content.decode()
    assert admin_client.post(url, host_form(labels="")).status_code == 302
    assert not IdRange.objects.exists()
    actions = [event.action for event in AuditEvent.objects.all()]
    assert actions == ["host.clear_ids", "host.change", "host.assign_ids", "host.change"]


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"first": 150, "last": 300}, "first", "test_00100 to test_00200 belong to host b."),
        ({"first": 1}, "last", "A range needs a first and a last number."),
        ({"first": 1, "last": 600}, "last", "The IDs of pool lab are test_00001 to test_00500."),
        ({"slots": 0}, "slots", "Give a number from 1 to 512, or none."),
        (
            {"address": "a b"},
            "address",
            "An address is the name or the IP under which other hosts reach this one.",
        ),
        (
            {"labels": "x" * 51},
            "labels",
            f"A host has at most 20 labels: {LABELS}",
        ),
    ],
)
def test_a_host_that_cannot_be_is_refused_at_its_field(
    admin_client: Client, host: WorkerHost, given: dict[str, Any], field: str, sentence: str
) -> None:
    other = factories.HostFactory.create(pool=host.pool, name="b")
    IdRange.objects.create(pool=host.pool, host=other, first=100, last=200)
    answer = admin_client.post(f"{HOSTS}{host.pk}/change/", host_form(**given))
    assert answer.status_code == 200
    assert errors(answer) == {field: [sentence]}
    assert IdRange.objects.get().host == other
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("labels", ["9" * 5000, "[" * 100_000, "\x00"])
def test_labels_that_nobody_types_are_no_fault_of_ours(admin_client: Client, host: WorkerHost, labels: str) -> None:
    assert "labels" in errors(admin_client.post(f"{HOSTS}{host.pk}/change/", host_form(labels=labels)))


@pytest.mark.parametrize("what", ["teams", "_selected_action"])
def test_an_id_that_is_none_is_no_fault_of_ours(admin_client: Client, lab: WorkerPool, what: str) -> None:
    form = pool_form(teams=["x"]) if what == "teams" else {"action": "make_default", "_selected_action": ["x"]}
    answer = admin_client.post(f"{POOLS}{lab.pk}/change/" if what == "teams" else POOLS, form)
    assert answer.status_code == 400
    assert "The portal did not understand this request." in answer.content.decode()


def test_it_moves_a_host(admin_client: Client, host: WorkerHost, pool: WorkerPool) -> None:
    IdRange.objects.create(pool=host.pool, host=host, first=1, last=100)
    form = host_form(pool=str(pool.pk), first=1, last=100, slots=3)
    assert admin_client.post(f"{HOSTS}{host.pk}/change/", form).status_code == 302
    host = WorkerHost.objects.get()
    assert (host.pool, host.slots, IdRange.objects.exists()) == (pool, 3, False)
    assert [event.action for event in AuditEvent.objects.all()] == ["host.change", "host.move"]


def test_a_range_in_use_is_not_taken_away(admin_client: Client, host: WorkerHost) -> None:
    IdRange.objects.create(pool=host.pool, host=host, first=1, last=100)
    lease(host)
    answer = admin_client.post(f"{HOSTS}{host.pk}/change/", host_form())
    sentence = "#128 Checkout has leased test_00011 to test_00020. Wait until it is over."
    assert errors(answer) == {"first": [sentence]}


def test_it_approves_drains_and_activates(admin_client: Client, host: WorkerHost) -> None:
    def act(action: str) -> tuple[str, list[str]]:
        answer = admin_client.post(HOSTS, {"action": action, "_selected_action": [str(host.pk)]})
        host.refresh_from_db()
        return host.state, said(answer)[-1:]

    assert act("drain") == ("pending", ["Host a has to be approved first."])
    assert act("approve") == ("active", ["Done for 1."])
    assert act("drain") == ("draining", ["Done for 1."])
    assert act("activate") == ("active", ["Done for 1."])
    assert {event.actor for event in AuditEvent.objects.all()} == {"user:admin"}


def test_it_shows_the_newest_of_a_hosts_history_and_changes_none(admin_client: Client, host: WorkerHost) -> None:
    events = [HostEvent.objects.create(host=host, state="active", text=f"event {n:03d}") for n in range(60)]
    page = admin_client.get(f"{HOSTS}{host.pk}/change/").content.decode()
    assert "event 059" in page and "event 010" in page and "event 009" not in page
    changed: dict[str, Any] = {"events-TOTAL_FORMS": 1, "events-INITIAL_FORMS": 1}
    changed |= {"events-0-id": str(events[-1].pk), "events-0-text": "never happened", "events-0-DELETE": "on"}
    admin_client.post(f"{HOSTS}{host.pk}/change/", host_form() | changed)
    assert set(HostEvent.objects.values_list("text", flat=True)) == {event.text for event in events}


def test_hosts_register_themselves(admin_client: Client) -> None:
    assert admin_client.get(f"{HOSTS}add/").status_code == 403


def test_a_host_in_use_is_not_deleted(admin_client: Client, host: WorkerHost) -> None:
    lease(host)
    answer = admin_client.post(f"{HOSTS}{host.pk}/delete/", {"post": "yes"}, follow=True)
    assert "Host a is used by #128 Checkout." in answer.content.decode()
    assert WorkerHost.objects.exists()


def test_it_deletes_a_host_with_its_runners(admin_client: Client, host: WorkerHost) -> None:
    factories.RunnerFactory.create(host=host)
    assert admin_client.get(f"{HOSTS}{host.pk}/delete/").status_code == 200
    assert admin_client.post(f"{HOSTS}{host.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not WorkerHost.objects.exists()
    assert AuditEvent.objects.get().action == "host.remove"


@pytest.mark.parametrize("url", [POOLS, HOSTS])
def test_it_deletes_one_at_a_time(admin_client: Client, host: WorkerHost, url: str) -> None:
    row = host.pk if url == HOSTS else host.pool_id
    admin_client.post(url, {"action": "delete_selected", "_selected_action": [str(row)], "post": "yes"})
    assert WorkerHost.objects.exists() and WorkerPool.objects.filter(name="lab").exists()


def test_what_is_not_there_is_not_deleted(admin_client: Client) -> None:
    for url in (POOLS, HOSTS):
        assert admin_client.get(f"{url}{uuid4()}/delete/").status_code == 302


@pytest.mark.parametrize("url", [POOLS, HOSTS, f"{HOSTS}?q=host&standing=active", "/admin/pools/idlease/"])
def test_lists_take_few_queries_for_40_hosts(
    admin_client: Client, url: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(40):
        add_host_in_use(factories.PoolFactory.create(first_id=1, last_id=9))
    with django_assert_max_num_queries(9):
        assert admin_client.get(url).status_code == 200


def add_host_in_use(pool: WorkerPool) -> None:
    host = factories.HostFactory.create(pool=pool, standing=Standing.ACTIVE)
    IdRange.objects.create(pool=pool, host=host, first=1, last=9)
    lease(host, 1, 9)
