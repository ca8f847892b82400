"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can,
counted at the target. Two things make the portal's slower, and each is measured where nothing else is in the way:

- *Beside each other*: what is in the Locust process. The machine's speed changes from one moment to the next by more
  than what is looked for, so the Locusts are all up at once and take turns of a twentieth of a second: whose turn it is
  not, is stopped (SIGSTOP). The portal's own processes go on all along, so every Locust pays for them alike.
- *Share of a core*: what those processes take from the Locust that they look after. Of its core it gets less while
  they run than while they are stopped, for seconds each. They are not stopped for turns: they would all wake at once
  and do in a turn what fell due in two, or, where its beginning is left out, what they do would never be seen.

The figure is the product of both. It leaves out that Locust finds its caches colder after somebody else has had its
core. That happens about ten times a second; 150 times a second, by a process that keeps the core for a millisecond,
made its requests 2.2 % dearer, so this is less than 0.2 %.

Bare Locust runs with `--only-summary`, as the portal's does. A second one runs along, which must come out at 1: how far
off it is, is how far the other ratio can be trusted; the portal's is held against both. Processes of the same program
differ by a few percent for as long as they live, so all of them are started many times, and the error of the mean is
told.

Each Locust has one core and the target another, if there are two: otherwise it is luck how often the scheduler puts
them on the same. The portal's processes may go where they like.

Every Locust and the target has a session of its own, as the portal gives to its: Linux shares a core out by session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import mean, stdev

import psutil

from bench.figures import Figure, spread
from bench.place import LOCUSTFILES, Place, quiet_target, run_of, say, script, tree
from tests.e2e.stack import Target, environment_of, wait_for

STARTS = 16
ENDPOINTS = (1, 100)
ARMS = ("bare", "portal", "again")
ORDER = ("portal", "bare", "portal", "again")
TURN_SECONDS = 0.04
QUIET_SECONDS = 0.01
"""After a turn, for the target to answer what it still has."""
WARM_SECONDS = 1.5
ROUNDS = 50
BESIDE_SECONDS = 2.0
ALONE_SECONDS = 1.5
AGAIN_SECONDS = 0.4
"""In which processes that go on do what fell due while they were stopped."""
CPU_CLOCK = 2
"""In the number that Linux gives to a process's CPU clock: of all its threads, by the scheduler's count."""
USERS = 20
RUN_SECONDS = 120
BUDGET = 0.98

Processes = list[psutil.Process]


@dataclass
class Made:
    """What one arm did in all its turns of one start."""

    requests: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu_seconds


@dataclass(frozen=True)
class Start:
    """What came of one start of all arms."""

    made: Mapping[str, Made]
    share: float
    """Of what the portal's Locust gets of its core alone, so much is left beside the portal's processes."""

    def ratio(self, rate: Callable[[Made], float]) -> float:
        """The portal's ÷ the mean of both bare ones."""
        ours, bare, again = (rate(self.made[arm]) for arm in ("portal", "bare", "again"))
        return ours / mean([bare, again])

    def control(self, rate: Callable[[Made], float]) -> float:
        return rate(self.made["again"]) / rate(self.made["bare"])


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    with quiet_target(place.new_folder("throughput")) as target:
        _pin([psutil.Process(target.process.pid)], 1)
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
        _figure(f"{names}, portal ÷ bare", [start.ratio(second) * start.share for start in starts], BUDGET),
        _figure(f"{names}, beside each other", [start.ratio(second) for start in starts]),
        _figure(f"{names}, bare ÷ bare (control)", [start.control(second) for start in starts]),
        _figure(f"{names}, beside each other, per CPU second", [start.ratio(cpu_second) for start in starts]),
        _figure(f"{names}, share of a core", [start.share for start in starts]),
    ]


def _figure(name: str, ratios: Sequence[float], budget: float | None = None) -> Figure:
    error = stdev(ratios) / len(ratios) ** 0.5
    return Figure(name, mean(ratios), budget=budget, bound="least", note=f"± {error:.4f} · {spread(ratios)}")


class Load:
    """Ways to put the same load on the same target."""

    def __init__(self, place: Place, target: Target, endpoints: int) -> None:
        self.stack, self.target, self.endpoints = place.stack, target, endpoints
        self.folder = place.new_folder(f"throughput-{endpoints}")
        options = {"users": USERS, "spawn_rate": USERS, "run_time": f"{RUN_SECONDS}s", "collector": "exact"}
        options["env"] = self._env("portal")
        self.scenario = self.stack.scenario(script("closed"), host=target.url, **options)

    def start(self) -> Start:
        """Start all, and see what each does in its turns."""
        with ExitStack() as exits:
            locusts = {arm: exits.enter_context(self._start(arm)) for arm in ARMS}
            _pin(locusts.values(), 0)
            time.sleep(WARM_SECONDS)
            exits.callback(_send, locusts.values(), signal.SIGCONT)
            _send(locusts.values(), signal.SIGSTOP)
            made = {arm: Made() for arm in ARMS}
            for arm in ORDER * ROUNDS:
                self._turn(arm, locusts[arm], made[arm])
            locusts["portal"].resume()
            return Start(made, self._share(locusts["portal"]))

    def _turn(self, arm: str, locust: psutil.Process, made: Made) -> None:
        requests, cpu = self._requests(arm), _cpu_seconds(locust)
        began = time.monotonic()
        locust.resume()
        time.sleep(TURN_SECONDS)
        locust.suspend()
        made.seconds += time.monotonic() - began
        time.sleep(QUIET_SECONDS)
        made.requests += self._requests(arm) - requests
        made.cpu_seconds += _cpu_seconds(locust) - cpu

    def _share(self, locust: psutil.Process) -> float:
        others = self._others()
        beside: list[float] = []
        alone: list[float] = []
        for _ in range(2):
            time.sleep(AGAIN_SECONDS)
            beside.append(_load_of(locust, BESIDE_SECONDS))
            _send(others, signal.SIGSTOP)
            try:
                alone.append(_load_of(locust, ALONE_SECONDS))
            finally:
                _send(others, signal.SIGCONT)
        return mean(beside) / mean(alone)

    def _others(self) -> Processes:
        """The portal's own processes.

        Without the guard above Locust: it wakes whenever Locust is stopped, which nobody does but this.
        """
        return [process for process in tree(self.stack) if "HATCHERY_RUN_ID" not in environment_of(process)]

    def _requests(self, arm: str) -> int:
        return self.target.counts().get(f"GET /ok/{arm}", {}).get("requests", 0)

    def _start(self, arm: str) -> AbstractContextManager[psutil.Process]:
        """The process that makes the load, once requests arrive."""
        return self._portal() if arm == "portal" else self._bare(arm)

    @contextmanager
    def _portal(self) -> Iterator[psutil.Process]:
        before = self._requests("portal")
        with run_of(self.stack, self.scenario) as run_id:
            wait_for(lambda: self._requests("portal") > before, 30, "the first request")
            yield _youngest(self.stack.locusts(run_id))

    @contextmanager
    def _bare(self, arm: str) -> Iterator[psutil.Process]:
        before = self._requests(arm)
        process = _locust(self.folder, self.target.url, self._env(arm))
        try:
            wait_for(lambda: self._requests(arm) > before, 30, "the first request")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)

    def _env(self, arm: str) -> dict[str, str]:
        return {"ENDPOINTS": str(self.endpoints), "ARM": arm}


def _load_of(process: psutil.Process, seconds: float) -> float:
    """CPU seconds a second, for so long from now on."""
    began, cpu = time.monotonic(), _cpu_seconds(process)
    time.sleep(seconds)
    return (_cpu_seconds(process) - cpu) / (time.monotonic() - began)


def _cpu_seconds(process: psutil.Process) -> float:
    """To the moment; what `/proc` has may be 10 ms old."""
    return time.clock_gettime(~process.pid << 3 | CPU_CLOCK)


def _youngest(processes: Processes) -> psutil.Process:
    """Below its guard."""
    return max(processes, key=psutil.Process.create_time)


def _pin(processes: Iterable[psutil.Process], core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for process in processes:
            process.cpu_affinity([cores[core]])


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _locust(folder: Path, host: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_SECONDS}s", "--host", host)
    command = (sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", str(LOCUSTFILES / "closed.py"))
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return subprocess.Popen(
        [*command, *load],
        cwd=folder,
        env=own | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
