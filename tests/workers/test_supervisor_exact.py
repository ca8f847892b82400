"""Whole runs of real Locust with our own collector."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.workers.conftest import LOCUSTFILE, Memory, Orders, Ran, Runs, Target
from tests.workers.test_supervisor import FIRE, IMPATIENT, SHAPE, elapsed
from workers.samples import OTHER
from workers.spec import Stage, Steering
from workers.supervisor import Order, Reason

pytestmark = pytest.mark.engine


MANY_NAMES = """
    count = 0

    @task
    def one(self):
        for _ in range(100):
            Firing.count += 1
            self.hit(f"/item/{Firing.count}")
"""


class Wheel(Orders):
    """Wants `steering` from the moment at which `when` has come to the sink, and `after_s` seconds more."""

    def __init__(self, sink: Memory, steering: Steering, *, when: str = "first_request", after_s: float = 0) -> None:
        super().__init__(sink, Order.STOP, when=when, after_s=after_s)
        self._steering = steering

    def orders(self) -> Order:
        self._is_time = super().orders() is Order.STOP
        return Order.GO

    def steering(self) -> Steering | None:
        return self._steering if self._is_time else None


def exact(run: Runs, *args: str, **options: object) -> Ran:
    return run(*args, collector="exact", **options)


def steered(run: Runs, steering: Steering, *args: str, **options: object) -> Ran:
    sink = Memory()
    after_s = options.pop("after_s", 0.0)
    assert isinstance(after_s, float)
    return exact(run, *args, sink=sink, control=Wheel(sink, steering, after_s=after_s), **options)


def test_our_totals_and_locusts_are_the_same(run: Runs, target: Target) -> None:
    ran = exact(run, run_time_s=3)
    collected, final = ran.outcome.collected, ran.outcome.final
    assert collected is not None and final is not None
    assert (collected.source, final.source) == ("collected", "final")
    ours, theirs = ({entry.name: entry for entry in totals.endpoints} for totals in (collected, final))
    assert {name: entry.requests for name, entry in ours.items()} == target.counts
    assert ours.keys() == theirs.keys()
    for name, entry in ours.items():
        other = theirs[name]
        assert (entry.requests, entry.failures, entry.bytes) == (other.requests, other.failures, other.bytes)
        assert entry.sum_ms == pytest.approx(other.sum_ms, rel=1e-6)
        assert entry.min_ms == pytest.approx(other.min_ms, abs=1e-3)
        assert entry.max_ms == pytest.approx(other.max_ms, abs=1e-3)
    assert [(row.error, row.occurrences) for row in collected.failures] == [
        (row.error, row.occurrences) for row in final.failures
    ]
    assert list(ran.sink.failures) == list(collected.failures)
    assert sum((Counter(dict(tick.errors)) for tick in ran.sink.got), Counter()) == {0: target.counts["/fail"]}


def test_failing_requests_come_as_examples(run: Runs, target: Target) -> None:
    ran = exact(run, run_time_s=3)
    assert 0 < len(ran.sink.samples) <= 20
    (index,) = {failure.index for failure in ran.sink.failures}
    for sample in ran.sink.samples:
        assert (sample.error, sample.method, sample.status, sample.body) == (index, "GET", 500, "ok")
        assert sample.url == f"{target.url}/fail"


def test_every_second_tells_of_users_and_generator(run: Runs) -> None:
    ran = exact(run, run_time_s=4)
    steady = ran.sink.got[1:-2]
    assert [tick.classes for tick in steady] == [{"Shopper": 2}] * len(steady)
    for tick in steady:
        health = tick.health
        assert health is not None and (health.target_users, tick.users) == (2, 2)
        assert health.cpu_percent is not None and health.lag_ms is not None
        assert health.rss_bytes is not None and health.rss_bytes > 10_000_000
    assert [tick.t for tick in ran.sink.got] == [ran.sink.got[0].t + n for n in range(len(ran.sink.got))]


def test_it_tells_how_many_ids_are_in_use(run: Runs) -> None:
    asking = f"from hatchery import user_id\n{LOCUSTFILE}\n    def on_start(self):\n        user_id(self)\n"
    ran = exact(run, asking, run_time_s=5)
    assert 2 in ran.sink.ids_in_use, ran.sink.ids_in_use


def test_a_script_that_counts_by_itself_says_nothing_of_ids(run: Runs) -> None:
    ran = exact(run, run_time_s=3)
    assert ran.sink.ids_in_use and set(ran.sink.ids_in_use) == {None}


def test_a_target_that_hangs_is_a_stall(run: Runs) -> None:
    ran = exact(run, LOCUSTFILE.replace("/browse", "/hang").replace("/fail", "/hang"), run_time_s=8)
    assert ran.outcome.reason is Reason.NO_REQUESTS
    stall, over = (dict(ran.sink.events)[kind] for kind in ("stall", "stall_over"))
    assert (stall["seconds"], stall["in_flight"]) == (5, 2)
    oldest, seconds = stall["oldest_ms"], over["seconds"]
    assert isinstance(oldest, float) and 4_000 < oldest < 6_500
    assert isinstance(seconds, int) and seconds >= 7
    assert ran.outcome.warnings == {}


def test_a_script_that_blocks_the_loop_is_warned_of(run: Runs) -> None:
    busy = """
    @task
    def spin(self):
        import time
        self.hit("spin")
        until = time.monotonic() + 0.4
        while time.monotonic() < until: pass
"""
    ran = exact(run, FIRE + busy, run_time_s=6)
    assert "loop_lag" in ran.outcome.warnings
    assert ran.sink.requests() == {entry.name: entry.requests for entry in ran.outcome.final.endpoints}  # type: ignore[union-attr]


def test_an_abort_keeps_what_was_measured(run: Runs) -> None:
    ran = exact(run, run_time_s=60, order=Order.ABORT, after_s=2.5)
    assert ran.outcome.reason is Reason.ABORT_REQUESTED
    collected = ran.outcome.collected
    assert collected is not None
    assert collected.total.requests == sum(ran.sink.requests().values()) > 0
    assert "samples_lost" not in ran.outcome.warnings and "bad_rows" not in ran.outcome.warnings


def test_more_names_than_there_is_room_for_come_with_a_proposal(run: Runs) -> None:
    ran = exact(run, FIRE + MANY_NAMES, users=1)
    assert len(ran.outcome.final.endpoints) == 1_001  # type: ignore[union-attr]
    assert ran.sink.requests() == {entry.name: entry.requests for entry in ran.outcome.final.endpoints}  # type: ignore[union-attr]
    assert ran.sink.requests()[OTHER] > 0
    (warning,) = [data for kind, data in ran.sink.events if kind == "warning"]
    assert warning["code"] == "too_many_names"
    assert warning["data"] == {"from": "/item/1", "to": "/item/{id}", "names": 1_000}


def test_names_that_differ_by_ids_can_be_one(run: Runs) -> None:
    ran = exact(run, FIRE + MANY_NAMES, users=1, group_ids=True)
    assert set(ran.sink.requests()) == {"/item/{id}"}
    assert ran.outcome.warnings == {}


def test_lines_that_the_script_writes_itself_are_named(run: Runs) -> None:
    forge = """
import json, os
from locust import events

@events.test_start.add_listener
def _(**kwargs):
    import gevent
    def write():
        file = open("../out/samples.1.ndjson", "a")
        for line in ("nonsense", '{"seq":2,"t":1', json.dumps({"seq": 10**9, "t": 5}), "{" * 1000):
            file.write(line + "\\n")
        file.flush()
    gevent.spawn_later(1.5, write)
"""
    ran = exact(run, LOCUSTFILE + forge, run_time_s=4)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert list(ran.outcome.warnings) == ["bad_rows"]
    assert ran.sink.requests() == {entry.name: entry.requests for entry in ran.outcome.final.endpoints}  # type: ignore[union-attr]


def test_a_run_can_be_made_longer(run: Runs) -> None:
    ran = steered(run, Steering(1, 5.0), run_time_s=2)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) == pytest.approx(5, abs=0.5)
    assert ("steered", {"revision": 1}) in ran.sink.events


def test_a_run_can_be_made_shorter_than_it_has_been(run: Runs) -> None:
    ran = steered(run, Steering(1, 1.0), run_time_s=60, after_s=2.5, patience=IMPATIENT)
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) < 5


def test_users_can_be_changed(run: Runs) -> None:
    ran = steered(run, Steering(1, 6.0, users=7, spawn_rate=100.0), run_time_s=6, after_s=1.0)
    assert max(tick.users for tick in ran.sink.got) == 7
    assert ran.outcome.reason is Reason.RUN_TIME_OVER


def test_a_run_of_stages_can_be_made_longer(run: Runs) -> None:
    ran = steered(run, Steering(1, 6.0), stages=(Stage(2, 2, 10), Stage(2, 1, 10)))
    assert ran.outcome.reason is Reason.RUN_TIME_OVER
    assert elapsed(ran) == pytest.approx(6, abs=0.5)


def test_the_new_end_is_held_from_outside(run: Runs) -> None:
    stubborn = """
from locust import events

@events.init.add_listener
def _(environment, **kwargs):
    environment.runner.quit = lambda: None
"""
    ran = steered(run, Steering(1, 4.0), LOCUSTFILE + SHAPE + stubborn, run_time_s=60, patience=IMPATIENT)
    assert ran.seconds < 20
    assert ran.outcome.reason in {Reason.TIMEOUT, Reason.RUN_TIME_OVER}


def test_a_wish_that_cannot_be_written_is_written_later(run: Runs, tmp_path: Path) -> None:
    blocked = """
import os
from locust import events

os.mkdir("../out/steering.json")
open("../out/steering.json/full", "w").close()

@events.test_start.add_listener
def _(**kwargs):
    import gevent
    def free():
        os.remove("../out/steering.json/full")
        os.rmdir("../out/steering.json")
    gevent.spawn_later(2, free)
"""
    ran = steered(run, Steering(1, 6.0, users=5, spawn_rate=100.0), blocked + LOCUSTFILE, run_time_s=6)
    assert max(tick.users for tick in ran.sink.got) == 5
    assert json.loads(ran.folder.steering.read_bytes())["revision"] == 1
