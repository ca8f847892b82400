"""Locust processes that make as many requests as they can, in turns: which makes more, on a machine that never rests.

The machine's speed changes from one moment to the next by more than what is looked for, so all are up at once and take
turns of a twentieth of a second; whose turn it is not, is stopped (SIGSTOP). All have as many turns and as long to wait
between two: what falls due once a second weighs the more in a turn the longer that is, and caches are the colder. With
three of them it weighs three times what it does outside of here, in ours and in the bare ones.

Each has one core and the target another, if there are two: otherwise it is luck how often the scheduler puts them on
the same. Processes of the same program differ by a few percent for as long as they live, so start all of them many
times.

Who takes turns may be several processes, a master and its workers, which go on and are stopped together.
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
from itertools import chain
from pathlib import Path
from statistics import mean, stdev

import psutil

from bench.figures import Figure, spread
from bench.place import LOCUSTFILES
from tests.e2e.stack import Target, wait_for
from workers.process import LocustProcess

USERS = 20
RUN_SECONDS = 120
LOCUST_CORES, TARGET_CORE = (0,), 1
TURN_SECONDS = 0.04
QUIET_SECONDS = 0.01
"""After a turn, for the target to answer what it still has."""
WARM_SECONDS = 1.5
ROUNDS = 80
CPU_CLOCK = 2
"""In the number that Linux gives to a process's CPU clock: of all its threads, by the scheduler's count."""


Group = Sequence[psutil.Process]
"""Processes that make load together."""


@dataclass
class Made:
    """What one group did in all its turns of one start."""

    requests: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu_seconds


def take_turns(
    locusts: Mapping[str, Group], requests: Callable[[str], int], cores: Sequence[int] = LOCUST_CORES
) -> dict[str, Made]:
    """What each did in `ROUNDS` turns, one after the other. All go on afterwards, and when it begins."""
    made = {arm: Made() for arm in locusts}
    everybody = list(chain.from_iterable(locusts.values()))
    pin(everybody, cores)
    send(everybody, signal.SIGCONT)
    time.sleep(WARM_SECONDS)
    send(everybody, signal.SIGSTOP)
    try:
        for _ in range(ROUNDS):
            for arm, group in locusts.items():
                _turn(group, made[arm], partial(requests, arm))
    finally:
        send(everybody, signal.SIGCONT)
    return made


def _turn(group: Group, made: Made, requests: Callable[[], int]) -> None:
    before, cpu = requests(), cpu_seconds(group)
    began = time.monotonic()
    send(group, signal.SIGCONT)
    time.sleep(TURN_SECONDS)
    send(group, signal.SIGSTOP)
    made.seconds += time.monotonic() - began
    time.sleep(QUIET_SECONDS)
    made.requests += requests() - before
    made.cpu_seconds += cpu_seconds(group) - cpu


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


def pin(processes: Iterable[psutil.Process], cores: Sequence[int]) -> None:
    """Put them, with all their threads, on these cores, counted from 0, if there are two."""
    known = sorted(os.sched_getaffinity(0))
    if len(known) > 1:
        for process in processes:
            for thread in process.threads():  # ZeroMQ has some of its own
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, {known[core] for core in cores})


def all_but(core: int) -> list[int]:
    """The other cores."""
    return [one for one in range(len(os.sched_getaffinity(0))) if one != core]


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """A signal to those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """To the moment; what `/proc` has may be 10 ms old."""
    return sum(time.clock_gettime(~process.pid << 3 | CPU_CLOCK) for process in processes)


def requests_of(target: Target, arm: str) -> int:
    """What the target has answered to this one so far."""
    return target.counts().get(f"GET /ok/{arm}", {}).get("requests", 0)


def environment_for(arm: str, endpoints: int) -> dict[str, str]:
    """What `locustfiles/closed.py` wants to know."""
    return {"ENDPOINTS": str(endpoints), "ARM": arm}


@contextmanager
def bare(folder: Path, target: Target, arm: str, endpoints: int) -> Iterator[Group]:
    """A stock Locust in a session of its own, from its first request on."""
    path = folder / arm
    path.mkdir(exist_ok=True)
    environment = {**bare_environment(), **environment_for(arm, endpoints)}
    locust = LocustProcess(stock("closed", target), environment, cwd=path, log=path / "log")
    with running(locust, target, arm) as group:
        yield group


def stock(locustfile: str, target: Target, users: int = USERS) -> tuple[str, ...]:
    """The stock command line for one of our locustfiles; all users come at once."""
    load = ("--users", str(users), "--spawn-rate", str(users), "--run-time", f"{RUN_SECONDS}s", "--host", target.url)
    return (*program(locustfile), "--headless", "--only-summary", *load)


def program(locustfile: str) -> tuple[str, ...]:
    """What every stock Locust of this script begins with."""
    return (sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / f"{locustfile}.py"))


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}


@contextmanager
def running(locust: LocustProcess, target: Target, arm: str) -> Iterator[Group]:
    """The process that makes the load, from its first request on; gone afterwards."""
    before = requests_of(target, arm)
    try:
        wait_for(lambda: requests_of(target, arm) > before, 30, "the first request")
        top = psutil.Process(locust.pid)
        yield [max([top, *top.children(recursive=True)], key=psutil.Process.create_time)]  # below its guard
    finally:
        locust.kill()
