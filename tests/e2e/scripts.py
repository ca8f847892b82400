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
