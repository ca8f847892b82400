"""The lines that a real Locust process writes, without a supervisor."""

from __future__ import annotations

import csv
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.workers.conftest import LOCUSTFILE, Target
from tests.workers.counted import rows_of
from workers import command, launch
from workers.process import LocustProcess
from workers.samples import MAX_ENDPOINTS, OTHER, SAMPLES_PER_ERROR
from workers.spec import RunSpec

pytestmark = pytest.mark.engine

MAX_LINE_BYTES = 16_000

FIRE = """
import os, sys, time
import gevent
from locust import FastHttpUser, HttpUser, User, constant, events, task

class Firing(User):
    wait_time = constant(60)

    def fire(self, **said):
        good = dict(request_type="GET", name="/ok", response_time=5, response_length=3, exception=None, context={})
        self.environment.events.request.fire(**{**good, **said})

    @task
    def once(self):
"""


@dataclass
class Ran:
    folder: command.RunFolder
    exit_code: int

    def __post_init__(self) -> None:
        out = self.folder.out
        files = sorted(out.glob("samples.*.ndjson"))
        said = [json.loads(line) for path in files for line in path.read_bytes().splitlines()]
        self.end = said.pop() if said else {}
        self.lines = said
        self.events = [json.loads(line) for line in self.folder.events.read_bytes().splitlines()]
        self.log = self.folder.log.read_text()
        self.final: dict[str, Any] = json.loads(self.folder.final.read_bytes())
        failed = out / "failed.ndjson"
        self.failed = failed.read_bytes().splitlines() if failed.exists() else []
        self.names = {entry[0]: (entry[1], entry[2]) for line in self.lines for entry in line["names"]}
        self.errors = {entry[0]: tuple(entry[1:]) for line in self.lines for entry in line["errors_new"]}

    def column(self, column: str) -> Counter[tuple[str, str]]:
        """What was counted, added up by endpoint."""
        found: Counter[tuple[str, str]] = Counter()
        for line in self.lines:
            for index, row in rows_of(line).items():
                found[self.names[index]] += getattr(row, column)
        return found

    def locusts(self, column: str) -> dict[tuple[str, str], Any]:
        return {(entry["method"], entry["name"]): entry[column] for entry in self.final["endpoints"]}

    def failures(self) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for line in self.lines:
            for index, count in line["errors"]:
                found[self.errors[index]] += count
        return found

    def check(self) -> None:
        """What holds of every run."""
        assert [line["seq"] for line in self.lines] == list(range(1, len(self.lines) + 1))
        assert all(before["t"] + 1 == after["t"] for before, after in pairwise(self.lines))
        assert self.end["end"] is True and self.end["seq"] == len(self.lines)
        assert self.column("count").total() == self.end["requests"] == self.final["total"]["requests"]
        assert self.column("failures").total() == self.end["failures"] == self.final["total"]["failures"]
        assert self.column("count") == self.locusts("requests")
        assert +self.column("failures") == +Counter(self.locusts("failures"))
        theirs = {(row["method"], row["name"], row["error"]): row["occurrences"] for row in self.final["failures"]}
        assert self.failures() == theirs
        assert "Uncaught" not in self.log and "Unhandled" not in self.log


Child = Callable[..., Ran]


@pytest.fixture
def child(target: Target, tmp_path: Path) -> Child:
    def run(locustfile: str = LOCUSTFILE, **options: Any) -> Ran:
        target.counts.clear()
        fields: dict[str, Any] = {"users": 2, "spawn_rate": 100, "run_time_s": 2, "host": target.url}
        spec = RunSpec(run_id=tmp_path.name, locustfile=locustfile, **{**fields, **options})
        folder = command.RunFolder(tmp_path / "run")
        launch.prepare(spec, folder)
        arguments, variables = command.argv(spec, folder), command.environment(spec, folder)
        process = LocustProcess(arguments, variables, cwd=folder.script, log=folder.log)
        try:
            until = time.monotonic() + 40
            while (code := process.poll()) is None:
                assert time.monotonic() < until, folder.log.read_text()
                time.sleep(0.05)
        finally:
            process.kill()
        return Ran(folder, code)

    return run


def test_every_request_is_in_a_line(child: Child, target: Target) -> None:
    ran = child(run_time_s=3)
    ran.check()
    assert {name: count for (_, name), count in ran.column("count").items()} == target.counts
    assert ran.column("failures") == {("GET", "/browse"): 0, ("GET", "/fail"): target.counts["/fail"]}
    assert ran.column("bytes") == {key: 2 * count for key, count in ran.column("count").items()}
    assert ran.column("sum_ms") == pytest.approx(ran.locusts("sum_ms"), rel=1e-6)
    for line in ran.lines:
        for row in rows_of(line).values():
            assert len(row.times) == row.count and min(row.times) > 0
    assert 3 <= len(ran.lines) <= 5  # three seconds and the end, begun right before a second is over


@pytest.mark.parametrize("collector", ["exact", "csv"])
def test_requests_are_fired_by_us_until_a_script_listens(child: Child, collector: str) -> None:
    telling = """
        event, heard = self.environment.events.request, []
        self.fire()
        print("alone:", "fire" in vars(event), flush=True)
        event.add_listener(lambda name, **_: heard.append(name))
        self.fire(name="/heard")
        print("not alone:", "fire" in vars(event), heard, flush=True)
        gevent.sleep(2)
        """
    ran = child(FIRE + telling, users=1, run_time_s=2, collector=collector)
    assert "\nalone: True\n" in ran.log and "\nnot alone: False ['/heard']\n" in ran.log
    assert ran.final["total"]["requests"] == 2


def test_a_line_tells_how_the_generator_does(child: Child) -> None:
    ran = child(run_time_s=3)
    line = ran.lines[1]
    assert line["users"] == {"Shopper": 2} and line["target"] == 2
    assert ran.lines[-1]["users"] == {"Shopper": 0} and ran.lines[-1]["target"] == 0
    assert 0 <= line["lag_ms"] < 500 and 0 <= line["cpu"] < 200 and line["rss"] > 20_000_000 and line["fds"] > 5
    for line in ran.lines[:-1]:
        assert 0 < line["wall"] - (line["t"] + 1) < 0.5  # written shortly after its second


def test_the_last_whole_second_has_its_users_though_they_leave_before_it_is_written(child: Child) -> None:
    leaving = """
        self.fire()
        gevent.sleep(2.005 - time.time() % 1)
        self.fire()
        self.environment.runner.quit()
        """
    ran = child(FIRE + leaving, users=1, run_time_s=10)
    *_, before, last = (line for line in ran.lines if line["t"] <= ran.lines[0]["t"] + 2)
    assert [(len(rows_of(line)), line["users"]) for line in (before, last)] == [(0, {"Firing": 1}), (1, {"Firing": 0})]


def test_nonsense_is_counted_once_on_both_sides(child: Child) -> None:
    ran = child(
        FIRE
        + """
        class Hostile(Exception):
            def __str__(self): raise RuntimeError("no")
            __repr__ = __str__
        times = [None, float("nan"), float("inf"), -1, 10**400, "abc", object(), Hostile(), 0]
        names = [None, object(), 12, "x" * 1_000_000, chr(0xd800), "a" + chr(0) + "b", Hostile(), ["l"], "=cmd", "\\n"]
        for ms in times: self.fire(response_time=ms)
        for name in names: self.fire(name=name); self.fire(request_type=name)
        for error in ("text", "", 0, Hostile(), chr(0xd800), Exception("y" * 1_000_000)): self.fire(exception=error)
        for size in (None, -1, "12", float("nan"), 10**30): self.fire(response_length=size)
        self.environment.events.request.fire()
        self.environment.events.request.fire(name="/ok", unknown=1)
        """,
        users=1,
    )
    ran.check()
    assert ran.end["requests"] == 9 + 2 * 10 + 6 + 5 + 2
    assert ran.end["failures"] == 4
    assert ran.end["refused"] == {"time": 7 + 2, "name": 2 * 7 + 2, "size": 5}
    assert {line["t"] for line in ran.lines if line["requests"]} != set()


def test_nonsense_is_counted_once_with_locusts_files_as_well(child: Child) -> None:
    nonsense = """
        for ms in (None, float("nan"), float("inf"), -1, 10**400, "abc", object(), 7): self.fire(response_time=ms)
        self.fire(name=object())
        self.environment.events.request.fire(exception="boom")
        """
    ran = child(FIRE + nonsense, users=1, collector="csv")
    assert ran.lines == [] and not list(ran.folder.out.glob("samples*"))
    total = ran.final["total"]
    assert (total["requests"], total["failures"]) == (10, 1)
    assert sum(entry["requests"] for entry in ran.final["endpoints"]) == 10
    assert (total["sum_ms"], total["max_ms"]) == (7 + 5, 7)
    assert "Uncaught" not in ran.log
    assert ran.folder.history.read_text().count("\n") > 2


def test_more_names_than_there_is_room_for(child: Child) -> None:
    script = FIRE + "        for number in range(50_000): self.fire(name=f'/users/{number}/x'); self.fire(name='/ok')\n"
    ran = child(script, users=1, run_time_s=4)
    ran.check()
    assert ran.end["requests"] == 100_000
    assert len(ran.names) == MAX_ENDPOINTS + 1
    assert ran.names[MAX_ENDPOINTS] == ("", OTHER)
    assert ran.column("count")["", OTHER] == 50_000 - (MAX_ENDPOINTS - 1)
    (said,) = [event for event in ran.events if event["kind"] == "too_many_names"]
    assert (said["from"], said["to"], said["names"]) == ("/users/0/x", "/users/{id}/x", MAX_ENDPOINTS - 1)


def test_grouped_names_are_one_on_both_sides(child: Child) -> None:
    script = (
        FIRE + "        for n in range(5_000): self.fire(name=f'/users/{n}', exception=f'404 for url: /users/{n}')\n"
    )
    ran = child(script, users=1, run_time_s=3, group_ids=True)
    ran.check()
    assert ran.column("count") == {("GET", "/users/{id}"): 5_000}
    assert ran.failures() == {("GET", "/users/{id}", "404 for url: /users/{id}"): 5_000}
    assert "too_many_names" not in {event["kind"] for event in ran.events}


def test_a_loop_that_was_blocked_leaves_no_gap(child: Child) -> None:
    block = """
        gevent.sleep(0.3)
        end = time.monotonic() + 3.2
        while time.monotonic() < end: pass
        self.fire()
        """
    ran = child(FIRE + block, users=1, run_time_s=5)
    ran.check()
    late = [line for line in ran.lines if line["lag_ms"] > 2_000]
    assert len(late) >= 3
    assert max(line["lag_ms"] for line in ran.lines) < 4_000
    assert ran.end["requests"] == 1


def test_a_clock_that_is_set_moves_no_second(child: Child) -> None:
    step = """
        self.fire()
        gevent.sleep(1.2)
        real = time.time
        time.time = lambda: real() - 20
        self.fire()
        gevent.sleep(1.2)
        self.fire()
        """
    ran = child(FIRE + step, users=1, run_time_s=4)
    ran.check()
    offsets = [line["wall"] - line["mono"] for line in ran.lines]
    assert offsets[0] - offsets[-1] == pytest.approx(20, abs=0.2)
    assert sum(bool(line["requests"]) for line in ran.lines) >= 3


def test_the_first_requests_are_those_after_locust_has_forgotten_all(child: Child) -> None:
    listeners = """
@events.init.add_listener
def _(environment, **_): Firing.fire(Firing(environment), name="/init", exception="forgotten")

@events.test_start.add_listener
def _(environment, **_):
    Firing.fire(Firing(environment), name="/start")
    gevent.sleep(1.5)
"""
    ran = child(FIRE + "        self.fire()\n" + listeners, users=1, run_time_s=3)
    ran.check()
    assert ran.column("count") == {("GET", "/start"): 1, ("GET", "/ok"): 1}


def test_a_fork_of_a_script_writes_no_lines(child: Child) -> None:
    fork = """
        if os.fork() == 0:
            gevent.sleep(2.5)
            os._exit(0)
        self.fire()
        """
    child(FIRE + fork, users=1, run_time_s=3).check()


def test_the_closing_line_comes_however_locust_leaves(child: Child) -> None:
    leave = "\n@events.quitting.add_listener\ndef leave(**_): raise SystemExit(7)\n"
    ran = child(LOCUSTFILE + "\nfrom locust import events" + leave)
    ran.check()
    assert ran.exit_code == 7 and ran.end["requests"] > 0


@pytest.mark.parametrize("how", ["clear_all", "reset_all"])
def test_a_script_may_clear_the_statistics_of_locust(child: Child, how: str) -> None:
    clearing = f"""
        for number in range(10):
            self.fire()
            if number in (3, 6):
                self.environment.stats.{how}()
        gevent.sleep(2)
        """
    ran = child(FIRE + clearing, users=1, run_time_s=3)
    assert ran.end["requests"] == 10
    assert [event["kind"] for event in ran.events].count("stats_cleared") == 1


def test_a_broken_collector_does_not_end_the_load(child: Child) -> None:
    broken = """
        from hatchery_child.exact import lines
        spell, failing = lines.spell, [True]
        lines.spell = lambda *args: 1 / 0 if failing[0] else spell(*args)
        for number in range(15):
            self.fire()
            gevent.sleep(0.1)
        failing[0] = False
        """
    ran = child(FIRE + broken, users=1, run_time_s=4)
    assert [event["kind"] for event in ran.events].count("collector_error") == 1
    assert ran.log.count("ZeroDivisionError") == 1
    ran.check()  # what could not be written at first has been written later
    assert ran.end["requests"] == 15


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_it_knows_what_is_under_way(child: Child, base: str) -> None:
    script = f"""
from locust import {base}, constant, task

class Waiting({base}):
    wait_time = constant(0.1)

    @task
    def hang(self):
        self.client.get("/browse")
        with self.client.get("/fail", catch_response=True) as response:
            response.success()
        self.client.get("http://127.0.0.1:1/refused")
        try:
            self.client.get("/browse", bad_argument=1)
        except TypeError:
            pass
        self.client.get("/hang")
"""
    ran = child(script, users=3, run_time_s=5)
    ran.check()
    waiting = list(dropwhile(lambda line: line["in_flight"] < 3, ran.lines[:-1]))  # on a busy machine all come later
    assert len(waiting) >= 2 and {line["in_flight"] for line in waiting} == {3}
    ages = [line["oldest_ms"] for line in waiting]
    assert all(700 < later - earlier < 1_300 for earlier, later in pairwise(ages))
    assert ran.lines[-1]["in_flight"] == 0  # killed at the end
    assert ran.lines[-1]["oldest_ms"] is None


SECRET = "hunter22/xyz"

FAILING = """
class Failing({base}):
    wait_time = constant(60)

    @task
    def fail(self):
        for number in range({many}):
            url, headers = f"/browse?token=abc&n={{number}}", {{"X-Token": "abc", "X-Plain": "{secret}!"}}
            with self.client.get(url, name="/fail", headers=headers, catch_response=True) as response:
                response.failure("bad")
        with self.client.get("/fail", name="/caught", catch_response=True) as response:
            response.failure("not ok")
        with self.client.get("/browse", name="/stream", catch_response=True, stream=True) as response:
            response.failure("streamed")
        self.client.get("http://127.0.0.1:{closed}/refused", name="/refused")
"""


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_failing_requests_are_kept_as_examples(child: Child, target: Target, base: str) -> None:
    script = FIRE.partition("class")[0] + FAILING.format(
        base=base, many=SAMPLES_PER_ERROR + 5, secret=SECRET, closed=closed_port()
    )
    ran = child(script, users=1, env={"API_PASSWORD": SECRET})
    ran.check()
    samples = [json.loads(line) for line in ran.failed]
    by_name = Counter(ran.errors[sample["error"]][1] for sample in samples)
    assert by_name == {"/fail": SAMPLES_PER_ERROR, "/caught": 1, "/stream": 1, "/refused": 1}
    assert SECRET.encode() not in b"".join(ran.failed) and b"abc" not in b"".join(ran.failed)
    assert all(len(line) < MAX_LINE_BYTES for line in ran.failed)
    first = samples[0]
    assert (first["method"], first["url"]) == ("GET", f"{target.url}/browse?token=***&n=0")
    assert (first["status"], first["body"], first["body_bytes"]) == (200, "ok", 2)
    assert first["request_headers"]["X-Token"] == "***" and first["request_headers"]["X-Plain"] == "***!"
    assert {name.lower(): value for name, value in first["response_headers"].items()}["content-length"] == "2"
    assert 0 < first["response_ms"] < 5_000 and abs(first["t"] - time.time()) < 120
    named = {ran.errors[sample["error"]][1]: sample for sample in samples}
    assert (named["/caught"]["status"], named["/caught"]["body"]) == (500, "ok")
    assert (named["/stream"]["status"], named["/stream"]["body"]) == (200, "")  # nobody has read it
    assert named["/stream"]["body_bytes"] == 2  # so it was announced
    refused = named["/refused"]
    assert (refused["status"], refused["body"], refused["response_headers"]) == (None, "", {})
    assert refused["url"].endswith("/refused")


def test_examples_are_bounded(child: Child) -> None:
    many = """
        import requests
        answer = requests.Response()
        answer._content = chr(0x1f600).encode() * 50_000
        answer.headers = {f"H{n}": chr(0x1f600) * 9_000 for n in range(80)}
        for number in range(3_000):
            self.fire(exception=f"error {number // 2 % 1_200}", response=answer, url="x" * 100_000)
        self.fire(name="/end")
        """
    ran = child(FIRE + many, users=1, run_time_s=4)
    ran.check()
    assert ran.column("count")["GET", "/end"] == 1
    assert len(ran.failed) == 2_000
    assert max(map(len, ran.failed)) < MAX_LINE_BYTES
    assert len(ran.errors) == 1_001


def test_responses_of_a_script_do_no_harm(child: Child) -> None:
    odd = """
        class Odd:
            def __getattribute__(self, name): raise RuntimeError("no")
            def __len__(self): raise RuntimeError("no")
        for response in (Odd(), {}, "text", b"x", 12, [Odd()]):
            self.fire(exception="boom", response=response, url=Odd())
        """
    ran = child(FIRE + odd, users=1)
    ran.check()
    assert ran.end["failures"] == 6
    assert all(json.loads(line)["status"] is None for line in ran.failed)


def test_csv_files_are_whole_at_the_end(child: Child) -> None:
    many = """
        for number in range(30):
            for name in range(300): self.fire(name=f"/{name}", exception="boom" if name == 7 else None)
            gevent.sleep(0.1)
        raise ValueError("of the script")
        """
    ran = child(FIRE + many, users=1, run_time_s=4)
    ran.check()
    with ran.folder.stats.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["Name"]: int(row["Request Count"]) for row in rows} == {
        **{name: count for (_, name), count in ran.column("count").items()},
        "Aggregated": ran.end["requests"],
    }
    assert rows[-1]["Name"] == "Aggregated"
    with ran.folder.failures.open(newline="") as file:
        assert [row["Occurrences"] for row in csv.DictReader(file)] == ["30"]
    with ran.folder.exceptions.open(newline="") as file:
        assert [row["Message"] for row in csv.DictReader(file)] == ["of the script"]
    assert ran.folder.history.read_text().count("\n") == 1  # the history is ours
