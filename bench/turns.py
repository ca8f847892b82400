"""Locust processes that make as many requests as they can, in turns: which makes more, on a machine that never rests.

The machine's speed changes from one moment to the next by more than what is looked for, so all are up at once and take
turns of a twentieth of a second; whose turn it is not, is stopped (SIGSTOP). All have as many turns and as long to wait
between two: what falls due once a second weighs the more in a turn the longer that is, and caches are the colder. With
three of them it weighs three times what it does outside of here, in ours and in the bare ones.

Each has one core and the target another, if there are two: otherwise it is luck how often the scheduler puts them on
the same. Processes of the same program differ by a few percent for as long as they live, so start all of them many
times.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import psutil

from bench.figures import Figure, spread
from bench.place import LOCUSTFILES
from tests.e2e.stack import Target, wait_for
from workers.process import LocustProcess

USERS = 20
RUN_SECONDS = 120
TURN_SECONDS = 0.04
QUIET_SECONDS = 0.01
"""After a turn, for the target to answer what it still has."""
WARM_SECONDS = 1.5
ROUNDS = 80
CPU_CLOCK = 2
"""In the number that Linux gives to a process's CPU clock: of all its threads, by the scheduler's count."""


@dataclass
class Made:
    """What one process did in all its turns of one start."""

    requests: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu_seconds


def take_turns(locusts: Mapping[str, psutil.Process], requests: Callable[[str], int]) -> dict[str, Made]:
    """What each did in `ROUNDS` turns, one after the other. All go on afterwards."""
    made = {arm: Made() for arm in locusts}
    pin(locusts.values(), 0)
    time.sleep(WARM_SECONDS)
    send(locusts.values(), signal.SIGSTOP)
    try:
        for _ in range(ROUNDS):
            for arm, locust in locusts.items():
                _turn(locust, made[arm], partial(requests, arm))
    finally:
        send(locusts.values(), signal.SIGCONT)
    return made


def _turn(locust: psutil.Process, made: Made, requests: Callable[[], int]) -> None:
    before, cpu = requests(), cpu_seconds(locust)
    began = time.monotonic()
    locust.resume()
    time.sleep(TURN_SECONDS)
    locust.suspend()
    made.seconds += time.monotonic() - began
    time.sleep(QUIET_SECONDS)
    made.requests += requests() - before
    made.cpu_seconds += cpu_seconds(locust) - cpu


def against_bare(made: Mapping[str, Made], arm: str, rate: Callable[[Made], float]) -> float:
    """One arm ÷ the mean of the two bare ones, `bare` and `again`."""
    return rate(made[arm]) / mean([rate(made["bare"]), rate(made["again"])])


def control(made: Mapping[str, Made], rate: Callable[[Made], float]) -> float:
    """One bare Locust ÷ the other."""
    return rate(made["again"]) / rate(made["bare"])


def figure(name: str, ratios: Sequence[float], budget: float | None = None) -> Figure:
    """The mean of one ratio per start, with its standard error."""
    error = stdev(ratios) / len(ratios) ** 0.5
    return Figure(name, mean(ratios), budget=budget, bound="least", note=f"± {error:.4f} · {spread(ratios)}")


def pin(processes: Iterable[psutil.Process], core: int) -> None:
    """Put them on one core, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for process in processes:
            process.cpu_affinity([cores[core]])


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """A signal to those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def cpu_seconds(process: psutil.Process) -> float:
    """To the moment; what `/proc` has may be 10 ms old."""
    return time.clock_gettime(~process.pid << 3 | CPU_CLOCK)


def requests_of(target: Target, arm: str) -> int:
    """What the target has answered to this one so far."""
    return target.counts().get(f"GET /ok/{arm}", {}).get("requests", 0)


def environment_for(arm: str, endpoints: int) -> dict[str, str]:
    """What `locustfiles/closed.py` wants to know."""
    return {"ENDPOINTS": str(endpoints), "ARM": arm}


@contextmanager
def bare(folder: Path, target: Target, arm: str, endpoints: int) -> Iterator[psutil.Process]:
    """A stock Locust in a session of its own, from its first request on."""
    path = folder / arm
    path.mkdir(exist_ok=True)
    environment = {**bare_environment(), **environment_for(arm, endpoints)}
    locust = LocustProcess(stock("closed", target), environment, cwd=path, log=path / "log")
    with running(locust, target, arm) as process:
        yield process


def stock(locustfile: str, target: Target) -> tuple[str, ...]:
    """The stock command line for one of our locustfiles."""
    load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_SECONDS}s", "--host", target.url)
    path = str(LOCUSTFILES / f"{locustfile}.py")
    return (sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", path, *load)


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}


@contextmanager
def running(locust: LocustProcess, target: Target, arm: str) -> Iterator[psutil.Process]:
    """The process that makes the load, from its first request on; gone afterwards."""
    before = requests_of(target, arm)
    try:
        wait_for(lambda: requests_of(target, arm) > before, 30, "the first request")
        yield youngest([psutil.Process(locust.pid), *psutil.Process(locust.pid).children(recursive=True)])
    finally:
        locust.kill()


def youngest(processes: Iterable[psutil.Process]) -> psutil.Process:
    """Below its guard."""
    return max(processes, key=psutil.Process.create_time)
