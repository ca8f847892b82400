"""From `POST /api/v1/runs/` to the first request, as the target's own log has it, with a runner that waits for work."""

from __future__ import annotations

import json
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.figures import Figure, of_spread
from bench.place import Place, run_of, say, script
from tests.e2e.stack import demo_target, wait_for

TIMES = 5
BUDGET_SECONDS = 2.5
FIRST_REQUEST_SECONDS = 30.0


def measure(place: Place) -> list[Figure]:
    stack, folder = place.stack, place.new_folder("start")
    found = []
    with demo_target(folder) as target:
        load = {"users": 1, "spawn_rate": 1, "run_time": "30s", "env": {"ENDPOINTS": "1"}}
        scenario = stack.scenario(script("paced"), host=target.url, **load)
        for number in range(TIMES):
            asked_at = time.time()
            with run_of(stack, scenario):
                first = wait_for(partial(first_after, folder, asked_at), FIRST_REQUEST_SECONDS, "a request")
            found.append(first - asked_at)
            say(f"start: {number + 1} of {TIMES}: {found[-1]:.2f} s")
    return [of_spread("start: POST /runs → first request", found, "s", budget=BUDGET_SECONDS)]


def first_after(folder: Path, moment: float) -> float | None:
    """When the first request after `moment` (UTC epoch seconds) arrived; None while there is none."""
    return next((done - ms / 1000 for done, ms in requests_in(folder) if done > moment), None)


def requests_in(folder: Path, path: str = "") -> list[tuple[float, float]]:
    """When each request to a `demo_target` was done, in UTC epoch seconds, and how many milliseconds it took.

    `path`: only requests to this one.
    """
    lines = (folder / "target.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    wanted = [entry for entry in entries if path in ("", entry["path"])]
    return [(datetime.fromisoformat(entry["t"]).timestamp(), entry["ms"]) for entry in wanted]
