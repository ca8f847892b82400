"""Requests a second of a run with so many workers ÷ a bare master with as many, as `bench/throughput.py` has it.

All processes of a side, its master included, go on and are stopped together, and have the same cores, which are all
but the target's. On two cores that is one, for up to five processes of a side: what is compared is what a request costs
with all that goes on beside it, and not what several cores make together. A run of one worker has no master with us;
what it is held against has one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench import throughput, turns
from bench.figures import Figure
from bench.place import Place, quiet_target, say
from bench.swarm import stock
from bench.throughput import Load, Start
from bench.turns import Group
from tests.e2e.stack import Target

ENDPOINTS = 100
STARTS = 8
LEAST_STARTS = 3
MOST_SECONDS = 210.0
"""No other start begins after so long."""


def measure(place: Place, workers: int) -> list[Figure]:
    with quiet_target(place.new_folder(f"swarm-rate-{workers}")) as target:
        turns.pin([psutil.Process(target.process.pid)], [turns.TARGET_CORE])
        load = SwarmLoad(place, target, workers)
        began, starts = time.monotonic(), list[Start]()
        while len(starts) < LEAST_STARTS or (len(starts) < STARTS and time.monotonic() < began + MOST_SECONDS):
            say(f"swarm: {workers} workers, start {len(starts) + 1} of up to {STARTS}")
            starts.append(load.start())
    return throughput.figures_of(f"swarm: {workers} worker{'s' if workers > 1 else ''}", starts)


class SwarmLoad(Load):
    """Of several workers, on all cores but the target's."""

    cores = turns.all_but(turns.TARGET_CORE)

    def __init__(self, place: Place, target: Target, workers: int) -> None:
        self.workers = workers
        super().__init__(place, target, ENDPOINTS)

    @contextmanager
    def bare(self, arm: str) -> Iterator[Group]:
        of = (self.folder, self.target, arm, self.endpoints)
        with stock.swarm(*of, workers=self.workers, users=self.users) as swarm:
            yield swarm.all
