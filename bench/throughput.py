"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can,
counted at the target. The machine's speed changes from one moment to the next by more than what is looked for, so they
are all up at once and take turns of a fifth of a second: whose turn it is not, is stopped (SIGSTOP), the portal's own
processes together with its run. So nobody else pays for what the portal does; for what it does each second it even pays
twice, since it has half of the turns and its seconds go on in the others.

Bare Locust runs with `--only-summary`, as the portal's does. A second one runs along, which must come out at 1: how far
off it is, is how far the other ratio can be trusted; the portal's is held against both. Processes of the same program
differ by a few percent for as long as they live, so all of them are started many times, and the error of the mean is
told.

Each Locust has one core and the target another, if there are two: otherwise it is luck how often the scheduler puts
them on the same. The portal's processes may go where they like.

*Per CPU second* is the Locust process alone; the rest of what the portal costs is that it shares the machine.

Every Locust and the target has a session of its own, as the portal gives to its: Linux shares a core out by session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import psutil

from bench.figures import Figure, spread
from bench.place import LOCUSTFILES, Place, cpu_seconds, quiet_target, run_of, say, script, tree
from tests.e2e.stack import Target, environment_of, wait_for

STARTS = 16
ENDPOINTS = (1, 100)
ARMS = ("bare", "portal", "again")
ORDER = ("portal", "bare", "portal", "again")
TURN_SECONDS = 0.2
QUIET_SECONDS = 0.01
"""After a turn, for the target to answer what it still has."""
WARM_SECONDS = 1.5
ROUNDS = 20
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


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    with quiet_target(place.new_folder("throughput")) as target:
        _pin([psutil.Process(target.process.pid)], 1)
        for endpoints in ENDPOINTS:
            load = Load(place, target, endpoints)
            starts = []
            for number in range(STARTS):
                say(f"throughput: {endpoints} names, start {number + 1} of {STARTS}")
                starts.append(load.take_turns())
                say(" · ".join(f"{arm} {made.per_second:.0f}" for arm, made in starts[-1].items()))
            figures += _figures_of(endpoints, starts)
    return figures


def _figures_of(endpoints: int, starts: Sequence[Mapping[str, Made]]) -> list[Figure]:
    names = f"throughput: {endpoints} name{'s' if endpoints > 1 else ''}"
    figures = []
    for what, counted in (("", "per_second"), (", per CPU second", "per_cpu_second")):
        ours, bare, again = ([getattr(made[arm], counted) for made in starts] for arm in ("portal", "bare", "again"))
        ratios = [one / mean(both) for one, *both in zip(ours, bare, again, strict=True)]
        control = [a / b for a, b in zip(again, bare, strict=True)]
        budget = None if what else BUDGET
        figures.append(_figure(f"{names}, portal ÷ bare{what}", ratios, budget))
        figures.append(_figure(f"{names}, bare ÷ bare (control){what}", control))
    return figures


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

    def take_turns(self) -> Mapping[str, Made]:
        """Start all, and count what each does in each of its turns."""
        with ExitStack() as exits:
            locusts = {arm: exits.enter_context(self._start(arm)) for arm in ARMS}
            others = {"portal": self._others()}
            _pin(locusts.values(), 0)
            time.sleep(WARM_SECONDS)
            for processes in (locusts.values(), *others.values()):
                exits.callback(_send, processes, signal.SIGCONT)
                _send(processes, signal.SIGSTOP)
            made = {arm: Made() for arm in ARMS}
            for arm in ORDER * ROUNDS:
                self._turn(arm, locusts[arm], others.get(arm, []), made[arm])
            return made

    def _turn(self, arm: str, locust: psutil.Process, others: Processes, made: Made) -> None:
        requests, cpu = self._requests(arm), cpu_seconds([locust])
        _send(others, signal.SIGCONT)
        began = time.monotonic()
        locust.resume()
        time.sleep(TURN_SECONDS)
        locust.suspend()
        made.seconds += time.monotonic() - began
        _send(others, signal.SIGSTOP)
        time.sleep(QUIET_SECONDS)
        made.requests += self._requests(arm) - requests
        made.cpu_seconds += cpu_seconds([locust]) - cpu

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
