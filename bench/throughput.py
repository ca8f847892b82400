"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can,
counted at the target. The machine's speed changes from one minute to the next by more than what is looked for, so they
are all up at once and take turns of a second and a half: a user waits while it is another's turn. While it is not the
turn of the portal's run, the portal's own processes are stopped, so that nobody else pays for what they do; what they
have to do then is done in the run's next turn.

Bare Locust runs with `--only-summary`, as the portal's does. A second one runs along, which must come out at 1: how far
off it is, is how far the other ratio can be trusted; the portal's is held against both. Processes of the same program
differ, too, so all of them are started several times.

*Per CPU second* is the Locust process alone; the rest of what the portal costs is that it shares the machine.

Every Locust and the target has a session of its own, as the portal gives to its: Linux shares a core out by session.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import psutil

from bench.figures import Figure, spread
from bench.place import LOCUSTFILES, Place, cpu_seconds, quiet_target, run_of, say, script, tree
from tests.e2e.stack import Target, wait_for

STARTS = 4
ENDPOINTS = (1, 100)
ARMS = ("bare", "portal", "again")
TURN_SECONDS, GAP_SECONDS = 1.5, 0.2
ROUNDS = 16
"""In which each has one turn. One more before them warms up."""
USERS = 20
RUN_SECONDS = 120
BUDGET = 0.98

Processes = list[psutil.Process]


@dataclass
class Made:
    """What one arm did in all its turns of one start."""

    requests: int = 0
    cpu_seconds: float = 0.0

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu_seconds


def measure(place: Place) -> list[Figure]:
    figures: list[Figure] = []
    with quiet_target(place.new_folder("throughput")) as target:
        for endpoints in ENDPOINTS:
            load = Load(place, target, endpoints)
            starts = []
            for number in range(STARTS):
                say(f"throughput: {endpoints} names, start {number + 1} of {STARTS}")
                starts.append(load.take_turns())
                say(" · ".join(f"{arm} {made.requests}" for arm, made in starts[-1].items()))
            figures += _figures_of(endpoints, starts)
    return figures


def _figures_of(endpoints: int, starts: Sequence[Mapping[str, Made]]) -> list[Figure]:
    names = f"throughput: {endpoints} name{'s' if endpoints > 1 else ''}"
    figures = []
    for what, counted in (("", "requests"), (", per CPU second", "per_cpu_second")):
        ours, bare, again = ([getattr(made[arm], counted) for made in starts] for arm in ("portal", "bare", "again"))
        ratios = [one / mean(both) for one, *both in zip(ours, bare, again, strict=True)]
        control = [a / b for a, b in zip(again, bare, strict=True)]
        budget = None if what else BUDGET
        note = spread(ratios)
        figures.append(Figure(f"{names}, portal ÷ bare{what}", mean(ratios), budget=budget, bound="least", note=note))
        figures.append(Figure(f"{names}, bare ÷ bare (control){what}", mean(control), note=spread(control)))
    return figures


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
            portal = [process for process in tree(self.stack) if process not in locusts["portal"]]
            made = {arm: Made() for arm in ARMS}
            exits.callback(_send, portal, "resume")
            first = _turn_now() + 1
            first -= first % -len(ARMS)
            for turn in range(first, first + (ROUNDS + 1) * len(ARMS)):
                arm = ARMS[turn % len(ARMS)]
                _sleep_until(turn * TURN_SECONDS - GAP_SECONDS / 2)
                _send(portal, "resume" if arm == "portal" else "suspend")
                before = self._read(arm, locusts[arm])
                _sleep_until((turn + 1) * TURN_SECONDS - GAP_SECONDS / 2)
                after = self._read(arm, locusts[arm])
                if turn >= first + len(ARMS):
                    made[arm].requests += after[0] - before[0]
                    made[arm].cpu_seconds += after[1] - before[1]
            return made

    def _read(self, arm: str, locusts: Processes) -> tuple[int, float]:
        return self._requests(arm), cpu_seconds(locusts)

    def _requests(self, arm: str) -> int:
        return self.target.counts().get(f"GET /ok/{arm}", {}).get("requests", 0)

    def _start(self, arm: str) -> AbstractContextManager[Processes]:
        """Its Locust processes, once requests arrive."""
        return self._portal() if arm == "portal" else self._bare(arm)

    @contextmanager
    def _portal(self) -> Iterator[Processes]:
        before = self._requests("portal")
        with run_of(self.stack, self.scenario) as run_id:
            wait_for(lambda: self._requests("portal") > before, 30, "the first request")
            yield self.stack.locusts(run_id)

    @contextmanager
    def _bare(self, arm: str) -> Iterator[Processes]:
        before = self._requests(arm)
        process = _locust(self.folder, self.target.url, self._env(arm))
        try:
            wait_for(lambda: self._requests(arm) > before, 30, "the first request")
            yield [psutil.Process(process.pid)]
        finally:
            process.terminate()
            process.wait(20)

    def _env(self, arm: str) -> dict[str, str]:
        turns = {"TURNS": len(ARMS), "TURN_SECONDS": TURN_SECONDS, "GAP_SECONDS": GAP_SECONDS}
        own = {"ENDPOINTS": self.endpoints, "ARM": arm, "TURN": ARMS.index(arm), **turns}
        return {name: str(value) for name, value in own.items()}


def _turn_now() -> int:
    return int(time.monotonic() // TURN_SECONDS)


def _sleep_until(moment: float) -> None:
    """Monotonic seconds."""
    time.sleep(max(0.0, moment - time.monotonic()))


def _send(processes: Processes, what: str) -> None:
    """`suspend` or `resume` them."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            getattr(process, what)()


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
