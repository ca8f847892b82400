"""Everything that is measured may be delivered again, and counts once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from apps.runs import recording, rows, tiers
from apps.runs.blocks import TOTAL
from apps.runs.models import Endpoint, Failure, LogChunk, Run, RunEvent, ScriptException
from apps.runs.recording import LOG_CHUNKS_KEPT, MAX_TABLE_ROWS, MAX_WARNINGS, Recorder
from apps.runs.rows import MAX_USERS
from tests.runs.makers import T0, held, row_of, sample, tick, totals
from workers.samples import ExceptionRow, FailureRow

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
    monkeypatch.setattr(recording, "MAX_ENDPOINTS", 3)
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
    assert len(chunks) == LOG_CHUNKS_KEPT
    assert max(len(chunk.text) for chunk in chunks) <= rows.LOG_CHUNK_CHARS
    assert [chunk.seq for chunk in chunks] == list(range(chunks[0].seq, chunks[0].seq + LOG_CHUNKS_KEPT))


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
