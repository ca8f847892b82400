"""Opening a day of 100 endpoints at 1,000 requests a second, and looking into it: milliseconds at the server.

The day is that of `bench/day.py`, in its database; without it one is filed. Each question is asked by another process
(`python -m bench.zoom`) through the code that answers pages and REST, JSON included, several times; the first answer of
that process is left out, and said. Of endpoints those are asked for that lie far apart, which is the worst case. `CPU`
holds on a busy machine.
"""

# ruff: noqa: E402
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from apps.core.supervise.stack import BASE_DIR
from apps.runs import reading, snapshot, summary, tiers
from apps.runs.models import Run
from apps.runs.series import Line, Window
from bench import day
from bench.figures import Figure, spread
from bench.place import Place

BUDGET_MS = 300.0
TIMES = 7
METRICS = ["rps", "failures_per_s", "p50", "p95", "p99", "max"]
HOUR = 3_600
ZOOMS = ((24 * HOUR, 600), (24 * HOUR, 1_200), (12 * HOUR, 900), (5 * HOUR, 1_200), (2 * HOUR, 600), (HOUR, 1_200))
"""Seconds of a window, and points."""
ODD_SECONDS = 1_237
"""Where windows begin: on no minute."""


def measure(place: Place) -> list[Figure]:
    """In the database of the day."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.zoom"],
        cwd=BASE_DIR,
        env=day.environment_of(day.filed(place)),
        check=True,
        stdout=subprocess.PIPE,
    )
    return [figure(**one) for one in json.loads(done.stdout)]


def figure(name: str, ms: list[float], cpu_ms: list[float], size: int) -> Figure:
    """Of one question; the first answer is not counted."""
    note = f"CPU {min(cpu_ms):.0f} ms · {size // 1000:,} kB · the first {ms[0]:.0f} ms · {spread(ms[1:])}"
    return Figure(f"zoom: {name}", median(ms[1:]), "ms", BUDGET_MS, note=note)


def main() -> None:
    """Ask all questions, and print how long each took."""
    run = Run.objects.latest("id")
    print(json.dumps([_asked(name, ask) for name, ask in questions(run).items()]))


def questions(run: Run) -> dict[str, Callable[[], Any]]:
    """What a page of this run may ask."""
    stored = tiers.span(run.pk)
    assert stored is not None
    first, last = stored
    lines: list[Line] = [None, *range(0, 96, 8)]
    found: dict[str, Callable[[], Any]] = {"first chart (snapshot)": lambda: snapshot.of_run(run.pk)}
    for seconds, points in ZOOMS:
        begin = first if seconds > 20 * HOUR else first + ODD_SECONDS
        window = Window(begin, min(last, begin + seconds - 1), points)
        name = f"13 lines, {seconds / HOUR:g} h in {points:,} points"
        found[name] = partial(reading.figures, run, window, lines=lines, metrics=METRICS)
    odd = Window(first + ODD_SECONDS, last - ODD_SECONDS, 300)
    found["totals of an odd window, all endpoints"] = lambda: summary.answer(reading.tally(run, odd))
    found["heatmap of an odd window"] = lambda: reading.heatmap_of(run, odd, line=None, rows=48)
    found["heatmap of five endpoints together"] = lambda: reading.heatmap_of(run, odd, line=(1, 2, 3, 4, 5), rows=48)
    found["distribution of an odd window"] = lambda: reading.distribution_of(run, odd, line=None, bins=60)
    found["phases"] = lambda: reading.phases_of(run)
    return found


def _asked(name: str, ask: Callable[[], Any]) -> dict[str, Any]:
    ms, cpu, size = [], [], 0
    for _ in range(TIMES + 1):
        began, used = time.perf_counter(), time.process_time()
        size = len(json.dumps(ask(), separators=(",", ":")))
        ms.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    return {"name": name, "ms": ms, "cpu_ms": cpu, "size": size}


if __name__ == "__main__":
    main()
