"""Users of a real Locust process while somebody changes his mind, and how its run ends. No supervisor in between."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.workers.conftest import Target
from workers import command, launch
from workers.command import RunFolder
from workers.process import LocustProcess
from workers.spec import RunSpec, Stage, Steering

pytestmark = pytest.mark.engine

SCRIPT = """
import time
import gevent
from locust import HttpUser, constant, events, task

@events.init.add_listener
def watch(environment, **_):
    def tell():
        while True:
            print("USERS", time.monotonic(), environment.runner.user_count, environment.stats.total.num_requests)
            gevent.sleep(0.05)
    gevent.spawn(tell)

@events.spawning_complete.add_listener
def arrived(user_count, **_):
    print("ARRIVED", time.monotonic(), user_count)

@events.test_start.add_listener
def start(**_):
    print("START", time.monotonic(), 0)

@events.test_stopping.add_listener
def stopping(**_):
    print("STOPPING", time.monotonic(), 0)

@events.test_stop.add_listener
def stop(**_):
    print("STOP", time.monotonic(), 0)

class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task
    def browse(self):
        self.client.get("/browse")

    def on_stop(self):
        self.client.get("/goodbye")
"""
SHAPE = """
from locust import LoadTestShape

class Steady(LoadTestShape):
    def tick(self):
        return (3, 10)
"""


class Child:
    """A Locust process of a run, and what it says."""

    def __init__(self, path: Path, target: Target, script: str, **load: Any) -> None:
        self.folder = RunFolder(path / "run")
        fields: dict[str, Any] = {"users": 2, "spawn_rate": 10, "run_time_s": 30, "collector": "csv"}
        self.spec = RunSpec(run_id=f"{path.name}-{os.getpid()}", locustfile=script, host=target.url, **(fields | load))
        self.revision = 0
        launch.prepare(self.spec, self.folder)
        self.process = LocustProcess(
            command.argv(self.spec, self.folder),
            command.environment(self.spec, self.folder),
            cwd=self.folder.script,
            log=self.folder.log,
        )
        self.wait_for("test_start")
        self.began = self.said("START ")[0][0]

    def steer(self, **wish: Any) -> float:
        """Want something; the moment at which."""
        self.revision += 1
        steering = Steering(revision=self.revision, **({"run_time_s": self.spec.duration_s} | wish))
        launch.write_steering(self.folder, steering)
        return time.monotonic()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the child has told of this kind so far."""
        lines = self.folder.events.read_text().splitlines() if self.folder.events.exists() else []
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def wait_for(self, kind: str, count: int = 1, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while len(self.events(kind)) < count:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log
            time.sleep(0.02)

    def wait_log(self, text: str, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def wait_users(self, users: int, seconds: float = 10) -> float:
        """Wait for so many users; the moment at which they were there."""
        deadline = time.monotonic() + seconds
        while not (told := self.users()) or told[-1][1] != users:
            assert time.monotonic() < deadline and self.process.poll() is None, (users, told[-5:], self.log[-2000:])
            time.sleep(0.02)
        return told[-1][0]

    def said(self, word: str) -> list[list[float]]:
        """Lines of the script that begin with the word: when, and its numbers."""
        lines = (line.split() for line in self.log.splitlines() if line.startswith(word))
        return [list(map(float, words[1:])) for words in lines if len(words) > 2]

    def users(self) -> list[tuple[float, int]]:
        return [(at, int(users)) for at, users, *_ in self.said("USERS")]

    def changes(self) -> list[int]:
        """The numbers of users one after the other, up to the end; those who come or go take a moment."""
        end = min((at for at, _ in self.said("STOPPING ")), default=math.inf)
        told = groupby((users for at, users in self.users() if at < end))
        held = [users for users, same in told if len(list(same)) > 3]
        return [users for users, before in zip(held, [0, *held], strict=False) if users != before]

    @property
    def log(self) -> str:
        return self.folder.log.read_text()

    def end(self, seconds: float = 20) -> dict[str, Any]:
        """Wait for the end; Locust's last word."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.02)
        assert "Traceback" not in self.log, self.log
        final: dict[str, Any] = json.loads(self.folder.final.read_bytes())
        return final


Start = Callable[..., Child]


@pytest.fixture
def start(target: Target, tmp_path: Path) -> Iterator[Start]:
    target.counts.clear()
    children: list[Child] = []

    def begin(script: str = SCRIPT, **load: Any) -> Child:
        children.append(Child(tmp_path, target, script, **load))
        return children[-1]

    yield begin
    for child in children:
        child.process.kill()


def test_a_plain_load_ramps_in_steps_of_a_second_and_arrives_once(start: Start) -> None:
    child = start(users=7, spawn_rate=3, run_time_s=5)
    final = child.end()
    assert child.changes() == [3, 6, 7]
    assert [users for _, users in child.said("ARRIVED")] == [7]
    assert [event["users"] for event in child.events("spawning_complete")] == [7]
    assert (final["stopped_by"], final["elapsed_s"]) == ("run_time", pytest.approx(5, abs=0.15))
    assert len(child.said("STOP ")) == 1


def test_a_rate_below_one_a_second_is_kept(start: Start) -> None:
    child = start(users=3, spawn_rate=0.5, run_time_s=6)
    child.end()
    moments = {users: at for at, users in reversed(child.users()) if users}
    assert moments[2] - moments[1] == pytest.approx(2, abs=0.4)
    assert moments[3] - moments[2] == pytest.approx(2, abs=0.4)


def test_stages_hold_their_last_users_until_the_run_time(start: Start) -> None:
    child = start(stages=(Stage(2, 4, 10), Stage(2, 1, 10)))
    child.wait_users(1)
    child.steer(run_time_s=7)
    final = child.end()
    assert child.changes() == [4, 1]
    assert final["elapsed_s"] == pytest.approx(7, abs=0.15)
    assert [event["users"] for event in child.events("spawning_complete")] == [4, 1]


def test_users_are_changed_in_the_middle_of_a_ramp(start: Start) -> None:
    child = start(users=40, spawn_rate=2)
    child.wait_users(4)
    child.steer(users=2, spawn_rate=100)
    child.wait_users(2)
    child.wait_for("steered")
    child.steer(users=5, spawn_rate=100)
    child.wait_users(5)
    time.sleep(2)
    assert child.users()[-1][1] == 5  # held, whatever the plan says
    assert [event["revision"] for event in child.events("steered")] == [1, 2]
    assert [event["users"] for event in child.events("spawning_complete")] == [2, 5]


def test_users_may_change_all_the_time(start: Start, target: Target) -> None:
    child = start(users=50, spawn_rate=4)
    wanted = [30, 3, 17, 0, 41, 9, 9, 25]
    end = time.monotonic() + 10
    while time.monotonic() < end:
        child.steer(users=wanted[child.revision % len(wanted)], spawn_rate=[3, 60, 0.5][child.revision % 3])
        time.sleep(0.3)
    child.steer(users=6, spawn_rate=100)
    child.wait_users(6)
    time.sleep(1.5)
    assert child.users()[-1][1] == 6
    assert child.events("steered")[-1]["revision"] == child.revision > 25
    assert "ValueError" not in child.log and "Unhandled" not in child.log
    child.steer(users=6, spawn_rate=100, run_time_s=time.monotonic() - child.began)
    final = child.end()
    assert final["total"]["requests"] == target.counts.total()  # no request is lost, and none comes from a lost user


def test_a_pause_ends_all_users_at_once_and_keeps_the_numbers(start: Start, target: Target) -> None:
    child = start(users=6, spawn_rate=3)
    child.wait_users(6)
    asked = child.steer(is_paused=True)
    assert child.wait_users(0) - asked < 1
    assert target.counts["/goodbye"] == 6
    quiet = target.counts.total()
    time.sleep(1.2)
    assert target.counts.total() == quiet
    child.steer()
    child.wait_users(6)
    time.sleep(0.4)
    assert child.changes() == [3, 6, 0, 3, 6]
    child.steer(run_time_s=time.monotonic() - child.began)
    final = child.end()
    assert final["total"]["requests"] == target.counts.total()
    assert target.counts["/goodbye"] == 12
    requests = [count for *_, count in child.said("USERS")]
    assert requests == sorted(requests)


def test_a_plan_goes_on_during_a_pause(start: Start) -> None:
    child = start(stages=(Stage(2, 2, 10), Stage(2, 9, 10), Stage(20, 4, 10)))
    child.wait_users(2)
    child.steer(is_paused=True, run_time_s=24)
    child.wait_users(0)
    time.sleep(max(0.0, child.began + 5 - time.monotonic()))
    child.steer(run_time_s=24)
    child.wait_users(4)
    time.sleep(0.4)
    assert child.changes() == [2, 0, 4]


@pytest.mark.parametrize(("planned", "wanted"), [(60, 3), (2, 4)], ids=["shorter", "longer"])
def test_the_end_can_be_moved(start: Start, planned: float, wanted: float) -> None:
    child = start(run_time_s=planned)
    child.steer(run_time_s=wanted)
    final = child.end()
    assert (final["stopped_by"], final["elapsed_s"]) == ("run_time", pytest.approx(wanted, abs=0.15))


def test_an_end_in_the_past_is_now(start: Start) -> None:
    child = start(run_time_s=60)
    child.wait_for("first_request")
    time.sleep(1)
    asked = child.steer(run_time_s=0.5)
    final = child.end()
    assert final["stopped_by"] == "run_time"
    assert final["elapsed_s"] < asked - child.began + 0.6


def test_a_shape_of_the_script_decides_about_users_but_not_about_the_end(start: Start) -> None:
    child = start(SCRIPT + SHAPE, run_time_s=60)
    child.wait_users(3)
    child.steer(users=9, run_time_s=4)
    final = child.end()
    assert child.changes() == [3]
    assert [event["revision"] for event in child.events("steered")] == [1]
    assert (final["stopped_by"], final["elapsed_s"]) == ("run_time", pytest.approx(4, abs=0.2))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_ramp_ends_it_in_good_order(
    start: Start, number: signal.Signals, target: Target
) -> None:
    child = start(users=40, spawn_rate=2)
    child.wait_users(4)
    child.process.interrupt() if number == signal.SIGINT else child.process.terminate()
    final = child.end()
    assert final["stopped_by"] == "signal"
    assert final["total"]["requests"] == target.counts.total()
    assert target.counts["/goodbye"] == 4
    assert len(child.said("STOP ")) == 1 and child.folder.report.stat().st_size


QUITS_IN_A_TASK = """
    @task
    def leave(self):
        self.environment.runner.quit()
"""
QUITS_WHEN_ALL_ARE_THERE = """
@events.init.add_listener
def quit_then(environment, **_):
    environment.events.spawning_complete.add_listener(lambda **_: environment.runner.quit())
"""


@pytest.mark.parametrize("quits", [QUITS_IN_A_TASK, QUITS_WHEN_ALL_ARE_THERE], ids=["task", "listener"])
def test_a_script_that_quits_ends_at_once(start: Start, quits: str) -> None:
    child = start(SCRIPT + quits, users=3, spawn_rate=2, run_time_s=60)
    final = child.end(seconds=15)
    assert (final["stopped_by"], len(child.said("STOP "))) == ("script", 1)
    assert child.folder.report.stat().st_size


def test_a_shape_of_the_script_may_end_the_test(start: Start, target: Target) -> None:
    child = start(SCRIPT + SHAPE.replace("(3, 10)", "(3, 10) if self.get_run_time() < 2 else None"), run_time_s=60)
    final = child.end()
    assert (final["stopped_by"], len(child.said("STOP "))) == ("shape", 1)
    assert final["total"]["requests"] == target.counts.total()
    assert child.folder.report.stat().st_size


def test_users_who_are_busy_are_not_miscounted(start: Start) -> None:
    busy = SCRIPT.replace('self.client.get("/browse")', "gevent.sleep(2.5)")
    child = start(busy, users=6, spawn_rate=100)
    child.wait_users(6)
    child.steer(users=1, spawn_rate=100)
    child.wait_log("Ramping to 1 users")
    child.steer(users=6, spawn_rate=100)  # while the five are at their last task
    time.sleep(5)
    assert child.users()[-1][1] == 6


def test_only_a_rate_that_somebody_wanted_is_called_too_high(start: Start) -> None:
    idle = SCRIPT.replace("constant(0.05)", "constant(60)").replace('self.client.get("/goodbye")', "pass")
    child = start(idle, users=120, spawn_rate=60)
    child.wait_users(120)
    child.steer(is_paused=True)
    child.wait_users(0)
    assert "spawn rate is very high" not in child.log
    child.steer(users=130, spawn_rate=500)
    child.wait_users(130)
    assert "spawn rate is very high" in child.log


def test_a_long_preparation_is_not_cut_short(start: Start) -> None:
    slow = "\n@events.test_start.add_listener\ndef prepare(**_):\n    gevent.sleep(3)\n    print('PREPARED 1 1')\n"
    child = start(SCRIPT + slow, users=6, spawn_rate=2, run_time_s=8)
    child.steer(users=4, run_time_s=8)
    final = child.end()
    assert child.said("PREPARED") == [[1, 1]] and len(child.said("START ")) == 1
    assert child.changes() == [2, 4]
    assert final["elapsed_s"] == pytest.approx(8, abs=0.15)


def test_users_who_do_not_leave_hold_nobody_up(start: Start) -> None:
    clinging = SCRIPT.replace('self.client.get("/goodbye")', "gevent.sleep(12)")
    child = start(clinging, users=4, spawn_rate=10, run_time_s=60)
    child.wait_users(4)
    child.steer(is_paused=True, run_time_s=60)
    time.sleep(0.5)
    child.steer(run_time_s=60)
    paused = time.monotonic()
    child.wait_users(0, seconds=8)
    child.wait_users(4, seconds=8)
    assert time.monotonic() - paused < 9
    child.process.interrupt()
    child.end(seconds=25)  # Locust waits for the `on_stop` of a user that it met waiting


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"revision": 1}',
        '{"revision":true,"users":1,"spawn_rate":1,"run_time_s":1,"is_paused":false}',
    ],
)
def test_nonsense_from_the_script_in_its_place_is_passed_over(start: Start, text: str) -> None:
    child = start(users=1, run_time_s=2)
    child.folder.steering.write_text(text)
    assert child.end()["elapsed_s"] == pytest.approx(2, abs=0.5)
    assert child.events("steered") == []
