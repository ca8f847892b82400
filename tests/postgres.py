"""Run a command against a throw-away PostgreSQL: `python tests/postgres.py <command> …` sets DATABASE_URL for it.

The cluster is made from the binaries of the installed server, listens on a Unix socket only, and is gone afterwards.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PLACES = "/usr/lib/postgresql/*/bin"  # where Debian and Ubuntu put each version
UNPRIVILEGED = ("postgres", "nobody")  # the server refuses to run as root
START_SECONDS = 60.0
STOP_SECONDS = 20.0
DATABASE_USER = "hatchery"
# Speed over safety: nothing in it is worth keeping.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "synchronous_commit": "off",
}

Command = list[str | Path]


def main() -> int:
    binaries = find_binaries()
    if binaries is None:
        print("PostgreSQL is not installed here, so nothing was tested on it (Debian: apt-get install postgresql).")
        return 1 if os.environ.get("CI") == "true" else 0
    with tempfile.TemporaryDirectory(prefix="hatchery-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with cluster(binaries, folder):
            url = f"postgres://{DATABASE_USER}@{quote(name, safe='')}/postgres"
            print(f"On PostgreSQL from {binaries}.", flush=True)
            return run(sys.argv[1:], {**os.environ, "DATABASE_URL": url})


def find_binaries() -> Path | None:
    root, pattern = Path("/"), PLACES.lstrip("/")
    versions = [place for place in root.glob(pattern) if (place / "initdb").exists()]
    if versions:
        return max(versions, key=lambda place: float(place.parent.name))
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def run(command: list[str], env: dict[str, str]) -> int:
    """To its end, however we are interrupted: pytest cleans up at SIGINT, and needs the database while it does."""
    process = subprocess.Popen(command, env=env)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # a terminal has sent it to the command, too


@contextmanager
def cluster(binaries: Path, folder: Path) -> Iterator[None]:
    user = server_user()
    if user is not None:
        shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"
    initdb: Command = [binaries / "initdb", "--pgdata", data, "--username", DATABASE_USER, "--auth", "trust"]
    run_as(user, [*initdb, "--encoding", "UTF8", "--no-locale", "--no-sync"], folder).wait()
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with log.open("w") as output:
        server = run_as(user, [binaries / "postgres", "-D", data, "-k", folder, *options], folder, output.fileno())
    try:
        wait_for(binaries, folder, server, log)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's "fast" stop: it ends connections that are still open
        server.wait(STOP_SECONDS)


def server_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in UNPRIVILEGED if user in known)


def run_as(user: str | None, command: Command, folder: Path, output: int | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if output is None else output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C must not stop it before those who use it
    )


def wait_for(binaries: Path, folder: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ask: Command = [binaries / "pg_isready", "--quiet", "--host", folder]
    while subprocess.run(ask, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The throw-away PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
