"""Many hosts, one swarm: what the target saw proves who was there, whatever happened meanwhile."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.bed.hosts import RUNNER_HOSTS, Bed
from tests.bed.network import Host
from tests.e2e.stack import wait_for

pytestmark = pytest.mark.timeout(300)

ACTIVE_SECONDS = 40.0
CUT_SECONDS = 20.0
GONE_SECONDS = 10.0
CHILD = "child/launch.py"

STUDENTS = """
import os
from locust import HttpUser, constant_pacing, task
from hatchery import sequence, user_id

class Student(HttpUser):
    wait_time = constant_pacing(2)

    def on_start(self):
        self.id = user_id(self)
        self.client.headers["X-Worker"] = os.environ["WORKER_INDEX"]
        self.client.post("/login", json={"id": self.id})

    @task
    def upload(self):
        with sequence(self) as n:
            self.client.post("/upload", json={"id": self.id, "n": n}).raise_for_status()
"""

TWO_CLASSES = (
    STUDENTS
    + """
class Teacher(Student):
    weight = 2

class Guest(Student):
    fixed_count = 7
"""
)

OLD_STYLE = """
import itertools, os
from locust import HttpUser, constant_pacing, task

counter = itertools.count(1)
WORKER_OFFSET = int(os.environ["WORKER_OFFSET"])

class Student(HttpUser):
    wait_time = constant_pacing(2)

    def on_start(self):
        self.id = f"test_{WORKER_OFFSET + next(counter):05}"
        self.n = 0
        self.client.post("/login", json={"id": self.id})

    @task
    def upload(self):
        self.n += 1
        self.client.post("/upload", json={"id": self.id, "n": self.n})
"""


TALKING = (
    STUDENTS
    + """
    @task
    def talk(self):
        print("this is worker", os.environ["WORKER_INDEX"])
"""
)


class Swarm:
    """Runners on some hosts, which share the IDs evenly."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    def begin(self, *, ids: int, slots: int = 1, hosts: Iterable[str] = RUNNER_HOSTS) -> None:
        names = list(hosts)
        for host in names:
            self.bed.start_runner(host)
        wait_for(lambda: set(names) <= self._online(), ACTIVE_SECONDS, "all hosts online", self.bed.said)
        share = [sys.executable, "-m", "tests.bed.pool", "test_", "1", str(ids), str(slots), *names]
        process = self.bed.run_on("portal", "pool", tuple(share))
        assert process.wait(60) == 0, self.bed.said()

    def _online(self) -> set[str]:
        hosts = self.bed.api("GET", "/api/v1/pools/local/").json["hosts"]
        return {host["name"] for host in hosts if any(runner["online"] for runner in host["runners"])}

    def start(self, script: str, **options: Any) -> str:
        """Start a run of three workers; its id."""
        scenario = self.bed.scenario(script, host=self.bed.target_url)
        return self.bed.start(scenario, **{"workers": 3, **options})

    def workers(self, run_id: str) -> list[dict[str, Any]]:
        return self.bed.part(run_id, "workers")

    def loaded(self, run_id: str, users: int) -> None:
        """Wait until all users are there."""
        wait_for(lambda: self.bed.run(run_id)["current_users"] >= users, 60, f"{users} users", self.bed.said)

    def leader(self, run_id: str) -> Host:
        """The host whose runner leads the run."""
        events = self.bed.part(run_id, "events")
        (by,) = {event["by"] for event in events if event["data"].get("state") == "claimed"}
        return self.bed[by.removeprefix("runner:").rpartition("-")[0]]

    def another(self, run_id: str) -> Host:
        """A host that makes load for the run and does not lead it."""
        leader = self.leader(run_id).name
        return self.bed[next(row["host"] for row in self.workers(run_id) if row["host"] != leader)]

    def warnings(self, run_id: str) -> list[str]:
        events = self.bed.part(run_id, "events")
        return [event["data"]["code"] for event in events if event["kind"] == "warning"]

    def log(self, run_id: str, index: int) -> list[str]:
        """What a worker has logged, as the portal has it."""
        lines: list[str] = self.bed.api("GET", f"/api/v1/runs/{run_id}/log/?worker={index}").json["lines"]
        return lines

    def identities(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bed.api("GET", f"/api/v1/runs/{run_id}/identities/").json
        return found


@pytest.fixture
def swarm(bed: Bed) -> Swarm:
    return Swarm(bed)


def locusts(host: Host, *words: str) -> list[psutil.Process]:
    """Processes of Locust on a host, the guards above them included; `words`: only those with one of them."""
    found = []
    for pid in host.pids():
        try:
            line = " ".join(psutil.Process(pid).cmdline())
        except psutil.Error:
            continue
        if CHILD in line and (not words or any(word in line for word in words)):
            found.append(psutil.Process(pid))
    return found


def owner_on(host: Host) -> psutil.Process:
    """The process above the only worker of a host."""
    found = locusts(host)
    (owner,) = {process.ppid() for process in found} - {process.pid for process in found}
    return psutil.Process(owner)


def ids_of(row: dict[str, Any]) -> Iterator[str]:
    return (f"test_{number:05}" for number in range(row["offset"] + 1, row["offset"] + row["most_users"] + 1))


def finished(run: dict[str, Any], verdict: str = "none") -> None:
    assert (run["state"], run["reason"], run["verdict"]) == ("finished", "run_time_over", verdict), run


def test_500_users_on_three_hosts_are_500_different_ones(swarm: Swarm) -> None:
    swarm.begin(ids=500)
    run_id = swarm.start(STUDENTS, users=500, spawn_rate=50, run_time="20s")
    run = swarm.bed.over(run_id, 120)
    finished(run)
    log = swarm.bed.log()
    log.assert_each_once("test_", 1, 500)
    log.assert_no_overlap()
    log.assert_no_gap()
    assert sorted(len(ids) for ids in log.ids_by_peer().values()) == [166, 167, 167]
    assert [row["offset"] for row in swarm.workers(run_id)] == [0, 166, 333]
    # Each user may have been stopped with a request under way, which the target saw and nobody counted.
    assert run["totals"]["requests"] <= len(log) <= run["totals"]["requests"] + 500
    assert run["reconciliation"]["difference"] == 0
    proof = swarm.identities(run_id)
    assert (proof["used"], proof["duplicates"]["count"], proof["out_of_range"]["count"]) == (500, 0, 0)
    assert proof["sequences"]["committed"] + 500 == run["totals"]["requests"]  # uploads, and a login of each
    assert (proof["sequences"]["gaps"]["count"], proof["sequences"]["repeats"]["count"]) == (0, 0)


def test_what_workers_log_is_read_while_they_run(swarm: Swarm) -> None:
    swarm.begin(ids=60)
    run_id = swarm.start(TALKING, users=60, spawn_rate=60, run_time="20s")
    swarm.loaded(run_id, 60)
    in_use = lambda: [row["ids"]["in_use"] for row in swarm.workers(run_id)]  # noqa: E731
    wait_for(lambda: in_use() == [20, 20, 20], 10, "all IDs in use", swarm.bed.said)
    for index in range(3):
        wait_for(lambda index=index: f"this is worker {index}" in swarm.log(run_id, index), 10, "its log")  # type: ignore[misc]
    assert swarm.bed.run(run_id)["state"] == "running"
    finished(swarm.bed.over(run_id, 90))
    assert in_use() == [0, 0, 0]
    for index in range(3):
        assert {line for line in swarm.log(run_id, index) if line.startswith("this is")} == {f"this is worker {index}"}


def test_a_script_that_counts_from_its_offset_is_right_without_a_change(swarm: Swarm) -> None:
    swarm.begin(ids=90)
    finished(swarm.bed.over(swarm.start(OLD_STYLE, users=90, spawn_rate=30, run_time="8s"), 90))
    log = swarm.bed.log()
    log.assert_each_once("test_", 1, 90)
    log.assert_no_overlap()
    log.assert_no_gap()


def test_two_classes_share_the_ids_of_each_host(swarm: Swarm) -> None:
    swarm.begin(ids=90)
    run = swarm.bed.over(swarm.start(TWO_CLASSES, users=90, spawn_rate=30, run_time="8s"), 90)
    finished(run)
    assert sorted(run["user_classes"]) == ["Guest", "Student", "Teacher"]
    log = swarm.bed.log()
    log.assert_each_once("test_", 1, 90)
    log.assert_no_overlap()
    log.assert_no_gap()
    assert [len(ids) for ids in log.ids_by_peer().values()] == [30, 30, 30]


def test_whatever_the_ramp_no_id_is_used_twice_at_once(swarm: Swarm) -> None:
    swarm.begin(ids=100)
    ramp = [{"duration": "4s", "users": users, "spawn_rate": 50} for users in (100, 50, 75, 25, 100, 10, 60)]
    finished(swarm.bed.over(swarm.start(STUDENTS, stages=ramp), 120))
    log = swarm.bed.log()
    assert set(log.logins_by_id()) == {f"test_{number:05}" for number in range(1, 101)}
    log.assert_no_overlap()
    log.assert_no_gap()


def test_two_runs_at_once_never_share_an_id(swarm: Swarm) -> None:
    swarm.begin(ids=120, slots=2)
    first = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="10s")
    second = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="10s")
    third = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="1s", when_full="refuse")
    swarm.loaded(first, 60)
    swarm.loaded(second, 60)
    refused = swarm.bed.over(third, 30)
    assert (refused["state"], refused["reason"]) == ("failed", "no_room"), refused
    for run_id in (first, second):
        finished(swarm.bed.over(run_id, 90))
    log = swarm.bed.log()
    log.assert_each_once("test_", 1, 120)
    log.assert_no_overlap()
    log.assert_no_gap()


@pytest.mark.parametrize("killed", ["its processes", "the process that owns them"])
def test_a_killed_worker_comes_back_with_its_ids_and_no_other_is_touched(swarm: Swarm, killed: str) -> None:
    swarm.begin(ids=60)
    run_id = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="25s", on_lost="rebalance")
    swarm.loaded(run_id, 60)
    host = swarm.another(run_id)
    (row,) = [row for row in swarm.workers(run_id) if row["host"] == host.name]
    for process in locusts(host) if killed == "its processes" else [owner_on(host)]:
        with suppress(psutil.NoSuchProcess):  # the guard ends by itself when its Locust has
            process.kill()
    wait_for(lambda: swarm.workers(run_id)[row["index"]]["starts"] == 2, 15, "a second start", swarm.bed.said)
    swarm.loaded(run_id, 60)
    run = swarm.bed.over(run_id, 120)
    finished(run, "invalid")
    assert "worker_lost" in [reason["code"] for reason in run["verdict_reasons"]]
    assert "worker_restarted" in swarm.warnings(run_id)
    assert sum("Starting Locust" in line for line in swarm.log(run_id, row["index"])) == 2  # the first one's is kept
    log, hit = swarm.bed.log(), set(ids_of(row))
    logins = {user: len(entries) for user, entries in log.logins_by_id().items()}
    assert logins == {f"test_{number:05}": 2 if f"test_{number:05}" in hit else 1 for number in range(1, 61)}
    log.assert_no_overlap()
    log.assert_no_gap(allow_repeats_for=hit)


def test_a_network_that_is_away_for_20_s_costs_nobody_the_id(swarm: Swarm) -> None:
    swarm.begin(ids=60)
    run_id = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="50s")
    swarm.loaded(run_id, 60)
    host = swarm.another(run_id)
    (row,) = [row for row in swarm.workers(run_id) if row["host"] == host.name]
    host.cut()
    time.sleep(CUT_SECONDS)
    host.mend()
    wait_for(lambda: "worker_back" in swarm.warnings(run_id), 40, "the worker is heard of again", swarm.bed.said)
    run = swarm.bed.over(run_id, 120)
    finished(run, "invalid")
    assert [row["starts"] for row in swarm.workers(run_id)] == [1, 1, 1]
    log = swarm.bed.log()
    log.assert_each_once("test_", 1, 60)
    log.assert_no_overlap()
    log.assert_no_gap(allow_repeats_for=set(ids_of(row)))


@pytest.mark.parametrize("dies", ["the master", "the whole host of the leader"])
def test_when_the_master_dies_nothing_is_left_running_anywhere(swarm: Swarm, dies: str) -> None:
    swarm.begin(ids=60)
    run_id = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="120s")
    swarm.loaded(run_id, 60)
    leader = swarm.leader(run_id)
    if dies == "the master":
        for process in locusts(leader, "--master-bind-host"):
            process.send_signal(signal.SIGKILL)
    else:
        leader.power_off()
    hosts = [swarm.bed[name] for name in RUNNER_HOSTS]
    wait_for(lambda: not any(locusts(host) for host in hosts), GONE_SECONDS, "no Locust anywhere", swarm.bed.said)
    run = swarm.bed.over(run_id, 60)
    assert run["state"] in ("failed", "lost"), run


def test_a_clock_that_is_20_s_ahead_disturbs_no_figure(swarm: Swarm) -> None:
    swarm.bed.add_host("fast", clock_offset_s=20)
    swarm.begin(ids=60, hosts=("alpha", "beta", "fast"))
    run_id = swarm.start(STUDENTS, users=60, spawn_rate=60, run_time="12s")
    run = swarm.bed.over(run_id, 90)
    finished(run)
    offsets = {row["host"]: row["clock_offset_ms"] for row in swarm.workers(run_id)}
    assert offsets["fast"] == pytest.approx(-20_000, abs=500) and abs(offsets["alpha"]) < 500
    series = swarm.bed.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=users,requests&points=600").json
    assert max(value or 0 for value in series["series"][0]["users"]) == 60
    assert len(series["t"]) <= 20  # seconds; those of one host are not 20 s beside the others'
    counted = sum(value or 0 for value in series["series"][0]["requests"])
    assert counted == run["totals"]["requests"] <= len(swarm.bed.log()) <= counted + 60
    stats = swarm.bed.api("GET", f"/api/v1/runs/{run_id}/stats.csv").text
    assert all(line.split(",")[4] not in ("0", "N/A") for line in stats.splitlines()[1:]), stats
