"""As many requests as one Locust process can make, in turns with others. `ENDPOINTS` names, all answered at once.

`ARM` is in the path, so that the target can tell who asks. `TURN` of `TURNS`: whose turn it is changes every
`TURN_SECONDS`, by the clock of the machine; nobody asks anything in the last `GAP_SECONDS` of each.
"""

import itertools
import os
import time

import gevent
from gevent.event import Event
from locust import FastHttpUser, events, task

NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
PATH = f"/ok/{os.environ['ARM']}"
TURN, TURNS = int(os.environ["TURN"]), int(os.environ["TURNS"])
TURN_SECONDS, GAP_SECONDS = float(os.environ["TURN_SECONDS"]), float(os.environ["GAP_SECONDS"])

is_mine = Event()


@events.test_start.add_listener
def watch(**_: object) -> None:
    gevent.spawn(take_turns)


def take_turns() -> None:
    while True:
        turn = int(time.monotonic() // TURN_SECONDS) + 1
        turn += (TURN - turn) % TURNS
        gevent.sleep(turn * TURN_SECONDS - time.monotonic())
        is_mine.set()
        gevent.sleep((turn + 1) * TURN_SECONDS - GAP_SECONDS - time.monotonic())
        is_mine.clear()


class Visitor(FastHttpUser):
    @task
    def visit(self) -> None:
        is_mine.wait()
        self.client.get(PATH, name=next(NAMES))
