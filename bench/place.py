"""What the measurements share: a portal, targets to load, and the demo run out of the way."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from apps.core.supervise.stack import DEMO_TARGET
from tests.e2e.stack import Stack, Target, portal, wait_for

LOCUSTFILES = Path(__file__).parent / "locustfiles"
QUIET_SECONDS = 3.0
MIB = 1024 * 1024


class Place:
    """A folder, and a portal in it that starts when the first measurement wants it."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self.folder = folder
        self._exits = exits

    @cached_property
    def stack(self) -> Stack:
        """The portal of all measurements, with nothing running in it."""
        say("starting a portal")
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        stack = self._exits.enter_context(portal(folder, None))
        for run in active(stack):
            stack.api("POST", f"/api/v1/runs/{run}/stop/")
        settle(stack)
        return stack

    def new_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder


def say(text: str) -> None:
    """What is being done, apart from the figures."""
    print(f"… {text}", file=sys.stderr, flush=True)


def active(stack: Stack) -> list[str]:
    """Ids of runs that are not over."""
    return [run["id"] for run in stack.api("GET", "/api/v1/runs/?state=active").json["results"]]


def settle(stack: Stack) -> None:
    """Wait until no run is on and its processes are gone."""
    wait_for(lambda: not active(stack), 60, "no run is on")
    runners = {process.pid for process in tree(stack) if is_runner(process)}
    wait_for(
        lambda: not any(_parent(process) in runners for process in tree(stack)), 30, "the runner has nothing to do"
    )
    time.sleep(QUIET_SECONDS)


@contextmanager
def run_of(stack: Stack, scenario: str, **options: Any) -> Iterator[str]:
    """The id of a run that is on; over afterwards."""
    run_id = stack.start(scenario, **options)
    try:
        yield run_id
    finally:
        stop(stack, run_id)


def stop(stack: Stack, run_id: str) -> None:
    """End a run and wait for it."""
    stack.api("POST", f"/api/v1/runs/{run_id}/stop/")
    stack.over(run_id)
    settle(stack)


def tree(stack: Stack) -> list[psutil.Process]:
    """Every process of the portal, its Redis included."""
    top = psutil.Process(stack.process.pid)
    redis = [psutil.Process(stack.redis.process.pid)] if stack.redis.process else []
    return [top, *top.children(recursive=True), *redis]


def locusts(stack: Stack, run_id: str) -> list[psutil.Process]:
    """The Locust processes of a run, without the guards above them."""
    found = stack.locusts(run_id)
    pids = {process.pid for process in found}
    return [process for process in found if _parent(process) in pids]


def holder_of(locust: psutil.Process) -> psutil.Process:
    """The process of the portal's own code that looks after it: the nearest that the runner has forked."""
    return next(process for process in locust.parents() if is_runner(process))


def _parent(process: psutil.Process) -> int:
    """0 of one that has just gone."""
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def is_runner(process: psutil.Process) -> bool:
    try:
        return "runner" in process.cmdline()
    except psutil.Error:
        return False


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time of these processes."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def script(name: str) -> str:
    """Text of one of our locustfiles."""
    return (LOCUSTFILES / f"{name}.py").read_text()


def requests_at(target: Target) -> int:
    """What the target has answered so far."""
    return sum(row["requests"] for path, row in target.counts().items() if path != "total")


@contextmanager
def quiet_target(folder: Path) -> Iterator[Target]:
    """A target that keeps no log: writing one would cost it more than answering."""
    port_file = folder / "target.port"
    command = [sys.executable, str(DEMO_TARGET), "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(port_file.exists, 20, "the target listens")
        yield Target(process, f"http://127.0.0.1:{port_file.read_text().strip()}")
    finally:
        process.terminate()
        process.wait(10)
