"""`manage.py keeper`: look after runs. Any number may run; one at a time works."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections, connection

from apps.core import leader
from apps.core.alive import add_argument, first_sign, sign
from apps.runs.keeper import EVERY_SECONDS, Keeper

log = logging.getLogger(__name__)

LEADER = "keeper"
LEADER_SECONDS = EVERY_SECONDS * 3


class Command(BaseCommand):
    help = "Rings for waiting runs, declares lost ones, tidies up. Start as many as you like; one at a time works."
    # Looking at the addresses would load all of the web, which it never uses.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_argument(parser)

    def handle(self, *args: Any, alive: Path | None, **options: Any) -> None:
        first_sign(alive)
        stop = threading.Event()

        def wait(seconds: float) -> None:
            sign(alive)
            stop.wait(seconds)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        keep(Keeper(), holder=f"{socket.gethostname()}.{os.getpid()}", wait=wait, stopped=stop.is_set)


def keep(keeper: Keeper, *, holder: str, wait: Callable[[float], object], stopped: Callable[[], bool]) -> None:
    """Rounds until `stopped()`, with `wait(EVERY_SECONDS)` in between."""
    while not stopped():
        try:
            close_old_connections()
            if leader.acquire(LEADER, holder=holder, seconds=LEADER_SECONDS):
                keeper.round()
        except DatabaseError as error:
            log.warning("the database is away: %s", error)
            keeper.lost_sight()
            connection.close()
        wait(EVERY_SECONDS)
    try:
        leader.release(LEADER, holder=holder)
    except DatabaseError:
        log.info("the leader's lease is left to run out")
