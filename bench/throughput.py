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
from bench.place import Place, locusts, quiet_target, run_of, say, script, tree
from bench.turns import Group, Made
from tests.e2e.stack import Target, environment_of, wait_for

STARTS = 16
ENDPOINTS = (1, 100)
ARMS = ("bare", "again", "portal")
BESIDE_SECONDS = 2.0
ALONE_SECONDS = 1.5
AGAIN_SECONDS = 0.4
"""In which processes that go on do what fell due while they were stopped."""
ARRIVAL_SECONDS = 1.0
"""From an arm's first request on, for all of its users to come."""
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
        turns.pin([psutil.Process(target.process.pid)], [turns.TARGET_CORE])
        for endpoints in ENDPOINTS:
            load = Load(place, target, endpoints)
            starts = []
            for number in range(STARTS):
                say(f"throughput: {endpoints} names, start {number + 1} of {STARTS}")
                starts.append(load.start())
            figures += figures_of(f"throughput: {endpoints} name{'s' if endpoints > 1 else ''}", starts)
    return figures


def figures_of(name: str, starts: Sequence[Start]) -> list[Figure]:
    """What `starts` of the same load say together."""
    second, cpu_second = attrgetter("per_second"), attrgetter("per_cpu_second")
    return [
        turns.figure(
            f"{name}, portal ÷ bare",
            [turns.against_bare(start.made, "portal", second) * start.share for start in starts],
            BUDGET,
        ),
        turns.figure(
            f"{name}, beside each other", [turns.against_bare(start.made, "portal", second) for start in starts]
        ),
        turns.figure(f"{name}, bare ÷ bare (control)", [turns.control(start.made, second) for start in starts]),
        turns.figure(
            f"{name}, beside each other, per CPU second",
            [turns.against_bare(start.made, "portal", cpu_second) for start in starts],
        ),
        turns.figure(f"{name}, share of a core", [start.share for start in starts]),
    ]


class Load:
    """Ways to put the same load on the same target."""

    workers = 1
    cores: Sequence[int] = turns.LOCUST_CORES

    def __init__(self, place: Place, target: Target, endpoints: int) -> None:
        self.stack, self.target, self.endpoints = place.stack, target, endpoints
        self.users = turns.USERS * self.workers
        self.folder = place.new_folder(f"{type(self).__name__}-{self.workers}-{endpoints}")
        options = {"users": self.users, "spawn_rate": self.users, "run_time": f"{turns.RUN_SECONDS}s"}
        environment = turns.environment_for("portal", endpoints)
        self.scenario = self.stack.scenario(
            script("closed"), host=target.url, collector="exact", env=environment, **options
        )

    def start(self) -> Start:
        """Start all, and see what each does in its turns."""
        with ExitStack() as exits:
            groups = self._arms(exits)
            made = turns.take_turns(groups, lambda arm: turns.requests_of(self.target, arm), self.cores)
            say(" · ".join(f"{arm} {one.per_second:.0f}" for arm, one in made.items()))
            turns.send([*groups["bare"], *groups["again"]], signal.SIGSTOP)
            return Start(made, self._share(groups["portal"]))

    def bare(self, arm: str) -> AbstractContextManager[Group]:
        """A stock one, from its first request on."""
        return turns.bare(self.folder, self.target, arm, self.endpoints)

    def _arms(self, exits: ExitStack) -> dict[str, Group]:
        """Who is up waits, stopped, for those who are not; ours comes last, so that it never falls silent."""
        groups: dict[str, Group] = {}
        for arm in ARMS:
            groups[arm] = exits.enter_context(self._portal() if arm == "portal" else self.bare(arm))
            time.sleep(ARRIVAL_SECONDS)
            if arm != "portal":
                turns.send(groups[arm], signal.SIGSTOP)
        return groups

    def _share(self, group: Group) -> float:
        others = self._others()
        beside: list[float] = []
        alone: list[float] = []
        for _ in range(2):
            time.sleep(AGAIN_SECONDS)
            beside.append(_load_of(group, BESIDE_SECONDS))
            turns.send(others, signal.SIGSTOP)
            try:
                alone.append(_load_of(group, ALONE_SECONDS))
            finally:
                turns.send(others, signal.SIGCONT)
        return mean(beside) / mean(alone)

    def _others(self) -> list[psutil.Process]:
        """The portal's own processes.

        Without the guard above Locust: it wakes whenever Locust is stopped, which nobody does but this.
        """
        return [process for process in tree(self.stack) if "HATCHERY_RUN_ID" not in environment_of(process)]

    @contextmanager
    def _portal(self) -> Iterator[Group]:
        """Its Locust processes, once requests arrive."""
        before = turns.requests_of(self.target, "portal")
        with run_of(self.stack, self.scenario, workers=self.workers) as run_id:
            wait_for(lambda: turns.requests_of(self.target, "portal") > before, 60, "the first request")
            group = locusts(self.stack, run_id)
            masters = int(self.workers > 1)
            assert len(group) == self.workers + masters, f"{len(group)} processes for {self.workers} workers"
            yield group
        answered = turns.requests_of(self.target, "portal") - before
        counted = self.stack.run(run_id)["totals"]["requests"]
        if not answered - self.users <= counted <= answered:
            raise RuntimeError(f"the portal counted {counted} requests, the target {answered}")


def _load_of(group: Group, seconds: float) -> float:
    """CPU seconds a second, for so long from now on."""
    began, cpu = time.monotonic(), turns.cpu_seconds(group)
    time.sleep(seconds)
    return (turns.cpu_seconds(group) - cpu) / (time.monotonic() - began)
