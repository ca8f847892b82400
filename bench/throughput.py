"""Requests a second of a run through the portal ÷ the same locustfile under bare `locust --headless`.

Both load the same target with the same users in a closed loop, so one Locust process makes as many requests as it can.
They are counted at the target, over the same steady seconds after all users have started. Runs alternate, since the
machine's speed changes while we measure. Bare Locust runs with `--only-summary`, as the portal's does.

On a machine that has other work, these ratios say more about the other work. So the same Locust processes also run
side by side, on one core that they share, and what counts there is requests per CPU second of each: whatever slows one
slows the others. It is the harder of the two: with a quarter of a core each, what costs the same every second, such as
writing CSV files, weighs about four times as much as in a run that has a core to itself. So it carries no budget.
Stock `--csv --csv-full-history` runs along, because it is what figures cost without the portal, and a second bare
Locust, which must come out at 1: how far off it is, is how far the other ratios can be trusted.

Every Locust and the target has a session of its own, as the portal gives to its. Linux shares a core out by session: a
bare Locust in the session of this process would get less of it, and the portal would look better than it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import psutil

from bench.figures import Figure, of_spread
from bench.place import LOCUSTFILES, Place, cpu_seconds, quiet_target, run_of, say, script
from tests.e2e.stack import Target, wait_for

PAIRS = 3
ENDPOINTS = (1, 100)
USERS = 20
RUN_SECONDS = 90
WARM_SECONDS = 2.0
WINDOW_SECONDS = 6.0
SIDE_BY_SIDE_SECONDS = 20.0
BUDGET = 0.98
FULL_HISTORY = ("--csv", "figures", "--csv-full-history")

Processes = list[psutil.Process]


def measure(place: Place) -> list[Figure]:
    figures = []
    with quiet_target(place.new_folder("throughput")) as target:
        for endpoints in ENDPOINTS:
            names = f"throughput: {endpoints} name{'s' if endpoints > 1 else ''}"
            load = Load(place, target, endpoints)
            figures.append(of_spread(f"{names}, portal ÷ bare", _alternately(load), budget=BUDGET, bound="least"))
            per_cpu = _side_by_side(load)
            ours, csv, control = (per_cpu[arm] / per_cpu["bare"] for arm in ("portal", "csv", "again"))
            said = " · ".join(f"{arm} {value:.0f}" for arm, value in per_cpu.items())
            figures += [
                Figure(f"{names}, per CPU second on a shared core", ours, note=said),
                Figure(f"{names}, the same for stock --csv-full-history", csv),
                Figure(f"{names}, the same for bare ÷ bare (control)", control),
            ]
    return figures


class Load:
    """Ways to put the same load on the same target. Each yields the Locust processes once requests arrive."""

    def __init__(self, place: Place, target: Target, endpoints: int) -> None:
        self.stack, self.target, self.endpoints = place.stack, target, endpoints
        self.folder = place.new_folder(f"throughput-{endpoints}")
        options = {"users": USERS, "spawn_rate": USERS, "run_time": f"{RUN_SECONDS}s", "collector": "exact"}
        options["env"] = self._env("portal")
        self.scenario = self.stack.scenario(script("closed"), host=target.url, **options)

    def start(self, arm: str) -> AbstractContextManager[Processes]:
        """`portal`, `bare`, `again`: bare, too, or `csv`: bare with Locust's own full history."""
        return self._portal() if arm == "portal" else self._bare(arm, FULL_HISTORY if arm == "csv" else ())

    def requests(self, arm: str) -> int:
        return self.target.counts().get(f"GET /ok/{arm}", {}).get("requests", 0)

    def _env(self, arm: str) -> dict[str, str]:
        return {"ENDPOINTS": str(self.endpoints), "ARM": arm}

    @contextmanager
    def _portal(self) -> Iterator[Processes]:
        before = self.requests("portal")
        with run_of(self.stack, self.scenario) as run_id:
            wait_for(lambda: self.requests("portal") > before, 30, "the first request")
            yield self.stack.locusts(run_id)

    @contextmanager
    def _bare(self, arm: str, options: tuple[str, ...]) -> Iterator[Processes]:
        before = self.requests(arm)
        process = _locust(self.folder, self.target.url, self._env(arm), options)
        try:
            wait_for(lambda: self.requests(arm) > before, 30, "the first request")
            yield [psutil.Process(process.pid)]
        finally:
            process.terminate()
            process.wait(20)
            time.sleep(WARM_SECONDS)


def _alternately(load: Load) -> list[float]:
    """Requests a second, portal ÷ bare, of each pair of runs."""
    ratios = []
    for number in range(PAIRS):
        bare, portal = _per_second(load, "bare"), _per_second(load, "portal")
        ratios.append(portal / bare)
        pair = f"{number + 1} of {PAIRS}: bare {bare:.0f}/s, portal {portal:.0f}/s"
        say(f"throughput: {load.endpoints} names, pair {pair}")
    return ratios


def _per_second(load: Load, arm: str) -> float:
    with load.start(arm):
        time.sleep(WARM_SECONDS)
        began, before = time.monotonic(), load.requests(arm)
        time.sleep(WINDOW_SECONDS)
        return (load.requests(arm) - before) / (time.monotonic() - began)


def _side_by_side(load: Load) -> Mapping[str, float]:
    """Requests per CPU second of each, all at once on one core."""
    say(f"throughput: {load.endpoints} names, side by side")
    with ExitStack() as exits:
        locusts = {arm: exits.enter_context(load.start(arm)) for arm in ("bare", "csv", "portal", "again")}
        core = psutil.Process().cpu_affinity()[:1]
        for process in (process for processes in locusts.values() for process in processes):
            process.cpu_affinity(core)
        time.sleep(WARM_SECONDS)
        before = {arm: (load.requests(arm), cpu_seconds(processes)) for arm, processes in locusts.items()}
        time.sleep(SIDE_BY_SIDE_SECONDS)
        return {
            arm: (load.requests(arm) - before[arm][0]) / (cpu_seconds(processes) - before[arm][1])
            for arm, processes in locusts.items()
        }


def _locust(folder: Path, host: str, env: dict[str, str], options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_SECONDS}s", "--host", host)
    command = (sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", str(LOCUSTFILES / "closed.py"))
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return subprocess.Popen(
        [*command, *load, *options],
        cwd=folder,
        env=own | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
