"""The state folder of one `make up`: locked while it runs, ports and secrets kept between starts."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOCK_FILE = "up.lock"
LOOPBACK = "127.0.0.1"


class Refused(Exception):
    """Nothing was started; the text says why, in one sentence."""


@dataclass(frozen=True)
class State:
    folder: Path

    def make(self) -> None:
        """Only its owner may look inside: it holds the secret key, passwords and results."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_mode & stat.S_ISVTX:
                raise Refused(f"The state folder {self.folder} is shared with other users; choose one of your own.")
            self.folder.chmod(0o700)
            (self.folder / "static").mkdir(exist_ok=True)  # empty: without it the web process warns at each start
        except OSError as error:
            raise Refused(f"The state folder {self.folder} cannot be used: {error.strerror}.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        with open(self.folder / LOCK_FILE, "a+", opener=private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refused(
                    f"Hatchery already runs on {self.folder} (process {file.read().strip() or 'unknown'}); "
                    "stop it first, or set HATCHERY_STATE to another folder."
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def port(self, name: str) -> int:
        """The port this part had the last time, or another free one if something else has it now."""
        kept = self.folder / f"{name}.port"
        with suppress(FileNotFoundError, ValueError):
            port = int(kept.read_text())
            if is_free(LOOPBACK, port):
                return port
        port = free_port()
        kept.write_text(f"{port}\n")
        return port

    def secret(self, name: str) -> str:
        path = self.folder / f"{name}.secret"
        if not path.exists():
            self.write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def write_private(self, path: Path, text: str) -> None:
        with open(path, "w", opener=private) as file:
            file.write(text)


def private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def is_free(host: str, port: int) -> bool:
    try:
        check_port(host, port)
    except Refused:
        return False
    return True


def check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((host, port))
            probe.listen()
        except (OSError, OverflowError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no such port"
            raise Refused(
                f"Port {port} on {host} cannot be used ({reason.lower()}); choose another, as in `make up PORT=8001`."
            ) from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
