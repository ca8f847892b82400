"""Lists of runs when there are 100,000: seconds of a GET over HTTP, and how many queries it takes.

The rows are put into the portal's own database by a process of their own (`bench.rows`), and the queries are counted
there too, with Django's test client on the same database: once with few runs, once with all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any

from apps.core.supervise.stack import BASE_DIR
from bench.figures import Figure, spread
from bench.place import Place, say
from tests.e2e.stack import Stack

ROWS = 100_000
FEW_ROWS = 100
TIMES = 15
BUDGET_MS = 150.0


def measure(place: Place) -> list[Figure]:
    stack = place.stack
    paths = {
        "GET /api/v1/runs/": "/api/v1/runs/",
        "the same, only failed": "/api/v1/runs/?state=failed",
        "page of a project": f"/t/{stack.facts['team']}/{stack.facts['project']}/",
        "list of all runs": "/runs/",
        "home": "/",
    }
    _rows(stack, "insert", str(FEW_ROWS))
    few = _rows(stack, "look", *paths.values())
    say(f"listing: storing {ROWS:,} runs")
    _rows(stack, "insert", str(ROWS))
    many = _rows(stack, "look", *paths.values())
    return [
        _figure(stack, name, path, many["session"], (few["queries"][path], many["queries"][path]))
        for name, path in paths.items()
    ]


def _figure(stack: Stack, name: str, path: str, session: str, queries: tuple[int, int]) -> Figure:
    times = [_milliseconds(stack, path, session) for _ in range(TIMES + 1)][1:]  # the first one warms up
    few, many = queries
    counted = f"{many} queries" if few == many else f"{few} queries with {FEW_ROWS} runs, {many} with {ROWS}"
    ordered = sorted(times)
    return Figure(
        f"listing: {name}", ordered[len(ordered) // 2], "ms", budget=BUDGET_MS, note=f"{counted} · {spread(times)}"
    )


def _milliseconds(stack: Stack, path: str, session: str) -> float:
    request = urllib.request.Request(stack.url + path)
    if path.startswith("/api/"):
        request.add_header("Authorization", f"Bearer {stack.facts['token']}")
    else:
        request.add_header("Cookie", f"sessionid={session}")
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
        assert answer.url == stack.url + path, f"{path} led to {answer.url}"
    return (time.monotonic() - began) * 1000


def _rows(stack: Stack, *arguments: str) -> Any:
    """Let `bench.rows` do something to the portal's database."""
    command = [sys.executable, "-m", "bench.rows", stack.facts["username"], *arguments]
    env = stack.env | {"HATCHERY_URL": stack.url}
    done = subprocess.run(command, cwd=BASE_DIR, env=env, stdout=subprocess.PIPE, timeout=180, check=True)
    return json.loads(done.stdout)
