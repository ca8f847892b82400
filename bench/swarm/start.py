"""From the start of a run of three workers until all of its 500 users are there, beside a bare master and its workers.

A user is there when its first request arrives at the target. Ours begins when `POST /api/v1/runs/` is sent, to a
runner that waits for work; bare begins when the first of its processes is started, all of them at once. They take
turns, and are alone meanwhile. What the portal itself noted on the way says where our time goes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from bench import turns
from bench.figures import Figure, of_spread
from bench.place import Place, run_of, say, script, settle
from bench.start import BUDGET_SECONDS, requests_in
from bench.swarm import stock
from tests.e2e.stack import Stack, Target, demo_target, wait_for

WORKERS, USERS = 3, 500
TIMES = 5
RUN_TIME = "60s"
MOST_SECONDS = 60.0
FLUSH_SECONDS = 0.5
"""For the target's log to be written."""
FIRST, ALL = "first user", "all users"

Took = Mapping[str, float]
"""Seconds from the start until each of the things that happened."""


def measure(place: Place) -> list[Figure]:
    stack, folder = place.stack, place.new_folder("swarm-start")
    ours: list[Took] = []
    bare: list[Took] = []
    with demo_target(folder) as target:
        for number in range(TIMES):
            say(f"swarm: {WORKERS} workers and {USERS} users, start {number + 1} of {TIMES}")
            bare.append(_bare(place, target, folder, number))
            settle(stack)
            ours.append(_ours(stack, target, folder, number))
            say(" · ".join(f"{what} {seconds:.2f} s" for what, seconds in ours[-1].items()))
    return figures(ours, bare)


def figures(ours: Sequence[Took], bare: Sequence[Took]) -> list[Figure]:
    of = f"swarm: {WORKERS} workers, {USERS} users"
    course = " · ".join(f"{what} {median(took[what] for took in ours):.2f}" for what in ours[0])
    ratios = [one[ALL] / other[ALL] for one, other in zip(ours, bare, strict=True)]
    return [
        of_spread(f"{of}, POST /runs → first request", [took[FIRST] for took in ours], "s", budget=BUDGET_SECONDS),
        of_spread(f"{of}, POST /runs → all users there", [took[ALL] for took in ours], "s"),
        of_spread(f"{of}, bare, first process → all users there", [took[ALL] for took in bare], "s"),
        of_spread(f"{of}, all users there, ours ÷ bare", ratios),
        Figure(
            f"{of}, from the queue to all users", median(took[ALL] - took["queued"] for took in ours), "s", note=course
        ),
    ]


def _bare(place: Place, target: Target, folder: Path, number: int) -> Took:
    arm = f"bare{number}"
    where = place.new_folder(f"swarm-start-{number}")
    with stock.swarm(where, target, arm, 1, workers=WORKERS, users=USERS, locustfile="arriving") as swarm:
        return _arrivals(target, folder, arm, swarm.began)


def _ours(stack: Stack, target: Target, folder: Path, number: int) -> Took:
    arm = f"portal{number}"
    load = {"users": USERS, "spawn_rate": USERS, "run_time": RUN_TIME, "env": {"ARM": arm}, "collector": "exact"}
    scenario = stack.scenario(script("arriving"), host=target.url, **load)
    began = time.time()
    with run_of(stack, scenario, workers=WORKERS) as run_id:
        arrivals = _arrivals(target, folder, arm, began)
    noted = {what: at - began for what, at in _noted(stack, run_id).items()}
    return dict(sorted({**noted, **arrivals}.items(), key=lambda pair: pair[1]))


def _arrivals(target: Target, folder: Path, arm: str, began: float) -> Took:
    here = partial(turns.requests_of, target, f"{arm}/here")
    wait_for(lambda: here() >= USERS, MOST_SECONDS, f"{USERS} users", lambda: f"{here()} are there")
    time.sleep(FLUSH_SECONDS)
    came = sorted(at - ms / 1000 for at, ms in requests_in(folder, f"/ok/{arm}/here"))
    return {FIRST: came[0] - began, ALL: came[USERS - 1] - began}


def _noted(stack: Stack, run_id: str) -> dict[str, float]:
    """What the database has of the beginning of a run; UTC epoch seconds."""
    run = _row(stack, "SELECT created_at, claimed_at FROM runs_run WHERE id = ?", run_id)
    workers = _row(stack, "SELECT MIN(started_at), MAX(ready_at) FROM runs_runworker WHERE run_id = ?", run_id)
    steps = {
        event["data"].get("step"): event["at"] for event in stack.part(run_id, "events") if event["kind"] == "step"
    }
    names = ("queued", "claimed", "workers started", "workers ready", "master ready")
    moments = dict(zip(names, (*run, *workers, steps["ready"].removesuffix("Z")), strict=True))
    return {what: datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() for what, at in moments.items()}


def _row(stack: Stack, query: str, run_id: str) -> tuple[Any, ...]:
    address = f"file:{stack.state / 'hatchery.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        found: tuple[Any, ...] = database.execute(query, [UUID(run_id).hex]).fetchone()
        return found
