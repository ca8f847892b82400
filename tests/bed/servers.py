"""The servers of a bed's portal: PostgreSQL and Redis on a host's own address, each with a password."""

from __future__ import annotations

import pwd
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from apps.core.supervise.private_redis import server_binary
from tests import postgres
from tests.bed.machine import Missing
from tests.bed.network import SUBNET, Host
from tests.e2e.stack import wait_for

POSTGRES_PORT = 5432
REDIS_PORT = 6379
START_SECONDS = 30.0


@dataclass(frozen=True)
class Database:
    """A PostgreSQL: `url` for every host, `socket_url` for the test's own process, whose network is another."""

    url: str
    socket_url: str


def start_database(host: Host, log: Path) -> Database:
    """One that takes connections. Raises Missing."""
    binaries, user = postgres.find_binaries(), postgres.server_user()
    if binaries is None or user is None:
        raise Missing("PostgreSQL is not installed here (Debian: apt-get install postgresql).")
    folder, password = host.folder / "postgres", secrets.token_urlsafe(12)
    folder.mkdir(mode=0o700)
    make_cluster(binaries, folder, user, password)
    settings = postgres.SETTINGS | {"listen_addresses": host.address, "dynamic_shared_memory_type": "mmap"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server: postgres.Command = [binaries / "postgres", "-D", folder / "data", "-k", folder, *options]
    postgres.wait_for(binaries, folder, host.run(server, cwd=folder, log=log, user=user), log)
    name = postgres.DATABASE_USER
    return Database(
        f"postgres://{name}:{password}@{host.address}:{POSTGRES_PORT}/postgres",
        f"postgres://{name}@{quote(str(folder), safe='')}/postgres",
    )


def make_cluster(binaries: Path, folder: Path, user: str, password: str) -> None:
    """Who comes by the network needs the password; who comes by the socket is on this machine."""
    given = folder / "password"
    given.write_text(password)
    for path in (folder, given):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    rights: postgres.Command = ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--pwfile", given]
    text = ["--encoding", "UTF8", "--no-locale", "--no-sync"]
    command: postgres.Command = [
        binaries / "initdb",
        "--pgdata",
        folder / "data",
        "--username",
        postgres.DATABASE_USER,
        *rights,
        *text,
    ]
    assert postgres.run_as(user, command, folder).wait() == 0, "no PostgreSQL cluster could be made"
    with (folder / "data" / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {SUBNET}.0/24 scram-sha-256\n")


def start_redis(host: Host, log: Path) -> str:
    """Its address. It does not take connections yet."""
    password = secrets.token_urlsafe(12)
    options = {"bind": host.address, "port": str(REDIS_PORT), "requirepass": password, "save": "", "appendonly": "no"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    host.run([server_binary(), *words], cwd=host.folder, log=log)
    return f"redis://:{password}@{host.address}:{REDIS_PORT}/0"


def wait_for_port(host: Host, port: int) -> None:
    """Until something listens there, as the host itself sees it."""

    def listens() -> bool:
        try:
            with host.connect(host.address, port, seconds=1) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
        return True

    wait_for(listens, START_SECONDS, f"port {port} of {host.name}")
