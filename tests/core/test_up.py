"""`make up` and `manage.py up` for real: refusals, the way to ready, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.core.supervise.stack import BASE_DIR
from apps.core.supervise.state import State, free_port

READY_SECONDS = 90.0
STOP_SECONDS = 15.0
MANAGE_UP = [sys.executable, str(BASE_DIR / "manage.py"), "up"]
FACTS = {"url", "username", "password", "token", "team", "project", "scenario", "target"}

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("up")]


def environment(state: Path, port: int | str) -> dict[str, str]:
    """As on a new machine: none of the servers this suite runs on."""
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "MAKEFLAGS")}
    return own | {"HATCHERY_STATE": str(state), "PORT": str(port)}


def refusal(state: Path, port: int | str, *, said: bool = False, **settings: str) -> list[str]:
    """What it says on its way out, and with `said` also what the parts did that it has already started."""
    env = environment(state, port) | settings
    done = subprocess.run(MANAGE_UP, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert said or done.stdout == ""
    return (done.stdout * said + done.stderr).splitlines()


def test_a_busy_port_is_one_sentence_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (sentence,) = refusal(tmp_path / "state", port)
    assert sentence.startswith(f"Port {port} on 127.0.0.1 cannot be used (address already in use)")
    assert not (tmp_path / "state" / "redis").exists()


def test_a_state_folder_in_use_is_one_sentence(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.make()
    with state.locked():
        (sentence,) = refusal(state.folder, free_port())
    assert sentence.startswith(f"Hatchery already runs on {state.folder} (process {os.getpid()})")


@pytest.mark.parametrize("port", ["0", "65536", "abc", "-5", "8000x"])
def test_a_wrong_port_is_one_sentence(tmp_path: Path, port: str) -> None:
    assert refusal(tmp_path / "state", port) == [f"PORT must be a whole number from 1 to 65535, not “{port}”."]


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    (sentence,) = refusal(tmp_path / "state", free_port(), HATCHERY_URL="nonsense")
    assert sentence == "HATCHERY_URL must look like https://load.example.com, not “nonsense”."


def test_a_redis_that_does_not_answer_is_named_and_nothing_else_starts(tmp_path: Path) -> None:
    lines = refusal(tmp_path / "state", free_port(), said=True, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert [line for line in lines if line.startswith("prepare  | CommandError: Redis cannot be used; REDIS_URL says")]
    assert not [line for line in lines if "Traceback" in line or line.startswith("web")]


class Portal:
    """A portal that `command` started and that is ready."""

    def __init__(self, command: list[str], state: Path, port: int) -> None:
        self.output = state.parent / f"{port}-{time.monotonic_ns()}.log"
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env=environment(state, port),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its own foreground group, as in a terminal
            )
        self.wait_until_ready()
        self.below = psutil.Process(self.process.pid).children(recursive=True)

    def text(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while "Hatchery is ready." not in self.text() or "Ctrl-C stops" not in self.text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def left(self) -> list[str]:
        alive = [process for process in self.below if process.is_running()]
        return [str(process) for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def kill(self) -> None:
        for process in [*self.below, psutil.Process(self.process.pid)] if self.process.poll() is None else self.below:
            if process.is_running():
                process.kill()
        self.process.wait()


@contextmanager
def portal(command: list[str], state: Path, port: int) -> Iterator[Portal]:
    started = Portal(command, state, port)
    try:
        yield started
    finally:
        started.kill()


def ask(facts: dict[str, Any], path: str) -> Any:
    request = urllib.request.Request(facts["url"] + path, headers={"Authorization": f"Bearer {facts['token']}"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


@pytest.mark.engine
def test_it_becomes_ready_says_how_to_log_in_and_keeps_its_data(tmp_path: Path) -> None:
    state, port = tmp_path / "a state", free_port()
    with portal(MANAGE_UP, state, port) as first:
        facts = json.loads((state / "demo.json").read_text())
        assert facts.keys() >= FACTS
        assert stat.S_IMODE((state / "demo.json").stat().st_mode) == 0o600
        assert all(facts[name] in first.text() for name in ("url", "username", "password", "token"))
        runs = ask(facts, "/api/v1/runs/")["results"]
        assert len(runs) == 1
        first.process.terminate()
        assert first.process.wait(STOP_SECONDS) == 0
        assert first.left() == []
    with portal(MANAGE_UP, state, port) as second:
        assert json.loads((state / "demo.json").read_text()) == facts
        assert [run["id"] for run in ask(facts, "/api/v1/runs/")["results"]] == [runs[0]["id"]]
        second.process.kill()
        second.process.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while second.left():
            assert time.monotonic() < deadline, second.left()
            time.sleep(0.1)


made = pytest.mark.skipif(
    not (BASE_DIR / ".venv" / ".installed").exists() or shutil.which("make") is None,
    reason="make has not installed this checkout",
)


@pytest.mark.engine
@made
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_make_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with portal(["make", "up"], tmp_path / "state", free_port()) as started:
        if number == signal.SIGINT:
            os.killpg(started.process.pid, number)  # a terminal's Ctrl-C reaches the whole group
        else:
            started.process.send_signal(number)
        started.process.wait(STOP_SECONDS)
        assert started.left() == []
        assert "Stopping." in started.text()


@made
def test_make_leaves_bytecode_of_what_a_locust_imports() -> None:
    """It may keep none in its sandbox, and would compile a thousand modules at each start."""
    packages = [find_spec(name).origin for name in ("gevent", "locust", "zmq")]  # type: ignore[union-attr]
    ours = [str(BASE_DIR / "workers" / "child" / name) for name in ("run.py", "swarm/master.py")]
    for module in ours:
        Path(cache_from_source(module)).unlink(missing_ok=True)
    make = ["make", "--directory", str(BASE_DIR), "dev"]
    subprocess.run(make, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, check=True, timeout=60)
    assert [module for module in (*ours, *packages) if not Path(cache_from_source(module or "")).exists()] == []
