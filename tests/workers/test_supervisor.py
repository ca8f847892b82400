"""Whole runs of real Locust, a few seconds each."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from tests.workers.conftest import LOCUSTFILE, Memory, Orders, Ran, Runs, Target, carry_out
from workers.command import RunFolder
from workers.samples import OTHER, Tick
from workers.spec import Block, Keys, MasterPart, RunSpec, Stage, Steering
from workers.supervisor import Order, Patience, Reason, Supervision
from workers.swarm import NoSwarm, Wish

pytestmark = pytest.mark.engine

IMPATIENT = Patience(start=20, grace=2, interrupt=1, terminate=0.5, exit=1, delivery=1)

SHAPE = """
from locust import LoadTestShape

class Steady(LoadTestShape):
    def tick(self):
        return (3, 10)
"""

FIRE = """
import gevent
from locust import User, constant, task

class Firing(User):
    wait_time = constant(0.05)

    def hit(self, name, error=None, ms=5):
        self.environment.events.request.fire(
            request_type="GET", name=name, response_time=ms, response_length=3, exception=error, context={}
        )
"""


@pytest.fixture(scope="module", params=["exact", "csv"])
def good(
    request: pytest.FixtureRequest, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ran, Counter[str]]:
    """One ordinary run of each collector that several tests look at, and what the server counted."""
    target.counts.clear()
    ran = carry_out(target, tmp_path_factory.mktemp("good"), run_time_s=4, users=3, collector=request.param)
    return ran, Counter(target.counts)


def test_it_counts_what_the_server_counted(good: tuple[Ran, Counter[str]]) -> None:
    ran, served = good
    final = ran.outcome.final
    assert final is not None and final.source == "final"
    assert {entry.name: entry.requests for entry in final.endpoints} == served
    assert final.total.requests == served.total()
    assert final.total.failures == served["/fail"]


def test_the_files_have_the_last_second_too(good: tuple[Ran, Counter[str]]) -> None:
    ran, served = good
    with ran.folder.stats.open(newline="") as file:
        counts = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}
    assert counts == {**served, "Aggregated": served.total()}


def test_it_collects_every_request(good: tuple[Ran, Counter[str]]) -> None:
    ran, served = good
    assert ran.sink.requests() == served
    assert sum(tick.total.requests for tick in ran.sink.got) == served.total()
    final = ran.outcome.final
    assert final is not None
    assert sum(tick.total.sum_ms for tick in ran.sink.got) == pytest.approx(final.total.sum_ms)
    assert sum(tick.total.bytes for tick in ran.sink.got) == final.total.bytes


def test_it_numbers_ticks_without_a_gap(good: tuple[Ran, Counter[str]]) -> None:
    ticks = good[0].sink.got
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    assert all(before.t < after.t for before, after in pairwise(ticks))
    assert good[0].outcome.ticks == len(ticks)


def test_it_tells_how_the_run_went(good: tuple[Ran, Counter[str]]) -> None:
    ran, _ = good
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert ran.outcome.exit_code == 40  # some requests failed
    expected = ["process_started", "ready", "test_start", "first_request", "spawning_complete", "test_stop"]
    assert sorted(ran.sink.kinds) == sorted(expected)
    assert dict(ran.sink.events)["ready"] == {"locust": "2.47.0", "user_classes": ["Shopper"], "own_shape": ""}
    assert ran.outcome.warnings == {}
    assert ran.outcome.started_at is not None and ran.outcome.finished_at is not None
    assert ran.outcome.finished_at - ran.outcome.started_at == pytest.approx(4, abs=0.7)


@pytest.mark.parametrize("collector", ["csv", "exact"])
def test_a_clock_that_is_an_hour_behind_is_made_up_for(run: Runs, collector: str) -> None:
    ran = run(run_time_s=2, clock_offset_s=3600.0, collector=collector)
    assert ran.outcome.warnings == {} and ran.outcome.reason is Reason.RUN_TIME_OVER
    assert ran.sink.got and all(abs(tick.t - time.time() - 3600) < 60 for tick in ran.sink.got)


def test_it_lasts_as_long_as_asked(good: tuple[Ran, Counter[str]]) -> None:
    assert elapsed(good[0]) == pytest.approx(4, abs=0.15)


def test_it_measures_the_generator(good: tuple[Ran, Counter[str]]) -> None:
    assert good[0].sink.usage
    assert all(cpu >= 0 and rss > 10_000_000 for cpu, rss in good[0].sink.usage)


def test_it_reports_failures_and_log(good: tuple[Ran, Counter[str]]) -> None:
    ran, served = good
    (failure,) = ran.sink.failures
    assert (failure.method, failure.name, failure.occurrences) == ("GET", "/fail", served["/fail"])
    assert failure.first_seen is not None and failure.last_seen is not None
    assert any("Ramping to 3 users" in line for line in ran.sink.lines)
    assert all(path.stat().st_size for path in ran.folder.artifacts)


def test_a_slow_import_does_not_shorten_the_run(run: Runs) -> None:
    ran = run("import time\nend = time.time() + 2\nwhile time.time() < end: pass\n" + LOCUSTFILE)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) == pytest.approx(2, abs=0.15)


def test_stop_lets_users_say_goodbye_and_writes_the_report(run: Runs, target: Target) -> None:
    goodbye = LOCUSTFILE + "\n    def on_stop(self):\n        self.client.get('/goodbye')\n"
    ran = run(goodbye, run_time_s=60, order=Order.STOP)
    assert ran.outcome.reason is Reason.STOP_REQUESTED
    assert target.counts["/goodbye"] == 2
    assert ran.sink.requests() == target.counts
    assert ran.folder.report.stat().st_size > 10_000
    assert ("stopping", {"by": "stop_requested"}) in ran.sink.events


def test_stop_works_although_the_starter_ignores_sigint(run: Runs) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a runner's holder
    try:
        ran = run(run_time_s=60, order=Order.DRAIN, patience=Patience(interrupt=100))
    finally:
        signal.signal(signal.SIGINT, before)
    assert ran.outcome.reason is Reason.DEPLOY
    assert ran.folder.report.exists()


@pytest.mark.parametrize("first", [0.0, 100.0], ids=["SIGTERM", "SIGINT"])
def test_stop_works_with_a_shape_of_the_script(run: Runs, first: float, target: Target) -> None:
    ran = run(LOCUSTFILE + SHAPE, run_time_s=60, order=Order.STOP, patience=Patience(interrupt=first, terminate=60))
    assert ran.outcome.reason is Reason.STOP_REQUESTED
    assert ran.outcome.own_shape == "Steady"
    assert "own_shape" in ran.outcome.warnings
    assert ran.sink.requests() == target.counts
    assert ran.folder.report.exists()
    assert ran.sink.kinds.count("test_stop") == 1


def test_a_shape_of_the_script_ends_with_the_run_time(run: Runs) -> None:
    ran = run(LOCUSTFILE + SHAPE, users=1)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) == pytest.approx(2, abs=0.2)
    assert max(tick.users for tick in ran.sink.got) == 3


def test_stages_are_followed(run: Runs, target: Target) -> None:
    stages = (Stage(2.5, 4, 10), Stage(2.5, 1, 10), Stage(2, 3, 10))
    ran = run(stages=stages)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) == pytest.approx(7, abs=0.2)
    users = [tick.users for tick in ran.sink.got]
    assert [n for n, after in pairwise([*users, 0]) if n != after and n > 0] == [4, 1, 3]
    assert ran.sink.requests() == target.counts
    assert [data["users"] for kind, data in ran.sink.events if kind == "spawning_complete"] == [4, 1, 3]


def test_a_script_that_ignores_signals_is_killed(run: Runs) -> None:
    deaf = """
import signal
from locust import events

@events.test_start.add_listener
def _(**kwargs):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
"""
    ran = run(LOCUSTFILE + deaf, run_time_s=60, order=Order.STOP, after_s=1.5, patience=IMPATIENT)
    assert ran.outcome.reason is Reason.STOP_REQUESTED
    assert ran.outcome.exit_code == -signal.SIGKILL
    assert ran.outcome.final is not None and ran.outcome.final.source == "stats_csv"
    assert ran.outcome.final.total.requests > 0


def test_abort_is_at_once_and_keeps_what_was_measured(run: Runs) -> None:
    ran = run(run_time_s=60, order=Order.ABORT, after_s=1.5)
    assert ran.outcome.reason is Reason.ABORT_REQUESTED
    assert sum(ran.sink.requests().values()) > 0
    assert not ran.folder.report.exists()


def test_a_fenced_run_is_left_without_another_word(run: Runs) -> None:
    ran = run(run_time_s=60, order=Order.FENCED, after_s=1)
    assert ran.outcome.reason is Reason.FENCED
    assert ran.outcome.final is None


def test_a_script_that_will_not_quit_is_ended_from_outside(run: Runs) -> None:
    stubborn = """
from locust import events

@events.init.add_listener
def _(environment, **kwargs):
    environment.runner.quit = lambda: None
"""
    ran = run(LOCUSTFILE + stubborn, run_time_s=1, patience=IMPATIENT)
    assert ran.outcome.reason is Reason.TIMEOUT
    assert ran.seconds < 12


def test_a_script_that_never_begins_is_ended_from_outside(run: Runs) -> None:
    ran = run("while True: pass", patience=Patience(start=2, interrupt=0.5, terminate=0.5))
    assert ran.outcome.reason is Reason.TIMEOUT
    assert ran.outcome.diagnosis is not None and ran.outcome.diagnosis.code == "timeout"


@pytest.mark.parametrize("when", ["process_started", "ready"])
def test_stop_works_before_the_test_has_begun(run: Runs, when: str) -> None:
    init = "from locust import events\n@events.init.add_listener\ndef _(**_): import time; time.sleep(3)\n"
    slow = init if when == "ready" else "import time\ntime.sleep(3)\n"
    ran = run(slow + LOCUSTFILE, run_time_s=60, order=Order.STOP, when=when, after_s=0.5)
    assert ran.outcome.reason is Reason.STOP_REQUESTED
    assert ran.outcome.started_at is None
    assert ran.seconds < 8


def test_an_exit_handler_that_hangs_does_not_hold_up_the_end(run: Runs) -> None:
    hang = "import atexit, time\natexit.register(lambda: time.sleep(60))\n"
    ran = run(hang + LOCUSTFILE, run_time_s=1, patience=IMPATIENT)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert ran.outcome.exit_code == 40
    assert ran.seconds < 8


def test_a_busy_script_is_noticed_and_stopped(run: Runs) -> None:
    busy = (
        FIRE
        + """
    @task
    def spin(self):
        self.hit("spin")
        while True: pass
"""
    )
    ran = run(busy, run_time_s=60, order=Order.STOP, after_s=5.5, patience=IMPATIENT)
    assert ran.outcome.reason is Reason.STOP_REQUESTED
    assert "collector_stalled" in ran.outcome.warnings


@pytest.mark.parametrize("kill_guard", [False, True], ids=["guarded", "guard killed"])
def test_a_daemon_of_the_script_does_not_survive(run: Runs, tmp_path: Path, kill_guard: bool) -> None:
    seconds = f"86400.{os.getpid()}{int(kill_guard)}"
    daemon = f"""
import ctypes, os, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
code = "import os; os.fork() and os._exit(0); os.setsid(); os.execve('/bin/sleep', ['sleep', '{seconds}'], {{}})"
subprocess.run([sys.executable, "-c", code], env={{}}, start_new_session=True)
time.sleep(0.3)
if {kill_guard}:
    os.kill(os.getppid(), signal.SIGKILL)
"""
    ran = run(daemon + LOCUSTFILE, run_time_s=1, patience=IMPATIENT)
    assert ran.outcome.reason is (Reason.LOCUST_KILLED if kill_guard else Reason.RUN_TIME_OVER)
    assert not [process for process in psutil.process_iter(["cmdline"]) if seconds in (process.info["cmdline"] or ())]


def test_the_environment_is_the_tenants(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "portal-secret")
    monkeypatch.setenv("LOCUST_USERS", "77")
    tell = "import json, os\nprint('ENV', json.dumps(dict(os.environ)), os.getcwd())\n"
    ran = run(tell + LOCUSTFILE, run_time_s=1, users=2, env={"API_TOKEN": "tenant-token"})
    (line,) = [line for line in ran.sink.lines if line.startswith("ENV")]
    assert "portal-secret" not in line
    env = json.loads(line[4 : line.rindex("}") + 1])
    assert env["API_TOKEN"] == "tenant-token"
    assert env["HOME"].startswith(str(ran.folder.path)) and env["TMPDIR"].startswith(str(ran.folder.path))
    assert [env[f"WORKER_{name}"] for name in ("OFFSET", "COUNT", "INDEX", "TOTAL")] == ["0", "2", "0", "1"]
    assert not [name for name in env if name.startswith("LOCUST_")]
    assert "HATCHERY_GUARD_FDS" not in env


def test_a_locust_conf_of_the_script_is_not_read(run: Runs) -> None:
    conf = "open('locust.conf', 'w').write('loglevel = DEBUG')\n"
    ran = run(conf + LOCUSTFILE, run_time_s=1)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert not [line for line in ran.sink.lines if "/DEBUG/" in line]


@pytest.mark.parametrize(
    ("locustfile", "code", "line", "message"),
    [
        ("x = 1\nimport nowhere\n", "import_error", 2, "ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:\n", "syntax_error", 1, "SyntaxError: invalid syntax"),
        ("x = 1\n", "no_user_class", None, "No User class found!"),
        ("import sys\nsys.exit('so long')\n", "script_exited", None, "so long"),
        (LOCUSTFILE + "\nraise SystemError('\x1b[31mred')\n", "import_error", 15, "SystemError: red"),
    ],
)
def test_a_script_that_cannot_start_is_diagnosed(
    run: Runs, locustfile: str, code: str, line: int | None, message: str
) -> None:
    ran = run(locustfile)
    assert ran.outcome.reason is Reason.LOCUSTFILE_ERROR
    diagnosis = ran.outcome.diagnosis
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.line, diagnosis.message) == (code, line, message)
    assert str(ran.folder.path) not in diagnosis.traceback


NAMES = ["a,b", 'say "hi"', "two\nlines", "cr\r\nlf", "<script>alert(1)</script>", "=1+1", "🦗", "", "Aggregated", "\t"]


def test_names_are_kept_whatever_is_in_them(run: Runs) -> None:
    script = (
        FIRE
        + f"""
    names = {NAMES!r} + ["half \\ud800", "half \\ud801", None, 7, "nul \\0", "x" * 5000]

    @task
    def all(self):
        for name in self.names:
            self.hit(name, error=ValueError("boom, \\ud800") if name == "half \\ud800" else None)
"""
    )
    ran = run(script)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    final = ran.outcome.final
    assert final is not None
    totals = {entry.name: entry.requests for entry in final.endpoints}
    assert set(totals) == {*NAMES, r"half \ud800", r"half \ud801", "None", "7", "nul \ufffd", "x" * 500}
    assert ran.sink.requests() == totals
    assert [row.name for row in ran.sink.failures] == [r"half \ud800"]
    assert ran.outcome.warnings == {}


def test_300_endpoints_reconcile_one_by_one(run: Runs) -> None:
    script = (
        FIRE
        + """
    @task
    def all(self):
        for n in range(300):
            self.hit(f"/item/{n}")
"""
    )
    ran = run(script, users=3, run_time_s=3)
    final = ran.outcome.final
    assert final is not None and len(final.endpoints) == 300
    assert {entry.name: entry.requests for entry in final.endpoints} == ran.sink.requests()


def test_names_and_errors_without_end_are_counted_together(run: Runs) -> None:
    script = (
        FIRE
        + """
    count = 0

    @task
    def one(self):
        for _ in range(200):
            Firing.count += 1
            self.hit(f"/item/{Firing.count}", error=ValueError(f"no item {Firing.count}"))
"""
    )
    ran = run(script, users=1)
    final = ran.outcome.final
    assert final is not None and final.total.requests > 1_400
    assert len(final.endpoints) == 1_001
    assert ran.sink.requests() == {entry.name: entry.requests for entry in final.endpoints}
    assert ran.sink.requests()[OTHER] == final.total.requests - 1_000
    assert sum(row.occurrences for row in ran.sink.failures) == final.total.requests
    assert len(ran.sink.failures) == 1_001


def test_numbers_that_are_none_do_no_harm(run: Runs) -> None:
    script = (
        FIRE
        + """
    @task
    def one(self):
        self.hit("good")
        self.hit("nan", ms=float("nan"))
        self.hit("inf", ms=float("inf"))
        self.hit("none", ms=None)
        self.hit("negative", ms=-5)
"""
    )
    ran = run(script)
    assert ran.outcome.final is not None
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert all(row.sum_ms >= 0 and row.sum_ms < float("inf") for tick in ran.sink.got for row in tick.rows)
    assert ran.sink.requests()["good"] > 0


def test_exceptions_of_tasks_are_collected(run: Runs) -> None:
    script = (
        FIRE
        + """
    @task
    def broken(self):
        self.hit("before")
        raise KeyError("basket")
"""
    )
    ran = run(script)
    (row,) = ran.sink.exceptions
    assert row.message == "'basket'"
    assert 'raise KeyError("basket")' in row.traceback
    assert row.count == ran.sink.requests()["before"]


def test_a_hanging_target_is_seen_as_seconds_without_requests(run: Runs) -> None:
    ran = run(LOCUSTFILE.replace("/browse", "/hang").replace("/fail", "/hang"), run_time_s=3)
    assert ran.outcome.reason is Reason.NO_REQUESTS
    stalled = [tick for tick in ran.sink.got if tick.users == 2 and tick.total.requests == 0]
    assert len(stalled) >= 2


def test_users_that_never_get_going_are_explained(run: Runs) -> None:
    ran = run(FIRE + "\n    def on_start(self):\n        raise RuntimeError('no login')\n")
    assert ran.outcome.reason is Reason.NO_REQUESTS
    assert ran.outcome.diagnosis is not None
    assert (ran.outcome.diagnosis.message, ran.outcome.diagnosis.line) == ("no login", 14)


def test_users_without_a_host_are_explained(run: Runs) -> None:
    script = "from locust import HttpUser, task\nclass Shop(HttpUser):\n    @task\n    def go(self):\n        pass\n"
    ran = run(script, run_time_s=30, host="")
    assert ran.outcome.reason is Reason.NO_REQUESTS
    assert ran.outcome.diagnosis is not None
    assert ran.outcome.diagnosis.code == "no_host"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("self.environment.runner.quit()", Reason.SCRIPT_QUIT),
        ("import os; os._exit(0)", Reason.SCRIPT_QUIT),
        ("import os; os._exit(9)", Reason.LOCUST_CRASHED),
        ("import os; os.kill(os.getpid(), 11)", Reason.LOCUST_CRASHED),
        ("import os; os.kill(os.getpid(), 9)", Reason.LOCUST_KILLED),
    ],
)
def test_a_run_that_ends_too_early_says_why(run: Runs, line: str, reason: Reason) -> None:
    ran = run(FIRE + f"\n    @task\n    def leave(self):\n        self.hit('one')\n        {line}\n", run_time_s=30)
    assert ran.outcome.reason is reason


def test_a_sink_that_fails_gets_everything_later_and_in_order(run: Runs) -> None:
    class Away(Memory):
        calls = 0

        def ticks(self, ticks: Sequence[Tick]) -> None:
            self.calls += 1
            if self.calls in {2, 3}:
                raise ConnectionError("the database is away")
            super().ticks(ticks)

    ran = run(run_time_s=4, sink=Away())
    assert [tick.seq for tick in ran.sink.got] == list(range(1, ran.outcome.ticks + 1))
    assert ran.outcome.final is not None
    assert sum(ran.sink.requests().values()) == ran.outcome.final.total.requests
    assert ran.outcome.dropped_ticks == 0


def test_a_sink_that_fails_for_good_does_not_hold_up_the_end(run: Runs) -> None:
    class Gone(Memory):
        def ticks(self, ticks: Sequence[Tick]) -> None:
            raise ConnectionError("the database is away")

    ran = run(sink=Gone(), patience=IMPATIENT)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert ran.outcome.dropped_ticks == ran.outcome.ticks > 0


def test_a_run_goes_on_when_nobody_gives_orders(run: Runs) -> None:
    class Silent:
        def orders(self) -> Order:
            raise ConnectionError("the database is away")

        def steering(self) -> Steering | None:
            raise ConnectionError("the database is away")

    assert run(control=Silent()).outcome.reason is Reason.RUN_TIME_OVER


def test_a_change_that_the_script_keeps_from_the_test_is_told(run: Runs) -> None:
    class Changing:
        def orders(self) -> Order:
            return Order.GO

        def steering(self) -> Steering:
            return Steering(next(revisions), 2.0, users=5)

    revisions = itertools.count(1)
    block = """
import os, pathlib
place = pathlib.Path("../out/steering.json")
place.unlink(missing_ok=True)
(place / "x").mkdir(parents=True)
"""
    ran = run(block + LOCUSTFILE, control=Changing())
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert "not_steered" in ran.outcome.warnings


class Heard(NoSwarm):
    """Notes what it is told, and when it is asked."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def word(self, kind: str, said: Mapping[str, Any]) -> None:
        self.told.append(kind)

    def look(self) -> Wish:
        self.told.append("look")
        return Wish()


def test_a_master_that_listens_does_not_wait_until_somebody_looks(tmp_path: Path) -> None:
    keys = Keys(*(key.decode() for _ in range(2) for key in zmq.curve_keypair()))
    part = MasterPart(keys, "127.0.0.1", (Block(0, 0, 1),))
    spec = RunSpec("listening", LOCUSTFILE, users=1, spawn_rate=1, run_time_s=5, part=part)
    heard, sink, deadline = Heard(), Memory(), time.monotonic() + 30
    supervision = Supervision(spec, RunFolder(tmp_path / "run"), sink, Orders(sink), swarm=heard, clock=lambda: 0.0)
    with closing(supervision):
        while "listening" not in heard.told:
            assert supervision.step() and time.monotonic() < deadline, sink.lines
            time.sleep(0.02)
    assert heard.told == ["look", "listening", "look"]  # for the clock no time has passed


def test_nothing_is_started_for_a_load_beyond_the_limits(run: Runs) -> None:
    ran = run(users=10**9)
    assert ran.outcome.reason is Reason.REFUSED
    assert ran.outcome.diagnosis is not None and "Users must be" in ran.outcome.diagnosis.message
    assert not ran.folder.path.exists()


def test_it_kills_everything_when_it_is_interrupted_itself(run: Runs) -> None:
    class Interrupted:
        def orders(self) -> Order:
            raise KeyboardInterrupt

        def steering(self) -> Steering | None:
            return None

    with pytest.raises(KeyboardInterrupt):
        run(control=Interrupted())


def elapsed(ran: Ran) -> float:
    """Seconds from the test's start to its end, by the child's clock."""
    return float(json.loads(ran.folder.final.read_bytes())["elapsed_s"])
