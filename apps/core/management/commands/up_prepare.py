"""`manage.py up_prepare`: what `up` needs done in the database before the long-lived processes start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from redis import Redis, RedisError

REDIS_SECONDS = 5.0


class Command(BaseCommand):
    help = "Brings the database up to date and makes the demo team. Part of `up`."
    requires_system_checks: list[str] = []  # migrate runs those of the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--target-url", required=True)
        parser.add_argument("--json", required=True)
        parser.add_argument("--url", required=True)

    def handle(self, *args: Any, target_url: str, json: str, url: str, **options: Any) -> None:
        check_servers()
        # Both in one process: starting Django takes longer than either of them.
        call_command("migrate", interactive=False, verbosity=0)
        call_command("demo", "--target-url", target_url, "--json", json, "--url", url)


def check_servers() -> None:
    """What is wrong with an address is said here once, and not by every part again and again."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        raise CommandError(f"The database cannot be used; DATABASE_URL says where it is. {error}") from error
    timeout = REDIS_SECONDS
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout)
    try:
        client.ping()
    except RedisError as error:
        raise CommandError(f"Redis cannot be used; REDIS_URL says where it is. {error}") from error
    finally:
        client.close()
