"""What is refused wherever it is asked for, page, REST or admin: in the same words, and with nothing changed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.core import serializers
from django.db.models import Model
from django.test import Client

from apps.pools.joining import register
from apps.pools.keys import Refused
from apps.pools.models import HostEvent, IdLease, IdRange, JoinKey, WorkerHost, WorkerPool
from apps.runs import placing
from apps.runs.models import Run
from apps.teams.models import AuditEvent
from tests import factories
from tests.pools import makers

JSON = "application/json"
WAYS = ("page", "rest", "admin")
Ask = Callable[..., str]
KEPT: tuple[type[Model], ...] = (WorkerPool, WorkerHost, IdRange, IdLease, JoinKey, HostEvent, AuditEvent, Run)


@pytest.fixture
def a(lab: WorkerPool) -> WorkerHost:
    host = makers.add_host(lab, "a", 1, slots=2, address="", labels={})
    makers.own(host, 1, 200)
    return host


@pytest.fixture
def b(lab: WorkerPool) -> WorkerHost:
    host = makers.add_host(lab, "b", 2, slots=2, address="", labels={})
    makers.own(host, 201, 300)
    return host


def everything() -> str:
    """All that could have been changed."""
    return "".join(serializers.serialize("json", model._default_manager.order_by("pk")) for model in KEPT)


@pytest.fixture
def refusal(admin_client: Client) -> Ask:
    """Asks for something that must be refused; the answer is all that was said. Nothing may have changed."""

    def ask(url: str, given: dict[str, Any], *, method: str = "post") -> str:
        before = everything()
        is_rest = url.startswith("/api/")
        if is_rest:
            answer = admin_client.generic(method.upper(), url, _json(given), JSON)
        else:
            answer = admin_client.post(url, given)
        assert everything() == before
        if is_rest:
            assert answer.status_code in (400, 409), answer.content
            told: dict[str, Any] = answer.json()
            return f"{told['message']} {told.get('fields', '')}"
        said = " ".join(str(message) for message in get_messages(answer.wsgi_request))
        assert answer.status_code == 200 or said, answer.content
        return said + html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode()))

    return ask


def _json(given: dict[str, Any]) -> str:
    return json.dumps({name: None if value == "" else value for name, value in given.items()})


def change_host(ask: Ask, way: str, host: WorkerHost, **given: Any) -> str:
    """Its range, or its address; something harmless comes with it, and must not be kept either."""
    given = {"max_users": 77, "first": "", "last": ""} | given
    match way:
        case "page":
            return ask(f"/pools/{host.pool.name}/hosts/{host.name}/", {"slots": 2, "labels": ""} | given)
        case "rest":
            return ask(f"/api/v1/hosts/{host.name}/", given, method="patch")
        case _:
            form = {"pool": str(host.pool_id), "slots": 2, "labels": ""}
            form |= {"events-TOTAL_FORMS": 0, "events-INITIAL_FORMS": 0}
            return ask(f"/admin/pools/workerhost/{host.pk}/change/", form | given)


# --- ranges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        (150, 250, "test_00201 to test_00300 belong to host b."),
        (300, 300, "test_00201 to test_00300 belong to host b."),
        (1, 500, "test_00201 to test_00300 belong to host b."),
        (200, 100, "The range ends before it begins: 100 is less than 200."),
        (1, "", "A range needs a first and a last number."),
        ("", 100, "A range needs a first and a last number."),
        (400, 501, "The IDs of pool lab are test_00001 to test_00500."),
        (301, 10**12, "The IDs of pool lab are test_00001 to test_00500."),
    ],
)
def test_a_range_that_cannot_be(
    refusal: Ask, a: WorkerHost, b: WorkerHost, way: str, first: Any, last: Any, sentence: str
) -> None:
    assert sentence in change_host(refusal, way, a, first=first, last=last)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("first", "last"), [(0, 5), (-5, 5), (1, 10**12 + 1), (1, 10**30), ("1e3", 5), ("1.5", 5)])
def test_a_number_that_is_no_id(refusal: Ask, a: WorkerHost, way: str, first: Any, last: Any) -> None:
    assert change_host(refusal, way, a, first=first, last=last)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("first", "last"), [(1, 300), (101, 200), ("", "")])
def test_a_range_in_use(refusal: Ask, a: WorkerHost, way: str, first: Any, last: Any) -> None:
    makers.lease(a, uuid4(), "#7 Checkout", 11, 20)
    told = change_host(refusal, way, a, first=first, last=last)
    assert "#7 Checkout has leased test_00011 to test_00020. Wait until it is over." in told


@pytest.mark.parametrize("way", WAYS)
def test_a_range_in_a_pool_without_ids(refusal: Ask, pool: WorkerPool, way: str) -> None:
    host = makers.add_host(pool, "c", slots=2, address="", labels={})
    told = change_host(refusal, way, host, first=1, last=9)
    assert "Pool local has no IDs yet: give it a format first." in told


# --- formats and splits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"last_id": 150}, "test_00001 to test_00200 belong to host a."),
        ({"first_id": 5}, "test_00001 to test_00200 belong to host a."),
        ({"first_id": "", "last_id": ""}, "test_00001 to test_00200 belong to host a."),
        ({"last_id": ""}, "A range needs a first and a last number."),
        ({"first_id": 600}, "The range ends before it begins: 500 is less than 600."),
        ({"last_id": 100_000}, "100000 has more than 5 digits."),
        ({"id_prefix": "x" * 51}, "50"),
    ],
)
def test_a_format_that_cannot_be(refusal: Ask, a: WorkerHost, way: str, given: dict[str, Any], sentence: str) -> None:
    form = {"id_prefix": "test_", "id_width": 5, "first_id": 1, "last_id": 500} | given
    match way:
        case "page":
            told = refusal("/pools/lab/ids/", form)
        case "rest":
            told = refusal("/api/v1/pools/lab/", form, method="patch")
        case _:
            rest = {"name": "lab", "users_per_worker": 99, "is_for_all": "on", "description": "other"}
            told = refusal(f"/admin/pools/workerpool/{a.pool_id}/change/", rest | form)
    assert sentence in told


@pytest.mark.parametrize("way", ["page", "rest"])
@pytest.mark.parametrize(
    ("first", "last", "hosts", "sentence"),
    [
        (1, 3, "ab", "4 slots cannot share 3 IDs."),
        (1, 500, "a", "test_00201 to test_00300 belong to host b."),
        (500, 1, "ab", "The range ends before it begins: 1 is less than 500."),
        (1, 501, "ab", "The IDs of pool lab are test_00001 to test_00500."),
    ],
)
def test_a_split_that_cannot_be(
    refusal: Ask, a: WorkerHost, b: WorkerHost, way: str, first: int, last: int, hosts: str, sentence: str
) -> None:
    given = {"first": first, "last": last}
    if way == "rest":
        told = refusal("/api/v1/pools/lab/split/", given | {"hosts": list(hosts)})
    else:
        pks = [str(host.pk) for host in (a, b) if host.name in hosts]
        told = refusal("/pools/lab/split/", given | {"hosts": pks, "seen": "x"})
    assert sentence in told


def test_a_split_of_the_whole_pool_in_the_admin_while_a_run_has_ids(refusal: Ask, a: WorkerHost) -> None:
    makers.lease(a, uuid4(), "#7 Checkout", 11, 20)
    told = refusal("/admin/pools/workerpool/", {"action": "split_evenly", "_selected_action": [str(a.pool_id)]})
    assert "#7 Checkout has leased test_00011 to test_00020." in told


# --- hosts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("nowhere.invalid", "nowhere.invalid does not resolve."),
        ("no address", "An address is the name or the IP"),
        ("10.0.0.256", "An address is the name or the IP"),
        ("http://10.0.0.1", "An address is the name or the IP"),
        ("0.0.0.0", "An address is the name or the IP"),
    ],
)
def test_an_address_that_leads_nowhere(
    refusal: Ask, a: WorkerHost, monkeypatch: pytest.MonkeyPatch, way: str, address: str, sentence: str
) -> None:
    monkeypatch.setattr("apps.pools.hosts._resolves", lambda name: False)
    assert sentence in change_host(refusal, way, a, first=1, last=200, address=address)


@pytest.mark.parametrize("way", ["page", "rest", "runner"])
def test_a_host_name_that_another_pool_has(refusal: Ask, a: WorkerHost, pool: WorkerPool, way: str) -> None:
    sentence = "The host “a” belongs to the pool “lab”."
    match way:
        case "page":
            told = refusal("/pools/local/join/", {"host_name": "a"})
        case "rest":
            told = refusal("/api/v1/pools/local/join-keys/", {"host_name": "a"})
        case _:
            before = everything()
            with pytest.raises(Refused) as refused:
                register("local", "a", "another", "f" * 64)
            assert everything() == before
            told = str(refused.value)
    assert sentence in told


@pytest.mark.parametrize("way", ["page", "rest", "runner"])
@pytest.mark.parametrize("name", ["-rf", "--settings=evil"])
def test_a_host_name_that_commands_take_for_an_option(refusal: Ask, lab: WorkerPool, way: str, name: str) -> None:
    match way:
        case "page":
            told = refusal("/pools/lab/join/", {"host_name": name})
        case "rest":
            told = refusal("/api/v1/pools/lab/join-keys/", {"host_name": name})
        case _:
            before = everything()
            with pytest.raises(Refused) as refused:
                register("lab", name, "runner-1", "f" * 64)
            assert everything() == before
            told = str(refused.value)
    assert "A host's name cannot begin with a hyphen: commands would take it for an option." in told


def test_a_host_name_that_is_online(a: WorkerHost) -> None:
    before = everything()
    with pytest.raises(Refused, match="Host name twice: “a” is another machine"):
        register("lab", "a", "another", "f" * 64)
    assert everything() == before


def test_another_name_for_a_host(refusal: Ask, a: WorkerHost) -> None:
    told = refusal("/api/v1/hosts/a/", {"name": "z", "slots": 9}, method="patch")
    assert "Host a keeps its name" in told and "start its runner with another --host and a new key" in told


@pytest.mark.parametrize("way", WAYS)
def test_moving_or_removing_a_host_in_use(refusal: Ask, a: WorkerHost, pool: WorkerPool, way: str) -> None:
    makers.lease(a, uuid4(), "#7 Checkout", 11, 20)
    match way:
        case "page":
            told = [
                refusal("/pools/lab/hosts/a/move/", {"to": str(pool.pk)}),
                refusal("/pools/lab/hosts/a/remove/", {}),
            ]
        case "rest":
            told = [
                refusal("/api/v1/hosts/a/move/", {"pool": "local"}),
                refusal("/api/v1/hosts/a/", {}, method="delete"),
            ]
        case _:
            form = {"pool": str(pool.pk), "slots": 2, "labels": "", "first": 1, "last": 200, "max_users": 77}
            form |= {"events-TOTAL_FORMS": 0, "events-INITIAL_FORMS": 0}
            told = [
                refusal(f"/admin/pools/workerhost/{a.pk}/change/", form),
                refusal(f"/admin/pools/workerhost/{a.pk}/delete/", {"post": "yes"}),
            ]
    assert all("Host a is used by #7 Checkout." in text for text in told)


def test_moving_a_host_in_the_admin_and_giving_it_ids_at_once(refusal: Ask, a: WorkerHost, pool: WorkerPool) -> None:
    form = {"pool": str(pool.pk), "slots": 2, "labels": "", "first": 5, "last": 9}
    form |= {"events-TOTAL_FORMS": 0, "events-INITIAL_FORMS": 0}
    told = refusal(f"/admin/pools/workerhost/{a.pk}/change/", form)
    assert "Move it first, and then give it IDs of that pool." in told


def test_moving_a_host_to_no_pool(refusal: Ask, a: WorkerHost) -> None:
    assert "There is no such pool." in refusal("/api/v1/hosts/a/move/", {"pool": "nowhere"})


# --- runs and pools -----------------------------------------------------------------------------------------------


def test_a_run_of_more_users_than_ids_waits_and_says_who_has_them(a: WorkerHost) -> None:
    holder = factories.RunFactory.create(pool=a.pool)
    makers.lease(a, holder.pk, str(holder), 1, 150)
    run = factories.RunFactory.create(pool=a.pool, scenario=holder.scenario, users=51)
    assert placing.take(run.pk, runner="r", host=a) is None
    run.refresh_from_db()
    assert run.state == "queued" and IdLease.objects.count() == 1
    assert run.waits_for.startswith("It needs 51 IDs; it can have 50 of the active hosts of pool lab.")
    assert str(holder) in run.waits_for


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["hosts", "runs", "default"])
def test_a_pool_in_use_is_not_deleted(refusal: Ask, lab: WorkerPool, pool: WorkerPool, way: str, what: str) -> None:
    match what:
        case "hosts":
            factories.HostFactory.create_batch(2, pool=lab)
        case "runs":
            factories.RunFactory.create(pool=lab)
        case _:
            WorkerPool.objects.filter(pk=pool.pk).update(is_default=False)
            WorkerPool.objects.filter(pk=lab.pk).update(is_default=True)
    match way:
        case "page":
            told = refusal("/pools/lab/delete/", {})
        case "rest":
            told = refusal("/api/v1/pools/lab/", {}, method="delete")
        case _:
            told = refusal(f"/admin/pools/workerpool/{lab.pk}/delete/", {"post": "yes"})
    sentences = {
        "hosts": "Pool lab has 2 hosts.",
        "runs": "1 run was on pool lab, and is kept with it.",
        "default": "Pool lab is the default. Make another one the default first.",
    }
    assert sentences[what] in told


@pytest.mark.parametrize("way", ["page", "rest"])
def test_a_used_key_is_not_revoked(refusal: Ask, a: WorkerHost, way: str) -> None:
    now = datetime.now(UTC)
    key = JoinKey.objects.create(pool=a.pool, host_name="a", digest="d", created_by="x", expires_at=now, used_at=now)
    if way == "rest":
        told = refusal(f"/api/v1/pools/lab/join-keys/{key.pk}/", {}, method="delete")
    else:
        told = refusal(f"/pools/lab/keys/{key.pk}/revoke/", {})
    assert "remove the host “a”" in told


@pytest.mark.parametrize("way", WAYS)
def test_more_teams_than_can_be_named(refusal: Ask, lab: WorkerPool, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr("apps.pools.pools.MOST_NAMED", 2)
    teams = [str(team.pk) for team in factories.TeamFactory.create_batch(3)]
    form = {"name": "lab", "users_per_worker": 99, "teams": teams, "id_width": 5}
    match way:
        case "page":
            told = refusal("/pools/lab/settings/", form)
        case "rest":
            told = refusal("/api/v1/pools/lab/", {"teams": teams, "users_per_worker": 99}, method="patch")
        case _:
            ids = {"id_prefix": "test_", "first_id": 1, "last_id": 500}
            told = refusal(f"/admin/pools/workerpool/{lab.pk}/change/", form | ids)
    assert "At most 2 are named one by one. Open it to whole teams, or to all." in told
