"""`manage.py runner`: take jobs of a pool for this host, as many at a time as it has slots."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from apps.core.alive import add_argument, first_sign
from apps.core.queue import EXECUTE_RUN, connect_impatiently
from apps.pools.joining import machine_id, register
from apps.pools.keys import Refused
from apps.pools.models import LOCAL, Standing, WorkerHost
from apps.pools.runner import RunnerWorker


class Command(BaseCommand):
    help = "Takes runs of a pool for this host, as many at a time as it has slots, until it is told to stop."
    # Looking at the addresses would load all of the web, which it never uses.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pool", default=LOCAL, help="pool that a new host joins (default: %(default)s)")
        parser.add_argument("--host", default=socket.gethostname(), help="name of this host (default: %(default)s)")
        parser.add_argument("--name", help="name of this runner, unique in the portal (default: <host>-1)")
        parser.add_argument("--join", default="", metavar="KEY", help="key to join the pool with, at the first start")
        parser.add_argument(
            "--stop-on-term",
            action="store_true",
            help="at SIGTERM end its runs in good order instead of finishing them first",
        )
        add_argument(parser)

    def handle(
        self,
        *args: Any,
        pool: str,
        host: str,
        name: str | None,
        join: str,
        stop_on_term: bool,
        alive: Path | None,
        **options: Any,
    ) -> None:
        first_sign(alive)
        # Loaded before the fork, so that a run starts without waiting for imports.
        jobs = importlib.import_module(EXECUTE_RUN.rpartition(".")[0])

        def tidy(held: Collection[str]) -> None:
            jobs.tidy(runner.host_id, held)

        try:
            connect_impatiently().ping()  # before anything is known of a host that could not take work
            runner = register(pool, host, name or f"{host}-1", machine_id(), join)
            if runner.host.pool.name != pool:
                self.stderr.write(f"the host “{host}” is in the pool “{runner.host.pool}”; --pool is for new hosts")
            connections.close_all()
            worker = RunnerWorker(runner, stop_on_term=stop_on_term, tidy=tidy, alive=alive)
            self.stdout.write(greeting(runner.host))
            self.stdout.flush()
            worker.serve()
        except Refused as error:
            raise CommandError(str(error)) from None
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        self.stdout.write(f"runner {runner.name} stopped")


def greeting(host: WorkerHost) -> str:
    """What its people see when it starts: for them, silence could mean anything."""
    match host.standing:
        case Standing.PENDING:
            return f"the host “{host.name}” waits until somebody approves it on the page of the pool “{host.pool}”"
        case Standing.DRAINING:
            return f"the host “{host.name}” is draining: it takes nothing until it is activated"
    return f"the host “{host.name}” takes runs of the pool “{host.pool}”, {host.slot_count} processes at a time"
