"""What listens to Locust's requests hears of them what it would hear without us."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Locust patches the interpreter that imports it, so this has one of its own.
PREPARE = """
import logging
from locust.env import Environment
from locust.event import EventHook
from locust.exception import StopUser
from workers.child.exact import intake
from workers.child.exact.errors import Errors
from workers.child.exact.names import Names

SAID = {"request_type": "GET", "name": "/a", "response_time": 2.5, "response_length": 7, "exception": None,
        "context": {}, "response": object(), "start_time": 3.0, "url": "http://x/a"}
FEW = {"request_type": "GET", "name": "/a", "response_time": 2.5, "response_length": 7}

environment = Environment()
environment.create_local_runner()
event = environment.events.request

def install():
    made = intake.install(environment, Names(9, 99, "(other)"), Errors(9, "(other)"))
    made.count_seconds()
    made.begin()
    return made

def counted(made):
    return sum(row.count for second in [*made.over, made.close()] for row in second.rows.values())

def watch_locusts_own():
    calls = []
    stock = EventHook.fire
    def fire(self, **said):
        calls.append(said)
        stock(self, **said)
    EventHook.fire = fire
    return calls
"""
CASES = {
    "nobody but us, without Locust's own": """
made = install()
ran = []
sys = __import__("sys")
sys.setprofile(lambda frame, kind, _: ran.append(frame.f_code) if kind == "call" else None)
event.fire(**SAID)
event.fire(**FEW, more=1)
sys.setprofile(None)
assert EventHook.fire.__code__ not in ran
assert counted(made) == environment.stats.total.num_requests == 2
assert made.refused == {"time": 0, "name": 0, "size": 0}
""",
    "a script's listener, to the letter and in its place": """
heard = []
event._handlers.insert(0, lambda **said: heard.append((said, environment.stats.total.num_requests)))
event.add_listener(lambda **said: heard.append((said, environment.stats.total.num_requests)))
made = install()
for number, said in enumerate((SAID, FEW, {**SAID, "more": 1}, {})):
    event.fire(**said)
    assert heard[-2:] == [(said, number), (said, number + 1)], heard
event.fire(reverse=True, **FEW)
assert heard[-2:] == [(FEW, 4), (FEW, 5)], heard
assert counted(made) == 5
""",
    "a listener that takes no more than it knows": """
heard = []
event.add_listener(lambda request_type, name, response_time, response_length: heard.append(name))
made = install()
event.fire(**FEW)
assert heard == ["/a"] and counted(made) == 1
""",
    "a listener that comes and goes": """
made = install()
heard = []
def listener(name, **_):
    heard.append(name)
    event.remove_listener(listener)
event.fire(**SAID)
event.add_listener(listener)
event.fire(**SAID)
event.fire(**SAID)
assert heard == ["/a"] and counted(made) == 3
""",
    "what a listener raises": """
def bad(**_):
    raise ValueError("from a listener")
def stopping(**_):
    raise StopUser
event.add_listener(bad)
event.add_listener(stopping)
made = install()
told = []
logging.error = lambda *said: told.append(said)
try:
    event.fire(**SAID)
    raise AssertionError
except StopUser:
    pass
assert "from a listener" in told[0][1] and len(told) == 1 and counted(made) == 1
""",
    "nobody at all": """
made = install()
event._handlers.clear()
event.fire(**SAID)
assert counted(made) == 0
""",
    "Locust's own way to measure": """
made = install()
with event.measure("GET", "/a") as said:
    said["response_length"] = 5
with event.measure("GET", "/a"):
    raise ValueError
last = made.close()
assert [(row.count, row.failures, row.bytes) for row in last.rows.values()] == [(2, 1, 5)]
""",
    "a script's own in the class, before": """
calls = watch_locusts_own()
made = install()
event.fire(**SAID)
assert calls == [SAID] and counted(made) == 1
""",
    "a script's own in the class, later: from the next second on": """
made = install()
calls = watch_locusts_own()
made.roll(made._ends)
event.fire(**SAID)
assert calls == [{"reverse": False, **SAID}] and counted(made) == 1
""",
    "a script's own in the event": """
calls = []
stock = event.fire
event.fire = lambda **said: (calls.append(said), stock(**said))
made = install()
event.fire(**SAID)
assert calls == [SAID] and counted(made) == 1
""",
    "another runner with the same event": """
made = install()
another = Environment(events=environment.events)
another.create_local_runner()
event.fire(**SAID)
assert counted(made) == environment.stats.total.num_requests == another.stats.total.num_requests == 1
""",
}


@pytest.mark.parametrize("case", CASES)
def test_it_tells(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + CASES[case] + "\nprint('passed')"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "passed\n"), done.stderr
