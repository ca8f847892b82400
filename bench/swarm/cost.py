"""What it costs to have a run of eight workers: the master, a worker, and who looks after them, beside bare ones.

Both are on at the same time, so that whatever else the machine does meets both, with the same steady load: each worker
makes one request of each name a second. What is read is processor time; it says what the parts cost while the load is
what the machine can bear, and nothing about how much it could be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import psutil

from bench import turns
from bench.figures import Figure, number, spread
from bench.place import Place, quiet_target, run_of, say, script
from bench.swarm import ours, stock
from tests.e2e.stack import Stack, Target, wait_for

WORKERS, ENDPOINTS = 8, 100
USERS = 10 * WORKERS
"""Of ten requests a second each."""
ROUNDS = 2
WARM_SECONDS = 10.0
WINDOW_SECONDS = 60.0
LATE = 0.05
"""A load that is so much below the other cannot be held against it."""

Groups = Mapping[str, Sequence[psutil.Process]]


@dataclass(frozen=True)
class Round:
    """CPU seconds a second of each part, and requests a second of each side."""

    cpu: Mapping[str, float]
    rates: Mapping[str, float]

    def ratio(self, part: str) -> float:
        """Ours ÷ bare, for the same number of requests."""
        return self.cpu[f"our {part}"] / self.cpu[f"bare {part}"] * self.rates["bare"] / self.rates["portal"]


def measure(place: Place) -> list[Figure]:
    stack = place.stack
    with ours.room(stack, WORKERS), quiet_target(place.new_folder("swarm-cost")) as target:
        rounds = []
        for turn in range(ROUNDS):
            say(f"swarm: {WORKERS} workers of ours beside {WORKERS} bare ones, {turn + 1} of {ROUNDS}")
            rounds.append(_round(place, stack, target))
            say(" · ".join(f"{part} {share * 100:.1f} %" for part, share in rounds[-1].cpu.items()))
    return figures(rounds)


def figures(rounds: Sequence[Round]) -> list[Figure]:
    """Ratios first; percents are of one core."""
    of = f"swarm: {WORKERS} workers × {ENDPOINTS} names"

    def percent(part: str) -> Figure:
        values = [one.cpu[part] * 100 for one in rounds]
        return Figure(f"{of}, {part}, of one core", mean(values), "%", note=spread(values))

    def ratio(part: str) -> Figure:
        values = [one.ratio(part) for one in rounds]
        rates = " and ".join(f"{number(mean(one.rates[side] for one in rounds))}" for side in ("portal", "bare"))
        return Figure(f"{of}, {part}, ours ÷ bare", mean(values), note=f"{rates} requests/s · {spread(values)}")

    parts = ("our master", "bare master", "our workers", "bare workers", "leader of the run", "owner of the workers")
    return [ratio("master"), ratio("workers"), *map(percent, parts)]


def _round(place: Place, stack: Stack, target: Target) -> Round:
    options = {"users": USERS, "spawn_rate": USERS, "run_time": f"{turns.RUN_SECONDS}s", "collector": "exact"}
    environment = turns.environment_for("portal", ENDPOINTS)
    scenario = stack.scenario(script("paced"), host=target.url, env=environment, **options)
    folder = place.new_folder(f"swarm-cost-{time.monotonic():.0f}")
    with stock.swarm(folder, target, "bare", ENDPOINTS, workers=WORKERS, users=USERS, locustfile="paced") as bare:
        before = turns.requests_of(target, "portal")
        with run_of(stack, scenario, workers=WORKERS) as run_id:
            wait_for(lambda: turns.requests_of(target, "portal") > before, stock.FIRST_SECONDS, "the first request")
            parts = ours.parts_of(stack, run_id, WORKERS)
            groups: Groups = {
                "our master": [parts.master],
                "bare master": [bare.master],
                "our workers": parts.workers,
                "bare workers": bare.workers,
                "leader of the run": [parts.leader],
                "owner of the workers": [parts.owner],
            }
            time.sleep(WARM_SECONDS)
            return _watch(groups, target)


def _watch(groups: Groups, target: Target) -> Round:
    def cpu() -> dict[str, float]:
        return {part: turns.cpu_seconds(group) for part, group in groups.items()}

    def requests() -> dict[str, int]:
        return {side: turns.requests_of(target, side) for side in ("portal", "bare")}

    began, cpu_before, requests_before = time.monotonic(), cpu(), requests()
    time.sleep(WINDOW_SECONDS)
    cpu_after, requests_after = cpu(), requests()
    elapsed = time.monotonic() - began
    rates = {side: (requests_after[side] - count) / elapsed for side, count in requests_before.items()}
    if min(rates.values()) < (1 - LATE) * max(rates.values()):
        raise RuntimeError(f"the machine does not bear this load: {rates}")
    return Round({part: (cpu_after[part] - spent) / elapsed for part, spent in cpu_before.items()}, rates)
