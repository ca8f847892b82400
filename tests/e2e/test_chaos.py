"""What is killed at random moments leaves no process, no folder and no run that hangs."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from apps.core.supervise.stack import BASE_DIR
from tests.e2e import scripts
from tests.e2e.stack import TERMINAL, Stack, Target, environment_of, wait_for

pytestmark = pytest.mark.timeout(400)

RUNNERS = 6
ROUNDS = 5
"""Times RUNNERS kills; the suite runs twice, on SQLite and on PostgreSQL, so there are 60 in all."""
ROLES = ("runner", "holder", "locust", "guard")
RUN_SECONDS = 4
MOMENT_SECONDS = 5.0
"""Kills fall anywhere from the claim to the end of the run."""
START_SECONDS = 120.0
SETTLE_SECONDS = 30.0
SEED = 20_240_229


@dataclass
class Herd:
    """More runners than `make up` has, each with a host of its own, started again when they are killed."""

    stack: Stack
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def fill(self) -> None:
        """Start those that are not there, and wait until they take runs."""
        since = datetime.now(UTC).isoformat()
        fresh = set()
        for number in range(RUNNERS):
            name = f"chaos-{number}"
            if name not in self.processes or self.processes[name].poll() is not None:
                self.processes[name] = start_runner(self.stack, name, "--stop-on-term")
                fresh.add(name)
        wait_for(lambda: fresh <= self.online(since), START_SECONDS, f"{sorted(fresh)} are online")

    def online(self, since: str) -> set[str]:
        """Runners that came up after `since`."""
        hosts = self.stack.api("GET", "/api/v1/pools/local/").json["hosts"]
        return {runner["name"] for host in hosts for runner in host["runners"] if runner["started_at"] >= since}

    def victim(self, name: str, role: str) -> psutil.Process:
        """The process that plays `role` for this runner now; the runner itself when nobody does."""
        main = psutil.Process(self.processes[name].pid)
        below = main.children(recursive=True)
        holders = [process for process in below if process.ppid() == main.pid]
        launched = [process for process in below if environment_of(process).get("HATCHERY_RUN_ID")]
        guards = [process for process in launched if process.ppid() in {holder.pid for holder in holders}]
        locusts = [process for process in launched if process not in guards]
        found = {"runner": [main], "holder": holders, "guard": guards, "locust": locusts}[role]
        return found[0] if found else main

    def stop(self) -> None:
        """End all of them, and what they hold."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)


# Whoever uses this has the runner's pool for himself.
MAKE_POOL = """
from apps.pools.models import WorkerPool
WorkerPool.objects.get_or_create(name="alone", defaults={"takes_new_hosts": True})
"""


@pytest.fixture
def alone(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """The only runner of the pool `alone`; it finishes its runs at the first SIGTERM."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "shell", "--no-imports", "-c", MAKE_POOL]
    subprocess.run(command, cwd=BASE_DIR, env=stack.env, check=True, timeout=60)
    process = start_runner(stack, "alone", "--pool", "alone")
    yield process
    process.kill()
    process.wait()


def start_runner(stack: Stack, name: str, *options: str) -> subprocess.Popen[bytes]:
    """A runner of this name, on a host of this name."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "runner", "--host", name, "--name", name, *options]
    return subprocess.Popen(command, cwd=BASE_DIR, env=stack.env)


@pytest.fixture
def herd(stack: Stack) -> Iterator[Herd]:
    herd = Herd(stack)
    try:
        herd.fill()
        yield herd
    finally:
        herd.stop()


def doubled(stack: Stack, run_ids: list[str]) -> list[str]:
    """Runs that two Locusts work on at this moment."""
    folders: dict[str, set[str]] = {}
    for process in psutil.process_iter():
        env = environment_of(process)
        if (run_id := env.get("HATCHERY_RUN_ID", "")) in run_ids:
            folders.setdefault(run_id, set()).add(env.get("HOME", ""))
    return [run_id for run_id, homes in folders.items() if len(homes) > 1]


def unfinished(stack: Stack, run_ids: list[str]) -> list[dict[str, Any]]:
    """Runs that are not over."""
    return [run for run in map(stack.run, run_ids) if run["state"] not in TERMINAL]


def kill_at_random(stack: Stack, herd: Herd, dice: random.Random, runs: list[str]) -> None:
    """One kill a runner, at any moment from before the claim to the end of the run."""
    began = time.monotonic()
    plan = sorted((dice.uniform(0, MOMENT_SECONDS), name, dice.choice(ROLES)) for name in herd.processes)
    for moment, name, role in plan:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        try:
            herd.victim(name, role).kill()
        except psutil.NoSuchProcess:  # its run was over in that moment
            herd.processes[name].kill()
        assert doubled(stack, runs) == []


def settle(stack: Stack, herd: Herd, runs: list[str]) -> Counter[str]:
    """How the runs ended, once all have and nothing of them is left."""
    herd.fill()
    wait_for(lambda: not unfinished(stack, runs), SETTLE_SECONDS, "every run is over", lambda: unfinished(stack, runs))
    wait_for(lambda: not any(stack.locusts(run) for run in runs), 3, "no process is left")
    ends = [stack.run(run) for run in runs]
    for end in ends:
        assert end["reason"] in {"run_time_over", "host_lost", "locust_killed", "locust_crashed"}, end
    return Counter(end["state"] for end in ends)


def test_no_kill_leaves_anything_hanging(stack: Stack, target: Target, herd: Herd) -> None:
    dice = random.Random(SEED)
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=1, run_time=f"{RUN_SECONDS}s")
    ends: Counter[str] = Counter()
    started: set[str] = set()
    for _round in range(ROUNDS):
        herd.fill()
        runs = [stack.start(scenario) for _ in range(RUNNERS)]
        started.update(runs)
        kill_at_random(stack, herd, dice, runs)
        ends += settle(stack, herd, runs)
    print(f"{RUNNERS * ROUNDS} kills: {dict(ends)}")
    assert ends.total() == RUNNERS * ROUNDS
    folders = stack.state / "runs"
    left = lambda: [path.name for path in folders.glob("*") if path.name.partition(".")[0] in started]  # noqa: E731
    wait_for(lambda: not left(), 45, "the folders of killed runs are swept", left)


def test_a_redis_that_is_away_and_comes_back_empty_costs_nothing(stack: Stack, target: Target) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=3, run_time="32s")
    run_id = stack.start(scenario)
    stack.reached(run_id, {"running"}, 30)
    time.sleep(3)
    stack.redis.kill()
    waiting = stack.start(scenario, run_time="2s")
    assert stack.run(waiting)["state"] == "queued"
    seen = stack.run(run_id)["totals"]["requests"]
    time.sleep(20)
    assert stack.run(run_id)["totals"]["requests"] > seen + 300, "figures stopped coming while Redis was away"
    stack.redis.start()
    run = stack.over(run_id, 40)
    assert (run["state"], run["reconciliation"]["difference"]) == ("finished", 0), run
    series = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=requests&points=5000").json
    steps = [later - earlier for earlier, later in zip(series["t"], series["t"][1:], strict=False)]
    assert max(steps) <= 2, "seconds are missing"
    assert stack.over(waiting, 60)["state"] == "finished"
    # The runners that lost their doorbell are back for what comes next.
    assert stack.over(stack.start(scenario, run_time="2s"), 60)["state"] == "finished"


@pytest.mark.same_on_any_database("it is about signals")
def test_a_runner_that_is_told_to_leave_finishes_its_runs_and_takes_no_other(
    stack: Stack, target: Target, alone: subprocess.Popen[bytes]
) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=1, run_time="8s")
    runs = [stack.start(scenario, pool="alone") for _ in range(2)]
    for run in runs:
        stack.reached(run, {"running"}, 60)
    alone.terminate()
    late = stack.start(scenario, pool="alone")
    for run in runs:
        assert stack.over(run)["reason"] == "run_time_over"
    assert alone.wait(20) == 0
    assert stack.run(late)["state"] == "queued"
    stack.api("POST", f"/api/v1/runs/{late}/stop/")


@pytest.mark.same_on_any_database("it is about signals")
def test_a_runner_that_is_told_twice_ends_its_runs_in_good_order(
    stack: Stack, target: Target, alone: subprocess.Popen[bytes]
) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=1, run_time="10m")
    runs = [stack.start(scenario, pool="alone") for _ in range(2)]
    for run in runs:
        stack.reached(run, {"running"}, 60)
    wait_for(lambda: all(stack.run(run)["totals"]["requests"] > 5 for run in runs), 20, "requests are made")
    alone.terminate()
    time.sleep(1.2)
    assert len(unfinished(stack, runs)) == 2 and alone.poll() is None
    alone.terminate()
    assert alone.wait(20) == 0
    for run in runs:
        end = stack.over(run, 5)
        assert (end["state"], end["reason"], end["reconciliation"]["difference"]) == ("stopped", "deploy", 0), end


def test_a_run_goes_on_without_its_runner(stack: Stack, target: Target, alone: subprocess.Popen[bytes]) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=1, run_time="8s")
    run = stack.start(scenario, pool="alone")
    stack.reached(run, {"running"}, 60)
    alone.kill()
    alone.wait()
    end = stack.over(run)
    assert (end["state"], end["reason"], end["reconciliation"]["difference"]) == ("finished", "run_time_over", 0), end
