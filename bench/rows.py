"""Runs out of thin air, in the database that the environment names. A process of its own: `python -m bench.rows`.

rows <username> insert <count>     so many finished runs of the demo scenario
rows <username> look <path> …      `{"session": key, "queries": {path: count}}`
"""

# ruff: noqa: E402
from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.runs.models import Run
from apps.runs.states import State, Verdict

BATCH = 2_000
OUTCOMES = ((State.FINISHED, Verdict.PASSED), (State.FINISHED, Verdict.NONE), (State.FAILED, Verdict.NONE))
TOTALS = {
    "requests": 12_345, "failures": 12, "rps": 205.75, "avg_ms": 12.5, "p50_ms": 11.0, "p95_ms": 21.0, "p99_ms": 40.0,
    "min_ms": 3.0, "max_ms": 240.0, "bytes": 1_234_500,
}  # fmt: skip


def insert(count: int) -> None:
    """Copies of the demo run, each a minute after the other and with a number of its own."""
    model = Run.objects.select_related("project", "scenario", "version", "pool").order_by("-number").first()
    assert model is not None, "there is no run to copy"
    numbers = range(model.number + 1, model.number + 1 + count)
    for begin in range(0, count, BATCH):
        with transaction.atomic():
            Run.objects.bulk_create(_run(model, number) for number in numbers[begin : begin + BATCH])


def _run(model: Run, number: int) -> Run:
    state, verdict = OUTCOMES[number % len(OUTCOMES)]
    at = timezone.now()
    return Run(
        project=model.project,
        scenario=model.scenario,
        version=model.version,
        pool=model.pool,
        number=number,
        state=state,
        reason="run_time_over" if state == State.FINISHED else "locustfile_error",
        verdict=verdict,
        requested_by=model.requested_by,
        requested_by_user=model.requested_by_user,
        created_at=at,
        started_at=at,
        finished_at=at + timedelta(seconds=60),
        totals=TOTALS,
    )


def look(username: str, paths: Sequence[str]) -> dict[str, Any]:
    """Queries of each page, and a session with which to ask for it over HTTP."""
    client = Client(headers={"host": os.environ["HATCHERY_URL"].partition("://")[2]})
    client.force_login(User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend")
    return {"session": client.session.session_key, "queries": {path: _queries(client, path) for path in paths}}


def _queries(client: Client, path: str) -> int:
    client.get(path)  # what is read once a process is no part of it
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return len(queries)


if __name__ == "__main__":
    username, command, *arguments = sys.argv[1:]
    match command:
        case "insert":
            insert(int(arguments[0]))
            print("null")
        case "look":
            print(json.dumps(look(username, arguments)))
        case _:
            sys.exit(f"unknown command {command}")
