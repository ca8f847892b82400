"""How much the Locust process of a long run grows: 24 hours of 100 names, lived through in minutes.

A real child with the `exact` collector, whose clocks and pauses follow a clock of the script's (`locustfiles/day.py`).
Locust itself keeps a slot for each name and second for ever; a second child in which nothing is trimmed shows that,
over a shorter time and scaled to a day: the growth of its halves says whether scaling is fair. What is written is
thrown away, as the portal's reader does once it has read it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from bench.place import Place, say, script
from workers import command, launch
from workers.command import RunFolder
from workers.process import LocustProcess
from workers.spec import RunSpec

ENDPOINTS = 100
DAY_SECONDS = 24 * 3600
UNTRIMMED_SECONDS = 8 * 3600
WARM_SECONDS = 600
"""After so long every name has been seen and all buffers have been used."""
LIMIT_SECONDS = 1_500
POLL_SECONDS = 1.0
BUDGET_MB = 50.0
MB = 1_000_000

Resident = tuple[float, int]
"""Second of the simulated day, bytes."""


def measure(place: Place) -> list[Figure]:
    folder = place.new_folder("growth")
    children = {"yes": Child(folder, "yes", DAY_SECONDS), "no": Child(folder, "no", UNTRIMMED_SECONDS)}
    began = time.monotonic()
    try:
        while sum(child.is_over() for child in children.values()) < len(children):
            if time.monotonic() - began > LIMIT_SECONDS:
                raise TimeoutError(f"the day took longer than {LIMIT_SECONDS} s: {children['yes'].resident()[-1:]}")
            time.sleep(POLL_SECONDS)
    finally:
        for child in children.values():
            child.process.kill()
    trimmed, untrimmed = (warm(child.checked()) for child in children.values())
    scale = DAY_SECONDS / (untrimmed[-1][0] - untrimmed[0][0])
    middle = untrimmed[len(untrimmed) // 2]
    halves = " and ".join(f"{grown(part):.1f}" for part in ([untrimmed[0], middle], [middle, untrimmed[-1]]))
    course = " · ".join(f"{at / 3600:.0f} h {resident / MB:.0f}" for at, resident in trimmed[:: len(trimmed) // 6])
    hours = UNTRIMMED_SECONDS / 3600
    return [
        Figure("growth: child over 24 h of 100 names", grown(trimmed), "MB", budget=BUDGET_MB, note=course),
        Figure(
            "growth: the same without trimming",
            grown(untrimmed) * scale,
            "MB",
            note=f"scaled from {hours:.0f} h, whose halves grew by {halves} MB",
        ),
    ]


def warm(found: Sequence[Resident]) -> list[Resident]:
    return [one for one in found if one[0] >= WARM_SECONDS]


def grown(found: Sequence[Resident]) -> float:
    """By how many MB the largest is above the first."""
    return (max(resident for _, resident in found) - found[0][1]) / MB


class Child:
    """A child that lives through so many seconds."""

    def __init__(self, folder: Path, trim: str, seconds: int) -> None:
        self.seconds = seconds
        self.notes = folder / f"{trim}.rss"
        self.log = folder / f"{trim}.log"
        env = {"ENDPOINTS": str(ENDPOINTS), "TRIM": trim, "RSS_FILE": str(self.notes)}
        spec = RunSpec(trim, script("day"), users=1, spawn_rate=1, run_time_s=seconds + 2, env=env)
        self.folder = RunFolder(folder / f"trim-{trim}")
        launch.prepare(spec, self.folder)
        environment = command.environment(spec, self.folder)
        argv = command.argv(spec, self.folder)
        self.process = LocustProcess(argv, environment, cwd=self.folder.script, log=self.log)

    def is_over(self) -> bool:
        """Also throws away the lines that nobody will read."""
        for file in self._written()[:-1]:
            file.unlink()
        return self.process.poll() is not None

    def _written(self) -> list[Path]:
        return sorted(self.folder.out.glob("samples.*.ndjson"), key=lambda path: int(path.suffixes[0][1:]))

    def resident(self) -> list[Resident]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [(float(second), int(resident)) for second, resident in (line.split() for line in lines)]

    def checked(self) -> list[Resident]:
        """The notes of a child that has lived to the end."""
        found, written = self.resident(), self._written()
        end = json.loads(written[-1].read_text().splitlines()[-1]) if written else {}
        if end.get("seq", 0) < self.seconds or end["requests"] < self.seconds * ENDPOINTS:
            raise RuntimeError(f"a child ended early: {end} {self.log.read_text()[-2000:]}")
        say(f"growth: {self.seconds} s, {found[0][1] / MB:.0f} to {found[-1][1] / MB:.0f} MB")
        return found
