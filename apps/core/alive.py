"""A sign of life for health checks of processes that answer on no port: the age of a file."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import CommandError


def add_argument(parser: ArgumentParser) -> None:
    """The option `--alive` of a long-lived command."""
    parser.add_argument("--alive", type=Path, metavar="FILE", help="touch this file at every beat, for a health check")


def first_sign(file: Path | None) -> None:
    """At the start, where a wrong path should end the command."""
    if file is not None:
        try:
            file.touch(mode=0o600)
        except OSError as error:
            raise CommandError(f"--alive: {error}") from None


def sign(file: Path | None) -> None:
    """Later on, where the file is of less weight than what the process is there for."""
    if file is not None:
        with contextlib.suppress(OSError):
            file.touch(mode=0o600)
