"""What the leader of a run hears of its workers, and what becomes of the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError

from apps.core.clock import db_now
from apps.runs import leading
from apps.runs.leading import GATHER_SECONDS, LOST_SECONDS, MAX_NOTES, RESTART_SECONDS, RING_SECONDS, Lead
from apps.runs.lease import Lease
from apps.runs.models import Run, RunEvent, RunWorker
from apps.runs.placing import QUARANTINE_SECONDS
from apps.runs.states import State, WorkerState
from apps.scenarios.models import OnLost
from tests.factories import HostFactory, RunWorkerFactory
from tests.runs.makers import held, row_of
from workers.outcome import Reason
from workers.spec import Keys
from workers.swarm import WORDS, Orders, Wish

pytestmark = pytest.mark.django_db
KEYS = Keys("server-public", "server-secret", "client-public", "client-secret")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Leader:
    """A lead, and three workers on two hosts that it is asked to lead."""

    def __init__(self, on_lost: OnLost = OnLost.DEGRADE) -> None:
        self.lease: Lease = held(State.STARTING, workers=3)
        one, other = HostFactory.create(name="box-a"), HostFactory.create(name="box-b")
        for index, (host, users) in enumerate([(one, 6), (one, 7), (other, 7)]):
            RunWorkerFactory.create(run=row_of(self.lease), host=host, index=index, users=users)
        self.clock, self.rung = Clock(), list[tuple[str, int]]()
        self.lead = Lead(self.lease, KEYS, "10.0.0.1", on_lost, self.ring, clock=self.clock)

    def ring(self, worker: RunWorker) -> None:
        self.rung.append((worker.host_name, worker.index))

    def word(self, kind: str, **said: object) -> None:
        assert kind in WORDS
        self.lead.word(kind, said)

    def look(self, after: float = 0.0) -> Wish:
        self.clock.now += after
        return self.lead.look()

    def set(self, *indexes: int, **fields: object) -> None:
        """What a host does with its workers."""
        RunWorker.objects.filter(index__in=indexes).update(**fields)

    def gather(self) -> None:
        """Until all have come."""
        self.word("listening", port=7_000)
        self.look()
        until = db_now() + timedelta(seconds=15)
        self.set(0, 1, 2, state=WorkerState.STARTING, starts=1, lease_until=until)
        for index in range(3):
            self.word("worker_ready", index=index, start=1)
        assert self.look() == Wish()
        assert states() == ["ready"] * 3

    def lose(self, index: int) -> None:
        """Nobody hears of it."""
        self.word("worker_silent", index=index)
        self.set(index, lease_until=db_now() - timedelta(seconds=1))
        self.look()

    def end(self, index: int, reason: str = "Its process was ended by signal 9.") -> None:
        self.set(index, state=WorkerState.ENDED, ended_at=db_now(), reason=reason)


@pytest.fixture
def leader() -> Leader:
    return Leader()


def states() -> list[str]:
    return list(RunWorker.objects.order_by("index").values_list("state", flat=True))


def warnings() -> list[tuple[str, str]]:
    found = RunEvent.objects.filter(kind="warning").order_by("id")
    return [(event.data["code"], event.text) for event in found]


# --- calling them together ----------------------------------------------------------------------------------------


def test_it_tells_hosts_where_the_master_listens(leader: Leader) -> None:
    assert leader.look() == Wish() and leader.rung == [] and row_of(leader.lease).link == {}
    leader.word("listening", port=7_000)
    leader.word("listening", port=9_999)  # it listens once
    leader.look()
    link = row_of(leader.lease).link
    assert (link["address"], link["port"]) == ("10.0.0.1", 7_000)
    assert link["keys"] == {
        "server_public": "server-public",
        "client_public": "client-public",
        "client_secret": "client-secret",
    }


def test_hosts_are_rung_for_once_each_until_they_have_come(leader: Leader) -> None:
    leader.word("listening", port=7_000)
    leader.look()
    assert leader.rung == [("box-a", 1), ("box-b", 2)]
    leader.look(RING_SECONDS - 0.1)
    assert len(leader.rung) == 2
    leader.set(0, 1, state=WorkerState.STARTING)
    leader.look(0.1)
    assert leader.rung[2:] == [("box-b", 2)]


def test_a_worker_is_ready_when_its_master_and_its_host_say_so(leader: Leader) -> None:
    leader.word("listening", port=7_000)
    leader.word("worker_ready", index=0, start=1)
    leader.look()
    assert states() == ["wanted", "wanted", "wanted"]
    leader.set(0, state=WorkerState.STARTING, starts=1)
    leader.look()
    assert states() == ["ready", "wanted", "wanted"] and RunWorker.objects.get(index=0).ready_at


def test_it_says_who_did_not_come_and_why(leader: Leader) -> None:
    leader.word("listening", port=7_000)
    leader.look()
    leader.set(0, state=WorkerState.STARTING, starts=1)
    leader.word("worker_ready", index=0, start=1)
    leader.set(1, state=WorkerState.STARTING, reason="No TCP connection to the master at 10.0.0.1, port 7000: refused.")
    assert leader.look(GATHER_SECONDS).end is None
    wish = leader.look(0.1)
    assert wish.end is Reason.WORKERS_MISSING and wish.diagnosis is not None
    assert (wish.diagnosis.code, wish.diagnosis.message) == (
        "workers_missing",
        (
            "Worker 2 on box-a was started, and did not reach the master. "
            "No TCP connection to the master at 10.0.0.1, port 7000: refused. "
            "Worker 3 on box-b did not come: its host did not take it. Does its runner live, and does it reach Redis?"
        ),
    )


def test_a_worker_that_ends_before_it_came_is_not_waited_for(leader: Leader) -> None:
    leader.word("listening", port=7_000)
    leader.look()
    leader.end(2, "import nowhere: No module named 'nowhere'")
    wish = leader.look(1)
    assert wish.end is Reason.WORKERS_MISSING and wish.diagnosis is not None
    assert wish.diagnosis.message == "Worker 3 on box-b did not come: import nowhere: No module named 'nowhere'"


def test_with_all_of_them_there_nothing_is_wanted_any_more(leader: Leader) -> None:
    leader.gather()
    rung = len(leader.rung)
    assert leader.look(GATHER_SECONDS + 1) == Wish() and len(leader.rung) == rung and warnings() == []


# --- silence ------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_silent_for_a_while_is_no_loss(leader: Leader) -> None:
    leader.gather()
    leader.word("worker_silent", index=1)
    leader.look()
    assert states() == ["ready", "silent", "ready"]
    assert leader.look(LOST_SECONDS - 1) == Wish()
    leader.word("worker_heard", index=1)
    assert leader.look() == Wish() and states() == ["ready"] * 3
    assert leader.look(LOST_SECONDS) == Wish()
    assert warnings() == [
        ("worker_away", "Worker 2 on box-a is not heard of."),
        ("worker_back", "Worker 2 on box-a is heard of again."),
    ]


def test_a_worker_whose_host_holds_it_is_no_loss_however_silent_it_is(leader: Leader) -> None:
    leader.gather()
    leader.word("worker_silent", index=1)
    leader.look()
    assert leader.look(LOST_SECONDS * 10) == Wish()
    leader.set(1, lease_until=db_now() - timedelta(seconds=1))
    assert leader.look().orders is not None


def test_a_worker_that_the_master_hears_is_no_loss_whatever_its_host_does(leader: Leader) -> None:
    leader.gather()
    leader.set(1, lease_until=db_now() - timedelta(hours=1))
    assert leader.look(LOST_SECONDS * 10) == Wish()


# --- loss ---------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_without_a_lost_worker(leader: Leader) -> None:
    leader.gather()
    leader.lose(1)
    wish = leader.look(LOST_SECONDS)
    assert wish == Wish(Orders(1, {0: 6, 2: 7}, lost=(1,)))
    assert states() == ["ready", "lost", "ready"]
    assert leader.look(5) == wish
    assert warnings()[-1] == (
        "worker_lost",
        "Worker 2 on box-a is lost: neither its master nor the database hears of it.",
    )
    assert [code for code, _ in warnings()].count("worker_lost") == 1


def test_a_run_goes_on_without_a_worker_whose_process_has_ended(leader: Leader) -> None:
    leader.gather()
    leader.end(2)
    assert leader.look() == Wish(Orders(1, {0: 6, 1: 7}, gone=(2,)))
    leader.look()
    assert warnings() == [("worker_lost", "Worker 3 on box-b is lost: Its process was ended by signal 9.")]


def test_orders_go_up_with_each_change(leader: Leader) -> None:
    leader.gather()
    leader.end(2)
    leader.look()
    leader.end(0)
    assert leader.look() == Wish(Orders(2, {1: 7}, gone=(0, 2)))


def test_a_worker_that_is_given_up_stays_so_until_its_process_is_known_to_have_ended(leader: Leader) -> None:
    leader.gather()
    leader.lose(1)
    leader.look(LOST_SECONDS)
    leader.word("worker_heard", index=1)
    leader.look()
    assert states()[1] == WorkerState.LOST
    leader.end(1)
    assert leader.look() == Wish(Orders(2, {0: 6, 2: 7}, gone=(1,)))


def test_users_of_a_process_that_has_ended_are_shared_out_when_nobody_starts_it_anew() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.end(2)
    assert leader.look() == leader.look(RESTART_SECONDS - 0.1) == Wish()
    assert leader.look(0.2) == Wish(Orders(1, {0: 9, 1: 11}, gone=(2,)))


def test_nobody_elses_users_come_to_a_worker_that_was_started_anew() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    for start in (2, 3):
        leader.end(2)
        assert leader.look() == Wish()
        leader.set(2, state=WorkerState.STARTING, ended_at=None, reason="", starts=start)
        assert leader.look(RESTART_SECONDS - 1) == Wish()


def test_a_worker_that_its_dead_owner_left_is_rung_for_and_has_its_users_again() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.rung.clear()
    leader.word("worker_silent", index=2)
    leader.set(2, state=WorkerState.WANTED, lease_until=None, reason="The process that looked after it was ended.")
    assert leader.look(RING_SECONDS) == Wish() and leader.rung == [("box-b", 2)]
    assert leader.look(RESTART_SECONDS) == Wish(Orders(1, {0: 9, 1: 11}, gone=(2,)))
    told = "Worker 3 on box-b is lost: The process that looked after it was ended."
    assert warnings()[-1] == ("worker_lost", told) and states()[2] == WorkerState.WANTED
    leader.set(2, state=WorkerState.STARTING, starts=2, reason="")
    leader.word("worker_ready", index=2, start=2)
    assert leader.look() == Wish(Orders(2, {0: 6, 1: 7, 2: 7})) and states() == ["ready"] * 3
    leader.set(2, lease_until=None)
    assert leader.look(LOST_SECONDS) == leader.look() and states() == ["ready"] * 3  # nobody is silent


def test_a_worker_that_was_lost_and_came_back_stays() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.lose(2)
    leader.look(LOST_SECONDS)
    leader.end(2)
    leader.look()
    leader.set(2, state=WorkerState.STARTING, starts=2, ended_at=None)
    leader.word("worker_ready", index=2, start=2)
    back = leader.look()
    assert back.orders is not None and dict(back.orders.quotas) == {0: 6, 1: 7, 2: 7}
    assert leader.look(QUARANTINE_SECONDS + 1) == back


def test_a_worker_that_is_lost_for_long_is_gone() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.lose(2)
    lost = leader.look(LOST_SECONDS)
    leader.look()
    assert leader.look(QUARANTINE_SECONDS - 1) == lost
    assert leader.look(1) == Wish(Orders(2, {0: 9, 1: 11}, gone=(2,)))


def test_a_second_start_that_does_not_come_to_anything_is_lost() -> None:
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.set(2, state=WorkerState.STARTING, starts=2)
    leader.word("worker_ready", index=2, start=1)  # the one before
    assert leader.look() == leader.look(GATHER_SECONDS - 1) == Wish() and states()[2] == WorkerState.STARTING
    assert leader.look(1) == Wish(Orders(1, {0: 6, 1: 7}, lost=(2,))) and states()[2] == WorkerState.LOST


def test_a_process_that_leaves_late_takes_nothing_from_the_next(leader: Leader) -> None:
    leader.gather()
    leader.set(1, state=WorkerState.STARTING, starts=2)
    leader.word("worker_ready", index=1, start=2)
    leader.word("worker_left", index=1, start=1)
    leader.look()
    assert states() == ["ready"] * 3


def test_users_of_a_worker_that_may_be_alive_are_not_made_anew() -> None:
    """Their IDs would be used twice."""
    leader = Leader(OnLost.REBALANCE)
    leader.gather()
    leader.lose(2)
    assert leader.look(LOST_SECONDS) == Wish(Orders(1, {0: 6, 1: 7}, lost=(2,)))


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (Leader.end, "Worker 1 on box-a is lost: Its process was ended by signal 9."),
        (Leader.lose, "Worker 1 on box-a is lost: neither its master nor the database hears of it."),
    ],
)
def test_a_run_that_is_to_end_then_ends(how: Callable[[Leader, int], None], text: str) -> None:
    leader = Leader(OnLost.END)
    leader.gather()
    how(leader, 0)
    wish = leader.look(LOST_SECONDS)
    assert wish.end is Reason.WORKER_LOST and wish.orders is None and wish.diagnosis is not None
    assert (wish.diagnosis.code, wish.diagnosis.message) == ("worker_lost", text)
    leader.end(1)
    assert leader.look() == wish


@pytest.mark.parametrize("on_lost", [OnLost.DEGRADE, OnLost.REBALANCE])
def test_a_run_of_which_nobody_is_left_ends_whatever_was_chosen(on_lost: OnLost) -> None:
    leader = Leader(on_lost)
    leader.gather()
    leader.lose(0)
    leader.end(1)
    leader.look(LOST_SECONDS)
    leader.end(2)
    leader.look()
    wish = leader.look(RESTART_SECONDS)
    assert wish.end is Reason.WORKER_LOST and wish.diagnosis is not None
    assert all(f"Worker {number} on" in wish.diagnosis.message for number in (1, 2, 3))


# --- what else it hears -------------------------------------------------------------------------------------------


def test_what_a_script_calls_a_stranger_is_plain_text(leader: Leader) -> None:
    leader.gather()
    leader.word("stranger", address="\x1b[31m\u202e\r\nred" + "x" * 500, count=1)
    leader.word("other_version", index=0, locust="\x1b]0;title\x07\u20662.0")
    leader.look()
    (_, stranger), (_, version) = warnings()
    assert stranger.isprintable() and "red" in stranger and len(stranger) < 200
    assert version == "Worker 1 runs another version of Locust: 2.0."


def test_strangers_and_other_versions_are_told_of(leader: Leader) -> None:
    leader.gather()
    leader.word("stranger", address="203.0.113.9", count=3)
    leader.word("stranger", address="", count="x")
    leader.word("other_version", index=1, locust="2.1\0")
    leader.look()
    assert warnings() == [
        ("stranger", "Somebody who is no worker of this run tried to connect to its master, from 203.0.113.9."),
        (
            "stranger",
            (
                "Somebody who is no worker of this run tried to connect to its master, "
                "from an address that was gone before it could be read."
            ),
        ),
        ("other_version", "Worker 2 runs another version of Locust: 2.1."),
    ]
    assert [event.data.get("count") for event in RunEvent.objects.filter(kind="warning").order_by("id")] == [3, 1, None]


@pytest.mark.parametrize("value", [None, -1, 1.5, "1", True, 2**40, [], {}])
def test_words_that_are_none_are_passed_over(leader: Leader, value: object) -> None:
    leader.gather()
    for kind in sorted(WORDS - {"stranger"}):
        leader.word(kind, index=value, start=value, port=value, locust=value)
    leader.word("stranger", address=value, count=value)
    leader.look()
    assert states() == ["ready"] * 3
    assert {code for code, _ in warnings()} <= {"stranger"}


def test_strangers_without_end_are_told_of_for_a_while_and_nothing_else_is_missed(leader: Leader) -> None:
    leader.gather()
    for _ in range(5_000):
        leader.word("stranger", address="x", count=1)
        leader.word("worker_silent", index=1)
        leader.word("worker_heard", index=1)
        leader.word("other_version", index=0, locust="x")
    leader.look()
    assert len(warnings()) == MAX_NOTES
    leader.word("dismissing")
    leader.end(0)
    assert leader.look() == Wish() and len(warnings()) == MAX_NOTES


# --- the database -------------------------------------------------------------------------------------------------


class Closable:
    """A test's connection must stay open: its transaction is the test's."""

    def close(self) -> None:
        """Not really."""


def test_a_database_that_is_away_changes_nothing(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    leader.gather()
    leader.word("stranger", address="203.0.113.9", count=1)
    leader.end(2)

    def away(self: Lead) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(leading, "connection", Closable())
        patch.setattr(Lead, "_look", away)
        assert leader.look() == Wish()
    assert leader.look().orders is not None
    assert next(code for code, _ in warnings()) == "stranger"


def test_a_run_that_is_somebody_elses_is_left_alone(leader: Leader) -> None:
    Run.objects.update(fence=9)
    leader.word("listening", port=7_000)
    assert leader.look() == Wish()
    assert row_of(leader.lease).link == {} and leader.rung == []


def test_what_a_host_says_meanwhile_is_not_overwritten(leader: Leader) -> None:
    """The leader looks first and writes then."""
    leader.gather()
    (seen,) = RunWorker.objects.filter(index=2)
    leader.end(2)
    leader.lead._set(seen, WorkerState.SILENT)
    assert states()[2] == WorkerState.ENDED
