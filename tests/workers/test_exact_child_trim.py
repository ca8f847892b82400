"""Locust's own statistics do not grow with the length of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 3

# Locust patches the interpreter that imports it, so this has one of its own.
SIMULATE = f"""
import gc, json, time, tracemalloc
from locust import stats
from workers.child.exact.trim import Trim

ENTRIES, SECONDS = 20, 600
clock = [1_700_000_000.0]
time.time = lambda: clock[0]

class Runner:
    user_count = 5
    state = "running"

def simulate(trims):
    of = stats.RequestStats()
    of.clear_all()
    of.use_response_times_cache = False
    Runner.stats = of
    trim = Trim(of)
    grown, rates, first = [], [], stats.format_utc_timestamp(clock[0] + 1)
    for _ in range({ROUNDS}):
        for second in range(SECONDS):
            clock[0] += 1
            for entry in range(ENTRIES):
                of.log_request("GET", str(entry), (second * 7 + entry) % 3000, 10)
            of.log_error("GET", "7", "boom")
            stats.update_stats_history(Runner)
            if trims and second % 30 == 0:
                trim.once(clock[0])
        if trims: trim.once(clock[0])
        gc.collect()
        grown.append(tracemalloc.get_traced_memory()[0])
        rates.append(of.total.current_rps)
    times = [point["time"] for point in of.history]
    assert times[0] == first
    return grown, rates, times, of.total.num_requests, max(len(e.num_reqs_per_sec) for e in of.entries.values())

tracemalloc.start()
print(json.dumps([simulate(True), simulate(False)]))
"""


def test_an_hour_takes_no_more_memory_than_a_minute() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIMULATE], capture_output=True, text=True, timeout=110, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    trimmed, stock = json.loads(done.stdout)
    grown, rates, times, requests, slots = trimmed
    assert requests == stock[3] == 20 * 600 * ROUNDS
    assert rates == stock[1] == [20.0] * ROUNDS
    assert slots <= 120
    assert grown[-1] - grown[0] < 600_000 < 3_000_000 < stock[0][-1] - stock[0][0]
    assert len(times) <= 1_000 < len(stock[2])
    assert times == sorted(times)


def test_points_stay_evenly_spread() -> None:
    code = """
from workers.child.exact.trim import Thinning
points, thinning = [], Thinning(100)
for number in range(17_280):
    points.append(number)
    if number % 6 == 0:
        thinning.thin(points)
        assert len(points) <= 100
thinning.thin(points)
gaps = {after - before for before, after in zip(points, points[1:])}
assert len(gaps) == 1, gaps
assert points[0] == 0 and points[-1] > 17_280 - 512 and len(points) > 50
points.clear()
points += range(10)
thinning.thin(points)
assert points == list(range(10))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
