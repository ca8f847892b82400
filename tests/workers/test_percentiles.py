"""One walk down a histogram gives what Locust's own eleven give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workers.child import percentiles

MODULE = Path(percentiles.__file__)
ENTRIES = 300

# Locust patches the interpreter that imports it, so the comparison has one of its own.
COMPARE = f"""
import importlib.util, random, time
from locust import stats

spec = importlib.util.spec_from_file_location("percentiles", {str(MODULE)!r})
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)
dice = random.Random(7)
shares = stats.PERCENTILES_TO_REPORT

def stock(entry, current):
    of = entry.get_current_response_time_percentile if current else entry.get_response_time_percentile
    return [int(of(share) or 0) for share in shares]

compared = 0
for number in range({ENTRIES}):
    entry = stats.StatsEntry(None, "name", "GET", use_response_times_cache=True)
    entry.stats = stats.RequestStats()
    for _ in range(dice.choice([1, 2, 5, 50, 400])):
        entry.log(dice.choice([None, 0, 0.4, dice.expovariate(0.01), dice.expovariate(0.0001)]), 10)
    cached_at = int(time.time()) - dice.randint(0, 25)
    if number % 3:
        entry.response_times_cache = {{cached_at: stats.CachedResponseTimes(
            response_times=dict(entry.response_times), num_requests=entry.num_requests,
            num_none_requests=entry.num_none_requests)}}
        for _ in range(dice.choice([0, 1, 100])):
            entry.log(dice.expovariate(0.01), 10)
    for current in (False, True):
        while True:
            second = int(time.time())
            expected, got = stock(entry, current), ours.fields(entry, shares, current=current)
            if int(time.time()) == second:
                break
        assert expected == got, (number, current, expected, got)
        compared += any(expected)
print(compared)
"""


def test_it_gives_the_figures_of_locust() -> None:
    done = subprocess.run([sys.executable, "-c", COMPARE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > ENTRIES


def test_it_knows_nothing_of_no_requests() -> None:
    assert percentiles.in_one_pass({}, 0, (0.5, 0.99)) == [0, 0]


def test_it_walks_to_the_fastest() -> None:
    assert percentiles.in_one_pass({10: 1, 20: 1}, 2, (0.0, 0.5, 1.0)) == [10, 20, 20]
