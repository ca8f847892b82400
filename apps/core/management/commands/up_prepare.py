"""`manage.py up_prepare`: what `up` needs done in the database before the long-lived processes start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Brings the database up to date and makes the demo team. Part of `up`."
    requires_system_checks: list[str] = []  # migrate runs those of the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--target-url", required=True)
        parser.add_argument("--json", required=True)
        parser.add_argument("--url", required=True)

    def handle(self, *args: Any, target_url: str, json: str, url: str, **options: Any) -> None:
        # Both in one process: starting Django takes longer than either of them.
        call_command("migrate", interactive=False, verbosity=0)
        call_command("demo", "--target-url", target_url, "--json", json, "--url", url)
