"""First as many requests as can be made, then a steady pace; each timed by the user itself, with no listener at all.

Times go into arrays that are there from the start, and reach a file when all is over: measuring costs every collector
the same. `OBSERVED_FILE` gets two columns of doubles, one after the other: when each request began (monotonic seconds)
and how many seconds it took. `SWITCH_FILE`: the pace begins as soon as it exists.
"""

import itertools
import os
import random
import time
from array import array
from pathlib import Path

import gevent
from locust import FastHttpUser, events, task

ROOM = 500_000
PERIOD_SECONDS = 0.02
NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
FAST, PACED = f"/ok/{os.environ['ARM']}", f"/delay/{os.environ['DELAY_MS']}"
SWITCH = Path(os.environ["SWITCH_FILE"])
BEGAN, TOOK = array("d", bytes(8 * ROOM)), array("d", bytes(8 * ROOM))
PLACES = itertools.count()

is_paced = False


@events.test_start.add_listener
def watch(**_: object) -> None:
    gevent.spawn(switch)


def switch() -> None:
    global is_paced  # noqa: PLW0603 - one flag for all users
    while not SWITCH.exists():
        gevent.sleep(0.1)
    is_paced = True


@events.quitting.add_listener
def write(**_: object) -> None:
    used = min(next(PLACES), ROOM)
    Path(os.environ["OBSERVED_FILE"]).write_bytes(BEGAN[:used].tobytes() + TOOK[:used].tobytes())


class Visitor(FastHttpUser):
    due = 0.0

    def wait_time(self) -> float:
        """Open loop: the next request is due at its time, however long this one took."""
        if not is_paced:
            return 0.0
        now = time.perf_counter()
        first = now + PERIOD_SECONDS * random.random()  # else all users would ask at the same moments
        self.due = max(self.due + PERIOD_SECONDS, now - 1.0) if self.due else first
        return max(0.0, self.due - now)

    @task
    def visit(self) -> None:
        path, name = PACED if is_paced else FAST, next(NAMES)
        began = time.perf_counter()
        self.client.get(path, name=name)
        took = time.perf_counter() - began
        place = next(PLACES)
        if place < ROOM:
            BEGAN[place], TOOK[place] = began, took
