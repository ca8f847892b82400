"""What a run of 100 endpoints costs the process that looks after it, and how many bytes it leaves.

The holder is the process that the runner forks for a run: it tails what our collector writes, stores ticks, renews the
lease. Its CPU is read over more than a minute, so that the minute's packing and rolling up is in it.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from uuid import UUID

from bench.figures import Figure
from bench.place import MIB, Place, cpu_seconds, holder_of, locusts, quiet_target, requests_at, run_of, say, script
from tests.e2e.stack import Stack, wait_for

ENDPOINTS = 100
WARM_SECONDS = 5.0
WINDOW_SECONDS = 66.0
BUDGET_PERCENT = 5.0
DAY_SECONDS = 24 * 3600
BUDGET_DAY_MIB = 300.0
LOAD = {
    "users": 20,
    "spawn_rate": 20,
    "run_time": "3m",
    "env": {"ENDPOINTS": str(ENDPOINTS)},
    "collector": "exact",
}


def measure(place: Place) -> list[Figure]:
    stack = place.stack
    with quiet_target(place.new_folder("runner")) as target:
        scenario = stack.scenario(script("paced"), host=target.url, **LOAD)
        with run_of(stack, scenario) as run_id:
            wait_for(lambda: requests_at(target), 30, "the first request")
            time.sleep(WARM_SECONDS)
            locust = locusts(stack, run_id)
            holder = holder_of(locust[0])
            say(f"runner: watching it for {WINDOW_SECONDS:.0f} s")
            began, before, theirs = time.monotonic(), cpu_seconds([holder]), cpu_seconds(locust)
            time.sleep(WINDOW_SECONDS)
            elapsed = time.monotonic() - began
            spent, generated = cpu_seconds([holder]) - before, cpu_seconds(locust) - theirs
    stored, seconds = _stored(stack, run_id)
    day = stored / seconds * DAY_SECONDS / MIB
    return [
        Figure("runner: CPU with 100 endpoints, of one core", spent / elapsed * 100, "%", budget=BUDGET_PERCENT),
        Figure("runner: CPU of that run's Locust, for comparison", generated / elapsed * 100, "%"),
        Figure("runner: stored per endpoint and second, all tiers", stored / seconds / ENDPOINTS, "bytes"),
        Figure("runner: stored by 24 h of 100 endpoints", day, "MB", budget=BUDGET_DAY_MIB, note=f"from {seconds} s"),
    ]


def _stored(stack: Stack, run_id: str) -> tuple[int, int]:
    """Bytes of all sample blocks of a finished run, and its length in seconds."""
    address = f"file:{stack.state / 'hatchery.sqlite3'}?mode=ro"
    query = "SELECT SUM(LENGTH(data)), MAX(last_seq) FROM runs_sampleblock WHERE run_id = ?"
    with closing(sqlite3.connect(address, uri=True)) as database:
        stored, seconds = database.execute(query, [UUID(run_id).hex]).fetchone()
    return int(stored), int(seconds)
