"""Locustfiles that do what tests need. `HOST` comes from the scenario."""

from __future__ import annotations

SHOP = """
from locust import HttpUser, constant, task, events

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task(3)
    def products(self):
        self.client.get("/api/products")

    @task
    def echo(self):
        self.client.get("/echo")

    def on_stop(self):
        self.client.get("/status/200", name="/goodbye")
"""

FAILING = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def missing(self):
        self.client.get("/status/404")

    @task
    def broken(self):
        self.client.get("/status/500")

    @task
    def fine(self):
        self.client.get("/status/200")
"""

RAISES_IN_TASK = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.2)

    @task
    def stumble(self):
        self.client.get("/echo")
        raise RuntimeError("the tester's own mistake")
"""

RAISES_AT_IMPORT = """from locust import HttpUser, task

SETTINGS = {"known": 1}
VALUE = SETTINGS["missing"]

class Visitor(HttpUser):
    @task
    def nothing(self):
        pass
"""

NO_USER = "from locust import HttpUser\n\nprint('nobody here')\n"

NEVER_STOPS = """
import signal, time
from locust import HttpUser, constant, events, task

@events.init.add_listener
def cling(environment, **_):
    environment.runner.quit = lambda *a, **k: None
    environment.runner.stop = lambda *a, **k: None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def again(self):
        self.client.get("/echo")

    def on_stop(self):
        while True:
            time.sleep(1)
"""

SLOW_IMPORT = """
import time
time.sleep(4)
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def echo(self):
        self.client.get("/echo")
"""

ODD_NAMES = """
from locust import HttpUser, constant, task

NAMES = ["a,b", 'say "hi"', "two\\nlines", "<script>alert(1)</script>"]
NAMES += ["=1+1", "smile \\U0001f600", "x" * 800, "\\u202eevil"]

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def odd(self):
        for name in NAMES:
            self.client.get("/echo", name=name)
        with self.client.get("/status/500", name="=cmd|'/c calc'!A1", catch_response=True) as answer:
            answer.failure("=HYPERLINK(\\"http://evil\\")<img src=x onerror=alert(1)>")
"""

MANY_ENDPOINTS = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0)
    count = 0

    @task
    def next(self):
        Visitor.count += 1
        self.client.get("/echo", name=f"/page/{Visitor.count % 300}")
"""

TRUTH = '''
"""Five behaviours of a known target at a steady pace; what each request took, as the script itself was told it."""
import itertools
import json
import os
import time

from locust import FastHttpUser, constant_pacing, events, task

NOTES = open(os.environ["TRUTH_FILE"], "w", buffering=1 << 16)
NUMBERS = itertools.count(1)


@events.request.add_listener
def note(name, response_time, exception, response_length, context, **_):
    row = [name, context["id"], response_time, exception is not None, response_length, time.monotonic(), time.time()]
    NOTES.write(json.dumps(row) + "\\n")


@events.quitting.add_listener
def close(**_):
    NOTES.close()


class Paced(FastHttpUser):
    abstract = True
    wait_time = constant_pacing(0.1)
    path = ""

    def visit(self):
        number = next(NUMBERS)
        self.client.get(f"{self.path}?{number}", name=self.path, context={"id": str(number)})

    @task
    def again(self):
        self.visit()

    def on_stop(self):
        self.visit()


class Constant(Paced):
    path = "/constant"


class Bimodal(Paced):
    path = "/bimodal"


class Lognormal(Paced):
    path = "/lognormal"


class Step(Paced):
    path = "/step"


class Freeze(Paced):
    path = "/freeze"
'''

HONEST = """
import os
import threading
import time

from locust import FastHttpUser, constant, events, task


class Honest(FastHttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        self.echo()  # known before anybody makes up a thousand names

    @task
    def echo(self):
        self.client.get("/echo")

    def misbehave(self):
        pass

    @task
    def other(self):
        self.misbehave()
"""
"""What is beside every mischief, and what has to stay right."""

NONSENSE = (
    HONEST
    + """

class Evil:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __bool__ = __eq__ = __hash__ = __format__ = __repr__


NAN, INF = float("nan"), float("inf")
TIMES = [NAN, INF, -INF, -1.0, 1e300, 10**400, "12", "abc", b"7", None, [], {}, Evil(), True, 1j]
SIZES = [NAN, INF, -1, 10**400, "12", None, [], Evil()]
NAMES = [None, 7, b"bytes", "", [], Evil(), "x" * 1_000_000]
NAMES += ["half \\ud800", "\\udfff" * 1000, "nul \\0", "\\x1b[31mred"]
ERRORS = ["text", Evil(), Exception("\\ud800"), Exception("e" * 1_000_000), ValueError(Evil()), 5]
GOOD = {"request_type": "GET", "name": "/by hand", "response_time": 5.0, "response_length": 1, "exception": None}
FIRED = [{**GOOD, "response_time": value} for value in TIMES]
FIRED += [{**GOOD, "response_length": value} for value in SIZES]
FIRED += [{**GOOD, "name": value} for value in NAMES]
FIRED += [{**GOOD, "request_type": value} for value in NAMES]
FIRED += [{**GOOD, "exception": value} for value in ERRORS]
FIRED += [{}, {"name": "only a name"}, {"response_time": 3.0}]


def misbehave(self):
    for event in FIRED:
        events.request.fire(**event)
        with open(os.environ["FIRED_FILE"], "a") as file:
            file.write("x")


Honest.misbehave = misbehave
"""
)

MANY_NAMES = (
    HONEST
    + """
NUMBERS = iter(range(50_000))


def misbehave(self):
    for _, number in zip(range(1_000), NUMBERS):
        events.request.fire(request_type="GET", name=f"/users/{number}", response_time=5.0, response_length=10,
                            exception=None, context={})
        time.sleep(0)


Honest.misbehave = misbehave
"""
)

FORGER = (
    HONEST
    + """
import json

OUT = os.path.join("..", "out")


def lines():
    with open(os.path.join(OUT, "samples.1.ndjson"), "rb") as file:
        return file.read().splitlines(keepends=True)


def append(data):
    with open(os.path.join(OUT, "samples.1.ndjson"), "ab") as file:
        file.write(data)


def row(count, index=0):
    return [index, count, 0, 5.0 * count, 5.0, 5.0, 64 * count, [243, count]]


def forge_again():
    for line in lines()[-3:]:
        append(line)


def forge_twice():
    line = json.loads(lines()[-1])
    line["rows"] = [row(1000)]
    append(json.dumps(line).encode() + b"\\n")


def forge_future():
    line = json.loads(lines()[-1])
    line["t"] += 10 * 24 * 3600
    line["rows"] = [row(1000)]
    append(json.dumps(line).encode() + b"\\n")


MILLION = ""
if os.environ.get("FORGERY") == "million":
    # Before there are users: making it takes seconds in which no request of theirs would end.
    MILLION = ",".join(f"[{index},1,0,5.0,5.0,5.0,64,[243,1]]" for index in range(1_000_000))


def forge_million():
    line = json.dumps(json.loads(lines()[-1]) | {"rows": ["MILLION"]})
    append(line.replace('"MILLION"', MILLION).encode() + b"\\n")


def forge_nonsense():
    append(b"\\xff\\xfe\\n[]\\nnull\\n7\\n{}\\n" + b'{"seq":NaN,"t":Infinity}\\n' + b"[" * 100_000 + b"\\n")
    for change in ({"seq": -1}, {"seq": 1e300}, {"t": "now"}, {"rows": [[0]]}, {"rows": [row(-5)]}, {"users": 7},
                   {"rows": [[0, 1, 0, float("nan"), 1, 1, 1, [1, 1]]]}, {"names": [[0, 1, 2]]}, {"cpu": "much"}):
        append(json.dumps(json.loads(lines()[-1]) | change).encode() + b"\\n")


def forge_jump():
    line = json.loads(lines()[-1])
    line["seq"] += 1000
    line["t"] += 1000
    line["rows"] = [row(1000)]
    append(json.dumps(line).encode() + b"\\n")


def forge_end():
    append(b'{"end":true,"seq":3,"requests":1,"failures":0,"refused":{}}\\n')


def forge_torn():
    append(lines()[-1][:-20])


BEGUN = time.monotonic()


def misbehave(self):
    if Honest.misbehave is misbehave and time.monotonic() - BEGUN > 4:
        Honest.misbehave = lambda self: None
        globals()["forge_" + os.environ["FORGERY"]]()


Honest.misbehave = misbehave
"""
)

TORN_AT_THE_END = (
    FORGER
    + """
import atexit

Honest.misbehave = lambda self: None
atexit.register(forge_torn)
"""
)

CLOCK_SET_BACK = (
    HONEST
    + """
REAL, BEGUN = time.time, time.monotonic()


@events.request.add_listener
def note(name, **_):
    with open(os.environ["NOTES_FILE"], "a") as file:
        file.write(f"{REAL()}\\n")


def set_back():
    return REAL() - (20 if time.monotonic() - BEGUN > 5 else 0)


time.time = set_back
"""
)

TELLTALE = """
import logging

from locust import HttpUser, constant, events, task


@events.test_start.add_listener
def warn(**_):
    logging.getLogger("shop").warning("watch out <i>")


class Visitor(HttpUser):
    wait_time = constant(0.2)

    @task
    def missing(self):
        headers = {"Authorization": "Bearer very-secret-2", "X-Note": "<script>alert(1)</script>"}
        self.client.get("/missing?token=very-secret-1", name="/missing", headers=headers)
"""
