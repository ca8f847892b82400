"""What people decide about a host."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from apps.core.errors import Conflict, HatcheryError, Invalid
from apps.pools import hosts, leases
from apps.pools.allocation import Seat
from apps.pools.models import HostEvent, IdLease, IdRange, Standing, WorkerHost
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db
BY = Actor(system="test")
AS_IT_IS: dict[str, Any] = {"slots": None, "max_users": None, "address": "", "link_mbit": None, "labels": {}}


@pytest.fixture
def host(db: None) -> WorkerHost:
    """Pending, and heard of."""
    return factories.HostFactory.create(name="a", standing=Standing.PENDING)


def events(host: WorkerHost) -> list[tuple[str, str]]:
    return list(host.events.values_list("state", "text"))


def refusal(action: Callable[[], object], kind: type[HatcheryError]) -> tuple[str, list[str], str]:
    with pytest.raises(kind) as caught:
        action()
    return caught.value.code, list(caught.value.fields), caught.value.message


# --- standing -----------------------------------------------------------------------------------------------------


def test_a_host_is_approved_drained_and_activated(host: WorkerHost) -> None:
    assert hosts.approve(host=host, by=BY).state == "active"
    assert hosts.drain(host=host, by=BY).state == "draining"
    assert hosts.activate(host=host, by=BY).state == "active"
    assert events(host) == [
        ("active", "Takes part again"),
        ("draining", "Takes nothing new"),
        ("active", "Approved"),
    ]
    assert {event.by for event in HostEvent.objects.all()} == {"system:test"}
    assert [event.action for event in AuditEvent.objects.all()] == ["host.activate", "host.drain", "host.approve"]


def test_what_is_so_already_leaves_no_trace(host: WorkerHost) -> None:
    hosts.approve(host=host, by=BY)
    hosts.approve(host=host, by=BY)
    hosts.activate(host=host, by=BY)
    hosts.drain(host=host, by=BY)
    assert hosts.approve(host=host, by=BY).standing == Standing.DRAINING
    hosts.drain(host=host, by=BY)
    assert len(events(host)) == AuditEvent.objects.count() == 2


@pytest.mark.parametrize("service", [hosts.drain, hosts.activate])
def test_a_pending_host_is_approved_first(host: WorkerHost, service: Callable[..., WorkerHost]) -> None:
    told = refusal(lambda: service(host=host, by=BY), Conflict)
    assert told == ("host_pending", [], "Host a has to be approved first.")


def test_a_decision_about_a_silent_host_is_in_its_history(host: WorkerHost) -> None:
    WorkerHost.objects.update(standing=Standing.ACTIVE, is_silent=True)
    hosts.drain(host=host, by=BY)
    assert events(host) == [("offline", "Takes nothing new")]


# --- what is set --------------------------------------------------------------------------------------------------


def test_it_sets_what_is_given(host: WorkerHost) -> None:
    given: dict[str, Any] = {
        "slots": 4,
        "max_users": 600,
        "address": "192.0.2.7",
        "link_mbit": 1000,
        "labels": {"zone": "a b"},
    }
    changed = hosts.change(host=host, **given, by=BY)
    assert {name: getattr(changed, name) for name in given} == given
    hosts.change(host=host, **given, by=BY)
    hosts.change(host=host, **given | {"slots": None}, by=BY)
    newest, oldest = AuditEvent.objects.all()
    assert oldest.details == {"before": AS_IT_IS, "after": given}
    assert newest.details == {"before": {"slots": 4}, "after": {"slots": None}}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"slots": 0}, "out_of_bounds"),
        ({"slots": 513}, "out_of_bounds"),
        ({"max_users": 0}, "out_of_bounds"),
        ({"max_users": 2**31}, "out_of_bounds"),
        ({"link_mbit": -1}, "out_of_bounds"),
        ({"labels": ["a"]}, "bad_labels"),
        ({"labels": {"": "x"}}, "bad_labels"),
        ({"labels": {" ": "x"}}, "bad_labels"),
        ({"labels": {" a": "x"}}, "bad_labels"),
        ({"labels": {"a": "x "}}, "bad_labels"),
        ({"labels": {"a=b": "c"}}, "bad_labels"),
        ({"labels": {"a": 1}}, "bad_labels"),
        ({"labels": {"a": "x\x00"}}, "bad_labels"),
        ({"labels": {"a": "x" * 101}}, "bad_labels"),
        ({"labels": {"a" * 51: "x"}}, "bad_labels"),
        ({"labels": {str(n): "x" for n in range(21)}}, "bad_labels"),
    ],
)
def test_it_refuses_what_is_out_of_bounds(host: WorkerHost, given: dict[str, Any], code: str) -> None:
    told = refusal(lambda: hosts.change(host=host, **AS_IT_IS | given, by=BY), Invalid)
    assert told[:2] == (code, list(given))
    host.refresh_from_db()
    assert {name: getattr(host, name) for name in AS_IT_IS} == AS_IT_IS


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1", "2001:db8::7"])
def test_an_address_is_a_name_or_an_ip(host: WorkerHost, address: str) -> None:
    assert hosts.change(host=host, **AS_IT_IS | {"address": address}, by=BY).address == address


@pytest.mark.parametrize(
    "address",
    [
        " ",
        "a b",
        "http://box",
        "box:5557",
        "[::1]",
        "-box",
        "box-",
        "box..lan",
        ".",
        "box.",
        "999.1.1.1",
        "1.2.3",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "fe80::1%eth0",
        "bøx",
        "box\n",
        "--help",
        "x" * 64,
        "x." * 130 + "x",
    ],
)
def test_it_refuses_what_is_no_address(host: WorkerHost, address: str) -> None:
    told = refusal(lambda: hosts.change(host=host, **AS_IT_IS | {"address": address}, by=BY), Invalid)
    assert told[:2] == ("bad_address", ["address"])


def test_it_refuses_a_name_that_does_not_resolve(host: WorkerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    wanted = AS_IT_IS | {"address": "box_1.lan"}
    told = refusal(lambda: hosts.change(host=host, **wanted, by=BY), Invalid)
    assert told == ("address_unresolved", ["address"], "box_1.lan does not resolve.")
    WorkerHost.objects.update(address="box_1.lan")  # as it is: not asked for again
    host.refresh_from_db()
    hosts.change(host=host, **wanted, by=BY)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server that does not answer."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [over.wait(60)])
    monkeypatch.setattr(hosts, "RESOLVE_SECONDS", 0.05)
    yield
    over.set()


def test_it_does_not_wait_for_a_name_server_that_is_away(host: WorkerHost, slow_names: None) -> None:
    told = refusal(lambda: hosts.change(host=host, **AS_IT_IS | {"address": "box"}, by=BY), Invalid)
    assert told[0] == "address_unresolved"


# --- removing -----------------------------------------------------------------------------------------------------


def test_a_removed_host_takes_its_own_along(host: WorkerHost) -> None:
    factories.RunnerFactory.create(host=host)
    IdRange.objects.create(pool=host.pool, host=host, first=1, last=9)
    hosts.remove(host=host, by=BY)
    assert not WorkerHost.objects.exists() and not IdRange.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.action, event.object, event.details) == ("host.remove", "a", {"pool": "local"})


def test_a_host_stays_while_a_run_uses_it(host: WorkerHost) -> None:
    fields = {"pool": host.pool, "host": host, "run_id": uuid4(), "leased_at": datetime.now(UTC)}
    for worker, label in enumerate(["#128 Checkout", "#128 Checkout", "#7 Search"]):
        IdLease.objects.create(**fields, run_label=label, worker=worker, first=worker + 1, last=worker + 1)
    told = refusal(lambda: hosts.remove(host=host, by=BY), Conflict)
    assert told == ("host_busy", [], "Host a is used by #128 Checkout, #7 Search.")
    IdLease.objects.update(ended_at=datetime.now(UTC))
    hosts.remove(host=host, by=BY)
    assert set(IdLease.objects.values_list("host", flat=True)) == {None}


@pytest.mark.django_db(transaction=True)
def test_a_host_can_be_set_while_a_run_takes_its_ids() -> None:
    """Neither waits for what the other has: a form locks the host and gives it a range, a claim leases IDs of it."""
    pool = factories.PoolFactory.create(first_id=1, last_id=1000)
    host = factories.HostFactory.create(pool=pool, slots=9)
    start = threading.Barrier(2, timeout=20)

    def set_all() -> None:
        for number in range(1, 20):
            start.wait()
            with transaction.atomic():
                hosts.change(host=host, **AS_IT_IS | {"slots": number}, by=BY)
                leases.lock(pool.pk)

    def lease_all() -> None:
        for number in range(1, 20):
            start.wait()
            with transaction.atomic():
                leases.lock(pool.pk)
                seats = [Seat(host.pk, 0, 1, number)]
                leases.take(pool=pool, seats=seats, run_id=uuid4(), run_label="#1", now=datetime.now(UTC))

    def closing(action: Callable[[], None]) -> None:
        try:
            action()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(closing, [set_all, lease_all]))
    assert IdLease.objects.count() == 19
