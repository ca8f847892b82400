"""What a run leaves behind may be anything, and as much as the disk takes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.workers import lines
from tests.workers.conftest import Memory
from tests.workers.lines import START, end, row, second
from workers import collector, csv_source
from workers.collector import MAX_EVENTS, WORDS_A_SECOND, Collector
from workers.command import RunFolder
from workers.csv_source import CsvSource
from workers.exact_source import ExactSource
from workers.launch import make_folders
from workers.samples import MAX_ENDPOINTS
from workers.spool import Spool


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    make_folders(folder)
    return folder


def test_it_does_not_read_for_ever_at_the_end(folder: RunFolder) -> None:
    folder.events.write_bytes((b" " * 1023 + b"\n") * (20 * 1024))
    seconds = itertools.count()
    collecting = Collector(CsvSource(folder), folder, Spool(Memory(), lambda: 0.0), lambda: float(next(seconds)))
    assert collecting.finish() is None
    assert "left_unread" in collecting.warnings
    assert next(seconds) < 2 * collector.DRAIN_SECONDS + 10
    collecting.close()


def test_a_history_of_the_past_and_the_future_is_refused(folder: RunFolder) -> None:
    now = 1_800_000_000
    header = "Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count\n"
    made_up = "".join(f"{t},1,,Aggregated,{t - now + 90_000},0\n" for t in range(now - 80_000, now + 80_000))
    folder.history.write_text(header + made_up)
    source = CsvSource(folder, lambda: float(now))
    collecting = Collector(source, folder, Spool(Memory(), lambda: 0.0), lambda: 0.0)
    collecting.finish()
    assert collecting.ticks == 2 * csv_source.CLOCK_SECONDS + 1
    assert "bad_rows" in collecting.warnings
    collecting.close()


class Running:
    """A run of which the files are written by hand, looked at second by second."""

    def __init__(self, folder: RunFolder) -> None:
        self.sink, self.now, self.words = Memory(), 0.0, list[str]()
        self.folder = folder
        self.spool = Spool(self.sink, self.clock)
        source = ExactSource(folder, self.clock, lambda: START + self.now)
        heard = lambda kind, said: self.words.append(kind)  # noqa: E731
        self.collecting = Collector(source, folder, self.spool, self.clock, heard)
        self.say({"kind": "test_start"})

    def clock(self) -> float:
        return self.now

    def say(self, *events: Mapping[str, object]) -> None:
        with self.folder.events.open("ab") as file:
            file.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def write(self, *documents: Mapping[str, object]) -> None:
        with self.folder.out.joinpath("samples.1.ndjson").open("ab") as file:
            file.write(lines.file(*documents))

    def look(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.collecting.poll()
        self.spool.flush()

    def told(self, kind: str) -> list[Mapping[str, object]]:
        return [data for said, data in self.sink.events if said == kind]


@pytest.fixture
def running(folder: RunFolder) -> Iterator[Running]:
    running = Running(folder)
    yield running
    running.collecting.close()


def test_a_target_that_hangs_is_a_stall_and_no_fault_of_the_collector(running: Running) -> None:
    running.write(second(1, [row(0, [5.0])], names=[[0, "GET", "/"]]))
    for n in range(2, 12):
        running.write(second(n, in_flight=3, oldest_ms=1_000.0 * n))
        running.look()
    running.write(second(12, [row(0, [9_000.0])]))
    running.look()
    assert running.told("stall") == [{"seconds": 5, "in_flight": 3, "oldest_ms": 6_000.0, "t": START + 2}]
    assert running.told("stall_over") == [{"seconds": 10, "t": START + 11}]
    assert running.collecting.warnings == {}


def test_a_stall_at_the_end_ends_with_the_run(running: Running) -> None:
    for n in range(1, 8):
        running.write(second(n, in_flight=3))
    running.look()
    running.collecting.finish()
    running.spool.flush()
    assert [data["seconds"] for data in running.told("stall_over")] == [7]


def test_a_collector_that_falls_silent_is_noticed(running: Running) -> None:
    running.write(second(1))
    for _ in range(4):
        running.look()
    assert running.collecting.warnings == {}
    for _ in range(4):
        running.look()
    assert list(running.collecting.warnings) == ["collector_stalled"]


def test_a_script_that_talks_without_end_is_heard_for_a_while(running: Running) -> None:
    running.say(*[{"kind": "cpu_warning"}] * MAX_EVENTS, {"kind": "final", "exit_code": 0})
    running.look()
    assert running.collecting.warnings and running.collecting.final_at is None


def test_what_a_master_says_of_its_workers_leaves_room_for_its_end(running: Running) -> None:
    flapping = [{"kind": "worker_silent", "index": 1}, {"kind": "worker_heard", "index": 1}]
    running.say(*flapping * MAX_EVENTS)
    running.look()
    assert len(running.words) == MAX_EVENTS + WORDS_A_SECOND
    running.look(100.0)
    running.say(*flapping, {"kind": ["dismissing"]}, {"kind": "dismissing"}, {"kind": "final", "exit_code": 0})
    running.look()
    assert running.words[-3:] == ["worker_silent", "worker_heard", "dismissing"]
    assert running.collecting.final_at is not None


def test_a_collector_that_has_said_its_last_word_may_be_silent(running: Running) -> None:
    running.write(second(1), end(1, 0))
    for _ in range(20):
        running.look()
    assert running.collecting.warnings == {}


def test_a_loop_that_is_late_is_warned_of_once(running: Running) -> None:
    running.write(*(second(n, lag_ms=300.0) for n in range(1, 9)))
    running.look()
    assert [data["code"] for data in running.told("warning")] == ["loop_lag"]


def test_too_many_names_come_with_a_proposal(running: Running) -> None:
    running.write(second(1, [row(MAX_ENDPOINTS, [5.0])]))
    running.look()
    running.say({"kind": "too_many_names", "from": "/users/1", "to": "/users/{id}\x1b[31m", "names": 990})
    running.look()
    running.collecting.finish()
    running.spool.flush()
    (warning,) = running.told("warning")
    assert warning["code"] == "too_many_names"
    assert warning["data"] == {"from": "/users/1", "to": "/users/{id}", "names": 990}


@pytest.mark.parametrize("names", [-1, "many", None, 10**30])
def test_a_proposal_that_is_none_does_no_harm(running: Running, names: object) -> None:
    running.say({"kind": "too_many_names", "from": 7, "to": "x" * 9_999, "names": names})
    running.look()
    (warning,) = running.told("warning")
    assert warning["data"] == {"from": "", "to": "x" * 499 + "…", "names": 0}


def test_a_change_that_has_been_taken_up_is_passed_on(running: Running) -> None:
    running.say({"kind": "steered", "revision": 3}, {"kind": "steered", "revision": "4"}, {"kind": "steered"})
    running.look()
    assert running.told("steered") == [{"revision": 3}]


def test_that_a_script_cleared_the_statistics_of_locust_is_said(running: Running) -> None:
    running.say({"kind": "stats_cleared"})
    running.look()
    assert list(running.collecting.warnings) == ["stats_cleared"]


def test_a_collector_that_failed_has_lost_seconds(running: Running) -> None:
    running.say({"kind": "collector_error", "error": "MemoryError()"})
    running.look()
    assert list(running.collecting.warnings) == ["samples_lost"]


def test_figures_are_our_own_while_it_runs_and_at_the_end(running: Running) -> None:
    failing = {"errors_new": [[0, "GET", "/", "boom"]], "errors": [[0, 1]]}
    running.write(second(1, [row(0, [5.0, 7.0], failures=1)], names=[[0, "GET", "/"]], **failing))
    sample = {"error": 0, "t": START + 1, "method": "GET", "url": "/", "body": "no"}
    running.folder.failed.write_text(json.dumps(sample) + "\n")
    running.folder.exceptions.write_text("Count,Message,Traceback,Nodes\r\n2,oops,here,local\r\n")
    for _ in range(3):
        running.look()
    assert [(entry.name, entry.requests, entry.max_ms) for entry in running.sink.running] == [("/", 2, 7.0)]
    assert [(failure.index, failure.first_seen) for failure in running.sink.failures] == [(0, START + 1)]
    assert [found.error for found in running.sink.samples] == [0]
    assert [found.message for found in running.sink.exceptions] == ["oops"]
    running.write(second(2, [row(0, [9.0], failures=1)], errors=[[0, 1]]), end(2, 3, 2))
    assert running.collecting.finish() is None
    running.spool.flush()
    collected = running.collecting.collected()
    assert collected is not None and collected.source == "collected"
    assert (collected.total.requests, collected.total.failures, collected.total.max_ms) == (3, 2, 9.0)
    assert [failure.occurrences for failure in collected.failures] == [2] == [running.sink.failures[0].occurrences]
    assert [found.message for found in collected.exceptions] == ["oops"]
    assert [entry.requests for entry in running.sink.running] == [3]
    assert running.collecting.warnings == {} and running.collecting.ticks == 2
