"""Everything that is measured may be delivered again, and counts once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from apps.runs import naming, recording, rows, tiers
from apps.runs.blocks import TOTAL
from apps.runs.logs import PIECES_KEPT
from apps.runs.models import Endpoint, Failure, LogChunk, Run, RunEvent, ScriptException
from apps.runs.models import FailureSample as Stored
from apps.runs.recording import MAX_TABLE_ROWS, MAX_WARNINGS, LeadRecorder, Recorder
from apps.runs.rows import MAX_USERS
from apps.runs.sink import RunSink
from tests.factories import RunWorkerFactory
from tests.runs.makers import T0, counted, held, row_of, sample, tick, totals
from workers.samples import (
    MAX_CLASSES,
    MAX_ERRORS,
    SAMPLES_PER_ERROR,
    EndpointTotals,
    ExceptionRow,
    FailureRow,
    FailureSample,
    Health,
)
from workers.totals import Error

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(held())


def test_it_files_seconds_and_figures(recorder: Recorder) -> None:
    recorder.ticks([tick(1, sample("/a", 2), sample("/b", 1)), tick(2, sample("/b", 4), users=5)])
    run = row_of(recorder.lease)
    assert (run.last_seq, run.current_users, run.peak_users, run.totals["requests"]) == (2, 5, 5, 7)
    assert run.totals["rps"] == 3.5 and run.totals["avg_ms"] == 10.0
    assert run.last_tick_at and run.last_request_at and run.last_tick_at.timestamp() == T0 + 1
    stored = tiers.read(run.pk, 1)
    assert [[(cell.endpoint, cell.requests) for cell in row.cells] for row in stored] == [
        [(TOTAL, 3), (0, 2), (1, 1)],
        [(TOTAL, 4), (1, 4)],
    ]
    assert list(Endpoint.objects.values_list("index", "method", "name")) == [(0, "GET", "/a"), (1, "GET", "/b")]


def test_it_counts_what_comes_twice_once(recorder: Recorder) -> None:
    first = [tick(1, sample("/a")), tick(2, sample("/a"))]
    recorder.ticks(first)
    recorder.ticks(first)
    recorder.ticks([*first, tick(3, sample("/a"))])
    run = row_of(recorder.lease)
    assert (run.last_seq, run.totals["requests"]) == (3, 3)
    assert [row.seq for row in tiers.read(run.pk, 1)] == [1, 2, 3]


def test_it_files_again_what_a_failed_transaction_took_back(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_write_progress", _raise)
        with pytest.raises(DatabaseError):
            recorder.ticks([tick(1, sample("/a"))])
    assert not Endpoint.objects.exists() and tiers.read(recorder.run_id, 1) == []
    recorder.ticks([tick(1, sample("/a")), tick(2, sample("/b"))])
    assert row_of(recorder.lease).totals["requests"] == 2
    assert [row.seq for row in tiers.read(recorder.run_id, 1)] == [1, 2]


def test_it_goes_on_after_a_commit_that_nobody_heard_of(recorder: Recorder) -> None:
    """Another recorder of the same lease stands for the commit: the rows are there, this one does not know of them."""
    recorder.log(["one"])
    unaware = Recorder(recorder.lease, unsure=True)
    recorder.ticks([tick(1, sample("/a")), tick(2, sample("/b"))])
    unaware.ticks([tick(1, sample("/a")), tick(2, sample("/b")), tick(3, sample("/c"))])
    run = row_of(recorder.lease)
    assert (run.last_seq, run.totals["requests"], unaware.sums.seconds) == (3, 3, 3)
    assert [row.seq for row in tiers.read(run.pk, 1)] == [1, 2, 3]
    assert list(Endpoint.objects.values_list("name", flat=True)) == ["/a", "/b", "/c"]
    unaware.log(["one", "two"])
    assert LogChunk.objects.get().text == "one\ntwo"


def test_it_becomes_unsure_by_a_failure_and_sure_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_write_progress", _raise)
        with pytest.raises(DatabaseError):
            recorder.ticks([tick(1, sample("/a"))])
    assert recorder.unsure
    recorder.ticks([tick(1, sample("/a"))])
    assert not recorder.unsure


def test_an_endpoint_keeps_its_index(recorder: Recorder) -> None:
    recorder.ticks([tick(1, sample("/b")), tick(2, sample("/a"))])
    recorder.totals(totals("all", 6), [totals("/a", 1), totals("/b", 2), totals("/new", 3)])
    recorder.ticks([tick(3, sample("/new"))])
    assert dict(Endpoint.objects.values_list("name", "index")) == {"/b": 0, "/a": 1, "/new": 2}
    assert Endpoint.objects.get(name="/b").totals["requests"] == 2
    assert tiers.read(recorder.run_id, 1)[2].cells[1].endpoint == 2


def test_a_run_has_no_more_endpoints_than_allowed_however_they_come(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MAX_ENDPOINTS", 3)
    recorder.ticks([tick(1, sample("/a"), sample("/b"))])
    for number in range(5):
        recorder.totals(totals("Aggregated", 9), [totals("/a", 1), totals(f"/{number}", 2)])
    recorder.ticks([tick(2, sample("/a"), sample("/later"), sample("/later still"))])
    assert list(Endpoint.objects.values_list("name", flat=True)) == ["/a", "/b", "/0", "(other)"]
    last = tiers.read(recorder.run_id, 1)[-1].cells
    assert [(cell.endpoint, cell.requests) for cell in last] == [(TOTAL, 3), (0, 1), (3, 2)]
    assert Endpoint.objects.get(name="/0").totals["requests"] == 2


def test_it_replaces_tables(recorder: Recorder) -> None:
    failure = FailureRow("GET", "/a", "500", 1, T0, None)
    exception = ExceptionRow(1, "boom", "Traceback")
    recorder.tables([failure] * 2, [exception])
    recorder.tables([failure] * (MAX_TABLE_ROWS + 1), [exception] * (MAX_TABLE_ROWS + 1))
    assert Failure.objects.count() == ScriptException.objects.count() == MAX_TABLE_ROWS
    recorder.tables([], [])
    assert not Failure.objects.exists() and not ScriptException.objects.exists()
    assert row_of(recorder.lease).tables_version == 3


def test_errors_that_hosts_have_filed_stay_when_none_has_been_counted_yet(recorder: Recorder) -> None:
    lead = LeadRecorder(recorder.lease)
    numbers = naming.errors(lead.run_id, {}, [Error("GET", "/a", "500")])
    lead.tables([], [ExceptionRow(1, "boom", "Traceback")])
    assert Failure.objects.get().index == 0 and ScriptException.objects.exists()
    lead.tables([FailureRow("GET", "/a", "500", 3, T0, T0, index=numbers[Error("GET", "/a", "500")])], [])
    assert Failure.objects.get().occurrences == 3


def test_it_files_all_that_our_own_collector_tells(recorder: Recorder) -> None:
    health = Health(target_users=9, in_flight=3, oldest_ms=12.5, lag_ms=1.0, cpu_percent=20.0, rss_bytes=10**8)
    row = replace(counted("/a", {100: 2, 200: 1}), requests=4, failures=1)
    total = replace(row, name="Aggregated")
    recorder.ticks([replace(tick(1, row), total=total, health=health, classes={"Shopper": 3}, errors=((4, 1), (2, 1)))])
    (stored,) = tiers.read(recorder.run_id, 1)
    assert stored.health == health
    assert (stored.classes, stored.errors) == ((3,), ((2, 1), (4, 1)))
    assert [(cell.sketch, cell.untimed, cell.p50_ms) for cell in stored.cells] == [({100: 2, 200: 1}, 1, None)] * 2
    run = row_of(recorder.lease)
    assert run.totals["avg_ms"] == pytest.approx(row.sum_ms / 3, abs=0.001)  # one of the four has no time


def test_a_user_class_keeps_its_column(recorder: Recorder) -> None:
    for seq, classes in enumerate([{"B": 1}, {"A": 2, "B": 3}, {"A": 4}], start=1):
        recorder.ticks([replace(tick(seq, sample("/a")), classes=classes)])
    assert row_of(recorder.lease).user_classes == ["B", "A"]
    assert [row.classes for row in tiers.read(recorder.run_id, 1)] == [(1,), (3, 2), (0, 4)]
    unaware = Recorder(recorder.lease, unsure=True, last_seq=3)
    unaware.ticks([replace(tick(4, sample("/a")), classes={"C": 1, "A": 5})])
    assert row_of(recorder.lease).user_classes == ["B", "A", "C"]
    assert tiers.read(recorder.run_id, 1)[-1].classes == (0, 5, 1)


def test_a_run_has_no_more_classes_than_allowed(recorder: Recorder) -> None:
    recorder.ticks([replace(tick(1, sample("/a")), classes={f"nul \0 {n} " + "c" * 300: 1 for n in range(150)})])
    names = row_of(recorder.lease).user_classes
    assert len(names) == MAX_CLASSES and all(len(name) == 200 and "\0" not in name for name in names)
    assert len(tiers.read(recorder.run_id, 1)[0].classes) == MAX_CLASSES


def failed(index: int, occurrences: int, last_seen: float = T0) -> FailureRow:
    return FailureRow("GET", f"/{index}", "500", occurrences, T0, last_seen, index)


def test_an_error_with_an_index_keeps_its_row(recorder: Recorder) -> None:
    recorder.tables([failed(0, 1), failed(3, 2)], [])
    ids = dict(Failure.objects.values_list("index", "pk"))
    recorder.tables([failed(3, 7, T0 + 9), failed(0, 1), failed(5, 1)], [])
    assert dict(Failure.objects.values_list("index", "occurrences")) == {0: 1, 3: 7, 5: 1}
    now = dict(Failure.objects.values_list("index", "pk"))
    assert (now[0], now[3]) == (ids[0], ids[3])
    assert Failure.objects.get(index=3).last_seen == rows.moment(T0 + 9)
    recorder.tables([failed(index, 1) for index in range(2_000)], [])
    assert Failure.objects.count() == MAX_ERRORS + 1


def example(error: int, number: int = 0, **values: Any) -> FailureSample:
    given: dict[str, Any] = {
        "method": "GET", "url": f"/{number}", "status": 500, "response_ms": 1.5, "body": "no", "body_bytes": 2,
        "request_headers": {"Accept": "*/*"}, "response_headers": {}, **values,
    }  # fmt: skip
    return FailureSample(error=error, t=T0 + number, **given)


def test_it_keeps_the_first_failing_requests_of_each_error(recorder: Recorder) -> None:
    for number in range(30):
        recorder.failure_samples([example(0, number), example(1, number)])
    kept = Stored.objects.filter(failure=1)
    assert [one.url for one in kept] == [f"/{number}" for number in range(SAMPLES_PER_ERROR)]
    assert (kept[0].status, kept[0].request_headers, kept[0].at) == (500, {"Accept": "*/*"}, rows.moment(T0))
    assert Stored.objects.count() == 2 * SAMPLES_PER_ERROR


def test_a_run_keeps_no_more_failing_requests_than_allowed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_SAMPLES", 5)
    for error in range(4):
        recorder.failure_samples([example(error, number) for number in range(3)])
    assert Stored.objects.count() == 5


def test_failing_requests_that_come_again_are_kept_once(recorder: Recorder) -> None:
    """The database had committed, and nobody heard of it."""
    unaware = Recorder(recorder.lease)
    batch = [example(0, 1), example(0, 2), example(1, 1)]
    recorder.failure_samples(batch)
    unaware.failure_samples(batch)
    unaware.failure_samples([example(0, 3)])
    assert sorted(Stored.objects.values_list("failure", "url")) == [(0, "/1"), (0, "/2"), (0, "/3"), (1, "/1")]


def test_it_holds_failing_requests_that_a_script_made_up(recorder: Recorder) -> None:
    wild = "\0\ud800" * 10_000
    headers = {f"{wild}{number}": wild for number in range(300)}
    recorder.failure_samples([
        example(0, url=wild, method=wild, body=wild, status=None, response_ms=None, body_bytes=10**15,
                request_headers={**headers, "a\0": "b\0"}, response_headers=headers)
    ])  # fmt: skip
    kept = Stored.objects.get()
    assert (len(kept.url), len(kept.method), len(kept.body), kept.status) == (2_000, 50, 4_096, None)
    assert "\0" not in kept.url + kept.body + str(kept.request_headers)
    assert len(kept.response_headers) <= 100


def test_it_tells_a_stall_and_its_end_once(recorder: Recorder) -> None:
    sink = RunSink(recorder)
    for _ in range(2):
        sink.event("stall", {"seconds": 5, "in_flight": 50, "oldest_ms": 4_900.5, "t": T0 + 3})
        sink.event("stall_over", {"seconds": 8, "t": T0 + 10})
    sink.event("stall", {"seconds": 5, "in_flight": None, "oldest_ms": math.nan, "t": T0 + 30})
    found = list(RunEvent.objects.exclude(kind="state").values_list("kind", "at", "data"))
    first = {"seconds": 5, "in_flight": 50, "oldest_ms": 4_900.5, "t": T0 + 3}
    assert found[:2] == [
        ("stall", rows.moment(T0 + 3), first),
        ("stall_over", rows.moment(T0 + 10), {"seconds": 8, "t": T0 + 10}),
    ]
    assert found[2][2]["oldest_ms"] == "nan" and len(found) == 3


def test_ids_in_use_are_those_of_the_only_worker(recorder: Recorder) -> None:
    row = RunWorkerFactory.create(run=row_of(recorder.lease))
    sink = RunSink(recorder)
    sink.generator(1.0, 1_000, None)
    sink.generator(1.0, 1_000, 4)
    row.refresh_from_db()
    assert row.ids_in_use == 4
    with CaptureQueriesContext(connection) as asked:
        sink.generator(1.0, 1_000, 4)
    assert not [query for query in asked if "ids_in_use" in query["sql"]]  # it is told when it changes


def test_a_warning_carries_what_it_is_about(recorder: Recorder) -> None:
    about = {"from": "/users/1", "to": "/users/{id}", "names": 900}
    RunSink(recorder).event("warning", {"code": "too_many_names", "text": "Too many names.", "data": about})
    event = RunEvent.objects.get(kind="warning")
    assert (event.text, event.data) == ("Too many names.", {**about, "code": "too_many_names"})


def test_it_notes_a_shape_of_the_script(recorder: Recorder) -> None:
    RunSink(recorder).event("ready", {"locust": "2", "user_classes": ["A"], "own_shape": "Steps\0" + "s" * 300})
    assert row_of(recorder.lease).own_shape.startswith("Steps") and len(row_of(recorder.lease).own_shape) == 200


def test_locusts_own_counts_stand_beside_ours(recorder: Recorder) -> None:
    recorder.ticks([tick(1, sample("/a"), sample("/b"))])
    recorder.locust_counts([totals("/a", 5), totals("/only there", 2)])
    counts = dict(Endpoint.objects.values_list("name", "locust_requests"))
    assert counts == {"/a": 5, "/b": None, "/only there": 2}


def test_names_without_a_row_of_their_own_are_compared_together(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MAX_ENDPOINTS", 1)
    recorder.ticks([tick(1, sample("/a"), sample("/b", 2), sample("/c", 3))])
    recorder.locust_counts([totals("/a", 1), totals("/b", 2), totals("/c", 3)])
    assert dict(Endpoint.objects.values_list("name", "locust_requests")) == {"/a": 1, "(other)": 5}
    assert [recorder.index_of(totals(name, 1)) for name in ("/a", "/b", "/never seen")] == [0, 1, 1]


def test_it_holds_text_and_numbers_that_a_script_made_up(recorder: Recorder) -> None:
    recorder.ticks([tick(1, sample("nul \0" + "n" * 600, method="M" * 500), users=10**15)])
    recorder.tables([FailureRow("M" * 99, "\0" * 600, "\0" * 9_000, 10**15, None, None)], [])
    recorder.totals(totals("all", 1), [totals("nul \0" + "n" * 600, 10**15, method="M" * 500)])
    assert row_of(recorder.lease).peak_users == MAX_USERS
    endpoint = Endpoint.objects.get()
    assert (len(endpoint.method), len(endpoint.name), endpoint.totals["requests"]) == (50, 500, 10**15)
    assert Failure.objects.get().occurrences == 10**15


def test_it_keeps_the_newest_of_the_log(recorder: Recorder) -> None:
    recorder.log([f"line {number}" for number in range(3)])
    assert LogChunk.objects.get().text == "line 0\nline 1\nline 2"
    recorder.log(["x" * 2_000] * 5_000)
    chunks = list(LogChunk.objects.all())
    assert len(chunks) == PIECES_KEPT
    assert max(len(chunk.text) for chunk in chunks) <= rows.LOG_CHUNK_CHARS
    lines = [line for chunk in chunks for line in chunk.text.split("\n")]
    assert chunks[-1].seq == 5_003 and chunks[0].seq == 5_003 - len(lines) + chunks[0].text.count("\n") + 1


def test_it_warns_once_and_not_without_end(recorder: Recorder) -> None:
    for number in range(MAX_WARNINGS + 10):
        recorder.warning("code", f"text {number}")
        recorder.warning("code", f"text {number}")
    assert RunEvent.objects.filter(kind="warning").count() == MAX_WARNINGS


def test_the_peak_of_the_processor_counts_under_load_only(recorder: Recorder) -> None:
    recorder.generator(99.0, 1_000, loaded=False)
    recorder.generator(30.04, 2_000, loaded=True)
    assert row_of(recorder.lease).generator == {"cpu_percent": 30.0, "rss_bytes": 2_000, "cpu_peak_percent": 30.0}


def test_it_closes_minutes_as_they_end(recorder: Recorder) -> None:
    for seq in range(1, 131):
        recorder.ticks([tick(seq, sample("/a"))])
    assert [row.t for row in tiers.read(recorder.run_id, 60)] == [T0, T0 + 60]
    recorder.finish_blocks()
    recorder.finish_blocks()
    assert sum(row.cells[0].requests for row in tiers.read(recorder.run_id, 60)) == 130


def test_a_minute_that_could_not_be_closed_is_closed_later(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.ticks([tick(60, sample("/a"))])
    with monkeypatch.context() as patch:
        patch.setattr(tiers, "close_spans", _raise)
        with pytest.raises(DatabaseError):
            recorder.ticks([tick(61, sample("/a"))])
    recorder.ticks([tick(61, sample("/a"))])
    recorder.ticks([tick(62, sample("/a"))])
    assert [row.t for row in tiers.read(recorder.run_id, 60)] == [T0]
    assert Run.objects.get().totals["requests"] == 3


def _raise(*_args: Any, **_options: Any) -> None:
    raise OperationalError("the connection broke")


@pytest.mark.parametrize(("requests", "untimed", "avg_ms"), [(6, 4, 100.0), (2, 2, None), (0, 0, None), (4, 0, 50.0)])
def test_an_average_is_of_requests_that_had_a_time(requests: int, untimed: int, avg_ms: float | None) -> None:
    row = EndpointTotals("GET", "/a", requests, 0, 200.0, None, None, 0, untimed=untimed)
    assert rows.endpoint_totals(row, 10)["avg_ms"] == avg_ms
