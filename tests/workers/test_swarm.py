"""A master and its workers, all of them real: who has how many users, what is counted, and who may come in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
import zmq

from tests.workers.conftest import Target, of_run
from workers import command, launch
from workers.child.swarm.dispatch import Dispatch, UserClass
from workers.command import RunFolder
from workers.exact_source import ExactSource
from workers.process import LocustProcess
from workers.samples import Tick
from workers.spec import Block, Keys, MasterPart, RunSpec, Stage, WorkerPart
from workers.swarm import Orders

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("swarm")]

SCRIPT = """
import json, time
import gevent
from locust import HttpUser, constant, events, task

@events.init.add_listener
def watch(environment, **_):
    def tell():
        while True:
            print("USERS", time.time(), json.dumps(environment.runner.user_classes_count))
            gevent.sleep(0.05)
    if environment.parsed_options.worker:
        gevent.spawn(tell)

class Browser(HttpUser):
    weight = 3
    wait_time = constant(0.1)

    @task
    def browse(self):
        self.client.get("/browse")

class Buyer(HttpUser):
    wait_time = constant(0.1)

    @task
    def buy(self):
        self.client.get("/buy")
"""
FORGER = """
@events.test_start.add_listener
def forge(environment, **_):
    from locust.rpc import Message
    runner = environment.runner
    def go():
        gevent.sleep(1)
        kinds = ["hatchery_take", "hatchery_give_back", "spawning_complete", "heartbeat", "exception", None]
        values = [None, 10**6, -5, "x", [[1]], {"count": 10**6}, {"count": None}, {"spans": [[1, 20]]}, {"number": "x"}]
        for kind in kinds:
            for value in values:
                runner.client.send(Message(kind, value, runner.client_id))
        for raw in [b"", bytes([0xc1]), bytes([0x91]) * 5000]:
            runner.client.socket.send(raw)
        print("FORGED", flush=True)
    if environment.parsed_options.worker and runner.client_id.startswith("worker-0."):
        gevent.spawn(go)
"""
TELLING = (
    SCRIPT
    + """
import sys
for name, module in list(sys.modules.items()):
    if name.endswith(".exact.trim"):
        module.TRIM_SECONDS, module.KEPT_SECONDS = 0.5, 1

@events.worker_report.add_listener
def reported(client_id, **_):
    print("REPORT", client_id, time.monotonic())

@events.quitting.add_listener
def kept(environment, **_):
    print("KEPT", len(environment.stats.total.num_reqs_per_sec))
"""
)
CLASSES = [UserClass("Browser", 3), UserClass("Buyer", 1)]
BLOCKS = (Block(0, 0, 6), Block(1, 6, 7), Block(2, 13, 7))
STAGES = tuple(Stage(2.5, users, 100) for users in (20, 10, 15, 5, 20))
EXIT_STOPPED_BEFORE_START = 41
AHEAD_SECONDS = 20.0
"""What the clock of worker 2 is told to be behind."""


@dataclass
class Child:
    folder: RunFolder
    process: LocustProcess

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = self.folder.events.read_text().splitlines() if self.folder.events.exists() else []
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def wait_for(self, kind: str, count: int = 1, seconds: float = 30) -> dict[str, Any]:
        """Until it has told of this so often; the last time."""
        wait_until(lambda: len(self.events(kind)) >= count, seconds, self.log)
        return self.events(kind)[-1]

    def users(self) -> list[tuple[float, dict[str, int]]]:
        """What it had, and when."""
        lines = (line.split(" ", 2) for line in self.log().splitlines() if line.startswith("USERS") and "}" in line)
        return [(float(at), json.loads(counts)) for _, at, counts in lines]

    def users_at(self, moment: float) -> dict[str, int]:
        return [counts for at, counts in self.users() if at <= moment][-1]

    def count(self) -> int:
        """Users now."""
        told = self.users()
        return sum(told[-1][1].values()) if told else 0

    def log(self) -> str:
        return self.folder.log.read_text()

    def end(self, seconds: float = 40) -> int:
        """Wait for its end; the exit code."""
        wait_until(lambda: self.process.poll() is not None, seconds, self.log)
        code = self.process.poll()
        assert code is not None
        return code


def wait_until(done: Callable[[], bool], seconds: float, why: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


class Swarm:
    """A master, and workers as they are started."""

    def __init__(self, path: Path, target: Target, *, script: str = SCRIPT, **load: Any) -> None:
        target.counts.clear()
        server_public, server_secret = (key.decode() for key in zmq.curve_keypair())
        client_public, client_secret = (key.decode() for key in zmq.curve_keypair())
        self.keys = Keys(server_public, server_secret, client_public, client_secret)
        self.path, self.children = path, list[Child]()
        fields: dict[str, Any] = {"users": 20, "spawn_rate": 100, "run_time_s": 60, "workers": len(BLOCKS)}
        run_id = f"{path.name}-{os.getpid()}"
        self.spec = RunSpec(run_id=run_id, locustfile=script, host=target.url, **(fields | load))
        self.master = self._start("master", replace(self.spec, part=MasterPart(self.keys, "127.0.0.1", BLOCKS)))
        self.port = int(self.master.wait_for("listening")["port"])
        self.workers: dict[int, Child] = {}

    def join(self, index: int, *, start: int = 1, **more: Any) -> Child:
        part = WorkerPart(replace(self.keys, server_secret=""), "127.0.0.1", self.port, start)
        spec = replace(self.spec, part=part, block=BLOCKS[index], **more)
        self.workers[index] = self._start(f"worker-{index}.{start}", spec)
        return self.workers[index]

    def join_all(self) -> None:
        for block in BLOCKS:
            self.join(block.index)

    def counts(self) -> dict[int, int]:
        return {index: child.count() for index, child in self.workers.items()}

    def wait_counts(self, *counts: int, seconds: float = 15) -> None:
        wanted = dict(enumerate(counts))
        wait_until(lambda: self.counts() == wanted, seconds, lambda: (self.counts(), self.master.log()[-2000:]))

    def end(self) -> dict[str, int]:
        """Ask the master to end; all exit codes by folder."""
        self.master.process.interrupt()
        return {child.folder.path.name: child.end() for child in self.children}

    def close(self) -> None:
        for child in self.children:
            child.process.kill()
        assert of_run(self.spec.run_id) == []

    def _start(self, name: str, spec: RunSpec) -> Child:
        folder = RunFolder(self.path / name)
        launch.prepare(spec, folder)
        environment = command.environment(spec, folder)
        process = LocustProcess(command.argv(spec, folder), environment, cwd=folder.script, log=folder.log)
        self.children.append(Child(folder, process))
        return self.children[-1]


def collected(child: Child) -> tuple[list[Tick], int]:
    """Seconds of an own collector, and how many requests they have."""
    source, ticks = ExactSource(child.folder, now=lambda: time.time() + AHEAD_SECONDS), list[Tick]()
    anything = True
    while anything:
        more, anything = source.read()
        ticks += more
    ticks += source.finish(None)
    found = source.collected()
    assert found is not None and source.ended and source.warnings == {}
    source.close()
    return ticks, found.total.requests


def dispatched(users: int) -> Mapping[int, Mapping[str, int]]:
    dispatch = Dispatch({block.index: block.users for block in BLOCKS}, CLASSES)
    dispatch.go(users)
    return dispatch.counts()


# --- a whole run --------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    swarm: Swarm
    codes: dict[str, int]
    target: Counter[str]


@pytest.fixture(scope="module")
def ran(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Users go up and down, and the run ends with its time."""
    swarm = Swarm(tmp_path_factory.mktemp("swarm"), target, stages=STAGES)
    try:
        for index in (0, 1):
            swarm.join(index)
        time.sleep(0.5)
        assert swarm.master.events("test_start") == []  # not without all of them
        swarm.join(2, clock_offset_s=AHEAD_SECONDS)
        yield Ran(swarm, {child.folder.path.name: child.end() for child in swarm.children}, target.counts.copy())
    finally:
        swarm.close()


def test_all_processes_of_a_run_end_in_good_order(ran: Ran) -> None:
    assert ran.codes == {"master": 0, "worker-0.1": 0, "worker-1.1": 0, "worker-2.1": 0}
    assert all("Traceback" not in child.log() for child in ran.swarm.children)
    assert [event["index"] for event in ran.swarm.master.events("worker_silent")] == []


def test_each_worker_has_its_part_of_the_users_in_every_stage(ran: Ran) -> None:
    (began,) = ran.swarm.master.events("test_start")
    for number, stage in enumerate(STAGES, start=1):
        moment = began["t"] + number * stage.duration_s - 0.3
        found = {index: child.users_at(moment) for index, child in ran.swarm.workers.items()}
        assert found == dispatched(stage.users), number
    assert {index: sum(counts.values()) for index, counts in dispatched(20).items()} == {0: 6, 1: 7, 2: 7}


def test_no_worker_ever_has_more_users_than_its_block(ran: Ran) -> None:
    for index, child in ran.swarm.workers.items():
        assert max(sum(counts.values()) for _, counts in child.users()) == BLOCKS[index].users


def test_every_request_is_counted_once_by_us_and_by_locust(ran: Ran) -> None:
    final = json.loads(ran.swarm.master.folder.final.read_bytes())
    ours = [collected(child)[1] for child in ran.swarm.workers.values()]
    assert sum(ours) == final["total"]["requests"] == ran.target.total() and all(ours)
    assert final["stopped_by"] == "run_time"
    assert not any(child.folder.final.exists() for child in ran.swarm.workers.values())


def test_the_seconds_of_a_worker_whose_clock_is_behind_are_those_of_the_others(ran: Ran) -> None:
    firsts = {index: collected(child)[0][0].t for index, child in ran.swarm.workers.items()}
    assert abs(firsts[0] - firsts[1]) <= 1
    assert abs(firsts[2] - firsts[0] - AHEAD_SECONDS) <= 1


def test_the_secret_of_the_master_is_not_with_its_workers(ran: Ran) -> None:
    said = {child.folder.path.name: child.folder.launch.read_text() for child in ran.swarm.children}
    assert [name for name, text in said.items() if ran.swarm.keys.server_secret in text] == ["master"]
    assert not any(ran.swarm.keys.client_secret in text for name, text in said.items() if name == "master")


@pytest.mark.parametrize(("collector", "report_s", "most_kept"), [("exact", 3, 6), ("csv", 1, None)])
def test_a_master_whose_figures_nobody_reads_is_told_seldom_and_forgets_seconds(
    target: Target, tmp_path: Path, collector: str, report_s: float, most_kept: int | None
) -> None:
    """Locust's own rhythm is three seconds; of the ten of this test it would keep all."""
    swarm = Swarm(tmp_path, target, script=TELLING, collector=collector, run_time_s=10)
    try:
        swarm.join_all()
        assert swarm.master.end() == 0
        lines = [line.split() for line in swarm.master.log().splitlines()]
    finally:
        swarm.close()
    for index in swarm.workers:
        told = [float(line[2]) for line in lines if line[:2] == ["REPORT", f"worker-{index}.1"]]
        assert median(then - now for now, then in pairwise(told)) == pytest.approx(report_s, abs=0.5)
    (kept,) = (int(line[1]) for line in lines if line[:1] == ["KEPT"])
    assert kept >= 10 if most_kept is None else 1 <= kept <= most_kept


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.fixture
def swarm(target: Target, tmp_path: Path) -> Iterator[Swarm]:
    """All there, and at their load."""
    made = Swarm(tmp_path, target)
    try:
        made.join_all()
        made.wait_counts(6, 7, 7, seconds=40)
        yield made
    finally:
        made.close()


def test_a_stranger_gets_nothing_and_is_told_of(swarm: Swarm, tmp_path: Path) -> None:
    """Locust's own worker, which the master of a stock Locust would send users to."""
    (tmp_path / "locustfile.py").write_text(SCRIPT)
    options = ["--worker", "--master-host=127.0.0.1", f"--master-port={swarm.port}"]
    with (tmp_path / "stranger.log").open("wb") as log:
        stranger = subprocess.Popen([sys.executable, "-m", "locust", *options], stdout=log, stderr=log, cwd=tmp_path)
    try:
        event = swarm.master.wait_for("stranger")
        assert event["address"] == "127.0.0.1"
        time.sleep(2)
        said = (tmp_path / "stranger.log").read_text()
        assert "Starting Locust" in said and "USERS" not in said and stranger.poll() is None  # it waits
        assert swarm.counts() == {0: 6, 1: 7, 2: 7}
        assert len(swarm.master.events("worker_ready")) == 3
    finally:
        stranger.kill()
        stranger.wait()
    assert set(swarm.end().values()) == {0}


def test_a_worker_that_was_killed_and_comes_again_has_its_users_again(swarm: Swarm) -> None:
    swarm.workers[1].process.kill()
    assert swarm.workers[1].end() == -signal.SIGKILL
    again = swarm.join(1, start=2)
    swarm.wait_counts(6, 7, 7, seconds=40)
    assert [event["index"] for event in swarm.master.events("worker_ready")][-1] == 1
    assert swarm.master.events("worker_left") == []
    for index in (0, 2):  # nobody else was asked for anything
        full = [sum(counts.values()) for _, counts in swarm.workers[index].users()]
        assert set(full[full.index(BLOCKS[index].users) :]) == {BLOCKS[index].users}
    codes = swarm.end()
    assert codes.pop("worker-1.1") < 0 and set(codes.values()) == {0}
    assert again.events("final")


def test_users_of_a_lost_worker_move_where_there_is_room(swarm: Swarm) -> None:
    launch.write_orders(swarm.master.folder, Orders(1, {0: 6, 1: 7}, lost=(2,)))
    swarm.wait_counts(6, 7, 0)  # who is lost, and heard of, is told to leave
    launch.write_orders(swarm.master.folder, Orders(2, {0: 10, 1: 10}, lost=(2,)))
    swarm.wait_counts(6, 7, 0)
    assert set(swarm.end().values()) == {0}


def test_a_script_that_forges_messages_makes_the_master_deaf_to_nobody(target: Target, tmp_path: Path) -> None:
    forged = Swarm(tmp_path, target, script=SCRIPT + FORGER)
    try:
        forged.join_all()
        forged.wait_counts(6, 7, 7, seconds=40)
        wait_until(lambda: "FORGED" in forged.workers[0].log(), 20, forged.workers[0].log)
        launch.write_orders(forged.master.folder, Orders(1, {1: 7, 2: 7}, lost=(0,)))
        forged.wait_counts(0, 7, 7)
        assert forged.master.events("worker_silent") == []
        codes = forged.end()
        assert {codes[name] for name in ("worker-0.1", "worker-1.1", "worker-2.1")} == {0}
    finally:
        forged.close()


def test_users_of_a_worker_that_has_gone_move_where_there_is_room(swarm: Swarm) -> None:
    swarm.workers[2].process.kill()
    launch.write_orders(swarm.master.folder, Orders(1, {0: 10, 1: 10}, gone=(2,)))
    wait_until(lambda: swarm.counts()[0] == swarm.counts()[1] == 10, 15, swarm.master.log)
    codes = swarm.end()
    assert codes.pop("worker-2.1") < 0 and set(codes.values()) == {0}


def test_a_worker_that_is_silent_for_a_while_keeps_its_users(swarm: Swarm) -> None:
    processes = psutil.Process(swarm.workers[0].process.pid).children(recursive=True)
    for process in processes:
        process.suspend()
    assert swarm.master.wait_for("worker_silent", seconds=15)["index"] == 0
    for process in processes:
        process.resume()
    assert swarm.master.wait_for("worker_heard", seconds=15)["index"] == 0
    swarm.wait_counts(6, 7, 7)
    counts = [sum(one.values()) for _, one in swarm.workers[0].users()]
    assert set(counts[counts.index(6) :]) == {6}
    assert set(swarm.end().values()) == {0}


def test_workers_tell_of_a_master_that_is_silent(swarm: Swarm) -> None:
    swarm.master.process.kill()
    for child in swarm.workers.values():
        assert child.wait_for("master_silent", seconds=15)["age_s"] >= 3.5
    assert swarm.counts() == {0: 6, 1: 7, 2: 7}  # what becomes of them is for others to say


def test_a_run_that_is_ended_before_all_of_its_workers_came_has_no_test(target: Target, tmp_path: Path) -> None:
    made = Swarm(tmp_path, target)
    try:
        made.join(0)
        made.master.wait_for("worker_ready")
        made.master.process.interrupt()
        assert made.master.end() == EXIT_STOPPED_BEFORE_START
        assert made.master.events("test_start") == [] and target.counts.total() == 0
    finally:
        made.close()
