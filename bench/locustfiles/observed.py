"""A steady pace; timed by the user itself.

Times go into arrays that are there from the start, and reach a file when all is over: measuring costs every collector
the same, and no listener is involved. `OBSERVED_FILE` gets JSON: `began` (monotonic seconds) and `took` (seconds) of
each request. The first of each user, to `/ok/ARM`, is not among them: it tells the target that this one is here.
"""

import itertools
import json
import os
import random
import time
from array import array
from pathlib import Path

from locust import FastHttpUser, events, task

ROOM = 100_000
PERIOD_SECONDS = 0.02
NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
PATH = f"/delay/{os.environ['DELAY_MS']}"
BEGAN, TOOK = array("d", bytes(8 * ROOM)), array("d", bytes(8 * ROOM))
PLACES = itertools.count()


@events.quitting.add_listener
def write(**_: object) -> None:
    used = min(next(PLACES), ROOM)
    found = {"began": list(BEGAN[:used]), "took": list(TOOK[:used])}
    Path(os.environ["OBSERVED_FILE"]).write_text(json.dumps(found))


class Visitor(FastHttpUser):
    due = 0.0

    def wait_time(self) -> float:
        """Open loop: the next request is due at its time, however long this one took."""
        now = time.perf_counter()
        first = now + PERIOD_SECONDS * random.random()  # else all users would ask at the same moments
        self.due = max(self.due + PERIOD_SECONDS, now - 1.0) if self.due else first
        return max(0.0, self.due - now)

    def on_start(self) -> None:
        self.client.get(f"/ok/{os.environ['ARM']}", name=next(NAMES))

    @task
    def visit(self) -> None:
        name = next(NAMES)
        began = time.perf_counter()
        self.client.get(PATH, name=name)
        took = time.perf_counter() - began
        place = next(PLACES)
        if place < ROOM:
            BEGAN[place], TOOK[place] = began, took
