"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can.
They are counted at the target, over the same steady seconds after all users have started. Runs alternate, since the
machine's speed changes while we measure. Bare Locust runs with `--only-summary`, as the portal's does.

The ratio of CPU seconds per request says the same without the noise of whatever else wants the cores. Stock
`--csv --csv-full-history` stands beside it, because it is what a run needs to have figures without the portal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import Figure, of_spread
from bench.place import LOCUSTFILES, Place, quiet_target, requests_at, say, script, stop
from bench.runner import cpu_seconds
from tests.e2e.stack import Stack, Target, wait_for

PAIRS = 3
ENDPOINTS = (1, 100)
USERS = 20
RUN_SECONDS = 60
WARM_SECONDS = 2.0
WINDOW_SECONDS = 6.0
BUDGET = 0.98

Processes = list[psutil.Process]
Arm = Callable[[], AbstractContextManager[Processes]]


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: float
    per_cpu_second: float


def measure(place: Place) -> list[Figure]:
    figures = []
    with quiet_target(place.new_folder("throughput")) as target:
        for endpoints in ENDPOINTS:
            figures += _of_endpoints(place, target, endpoints)
    return figures


def _of_endpoints(place: Place, target: Target, endpoints: int) -> list[Figure]:
    stack, env = place.stack, {"ENDPOINTS": str(endpoints)}
    load = {"users": USERS, "spawn_rate": USERS, "run_time": f"{RUN_SECONDS}s", "env": env}
    scenario = stack.scenario(script("closed"), host=target.url, **load)
    csv = place.new_folder(f"csv-{endpoints}") / "bare"
    arms: dict[str, Arm] = {
        "bare": lambda: _bare(target, env, place.folder),
        "portal": lambda: _through_portal(stack, scenario, target),
        "csv": lambda: _bare(target, env, place.folder, "--csv", str(csv), "--csv-full-history"),
    }
    rates: dict[str, list[Rate]] = {name: [] for name in arms}
    for number in range(PAIRS):
        for name, arm in arms.items():
            with arm() as processes:
                rates[name].append(_rate(target, processes))
            rate = rates[name][-1]
            said = f"{rate.per_second:.0f}/s, {rate.per_cpu_second:.0f} per CPU second"
            say(f"throughput: {endpoints} names, {name} {number + 1} of {PAIRS}: {said}")
    return _figures(endpoints, rates)


def _figures(endpoints: int, rates: dict[str, list[Rate]]) -> list[Figure]:
    names = f"{endpoints} name{'s' if endpoints > 1 else ''}"

    def ratios(arm: str, read: Callable[[Rate], float]) -> Sequence[float]:
        return [read(ours) / read(bare) for ours, bare in zip(rates[arm], rates["bare"], strict=True)]

    by_time, by_cpu = (lambda rate: rate.per_second), (lambda rate: rate.per_cpu_second)
    return [
        of_spread(f"throughput: {names}, portal ÷ bare", ratios("portal", by_time), budget=BUDGET, bound="least"),
        of_spread(f"throughput: {names}, per CPU second of Locust", ratios("portal", by_cpu)),
        of_spread(f"throughput: {names}, bare with --csv-full-history ÷ bare", ratios("csv", by_time)),
        of_spread(f"throughput: {names}, the same per CPU second", ratios("csv", by_cpu)),
    ]


def _rate(target: Target, processes: Processes) -> Rate:
    """Over the steady part of the run that is on."""
    time.sleep(WARM_SECONDS)
    began, requests, cpu = time.monotonic(), requests_at(target), cpu_seconds(processes)
    time.sleep(WINDOW_SECONDS)
    elapsed, done = time.monotonic() - began, requests_at(target) - requests
    return Rate(done / elapsed, done / (cpu_seconds(processes) - cpu))


@contextmanager
def _through_portal(stack: Stack, scenario: str, target: Target) -> Iterator[Processes]:
    before = requests_at(target)
    run_id = stack.start(scenario)
    _wait_for_more(target, before)
    yield stack.locusts(run_id)
    stop(stack, run_id)


@contextmanager
def _bare(target: Target, env: dict[str, str], folder: Path, *options: str) -> Iterator[Processes]:
    before = requests_at(target)
    load = ["--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_SECONDS}s", "--host", target.url]
    command = [sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", str(LOCUSTFILES / "closed.py")]
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    process = subprocess.Popen(
        [*command, *load, *options],
        cwd=folder,
        env={**own, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_more(target, before)
        yield [psutil.Process(process.pid)]
    finally:
        process.terminate()
        process.wait(20)
    time.sleep(WARM_SECONDS)


def _wait_for_more(target: Target, requests: int) -> None:
    wait_for(lambda: requests_at(target) > requests, 30, "the first request")
