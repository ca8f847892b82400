"""A day in minutes: every clock and every pause of the process runs by a clock that this script sets.

In each of its seconds one request of each of `ENDPOINTS` names is reported, as a client would. All that goes on beside
it (lines a second, CSV files, Locust's history, trimming) does so as often in a day as in a real one. `RSS_FILE` gets a
line of second and resident bytes every ten minutes. `TRIM=no`: Locust's own statistics keep what they keep.
"""

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from locust import User, events, task

NAMES = [f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))]
NOTE_SECONDS = 600
TURNS = 40
"""How often the others may go on between two seconds; then until none of them has anything to do."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

real_sleep, wall, mono = gevent.sleep, time.time(), time.monotonic()
passed = 0.0


def sleep(seconds: float = 0, ref: bool = True) -> None:
    """Until this script's clock has moved so far."""
    until = passed + seconds
    real_sleep(0)
    while passed < until:
        real_sleep(0)


def child(name: str) -> Any:
    """A module of the collector, whatever package it was loaded as."""
    return next(module for known, module in sys.modules.items() if known.endswith(f".exact.{name}"))


gevent.sleep = sleep
time.time = lambda: wall + passed
time.monotonic = lambda: mono + passed
child("intake")._monotonic = time.monotonic


@events.test_start.add_listener
def keep_everything(**_: object) -> None:
    if os.environ["TRIM"] == "no":
        child("trim").Trim.once = lambda self, now: None


def note() -> None:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    with Path(os.environ["RSS_FILE"]).open("a") as file:
        file.write(f"{passed:.0f} {resident}\n")


class Day(User):
    def wait_time(self) -> float:
        return 0.0

    @task
    def second(self) -> None:
        global passed  # noqa: PLW0603 - the clock of the whole process
        for name in NAMES:
            ms = random.lognormvariate(3, 1)
            events.request.fire(
                request_type="GET", name=name, response_time=ms, response_length=64, exception=None, context={}
            )
        if passed % NOTE_SECONDS == 0:
            note()
        for _ in range(TURNS):
            real_sleep(0)
        passed += 1
