"""The short way into `up`: `python -m apps.core.launch` does what `manage.py up` does, without loading the apps first.

It reads the settings, as they decide where the state is and what .env says, and then becomes the supervisor.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

DEFAULT_PORT = "8000"
LAST_PORT = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: %(default)s).")
    parser.add_argument("--port", default=os.environ.get("PORT") or DEFAULT_PORT, help="Default: 8000.")


def become_supervisor(*, host: str, port: str) -> NoReturn:
    """The supervisor needs nothing of Django: becoming it sheds the memory, and signals reach it directly."""
    check_port(port)
    state = settings.STATE_DIR  # reading it also puts what is in .env into os.environ
    os.chdir(settings.BASE_DIR)
    command = [sys.executable, "-m", "apps.core.supervise"]
    os.execv(sys.executable, [*command, "--host", host, "--port", port, "--state", str(state)])


def check_port(port: str) -> None:
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= LAST_PORT):
        raise ImproperlyConfigured(f"PORT must be a whole number from 1 to {LAST_PORT}, not “{port}”.")


def main() -> NoReturn:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    parser = argparse.ArgumentParser(prog="make up")
    add_arguments(parser)
    options = parser.parse_args()
    try:
        become_supervisor(host=options.host, port=options.port)
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
