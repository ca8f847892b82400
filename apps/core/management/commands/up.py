"""`manage.py up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

DEFAULT_PORT = 8000


class Command(BaseCommand):
    help = "Starts Redis, web, runners, keeper and a demo target here, and holds them until Ctrl-C."
    requires_system_checks: list[str] = []  # the children check; this process is about to be replaced

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
        parser.add_argument("--port", type=int, default=os.environ.get("PORT") or DEFAULT_PORT)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        # The holder needs nothing of Django. Becoming it, instead of staying as its parent, saves a process and
        # its memory, and signals reach it directly. By now os.environ has what was in .env, too.
        os.chdir(settings.BASE_DIR)
        command = [sys.executable, "-m", "apps.core.supervise"]
        where = ["--host", host, "--port", str(port), "--state", str(settings.STATE_DIR)]
        os.execv(sys.executable, [*command, *where])
