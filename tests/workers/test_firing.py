"""What listens to Locust's requests hears of them what it would hear without us."""

from __future__ import annotations

import pytest

from tests.workers.apart import said_by

PREPARE = """
import functools, logging
from locust.env import Environment
from locust.event import EventHook
from locust.exception import StopUser
from workers.child.exact import firing, intake
from workers.child.exact.errors import Errors
from workers.child.exact.names import Names
from tests.workers.counted import rows, total

SAID = {"request_type": "GET", "name": "/a", "context": {}, "response": object(), "exception": None, "start_time": 3.0,
        "url": "http://x/a", "response_length": 7, "response_time": 2.5}
FEW = {"request_type": "GET", "name": "/a", "response_time": 2.5, "response_length": 7}

environment = Environment()
environment.create_local_runner()
event = environment.events.request

def install():
    made = intake.install(environment, Names(9, 99, "(other)"), Errors(9, "(other)"))
    made.count_seconds()
    made.begin()
    firing.take_over(environment)
    return made

def is_ours():
    return "fire" in vars(event)

def counted(made):
    return total([*made.over, made.close()])[0]

def watch_locusts_own():
    calls = []
    stock = EventHook.fire
    @functools.wraps(stock)
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
assert is_ours() and EventHook.fire.__code__ not in ran
assert counted(made) == environment.stats.total.num_requests == 2
assert made.refused == {"time": 0, "name": 0, "size": 0}
""",
    "us, each argument in its place": """
told = []
made = install()
made.on_failure = lambda *said: told.append(said)
error = ValueError("bad")
for fires_alone in (True, False):
    assert is_ours() == fires_alone
    event.fire(**{**SAID, "exception": error})
    ((kind, method, said),) = told
    assert (kind.method, kind.name, kind.text, method) == ("GET", "/a", "ValueError('bad')", "GET")
    assert said == {"response_ms": 2.5, "response": SAID["response"], "url": SAID["url"]}
    told.clear()
    event.add_listener(lambda **_: None)
    event.fire(**SAID)
(row,) = rows(made.close()).values()
assert (row.count, row.failures, row.bytes, row.times) == (4, 2, 28, [2.5] * 4)
""",
    "us, of nothing at all": """
for again in range(2):
    made = install() if not again else made
    event.fire()
    event.fire(exception=ValueError("bad"))
    event.add_listener(lambda **_: None)
((endpoint,), (row,)) = made.names.endpoints, rows(made.close()).values()
assert (endpoint.name, row.count, row.failures) == ("None", 4, 2)
assert made.refused == {"time": 4, "name": 4, "size": 0}
""",
    "a script's listeners, to the letter and in their places": """
heard = []
def listener(number):
    return lambda **said: heard.append((number, list(said.items()), environment.stats.total.num_requests))
event._handlers.insert(0, listener(1))
made = install()
assert not is_ours()
event.add_listener(listener(2))
for number, said in enumerate((SAID, FEW, {"more": 1, **SAID}, {})):
    event.fire(**said)
    assert heard[-2:] == [(1, list(said.items()), number), (2, list(said.items()), number + 1)], heard
event.fire(reverse=True, **FEW)
assert heard[-2:] == [(2, list(FEW.items()), 4), (1, list(FEW.items()), 5)], heard
assert counted(made) == 5
""",
    "a listener that comes, in time and to the letter": """
made = install()
heard = []
event.fire(**SAID)
event.add_listener(lambda **said: heard.append(list(said.items())))
event.fire(**SAID)
assert not is_ours()
event.fire(**{"more": 1, **FEW})
assert heard == [list(SAID.items()), list({"more": 1, **FEW}.items())], heard
assert counted(made) == 3
""",
    "a listener that comes, the other way round": """
made = install()
heard = []
event.add_listener(lambda **said: heard.append((said, environment.stats.total.num_requests)))
event.fire(reverse=True, **FEW)
assert heard == [(FEW, 0)] and counted(made) == 1
""",
    "a listener that takes no more than it knows": """
made = install()
heard = []
event.add_listener(lambda request_type, name, response_time, response_length: heard.append(name))
event.fire(**FEW)
assert heard == ["/a"] and counted(made) == 1
""",
    "a listener that leaves": """
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
    "a listener in our place": """
made = install()
heard = []
event._handlers[:] = [lambda **said: heard.append(said)]
event.fire(**SAID)
firing.take_over(environment)
assert heard == [SAID] and counted(made) == 0 and not is_ours()
event._handlers.clear()
event.fire(**SAID)
assert heard == [SAID]
""",
    "what a listener raises": """
def bad(**_):
    raise ValueError("from a listener")
def stopping(**_):
    raise StopUser
made = install()
event.add_listener(bad)
event.add_listener(stopping)
told = []
logging.error = lambda *said: told.append(said)
try:
    event.fire(**SAID)
    raise AssertionError
except StopUser:
    pass
assert "from a listener" in told[0][1] and len(told) == 1 and counted(made) == 1
""",
    "Locust's own way to measure": """
made = install()
with event.measure("GET", "/a") as said:
    said["response_length"] = 5
with event.measure("GET", "/a"):
    raise ValueError
last = made.close()
assert [(row.count, row.failures, row.bytes) for row in rows(last).values()] == [(2, 1, 5)]
""",
    "a script's own in the class, before": """
calls = watch_locusts_own()
made = install()
assert not is_ours()
event.fire(**SAID)
assert calls == [SAID] and counted(made) == 1
""",
    "a script's own in the class, later": """
made = install()
event.fire(**SAID)
calls = watch_locusts_own()
event.fire(**SAID)
assert calls == [SAID] and counted(made) == 2
""",
    "a script's own in the event, before": """
calls = []
stock = event.fire
event.fire = lambda **said: (calls.append(said), stock(**said))
made = install()
event.fire(**SAID)
assert calls == [SAID] and counted(made) == 1
""",
    "a script's own in the event, later": """
made = install()
calls, heard = [], []
before = event.fire
event.fire = lambda **said: (calls.append(said), before(**said))
event.fire(**SAID)
event.add_listener(lambda **said: heard.append(said))
for _ in range(2):
    event.fire(**SAID)
assert calls == [SAID] * 3 and heard == [SAID] * 2 and counted(made) == 3
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
    assert said_by(PREPARE + CASES[case] + "\nprint('passed')") == "passed\n"
