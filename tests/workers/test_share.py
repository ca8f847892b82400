"""What becomes of the workers on a host, and where a master is reached."""

from __future__ import annotations

import signal
import socket
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.db import OperationalError

from apps.core.clock import db_now
from apps.runs.lease import RENEW_SECONDS, Lease
from apps.runs.models import Run, RunWorker
from apps.runs.sharing import Share
from apps.runs.states import State, WorkerState
from tests.factories import HostFactory, RunWorkerFactory
from tests.runs.makers import held, shared
from workers import share_control as module
from workers.leadership import EVERYWHERE, LOOPBACK, addresses, new_keys
from workers.outcome import Order
from workers.share import trouble_with
from workers.share_control import ALONE_SECONDS, LEADERLESS_SECONDS, ORPHANED_SECONDS, ShareControl
from workers.supervisor import ORDERS_SECONDS

pytestmark = pytest.mark.django_db


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease() -> Lease:
    return held()


@pytest.fixture
def control(lease: Lease, clock: Clock) -> ShareControl:
    return ShareControl(shared(lease, 0, 1), clock)


def later(clock: Clock, seconds: float = ORDERS_SECONDS) -> None:
    clock.now += seconds


def silence(control: ShareControl, clock: Clock, seconds: float, *indexes: int) -> None:
    for index in indexes:
        control.master_silent_since[index] = clock.now - seconds


# --- orders -------------------------------------------------------------------------------------------------------


def test_workers_go_on_while_their_run_does(control: ShareControl) -> None:
    assert control.orders(0) is control.orders(1) is Order.GO and control.goes_on and control.steering() is None


@pytest.mark.parametrize("fields", [{"state": State.FINISHED}, {"abort_requested_at": db_now}])
def test_workers_end_at_once_when_their_run_is_over(control: ShareControl, fields: dict[str, Any]) -> None:
    Run.objects.update(**{name: value() if callable(value) else value for name, value in fields.items()})
    assert control.orders(0) is Order.ABORT and control.why_ended == "The run was over." and not control.goes_on


def test_a_stop_is_for_the_master_to_pass_on(control: ShareControl) -> None:
    Run.objects.update(stop_requested_at=db_now())
    assert control.orders(0) is Order.GO


def test_only_the_worker_that_was_given_up_ends(control: ShareControl) -> None:
    RunWorker.objects.filter(index=1).update(state=WorkerState.LOST)
    assert (control.orders(0), control.orders(1)) == (Order.GO, Order.ABORT)
    assert control.why_ended == "The leader of the run had given it up."


def test_workers_of_somebody_else_are_left(control: ShareControl) -> None:
    RunWorker.objects.update(fence=9)
    assert control.orders(0) is Order.FENCED


def test_they_end_in_good_order_when_the_runner_leaves(control: ShareControl) -> None:
    control.leave(signal.SIGTERM, None)
    assert control.orders(0) is Order.DRAIN and not control.goes_on


def test_the_database_is_asked_once_for_all_of_them(
    control: ShareControl, clock: Clock, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        for index in (0, 1, 0, 1):
            control.orders(index)
    later(clock)
    with django_assert_num_queries(2):
        control.orders(0)


def test_they_are_held_on_to(control: ShareControl, clock: Clock) -> None:
    long_ago = db_now() - timedelta(hours=1)
    RunWorker.objects.update(lease_until=long_ago)
    control.orders(0)
    assert set(RunWorker.objects.values_list("lease_until", flat=True)) == {long_ago}
    later(clock, RENEW_SECONDS)
    control.orders(0)
    assert all(until and until > db_now() for until in RunWorker.objects.values_list("lease_until", flat=True))


# --- without a master ---------------------------------------------------------------------------------------------


def test_a_master_that_is_silent_while_the_leader_lives_is_waited_for(control: ShareControl, clock: Clock) -> None:
    silence(control, clock, ORPHANED_SECONDS - 1, 0, 1)
    assert control.orders(0) is Order.GO
    later(clock, 1.1)
    assert control.orders(0) is Order.ABORT and "for a minute" in control.why_ended


def test_workers_whose_master_and_leader_are_gone_end_soon(control: ShareControl, clock: Clock) -> None:
    Run.objects.update(lease_until=db_now())
    assert control.orders(0) is Order.GO  # they hear the master
    silence(control, clock, LEADERLESS_SECONDS + 0.1, 0, 1)
    later(clock)
    assert control.orders(0) is Order.ABORT and "leader" in control.why_ended


def test_one_worker_that_hears_nothing_says_little(control: ShareControl, clock: Clock) -> None:
    """The silence counts from when the last of them fell silent."""
    silence(control, clock, ORPHANED_SECONDS + 1, 0)
    silence(control, clock, 1, 1)
    assert control.orders(0) is Order.GO


# --- without the database -----------------------------------------------------------------------------------------


class Closable:
    """A test's connection must stay open: its transaction is the test's."""

    def close(self) -> None:
        """Not really."""


def test_a_database_that_is_away_is_forgiven_for_a_while(
    control: ShareControl, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("the database is away")

    control.orders(0)
    monkeypatch.setattr(module, "connection", Closable())
    with monkeypatch.context() as patch:
        patch.setattr(Share, "look", away)
        patch.setattr(Share, "renew", away)
        later(clock, ALONE_SECONDS)
        assert control.orders(0) is Order.GO
        later(clock)
        assert control.orders(0) is Order.FENCED
    later(clock)
    assert control.orders(0) is Order.GO


# --- addresses ----------------------------------------------------------------------------------------------------


def workers_on(*hosts: Any) -> list[RunWorker]:
    run = Run.objects.get(pk=held().run_id)
    return [RunWorkerFactory.create(run=run, host=host, index=index) for index, host in enumerate(hosts)]


def own_address() -> str | None:
    """One of this machine's that others could reach."""
    found = (one for several in psutil.net_if_addrs().values() for one in several if one.family == socket.AF_INET)
    return next((one.address for one in found if not one.address.startswith("127.")), None)


def test_a_master_whose_workers_are_all_here_is_not_seen_from_outside() -> None:
    host = HostFactory.create(address="203.0.113.7")
    assert addresses(host, workers_on(host, host)) == (LOOPBACK, LOOPBACK)


def test_a_master_is_reached_where_people_say_or_else_its_host() -> None:
    host = HostFactory.create(address="203.0.113.7", report={"addresses": ["198.51.100.4"]})
    workers = workers_on(host, HostFactory.create())
    assert addresses(host, workers) == ("203.0.113.7", EVERYWHERE)  # behind somebody else's address
    host.address = ""
    assert addresses(host, workers) == ("198.51.100.4", EVERYWHERE)


def test_a_master_listens_on_the_address_that_is_its_own() -> None:
    address = own_address()
    if address is None:
        pytest.skip("this machine has no network")
    host = HostFactory.create(address=address)
    assert addresses(host, workers_on(host, HostFactory.create())) == (address, address)


def test_a_host_without_an_address_cannot_have_the_master_of_others() -> None:
    host = HostFactory.create()
    with pytest.raises(OSError, match="it is not known"):
        addresses(host, workers_on(HostFactory.create()))


def test_it_says_why_nobody_answers() -> None:
    keys = new_keys()
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        told = f"At 127.0.0.1, port {port}, somebody answers who is not the master of this run."
        assert trouble_with(LOOPBACK, port, keys) == told
    told = f"No TCP connection to the master at 127.0.0.1, port {port}: Connection refused."
    assert trouble_with(LOOPBACK, port, keys) == told
    assert trouble_with("nowhere.invalid", port, keys).startswith("The name of the master, nowhere.invalid, does not")


def test_no_two_runs_have_the_same_keys() -> None:
    one, other = new_keys(), new_keys()
    texts = [one.server_public, one.server_secret, one.client_public, one.client_secret]
    texts += [other.server_public, other.server_secret, other.client_public, other.client_secret]
    assert len(set(texts)) == 8 and {len(text) for text in texts} == {40}
