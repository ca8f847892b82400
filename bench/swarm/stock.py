"""A bare Locust master and its workers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from apps.core.supervise.state import free_port
from bench import turns
from bench.turns import Group
from tests.e2e.stack import Target, wait_for

LOOPBACK = "127.0.0.1"
FIRST_SECONDS = 60.0
"""Until the first request: as many processes as this start at once."""


@dataclass(frozen=True)
class Swarm:
    """Its processes; `began` is when the first of them was started, in UTC epoch seconds."""

    master: psutil.Process
    workers: Group
    began: float

    @property
    def all(self) -> Group:
        return [self.master, *self.workers]


@contextmanager
def swarm(
    folder: Path, target: Target, arm: str, endpoints: int, *, workers: int, users: int, locustfile: str = "closed"
) -> Iterator[Swarm]:
    """All of them are started at once; given when the target has had a request, and gone afterwards."""
    path = folder / arm
    path.mkdir(exist_ok=True)
    port = str(free_port())
    master = (*turns.stock(locustfile, target, users), "--master", f"--expect-workers={workers}")
    listening = (f"--master-bind-host={LOOPBACK}", f"--master-bind-port={port}")
    worker = (*turns.program(locustfile), "--worker", f"--master-host={LOOPBACK}", f"--master-port={port}")
    commands = [(*master, *listening), *[worker] * workers]
    environment = turns.bare_environment() | turns.environment_for(arm, endpoints)
    before, began = turns.requests_of(target, arm), time.time()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            processes.append(_start(command, environment, path, path / f"{number}.log"))
        wait_for(
            lambda: turns.requests_of(target, arm) > before, FIRST_SECONDS, "the first request", lambda: _said(path)
        )
        first, *others = [psutil.Process(process.pid) for process in processes]
        yield Swarm(first, others, began)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _start(command: Sequence[str], environment: dict[str, str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """In a session of its own, as the portal does: Linux shares a core out by session."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _said(path: Path) -> str:
    return "\n".join(log.read_text()[-1000:] for log in sorted(path.glob("*.log")))
