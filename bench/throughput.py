"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can,
counted at the target. Two things make the portal's slower, and each is measured where nothing else is in the way:

- *Beside each other*: what is in the Locust process. They take turns (`bench/turns.py`). The portal's own processes go
  on all along, so every Locust pays for them alike.
- *Share of a core*: what those processes take from the Locust that they look after. Of its core it gets less while
  they run than while they are stopped, for seconds each. They are not stopped for turns: they would all wake at once
  and do in a turn what fell due in two, or, where its beginning is left out, what they do would never be seen.

The figure is the product of both. It leaves out the page of somebody who watches the run, and that Locust finds its
caches colder after somebody else has had its core. The latter happens about ten times a second; 150 times a second, by
a process that keeps the core for a millisecond, made its requests 2.2 % dearer, so this is less than 0.2 %.

Bare Locust runs with `--only-summary`, as the portal's does. A second one runs along, which must come out at 1: how far
off it is, is how far the other ratio can be trusted; the portal's is held against both. The portal's processes may go
where they like, and all Locusts have a session of their own, as the portal gives to its: Linux shares a core out by
session.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from statistics import mean

import psutil

from bench import turns
from bench.figures import Figure
from bench.place import Place, quiet_target, run_of, say, script, tree
from bench.turns import Made
from tests.e2e.stack import Target, environment_of, wait_for

STARTS = 16
ENDPOINTS = (1, 100)
ARMS = ("bare", "portal", "again")
BESIDE_SECONDS = 2.0
ALONE_SECONDS = 1.5
AGAIN_SECONDS = 0.4
"""In which processes that go on do what fell due while they were stopped."""
BUDGET = 0.98


@dataclass(frozen=True)
class Start:
    """What came of one start of all arms."""

    made: Mapping[str, Made]
    share: float
    """Of what the portal's Locust gets of its core alone, so much is left beside the portal's processes."""


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    with quiet_target(place.new_folder("throughput")) as target:
        turns.pin([psutil.Process(target.process.pid)], 1)
        for endpoints in ENDPOINTS:
            load = Load(place, target, endpoints)
            starts = []
            for number in range(STARTS):
                say(f"throughput: {endpoints} names, start {number + 1} of {STARTS}")
                starts.append(load.start())
                say(" · ".join(f"{arm} {made.per_second:.0f}" for arm, made in starts[-1].made.items()))
            figures += _figures_of(endpoints, starts)
    return figures


def _figures_of(endpoints: int, starts: Sequence[Start]) -> list[Figure]:
    names = f"throughput: {endpoints} name{'s' if endpoints > 1 else ''}"
    second, cpu_second = attrgetter("per_second"), attrgetter("per_cpu_second")
    return [
        turns.figure(
            f"{names}, portal ÷ bare",
            [turns.against_bare(start.made, "portal", second) * start.share for start in starts],
            BUDGET,
        ),
        turns.figure(
            f"{names}, beside each other", [turns.against_bare(start.made, "portal", second) for start in starts]
        ),
        turns.figure(f"{names}, bare ÷ bare (control)", [turns.control(start.made, second) for start in starts]),
        turns.figure(
            f"{names}, beside each other, per CPU second",
            [turns.against_bare(start.made, "portal", cpu_second) for start in starts],
        ),
        turns.figure(f"{names}, share of a core", [start.share for start in starts]),
    ]


class Load:
    """Ways to put the same load on the same target."""

    def __init__(self, place: Place, target: Target, endpoints: int) -> None:
        self.stack, self.target, self.endpoints = place.stack, target, endpoints
        self.folder = place.new_folder(f"throughput-{endpoints}")
        options = {"users": turns.USERS, "spawn_rate": turns.USERS, "run_time": f"{turns.RUN_SECONDS}s"}
        environment = turns.environment_for("portal", endpoints)
        self.scenario = self.stack.scenario(
            script("closed"), host=target.url, collector="exact", env=environment, **options
        )

    def start(self) -> Start:
        """Start all, and see what each does in its turns."""
        with ExitStack() as exits:
            locusts = {arm: exits.enter_context(self._start(arm)) for arm in ARMS}
            made = turns.take_turns(locusts, lambda arm: turns.requests_of(self.target, arm))
            turns.send([locusts["bare"], locusts["again"]], signal.SIGSTOP)
            return Start(made, self._share(locusts["portal"]))

    def _share(self, locust: psutil.Process) -> float:
        others = self._others()
        beside: list[float] = []
        alone: list[float] = []
        for _ in range(2):
            time.sleep(AGAIN_SECONDS)
            beside.append(_load_of(locust, BESIDE_SECONDS))
            turns.send(others, signal.SIGSTOP)
            try:
                alone.append(_load_of(locust, ALONE_SECONDS))
            finally:
                turns.send(others, signal.SIGCONT)
        return mean(beside) / mean(alone)

    def _others(self) -> list[psutil.Process]:
        """The portal's own processes.

        Without the guard above Locust: it wakes whenever Locust is stopped, which nobody does but this.
        """
        return [process for process in tree(self.stack) if "HATCHERY_RUN_ID" not in environment_of(process)]

    def _start(self, arm: str) -> AbstractContextManager[psutil.Process]:
        """The process that makes the load, once requests arrive."""
        return self._portal() if arm == "portal" else turns.bare(self.folder, self.target, arm, self.endpoints)

    @contextmanager
    def _portal(self) -> Iterator[psutil.Process]:
        before = turns.requests_of(self.target, "portal")
        with run_of(self.stack, self.scenario) as run_id:
            wait_for(lambda: turns.requests_of(self.target, "portal") > before, 30, "the first request")
            yield turns.youngest(self.stack.locusts(run_id))
        answered = turns.requests_of(self.target, "portal") - before
        counted = self.stack.run(run_id)["totals"]["requests"]
        if not answered - turns.USERS <= counted <= answered:
            raise RuntimeError(f"the portal counted {counted} requests, the target {answered}")


def _load_of(process: psutil.Process, seconds: float) -> float:
    """CPU seconds a second, for so long from now on."""
    began, cpu = time.monotonic(), turns.cpu_seconds(process)
    time.sleep(seconds)
    return (turns.cpu_seconds(process) - cpu) / (time.monotonic() - began)
