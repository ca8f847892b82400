"""What counting costs the load that is counted: the same Locust with `exact`, with `csv`, and with no collector at all.

*Requests per CPU second*: each makes as many requests as it can, in turns with two bare `locust --headless`
(`bench/turns.py`), without the portal's other processes.

*p99.9*: each keeps the steady pace of an open loop beside a bare Locust, at the same time, against the same target, so
that whatever else the machine does meets both. A user times its requests itself and keeps the times in an array, so
nothing depends on what is measured; all rounds count together. A bare Locust beside a bare Locust is the control: how
far it is off 1 is how far the other ratios can be trusted.

Names come one after the other, so that all of them are in use all the time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path

import psutil

from bench import turns
from bench.figures import Figure, percentile, spread
from bench.place import Place, quiet_target, say, script
from bench.turns import Group, Made
from tests.e2e.stack import Target, wait_for
from workers import command, launch
from workers.command import RunFolder
from workers.process import LocustProcess
from workers.spec import RunSpec

NAMES = (1, 100, 1_000)
ARMS = ("exact", "csv")
STARTS = {"exact": 12, "csv": 4}
ROUNDS = {"exact": 4, "csv": 2, "none": 4}
CONTROLLED = 1_000
"""With so many names a bare Locust is held against a bare one, where it matters most."""
USERS = 20
DELAY_MS = 5
"""Of the target while users keep the pace; 20 users × 50 a second = 1,000 a second."""
WARM_SECONDS = 1.5
PACED_SECONDS = 10.0
RUN_SECONDS = 120
END_SECONDS = 20
P999_BUDGET, RATE_BUDGET = 1.1, 0.98

Window = tuple[float, float]
"""Monotonic seconds."""
Times = Sequence[float]
"""Seconds of each paced request."""


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    with quiet_target(place.new_folder("observer")) as target:
        cores = psutil.Process(target.process.pid).cpu_affinity()
        for names in NAMES:
            turns.pin([psutil.Process(target.process.pid)], [turns.TARGET_CORE])
            figures += fast(place, target, names)
            psutil.Process(target.process.pid).cpu_affinity(cores)
            figures += paced(place, target, names)
    return figures


def fast(place: Place, target: Target, names: int) -> list[Figure]:
    """Requests per CPU second of each arm ÷ those of two bare ones, and those of one ÷ the other."""
    rate, what = attrgetter("per_cpu_second"), "requests per CPU second"
    figures, controls = [], []
    for arm in ARMS:
        folder = place.new_folder(f"observer-fast-{names}-{arm}")
        starts = [take_turns(folder / str(number), target, arm, names) for number in range(STARTS[arm])]
        ratios = [turns.against_bare(made, arm, rate) for made in starts]
        budget = RATE_BUDGET if arm == "exact" else None
        figures.append(turns.figure(f"{label(names, arm)}, {what}", ratios, budget))
        controls += [turns.control(made, rate) for made in starts]
    return [*figures, turns.figure(f"{label(names, 'none')}, {what}", controls)]


def take_turns(folder: Path, target: Target, arm: str, names: int) -> dict[str, Made]:
    """One start of an arm and two bare ones."""
    say(f"observer: {names} names, {arm}, start {int(folder.name) + 1} of {STARTS[arm]}")
    folder.mkdir()
    with ExitStack() as exits:
        locusts = {one: exits.enter_context(closed(folder, target, one, names)) for one in ("bare", arm, "again")}
        return turns.take_turns(locusts, lambda one: turns.requests_of(target, one))


def closed(folder: Path, target: Target, arm: str, names: int) -> AbstractContextManager[Group]:
    """A Locust that makes as many requests as it can."""
    if arm not in ARMS:
        return turns.bare(folder, target, arm, names)
    locust = portals(folder, target, arm, arm, "closed", turns.environment_for(arm, names))
    return turns.running(locust, target, arm)


def paced(place: Place, target: Target, names: int) -> list[Figure]:
    """The 99.9th percentile of each arm's requests ÷ that of a bare one beside it."""
    arms = [arm for arm in ROUNDS if arm in ARMS or names == CONTROLLED]
    pairs: dict[str, list[tuple[Times, Times]]] = {arm: [] for arm in arms}
    for number in range(max(ROUNDS.values())):
        for arm in (arm for arm in arms if number < ROUNDS[arm]):
            say(f"observer: {names} names, {arm}, {number + 1} of {ROUNDS[arm]}")
            pair = Pair(target, place.new_folder(f"observer-{names}-{arm}-{number}"), names)
            pairs[arm].append(pair.run(arm))
    return [paced_figure(names, arm, pairs[arm]) for arm in arms]


def paced_figure(names: int, arm: str, pairs: Sequence[tuple[Times, Times]]) -> Figure:
    ours, bare = (p999_ms([took for pair in pairs for took in pair[side]]) for side in (0, 1))
    each = spread([p999_ms(ours) / p999_ms(bare) for ours, bare in pairs])
    budget = P999_BUDGET if arm == "exact" else None
    return Figure(
        f"{label(names, arm)}, p99.9", ours / bare, budget=budget, note=f"{ours:.2f} ÷ {bare:.2f} ms · {each}"
    )


def p999_ms(times: Times) -> float:
    return percentile(times, 0.999) * 1000


def label(names: int, arm: str) -> str:
    return f"observer: {names} name{'s' if names > 1 else ''}, {arm} ÷ none"


class Pair:
    """One arm and a bare Locust, side by side, at a steady pace."""

    def __init__(self, target: Target, folder: Path, names: int) -> None:
        self.target, self.folder, self.names = target, folder, names

    def run(self, arm: str) -> tuple[Times, Times]:
        arms = {"ours": arm, "bare": "none"}
        with ExitStack() as exits:
            for side, which in arms.items():
                exits.enter_context(self._locust(side, which))
            time.sleep(WARM_SECONDS)
            began = time.perf_counter()
            time.sleep(PACED_SECONDS)
            window = (began, time.perf_counter())
        ours, bare = (self._times(side, window) for side in arms)
        return ours, bare

    @contextmanager
    def _locust(self, side: str, arm: str) -> Iterator[None]:
        """It makes requests; over afterwards, and its times are in a file."""
        before = turns.requests_of(self.target, side)
        process = self._start(side, arm)
        try:
            wait_for(lambda: turns.requests_of(self.target, side) > before, 30, "the first request", self._log(side))
            yield
            process.interrupt()
            wait_for(lambda: process.poll() is not None, END_SECONDS, "Locust has ended", self._log(side))
        finally:
            process.kill()

    def _start(self, side: str, arm: str) -> LocustProcess:
        path = self.folder / side
        env = {
            **turns.environment_for(side, self.names),
            "DELAY_MS": str(DELAY_MS),
            "OBSERVED_FILE": str(self.folder / f"{side}.times"),
        }
        if arm in ARMS:
            return portals(self.folder, self.target, side, arm, "observed", env)
        path.mkdir()
        log = self.folder / f"{side}.log"
        return LocustProcess(turns.stock("observed", self.target), turns.bare_environment() | env, cwd=path, log=log)

    def _log(self, side: str) -> Callable[[], object]:
        return lambda: (self.folder / f"{side}.log").read_text()[-2000:]

    def _times(self, side: str, window: Window) -> Times:
        found = json.loads((self.folder / f"{side}.times").read_text())
        return [took for at, took in zip(found["began"], found["took"], strict=True) if window[0] <= at < window[1]]


def portals(
    folder: Path, target: Target, name: str, collector: str, locustfile: str, env: dict[str, str]
) -> LocustProcess:
    """A child as a run of the portal has it, without the portal."""
    spec = RunSpec(
        run_id=name,
        locustfile=script(locustfile),
        users=USERS,
        spawn_rate=USERS,
        run_time_s=RUN_SECONDS,
        host=target.url,
        env=env,
        collector=collector,
    )
    path = folder / name
    path.mkdir()
    files = RunFolder(path)
    launch.prepare(spec, files)
    environment = command.environment(spec, files)
    return LocustProcess(command.argv(spec, files), environment, cwd=files.script, log=folder / f"{name}.log")
