"""`manage.py runner`: take runs of a pool, one at a time."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rq.serializers import JSONSerializer

from apps.core.alive import add_argument, first_sign
from apps.core.queue import EXECUTE_RUN, AllowedJob, pool_queue
from apps.pools.models import LOCAL, WorkerPool
from apps.pools.runner import RunnerWorker, register


class Command(BaseCommand):
    help = "Takes runs of a pool, one at a time, until it is told to stop."
    # Looking at the addresses would load all of the web, which it never uses.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pool", default=LOCAL, help="pool whose runs it takes (default: %(default)s)")
        parser.add_argument("--host", default=socket.gethostname(), help="name of this host (default: %(default)s)")
        parser.add_argument("--name", help="name of this runner, unique in the portal (default: <host>-1)")
        parser.add_argument(
            "--stop-on-term",
            action="store_true",
            help="at SIGTERM end the present run in good order instead of finishing it first",
        )
        add_argument(parser)

    def handle(
        self,
        *args: Any,
        pool: str,
        host: str,
        name: str | None,
        stop_on_term: bool,
        alive: Path | None,
        **options: Any,
    ) -> None:
        first_sign(alive)
        # Loaded before the fork, so that a run starts without waiting for imports.
        jobs = importlib.import_module(EXECUTE_RUN.rpartition(".")[0])
        try:
            runner = register(pool_name=pool, host_name=host, name=name or f"{host}-1")
        except WorkerPool.DoesNotExist:
            raise CommandError(f"There is no pool “{pool}”.") from None
        connections.close_all()
        queue = pool_queue(pool)
        try:
            worker = RunnerWorker(
                queue,
                runner=runner,
                stop_on_term=stop_on_term,
                tidy=jobs.sweep,
                alive=alive,
                connection=queue.connection,
                job_class=AllowedJob,
                serializer=JSONSerializer,
            )
            worker.work(logging_level="WARNING")
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        self.stdout.write(f"runner {runner.name} stopped")
