"""First as many requests as can be made, in turns with another, then a steady pace; timed by the user itself.

Times go into arrays that are there from the start, and reach a file when all is over: measuring costs every collector
the same, and no listener is involved. `OBSERVED_FILE` gets JSON: `turns`, a list of requests, CPU seconds and seconds
of each turn; `began` (monotonic seconds) and `took` of each paced request. `TURN` is 0 or 1: whose turn it is changes
every `TURN_SECONDS`, by the clock of the machine. `SWITCH_FILE`: the pace begins as soon as it exists.
"""

import itertools
import json
import os
import random
import time
from array import array
from pathlib import Path

import gevent
from locust import FastHttpUser, events, task

ROOM = 100_000
PERIOD_SECONDS = 0.02
TURN, TURN_SECONDS = int(os.environ["TURN"]), float(os.environ["TURN_SECONDS"])
NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
FAST, PACED = f"/ok/{os.environ['ARM']}", f"/delay/{os.environ['DELAY_MS']}"
SWITCH = Path(os.environ["SWITCH_FILE"])
BEGAN, TOOK = array("d", bytes(8 * ROOM)), array("d", bytes(8 * ROOM))
PLACES = itertools.count()
REQUESTS = itertools.count()
TURNS: list[tuple[int, float, float]] = []

is_paced = False
is_mine = gevent.event.Event()
until = 0.0


@events.test_start.add_listener
def watch(**_: object) -> None:
    gevent.spawn(take_turns)


def take_turns() -> None:
    global is_paced, until  # noqa: PLW0603 - one flag for all users
    while not SWITCH.exists():
        turn = time.perf_counter() // TURN_SECONDS + 1
        if turn % 2 != TURN:
            turn += 1
        gevent.sleep(turn * TURN_SECONDS - time.perf_counter())
        began = (next(REQUESTS), time.process_time(), time.perf_counter())
        until = (turn + 1) * TURN_SECONDS
        is_mine.set()
        gevent.sleep(until - time.perf_counter())
        is_mine.clear()
        ended = (next(REQUESTS), time.process_time(), time.perf_counter())
        TURNS.append((ended[0] - began[0] - 1, ended[1] - began[1], ended[2] - began[2]))
    is_paced = True
    is_mine.set()


@events.quitting.add_listener
def write(**_: object) -> None:
    used = min(next(PLACES), ROOM)
    found = {"turns": TURNS, "began": list(BEGAN[:used]), "took": list(TOOK[:used])}
    Path(os.environ["OBSERVED_FILE"]).write_text(json.dumps(found))


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
        if is_paced:
            self.timed()
            return
        is_mine.wait()
        self.client.get(FAST, name=next(NAMES))
        next(REQUESTS)

    def timed(self) -> None:
        name = next(NAMES)
        began = time.perf_counter()
        self.client.get(PACED, name=name)
        took = time.perf_counter() - began
        place = next(PLACES)
        if place < ROOM:
            BEGAN[place], TOOK[place] = began, took
