"""The end of a run: what is doubted, what is kept, and what is left where it is."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from apps.runs import finish
from apps.runs.models import Artifact, Endpoint, Failure, Run, ScriptException
from apps.runs.recording import Recorder
from apps.runs.states import INVALID_REASONS, State
from tests.factories import ArtifactFactory, RunFactory
from tests.runs.makers import T0, counted, final, held, row_of, sample, tick, totals
from workers.diagnosis import Diagnosis
from workers.outcome import Outcome, Reason
from workers.samples import ExceptionRow, FailureRow

pytestmark = pytest.mark.django_db
GOOD = {"collected": 10, "locust": 10, "difference": 0, "source": "final", "endpoints": []}


def doubts(result: dict[str, Any] | None = None, run: dict[str, Any] | None = None, **outcome: Any) -> list[str]:
    row = Run(**{"users": 5, "peak_users": 5, **(run or {})})
    ended = Outcome(**{"reason": Reason.RUN_TIME_OVER, **outcome})
    return finish.doubts(row, {"reconciliation": {**GOOD, **(result or {})}}, ended)


def test_it_does_not_doubt_a_good_run() -> None:
    assert doubts() == []


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("no_final_totals", {"result": {"source": "stats_csv"}}),
        ("no_final_totals", {"result": {"locust": None, "difference": None, "source": None}}),
        ("counts_differ", {"result": {"difference": 1}}),
        ("counts_differ", {"result": {"difference": -1}, "warnings": {"stats_cleared": "…"}}),
        ("collector_gap", {"dropped_ticks": 1}),
        ("collector_gap", {"warnings": {"collector_stalled": "…"}}),
        ("collector_gap", {"warnings": {"samples_lost": "…"}}),
        ("users_not_reached", {"run": {"peak_users": 4}}),
        ("generator_cpu", {"warnings": {"generator_cpu": "…"}}),
    ],
)
def test_it_doubts(code: str, case: dict[str, Any]) -> None:
    assert code in INVALID_REASONS
    assert doubts(**case) == [code]


@pytest.mark.parametrize(
    "case",
    [
        {"reason": Reason.STOP_REQUESTED},
        {"reason": Reason.ABORT_REQUESTED},
        {"reason": Reason.DEPLOY},
        {"reason": Reason.SCRIPT_QUIT},
        {"own_shape": "Steady"},
        {"run": {"peak_users": 1, "steering_revision": 1}},
        {"run": {"peak_users": 1, "stages": [{"duration": 5, "users": 5, "spawn_rate": 1}]}},
    ],
)
def test_it_does_not_expect_users_that_had_no_chance(case: dict[str, Any]) -> None:
    assert doubts(**{"run": {"peak_users": 1}, **case}) == []


def test_locust_may_have_less_when_the_script_cleared_its_count() -> None:
    assert doubts(result={"difference": 4}, warnings={"stats_cleared": "…"}) == []


def test_it_tells_the_weightiest_first() -> None:
    case: dict[str, Any] = {"warnings": {"generator_cpu": "…", "bad_rows": "…"}, "run": {"peak_users": 0}}
    found = doubts(result={"difference": 5, "source": "stats_csv"}, **case)
    assert found == ["no_final_totals", "counts_differ", "collector_gap", "users_not_reached", "generator_cpu"]


@pytest.mark.parametrize(
    ("reason", "state", "verdict"),
    [
        ("run_time_over", State.FINISHED, "invalid"),
        ("script_quit", State.FINISHED, "invalid"),
        ("stop_requested", State.STOPPED, "invalid"),
        ("abort_requested", State.STOPPED, "invalid"),
        ("deploy", State.STOPPED, "invalid"),
        ("no_requests", State.FAILED, "none"),
        ("locustfile_error", State.FAILED, "none"),
        ("timeout", State.FAILED, "none"),
    ],
)
def test_it_ends_by_its_reason(reason: str, state: State, verdict: str) -> None:
    lease = held(State.STOPPING)
    finish.end(lease, reason=reason, fields={"current_users": 0}, doubt=["counts_differ"])
    run = row_of(lease)
    assert (run.state, run.reason, run.verdict) == (state, reason, verdict)
    assert run.verdict_reasons == (["counts_differ"] if verdict == "invalid" else [])
    assert run.finished_at and run.lease_until is None


def test_it_files_results_and_may_be_asked_again() -> None:
    recorder = Recorder(held())
    recorder.ticks([tick(seq, sample("/a", 2), sample("/b", 1)) for seq in range(1, 6)])
    outcome = Outcome(Reason.RUN_TIME_OVER, final=final(totals("/a", 10), totals("/b", 5)))
    once = finish.file_results(recorder, outcome)
    assert finish.file_results(recorder, outcome) == once
    assert once["reconciliation"]["difference"] == 0 and once["reconciliation"]["endpoints"] == []
    assert once["totals"]["requests"] == 15 and once["totals"]["rps"] == 3.0


def test_it_files_a_run_that_measured_nothing() -> None:
    fields = finish.file_results(Recorder(held()), Outcome(Reason.LOCUST_KILLED))
    assert fields["reconciliation"]["collected"] == 0
    assert "totals" not in fields


def test_the_figures_are_ours_where_we_counted_every_request() -> None:
    recorder = Recorder(held())
    recorder.ticks([tick(1, counted("/a", {100: 3}), counted("/b", {200: 1}))])
    failure = FailureRow("GET", "/a", "500", 2, T0, T0 + 1, index=0)
    own = replace(final(totals("/a", 3), totals("/b", 1), source="collected"), failures=[failure])
    other = FailureRow("GET", "/a", "500 as Locust says it", 3, None, None)
    boom = ExceptionRow(1, "boom", "Traceback")
    locust = replace(final(totals("/a", 3), totals("/gone", 2)), failures=[other], exceptions=[boom])
    fields = finish.file_results(recorder, Outcome(Reason.RUN_TIME_OVER, final=locust, collected=own))
    assert fields["totals"]["requests"] == 4
    assert (fields["reconciliation"]["collected"], fields["reconciliation"]["locust"]) == (4, 5)
    assert [(row["name"], row["difference"]) for row in fields["reconciliation"]["endpoints"]] == [("/gone", -2)]
    assert list(Endpoint.objects.values_list("name", "locust_requests", "totals__requests")) == [
        ("/a", 3, 3),
        ("/b", None, 1),
        ("/gone", 2, None),
    ]
    assert Failure.objects.get().error == "500" and ScriptException.objects.get().message == "boom"


def test_the_figures_are_ours_when_locust_never_said() -> None:
    recorder = Recorder(held())
    recorder.ticks([tick(1, counted("/a", {100: 3}))])
    own = final(totals("/a", 3), source="collected")
    fields = finish.file_results(recorder, Outcome(Reason.LOCUST_KILLED, collected=own))
    assert fields["totals"]["requests"] == 3 and fields["totals"]["p999_ms"] is None
    assert fields["reconciliation"] == {
        "collected": 3, "locust": None, "difference": None, "source": None, "endpoints": []
    }  # fmt: skip


def test_it_explains_in_the_form_of_the_run() -> None:
    assert finish.diagnosis(None) == {}
    found = finish.diagnosis(Diagnosis("import_error", "No module", 3, traceback="Traceback"))
    assert found == {"code": "import_error", "message": "No module", "line": 3, "traceback": "Traceback"}


def test_it_writes_the_history_from_what_is_stored(tmp_path: Path) -> None:
    recorder, renewed = Recorder(held()), []
    for seq in range(1, 76):
        slow = [counted("/slow", {300: 1})] if seq == 75 else []
        recorder.ticks([tick(seq, counted("/a,b", {100: 2, 150: 1}), *slow, users=seq)])
    recorder.finish_blocks()
    path = finish.write_history(recorder.run_id, tmp_path, renew=lambda: renewed.append(1))
    assert path is not None
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["Type"], line["Name"]) for line in lines[-3:]] == [
        ("GET", "/a,b"),
        ("GET", "/slow"),
        ("", "Aggregated"),
    ]
    last = lines[-1]
    assert (last["Timestamp"], last["User Count"], last["Total Request Count"]) == (str(T0 + 74), "75", "226")
    assert len([line for line in lines if line["Name"] == "Aggregated"]) == 75
    assert len(renewed) == 2


def test_there_is_no_history_of_nothing(tmp_path: Path) -> None:
    assert finish.write_history(held().run_id, tmp_path, renew=lambda: None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_script_cannot_choose_where_the_history_is_written(tmp_path: Path) -> None:
    recorder = Recorder(held())
    recorder.ticks([tick(1, counted("/a", {100: 2}))])
    first, second = (finish.write_history(recorder.run_id, tmp_path, renew=lambda: None) for _ in range(2))
    assert first and second and first != second and not first.is_symlink() and first.stat().st_mode & 0o077 == 0


# --- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stats.csv").write_bytes(b"a,b\n")
    return tmp_path


def test_it_keeps_files_and_may_be_asked_again(folder: Path) -> None:
    run = RunFactory.create()
    for content in (b"a,b\n", b"a,b,c\n"):
        (folder / "stats.csv").write_bytes(content)
        finish.keep_files(run.pk, {"stats.csv": folder / "stats.csv", "locust.log": folder / "missing"})
    kept = Artifact.objects.get()
    assert (kept.name, kept.path, kept.size) == ("stats.csv", f"{run.pk}/stats.csv", 6)
    assert kept.sha256 == hashlib.sha256(b"a,b,c\n").hexdigest()
    assert storages["artifacts"].listdir(str(run.pk)) == ([], ["stats.csv"])
    with storages["artifacts"].open(kept.path) as stored:
        assert stored.read() == b"a,b,c\n"


@pytest.mark.parametrize("kind", ["symlink", "fifo", "hardlink", "folder", "oversize", "empty"])
def test_it_leaves_what_is_no_plain_file_of_its_own(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bait = folder / "bait"
    match kind:
        case "symlink":
            bait.symlink_to("/etc/passwd")
        case "fifo":
            os.mkfifo(bait)
        case "hardlink":
            bait.hardlink_to(folder / "stats.csv")
        case "folder":
            bait.mkdir()
        case "oversize":
            monkeypatch.setattr(finish, "MAX_ARTIFACT_BYTES", 3)
            bait.write_bytes(b"four")
        case _:
            bait.touch()
    run = RunFactory.create()
    finish.keep_files(run.pk, {"report.html": bait})
    assert not Artifact.objects.exists()
    assert not storages["artifacts"].exists(str(run.pk))


def test_it_removes_files_of_runs_that_are_gone() -> None:
    finish.delete_stray_files()  # what other tests left
    storage, kept = storages["artifacts"], ArtifactFactory.create()
    storage.save(kept.path, ContentFile(b"kept"))
    gone = str(uuid4())
    storage.save(f"{gone}/stats.csv", ContentFile(b"stray"))
    storage.save("not-a-run/stats.csv", ContentFile(b"not ours"))
    assert finish.delete_stray_files() == 1
    assert not storage.exists(gone)
    assert storage.exists(kept.path) and storage.exists("not-a-run/stats.csv")
    assert finish.delete_stray_files() == 0
