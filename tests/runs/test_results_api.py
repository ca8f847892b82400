"""REST of a run's figures and files: what is asked wrongly, and what leaves as a file."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client

from apps.runs import exports, junit, series
from apps.runs.exports import harmless, harmless_csv
from apps.runs.models import Run
from apps.runs.states import State
from apps.scenarios.models import Scenario
from tests.factories import ArtifactFactory, EndpointFactory, FailureFactory, RunFactory, RunWorkerFactory

pytestmark = pytest.mark.django_db
HOSTILE = ["a,b", 'say "hi"', "two\nlines", "=1+1", "🦗", "+cmd|x", "-1+1", "@SUM(A1)", "\tx", "\rx", "<b>&amp;</b>"]


@pytest.fixture
def run(scenario: Scenario) -> Run:
    return RunFactory.create(scenario=scenario, number=7, state=State.FINISHED)


def keep(run: Run, name: str, content: bytes) -> None:
    artifact = ArtifactFactory.create(run=run, name=name, size=len(content))
    storages["artifacts"].delete(artifact.path)
    storages["artifacts"].save(artifact.path, ContentFile(content))


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def get(client: Client, run: Run, path: str) -> Any:
    return client.get(f"/api/v1/runs/{run.pk}/{path}")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("metrics=speed", "metrics"),
        ("metrics=rps,users,__class__", "metrics"),
        ("points=0", "points"),
        ("points=5001", "points"),
        ("points=x", "points"),
        ("points=-1", "points"),
        ("from=yesterday", "from"),
        ("to=99999999999999999999", "to"),
        ("to=" + "9" * 5_000, "to"),
        ("from=-5", "from"),
        ("endpoint=x", "endpoint"),
        ("endpoint=-1", "endpoint"),
        ("endpoint=65535", "endpoint"),
        ("endpoint=12345678901", "endpoint"),
        ("endpoint=" + ",".join(["0"] * 101), "endpoint"),
        ("endpoint=%C2%B2", "endpoint"),
        ("worker=x", "worker"),
        ("worker=-1", "worker"),
        ("worker=0,1", "worker"),
        ("worker=99999", "worker"),
        ("worker=" + "9" * 30, "worker"),
    ],
)
def test_it_names_the_parameter_that_is_wrong(tess_client: Client, run: Run, query: str, field: str) -> None:
    answer = get(tess_client, run, f"series/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_a_metric_that_is_none_is_told_which_there_are(tess_client: Client, run: Run) -> None:
    body = get(tess_client, run, "series/?metrics=rps,speed").json()
    assert body["code"] == "bad_metric" and "“speed”" in body["message"]
    assert all(f" {name}" in body["message"] for name in series.metric_names())


def test_it_answers_for_several_endpoints(tess_client: Client, run: Run) -> None:
    for index in (0, 3):
        EndpointFactory.create(run=run, index=index)
    query = "endpoint=null&endpoint=0,3,3,null&metrics=rps,p95,rps&from=2026-01-31T12:00:00Z&to=1800000000&points=10"
    body = get(tess_client, run, f"series/?{query}").json()
    assert [line["endpoint"] for line in body["series"]] == [None, 0, 3]
    assert all(line["rps"] == line["p95"] == [] for line in body["series"])
    assert (body["from"], body["t"], body["step_s"]) == (None, [], 1)


def test_a_worker_that_is_none_of_the_run_is_named(tess_client: Client, run: Run) -> None:
    RunWorkerFactory.create(run=run, index=2)
    RunWorkerFactory.create(index=3)
    assert get(tess_client, run, "series/?worker=2&metrics=rps,users,cpu_percent,lag_ms,rss_bytes").status_code == 200
    body = get(tess_client, run, "series/?worker=3").json()
    assert body["code"] == "no_worker" and "worker 3" in body["message"]


def test_the_log_of_a_worker_is_a_file(tess_client: Client, run: Run) -> None:
    keep(run, "worker-3.log", b"a line\n")
    answer = get(tess_client, run, "worker-3.log")
    assert (answer.status_code, body_of(answer)) == (200, b"a line\n")
    assert answer["Content-Type"].startswith("text/plain") and "attachment" in answer["Content-Disposition"]
    assert get(tess_client, run, "worker-4.log").status_code == 404


# --- cells --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t1", "\r1", "\n1", "-", "+", "=", "-inf", "+1_0", "\uff1d1"]
)
def test_it_quotes_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(";=1", ";'=1"), ("a;@b;-1;c", "a;'@b;'-1;c"), ("\t=1", "'\t'=1"), ("a\n =1", "a\n' =1"), ("a;b", "a;b")],
)
def test_it_quotes_a_formula_behind_another_separator(cell: str, shown: str) -> None:
    assert harmless(cell) == shown


@pytest.mark.parametrize("cell", ["", "1", "-1", "+1.5", "-1e-05", "1,5", "GET", "N/A", "/a=b", " =1", "🦗"])
def test_it_leaves_numbers_and_plain_text(cell: str) -> None:
    assert harmless(cell) == cell


def test_a_table_of_hostile_names_comes_back(tess_client: Client, run: Run) -> None:
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["Name", "Count"], *([name, "-5"] for name in HOSTILE)])
    keep(run, "stats.csv", table.getvalue().encode())
    answer = get(tess_client, run, "stats.csv")
    rows = list(csv.reader(io.StringIO(body_of(answer).decode(), newline="")))
    assert rows == [["Name", "Count"], *([harmless(name), "-5"] for name in HOSTILE)]
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="checkout-7-stats.csv"'


def test_it_ends_a_table_that_is_none(caplog: pytest.LogCaptureFixture) -> None:
    assert list(harmless_csv(["a,b\n", '"' + "x" * (exports.MAX_CELL_CHARS + 1)])) == ["a,b\r\n"]
    assert "ends before its end" in caplog.text


def test_it_reads_a_line_without_end_in_pieces() -> None:
    pieces = list(exports._pieces(io.StringIO("x" * (exports.MAX_CELL_CHARS * 2 + 5))))
    assert [len(piece) for piece in pieces] == [exports.MAX_CELL_CHARS, exports.MAX_CELL_CHARS, 5]


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("report.html", "text/html; charset=utf-8"),
        ("locust.log", "text/plain; charset=utf-8"),
        ("stats_history.csv", "text/csv; charset=utf-8"),
    ],
)
def test_a_download_is_saved_and_never_shown(tess_client: Client, run: Run, name: str, kind: str) -> None:
    keep(run, name, b"<script>alert(1)</script>")
    for path in (f"/api/v1/runs/{run.pk}/{name}", f"/runs/{run.pk}/files/{name}"):
        answer = tess_client.get(path)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="checkout-7-{name}"'
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert b"<script>" in body_of(answer)


def test_the_report_is_framed_without_an_origin(tess_client: Client, run: Run) -> None:
    keep(run, "report.html", b"<script>alert(1)</script>")
    answer = tess_client.get(f"/runs/{run.pk}/report/")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'self'" and policy["frame-src"] == "'none'"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in answer.headers and body_of(answer) == b"<script>alert(1)</script>"


@pytest.mark.parametrize("name", ["stats.csv", "report.html", "locust.log"])
@pytest.mark.parametrize("row", [False, True], ids=["never kept", "removed from storage"])
def test_a_file_that_is_not_there_is_missing(tess_client: Client, run: Run, name: str, row: bool) -> None:
    if row:
        ArtifactFactory.create(run=run, name=name)
    answer = get(tess_client, run, name)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert tess_client.get(f"/runs/{run.pk}/files/{name}").status_code == 404
    assert tess_client.get(f"/runs/{run.pk}/report/").status_code == 404


@pytest.mark.parametrize("name", ["stats.csv", "report.html"])
def test_a_file_of_a_run_that_is_on_is_said_to_come(
    tess_client: Client, charlie_client: Client, run: Run, name: str
) -> None:
    Run.objects.filter(pk=run.pk).update(state=State.RUNNING)
    answer = get(tess_client, run, name)
    assert (answer.status_code, answer.json()["code"]) == (409, "run_active")
    assert f"{name} is there when it is over" in answer.json()["message"]
    assert tess_client.get(f"/runs/{run.pk}/files/{name}").status_code == 409
    assert get(charlie_client, run, name).status_code == 404
    assert get(tess_client, run, "secret_key").status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "secret_key",
        "..%2f..%2fsecret_key",
        "../../secret_key",
        "%2e%2e/stats.csv",
        "stats.csv/",
        "STATS.CSV",
        "stats.csv%00",
    ],
)
def test_no_other_name_leads_anywhere(tess_client: Client, run: Run, name: str) -> None:
    keep(run, "stats.csv", b"a\n")
    assert get(tess_client, run, name).status_code == 404
    assert tess_client.get(f"/runs/{run.pk}/files/{name}").status_code == 404


def test_the_whole_result_is_one_json(tess_client: Client, run: Run) -> None:
    EndpointFactory.create(run=run, name="=1+1")
    FailureFactory.create(run=run)
    answer = get(tess_client, run, "report.json")
    body = json.loads(answer.content)
    tables = {"endpoints", "failures", "exceptions", "workers", "identities", "events"}
    assert set(body) == {"run", "phases", *tables}
    assert body["run"]["id"] == str(run.pk) and body["endpoints"][0]["name"] == "=1+1"
    assert answer.headers["Content-Disposition"].startswith("attachment")


# --- JUnit --------------------------------------------------------------------------------------------------------


def test_junit_is_xml_whatever_names_say(tess_client: Client, run: Run) -> None:
    names = [*HOSTILE, "]]>", "nul-free \x01\x1b[31m", "\ufffe", "x" * 500]
    for index, name in enumerate(names):
        EndpointFactory.create(run=run, index=index, name=name, totals={"requests": 3, "avg_ms": 12.5})
    suite = ET.fromstring(get(tess_client, run, "junit.xml").content)  # our own
    cases = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("failures"), len(cases)) == (str(1 + len(names)), "0", 1 + len(names))
    assert [case.get("name") for case in cases[1:6]] == [f"GET {name}" for name in names[:5]]
    assert cases[1].get("time") == "0.013" or cases[1].get("time") == "0.012"
    assert cases[1].findtext("system-out") == "requests 3"


@pytest.mark.parametrize(
    ("state", "verdict", "failures", "kind"),
    [
        (State.FINISHED, "none", "0", None),
        (State.FINISHED, "passed", "0", None),
        (State.FINISHED, "invalid", "1", "invalid"),
        (State.FAILED, "none", "1", "failed"),
        (State.LOST, "invalid", "1", "invalid"),
    ],
)
def test_junit_fails_as_the_run_did(run: Run, state: State, verdict: str, failures: str, kind: str | None) -> None:
    run.state, run.verdict, run.reason, run.diagnosis = state, verdict, "locustfile_error", {"message": "bad \x00 line"}
    suite = ET.fromstring(junit.render(run))  # our own
    found = suite.find("testcase/failure")
    assert suite.get("failures") == failures
    assert (found.get("type") if found is not None else None) == kind
    assert found is None or found.get("message") == "bad � line"


def test_junit_skips_a_run_that_goes_on(run: Run) -> None:
    run.state = State.RUNNING
    suite = ET.fromstring(junit.render(run))  # our own
    assert suite.find("testcase/skipped") is not None and suite.get("failures") == "0"
