from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from workers.inspection import TaskInfo, inspect

pytestmark = pytest.mark.engine

RICH = """
import os
from locust import FastHttpUser, HttpUser, LoadTestShape, SequentialTaskSet, TaskSet, User, between, tag, task
from locust.contrib.fasthttp import FastHttpUser as Another

OFFSET = int(os.environ["WORKER_OFFSET"])

class Checkout(TaskSet):
    @tag("pay")
    @task
    def pay(self): ...

class Shopper(HttpUser):
    wait_time = between(1, 2)
    host = "http://shop.test"
    tasks = {Checkout: 2}

class Robot(FastHttpUser):
    weight = 3
    fixed_count = 1

    @tag("read", "smoke")
    @task(5)
    def read(self): ...

class Base(HttpUser):
    abstract = True

class Steps(LoadTestShape):
    def tick(self): ...
"""


def test_classes_tasks_and_tags_are_told() -> None:
    found = inspect(RICH)
    assert found.problems == ()
    shopper, robot = found.user_classes
    assert (shopper.name, shopper.host, shopper.has_wait_time, shopper.weight) == (
        "Shopper",
        "http://shop.test",
        True,
        1,
    )
    assert shopper.tasks == (TaskInfo("Checkout", 2, ("pay",)),)
    assert (robot.name, robot.weight, robot.fixed_count, robot.has_wait_time) == ("Robot", 3, 1, False)
    assert robot.tasks == (TaskInfo("read", 5, ("read", "smoke")),)
    assert found.own_shape == "Steps"
    assert found.tags == ("pay", "read", "smoke")


@pytest.mark.parametrize(
    ("script", "code", "line"),
    [
        ("def f(:\n", "syntax_error", 1),
        ("x = 1\n", "no_user_class", None),
        ("from locust import *\nfrom locust.contrib.fasthttp import *\n", "no_user_class", None),
        ("\nimport nowhere\n", "import_error", 2),
        ("def f():\n    return 1 / 0\nf()\n", "import_error", 2),
        ("import sys\nsys.exit(3)\n", "script_exited", 2),
        ("import os\nos._exit(3)\n", "script_exited", None),
        ("import os\nos.kill(os.getpid(), 11)\n", "crashed", None),
        ("raise Exception('half \\ud800')\n", "import_error", 1),
        ("x = bytearray(5 * 1024 ** 3)\n", "import_error", 1),
        ("class Evil(Exception):\n    def __str__(self): raise self\nraise Evil\n", "import_error", 3),
    ],
)
def test_what_is_wrong_is_named_with_its_line(script: str, code: str, line: int | None) -> None:
    (problem,) = inspect(script).problems
    assert (problem.code, problem.line) == (code, line)
    assert problem.message


@pytest.mark.parametrize("package", ["apps", "portal", "workers", "workers.child", "launch", "guard"])
def test_the_portals_packages_cannot_be_imported(package: str) -> None:
    (problem,) = inspect(f"import {package}\n").problems
    assert problem.message.startswith("ModuleNotFoundError")


def test_a_script_that_hangs_is_ended_and_the_line_told() -> None:
    began = time.monotonic()
    (problem,) = inspect("import math\nwhile True:\n    math.factorial(1000)\n", timeout_s=3).problems
    assert problem.code == "timeout"
    assert problem.line in {2, 3}
    assert time.monotonic() - began < 8


def test_a_daemon_does_not_survive_though_the_script_kills_its_guard() -> None:
    daemon = """
import os, signal, subprocess, sys, time
code = "import os; os.fork() and os._exit(0); os.setsid(); os.execve('/bin/sleep', ['sleep', '86401.5'], {})"
subprocess.run([sys.executable, "-c", code])
time.sleep(0.3)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(9)
"""
    (problem,) = inspect(daemon).problems
    assert problem.code == "crashed"
    assert not [process for process in psutil.process_iter(["cmdline"]) if "86401.5" in (process.info["cmdline"] or ())]


def test_inspections_side_by_side_do_not_disturb_each_other() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(inspect, [RICH] * 8))
    assert [inspection.problems for inspection in found] == [()] * 8


def test_a_script_cannot_write_its_own_certificate() -> None:
    forged = """
import glob, json, os, pathlib
out = pathlib.Path(os.environ["HOME"]).parent / "out" / "inspection.json"
out.write_text(json.dumps({"user_classes": [{"name": ["x"]}] * 9, "own_shape": 5, "locust": None}))
os._exit(0)
"""
    (problem,) = inspect(forged).problems
    assert problem.code == "crashed"


@pytest.mark.parametrize("weight", ["NaN", "1e999", "-Infinity"])
def test_a_forged_number_is_one_that_json_can_hold(weight: str) -> None:
    forged = f"""
import os, pathlib
out = pathlib.Path(os.environ["HOME"]).parent / "out" / "inspection.json"
kind = '{{"name": "x", "weight": {weight}, "fixed_count": 0, "host": "", "has_wait_time": true, "tasks": []}}'
out.write_text('{{"user_classes": [' + kind + '], "own_shape": "", "locust": ""}}')
os._exit(0)
"""
    (problem,) = inspect(forged).problems
    assert problem.code == "crashed"


def test_variables_of_the_scenario_are_there() -> None:
    script = "import os\nfrom locust import User\nclass A(User): host = os.environ['API']\n"
    (kind,) = inspect(script, env={"API": "http://api.test"}).user_classes
    assert kind.host == "http://api.test"
