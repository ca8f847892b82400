"""What counting costs the load that is counted: the same Locust with `exact`, with `csv`, and with no collector at all.

Each is held against a bare `locust --headless` that runs beside it, at the same time, against the same target:
whatever else the machine does meets both. First they take turns of a second and a half in which one of them makes as
many requests as it can: what counts is requests per CPU second, since a busy machine does not give a whole core to
each. Then both keep the steady pace of an open loop, and what counts is how long requests take: the 99.9th percentile
over all rounds. A user times its requests itself and keeps the times in an array, so nothing depends on what is
measured. A bare Locust beside a bare Locust is the control: how far it is off 1 is how far the other ratios can be
trusted. Names come one after the other, so that all of them are in use all the time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.figures import Figure, percentile, spread
from bench.place import LOCUSTFILES, Place, quiet_target, say, script
from tests.e2e.stack import Target, wait_for
from workers import command, launch
from workers.command import RunFolder
from workers.process import LocustProcess
from workers.spec import RunSpec

ROUNDS = 2
NAMES = (1, 100, 1_000)
ARMS = ("exact", "csv")
MORE = {1_000: ("none",)}
"""The control, where it matters most."""
USERS = 20
DELAY_MS = 5
"""Of the target while users keep the pace; 20 users × 50 a second = 1,000 a second."""
WARM_SECONDS = 1.5
TURNS, TURN_SECONDS = 4, 1.5
PACED_SECONDS = 10.0
RUN_SECONDS = 120
END_SECONDS = 20
P999_BUDGET, RATE_BUDGET = 1.1, 0.98

Window = tuple[float, float]
"""Monotonic seconds."""


@dataclass
class Observed:
    """What one Locust did: requests per CPU second, requests a second, seconds of each paced request."""

    per_cpu: float
    per_second: float
    took: Sequence[float]


@dataclass
class Pairs:
    """Rounds of one arm beside a bare Locust."""

    ours: list[Observed] = field(default_factory=list)
    bare: list[Observed] = field(default_factory=list)

    def ratios(self, name: str) -> list[float]:
        return [getattr(a, name) / getattr(b, name) for a, b in zip(self.ours, self.bare, strict=True)]

    def p999_ms(self, observed: Sequence[Observed]) -> float:
        return percentile([took for one in observed for took in one.took], 0.999) * 1000


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    folders = count()
    with quiet_target(place.new_folder("observer")) as target:
        for names in NAMES:
            arms = (*ARMS, *MORE.get(names, ()))
            pairs = {arm: Pairs() for arm in arms}
            for number in range(ROUNDS):
                for arm in arms:
                    say(f"observer: {names} names, {arm}, {number + 1} of {ROUNDS}")
                    pair = Pair(target, place.new_folder(f"observer-{next(folders)}"), names)
                    ours, bare = pair.run(arm)
                    pairs[arm].ours.append(ours)
                    pairs[arm].bare.append(bare)
            for arm in arms:
                figures += figures_of(names, arm, pairs[arm])
    return figures


def figures_of(names: int, arm: str, pairs: Pairs) -> list[Figure]:
    label = f"observer: {names} name{'s' if names > 1 else ''}, {arm} ÷ none"
    ours, bare = pairs.p999_ms(pairs.ours), pairs.p999_ms(pairs.bare)
    rates = pairs.ratios("per_cpu")
    budgets = (P999_BUDGET, RATE_BUDGET) if arm == "exact" else (None, None)
    rounds = [Pairs([a], [b]) for a, b in zip(pairs.ours, pairs.bare, strict=True)]
    each = spread([one.p999_ms(one.ours) / one.p999_ms(one.bare) for one in rounds])
    paced = f"{ours:.2f} ÷ {bare:.2f} ms · {each}"
    return [
        Figure(f"{label}, p99.9", ours / bare, budget=budgets[0], note=paced),
        Figure(
            f"{label}, requests per CPU second",
            sum(rates) / len(rates),
            budget=budgets[1],
            bound="least",
            note=f"{spread(rates)} · requests/s {spread(pairs.ratios('per_second'))}",
        ),
    ]


class Pair:
    """One arm and a bare Locust, side by side, with a fast and a paced part."""

    def __init__(self, target: Target, folder: Path, names: int) -> None:
        self.target, self.folder, self.names = target, folder, names
        self.switch = folder / "switch"

    def run(self, arm: str) -> tuple[Observed, Observed]:
        arms = {"ours": arm, "bare": "none"}
        with ExitStack() as exits:
            for turn, (label, which) in enumerate(arms.items()):
                exits.enter_context(self._locust(label, which, turn))
            time.sleep(WARM_SECONDS + (2 * TURNS + 1) * TURN_SECONDS)
            self.switch.touch()
            time.sleep(2 * TURN_SECONDS + WARM_SECONDS)
            began = time.perf_counter()
            time.sleep(PACED_SECONDS)
            window = (began, time.perf_counter())
        ours, bare = (self._observed(label, window) for label in arms)
        return ours, bare

    @contextmanager
    def _locust(self, label: str, arm: str, turn: int) -> Iterator[None]:
        """It makes requests; over afterwards, and its times are in a file."""
        before = requests_of(self.target, label)
        process = self._start(label, arm, turn)
        try:
            wait_for(lambda: requests_of(self.target, label) > before, 30, "the first request", self._log(label))
            yield
            process.interrupt()
            wait_for(lambda: process.poll() is not None, END_SECONDS, "Locust has ended", self._log(label))
        finally:
            process.kill()

    def _start(self, label: str, arm: str, turn: int) -> LocustProcess:
        path = self.folder / label
        env = {
            "ENDPOINTS": str(self.names),
            "ARM": label,
            "TURN": str(turn),
            "TURN_SECONDS": str(TURN_SECONDS),
            "DELAY_MS": str(DELAY_MS),
            "SWITCH_FILE": str(self.switch),
            "OBSERVED_FILE": str(self.folder / f"{label}.times"),
        }
        path.mkdir()
        if arm in ARMS:
            return self._portals(path, arm, env)
        return LocustProcess(
            bare(self.target.url), bare_environment() | env, cwd=path, log=self.folder / f"{label}.log"
        )

    def _portals(self, path: Path, arm: str, env: dict[str, str]) -> LocustProcess:
        spec = RunSpec(
            run_id=path.name,
            locustfile=script("observed"),
            users=USERS,
            spawn_rate=USERS,
            run_time_s=RUN_SECONDS,
            host=self.target.url,
            env=env,
            collector=arm,
        )
        folder = RunFolder(path)
        launch.prepare(spec, folder)
        environment = command.environment(spec, folder)
        return LocustProcess(
            command.argv(spec, folder), environment, cwd=folder.script, log=self.folder / f"{path.name}.log"
        )

    def _log(self, label: str) -> Callable[[], object]:
        return lambda: (self.folder / f"{label}.log").read_text()[-2000:]

    def _observed(self, label: str, paced: Window) -> Observed:
        found = json.loads((self.folder / f"{label}.times").read_text())
        requests, cpu, seconds = (sum(column) for column in zip(*found["turns"][1 : TURNS + 1], strict=True))
        times = [took for at, took in zip(found["began"], found["took"], strict=True) if paced[0] <= at < paced[1]]
        return Observed(requests / cpu, requests / seconds, times)


def requests_of(target: Target, label: str) -> int:
    return target.counts().get(f"GET /ok/{label}", {}).get("requests", 0)


def bare(host: str) -> tuple[str, ...]:
    """The stock command line."""
    load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_SECONDS}s", "--host", host)
    return (
        sys.executable,
        "-m",
        "locust",
        "--headless",
        "--only-summary",
        "-f",
        str(LOCUSTFILES / "observed.py"),
        *load,
    )


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
