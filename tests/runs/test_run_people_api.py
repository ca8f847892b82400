"""REST of what people say and look up of a run: notes, the log, failing requests, Locust's own counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from django.utils import timezone

from apps.runs.models import LEADER, LogChunk, Run, RunEvent
from apps.runs.states import State
from apps.scenarios.models import Scenario
from apps.teams.models import ApiToken
from tests.factories import (
    EndpointFactory,
    FailureFactory,
    FailureSampleFactory,
    RunFactory,
    RunWorkerFactory,
    bearer,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool", "no_redis")]
RUNS = "/api/v1/runs/"
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def run(scenario: Scenario) -> Run:
    """Ten minutes from noon, over for long."""
    made = RunFactory.create(scenario=scenario, state=State.FINISHED)
    Run.objects.filter(pk=made.pk).update(created_at=BEGAN, started_at=BEGAN, finished_at=BEGAN + timedelta(minutes=10))
    made.refresh_from_db()
    return made


def note(client: Client, run: Run, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(f"{RUNS}{run.pk}/events/", body, content_type="application/json", headers=headers)


def read(client: Client, run: Run, path: str) -> Any:
    return client.get(f"{RUNS}{run.pk}/{path}").json()


# --- notes ----------------------------------------------------------------------------------------------------------


def test_a_note_is_of_a_moment_or_of_a_span(tess_client: Client, run: Run) -> None:
    moment = note(tess_client, run, text="deploy", at="2026-03-01T12:03:00Z").json()
    assert (moment["at"], moment["until"]) == ("2026-03-01T12:03:00.000Z", None)
    span = note(
        tess_client, run, text="failover", at="2026-03-01T13:04:00+01:00", until="2026-03-01T12:05:00.5Z"
    ).json()
    assert (span["at"], span["until"]) == ("2026-03-01T12:04:00.000Z", "2026-03-01T12:05:00.500Z")
    assert read(tess_client, run, "events/")["results"] == [moment, span]


def test_a_token_notes_its_deploy(run_token: ApiToken, run: Run) -> None:
    answer = note(Client(), run, bearer(run_token), text="1.4.2", at="2026-03-01T12:00:00Z")
    assert (answer.status_code, answer.json()["by"]) == (201, f"token:{run_token}")


def test_without_a_time_it_is_now(tess_client: Client, scenario: Scenario) -> None:
    waiting = RunFactory.create(scenario=scenario)
    before = timezone.now()
    for body in ({}, {"at": None, "until": None}):
        note(tess_client, waiting, text="hello", **body)
    for event in RunEvent.objects.all():
        assert before <= event.at <= timezone.now() and event.until is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"at": "2026-03-01T10:59:59Z"}, "at"),
        ({"at": "2026-03-01T13:10:01Z"}, "at"),
        ({"at": "2026-03-01T12:01:00Z", "until": "2026-03-01T12:00:59Z"}, "until"),
        ({"at": "2026-03-01T12:01:00Z", "until": "2026-03-02T12:00:00Z"}, "until"),
        ({"until": "2026-03-01T12:01:00Z"}, "at"),
        ({"at": "2026-03-01T12:00:00"}, "at"),
        ({"at": "noon"}, "at"),
        ({"at": 1772366400}, "at"),
        ({"at": True}, "at"),
        ({"at": ""}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "at"),
        ({"at": "2026-03-01T12:01:00Z", "until": ["x"]}, "until"),
        ({"at": "2026-03-01T12:01:00Z", "kind": "state"}, "kind"),
    ],
)
def test_a_note_that_cannot_be_about_the_run_is_refused(
    tess_client: Client, run: Run, body: dict[str, Any], field: str
) -> None:
    answer = note(tess_client, run, text="x", **body)
    assert answer.status_code == 400, answer.json()
    assert list(answer.json()["fields"]) == [field] and answer.json()["message"]
    assert not RunEvent.objects.exists()


def test_an_hour_around_the_run_is_about_it(tess_client: Client, run: Run) -> None:
    for at in ("2026-03-01T11:00:00Z", "2026-03-01T13:10:00Z"):
        assert note(tess_client, run, text="x", at=at).status_code == 201, at


def test_of_a_run_that_never_started_its_creation_counts(tess_client: Client, scenario: Scenario) -> None:
    waiting = RunFactory.create(scenario=scenario)
    assert (
        note(tess_client, waiting, text="x", at=(timezone.now() - timedelta(minutes=30)).isoformat()).status_code == 201
    )
    assert note(tess_client, waiting, text="x", at=(timezone.now() + timedelta(hours=2)).isoformat()).status_code == 400
    assert note(tess_client, waiting, text="x", at="2026-03-01T12:00:00Z").status_code == 400


# --- the log --------------------------------------------------------------------------------------------------------


def test_the_log_is_searched_at_the_server(tess_client: Client, run: Run) -> None:
    head = "[2026-11-21 04:12:52,123] host/"
    texts = [f"{head}INFO/a: one", f"{head}ERROR/a: two\n  trace <b>", "  more trace", f"{head}INFO/a: trace"]
    LogChunk.objects.bulk_create(
        LogChunk(run=run, seq=seq, text=text) for seq, text in zip((7, 9, 10, 11), texts, strict=True)
    )
    errors = read(tess_client, run, "log/?level=error")
    assert errors == {"seq": 11, "lines": [f"{head}ERROR/a: two", "  trace <b>", "  more trace"], "matches": 3}
    assert read(tess_client, run, "log/?search=TRACE")["matches"] == 3
    assert read(tess_client, run, "log/?search=trace&level=error&after=9")["lines"] == ["  more trace"]
    assert read(tess_client, run, "log/?search=nothing") == {"seq": 11, "lines": [], "matches": 0}
    assert read(tess_client, run, "log/?search=")["matches"] == 5


@pytest.mark.parametrize("query", ["level=loud", "level=ERROR", "level=error,info", f"search={'x' * 201}"])
def test_a_search_that_makes_no_sense_is_refused(tess_client: Client, run: Run, query: str) -> None:
    answer = tess_client.get(f"{RUNS}{run.pk}/log/?{query}")
    assert answer.status_code == 400 and list(answer.json()["fields"]) == [query.partition("=")[0]]


def test_a_search_is_bounded_and_text_not_a_pattern(tess_client: Client, run: Run) -> None:
    LogChunk.objects.bulk_create(LogChunk(run=run, seq=seq, text="\n".join(["(a+)+b"] * 500)) for seq in range(1, 11))
    body = tess_client.get(f"{RUNS}{run.pk}/log/", {"search": "(a+)+b"}).json()
    assert (body["matches"], len(body["lines"])) == (5000, 2000)
    assert tess_client.get(f"{RUNS}{run.pk}/log/", {"search": "\0"}).json()["matches"] == 0


def test_each_worker_has_a_log_of_its_own(tess_client: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(workers=2)
    for index in range(2):
        RunWorkerFactory.create(run=run, index=index)
    head = "[2026-11-21 04:12:52,123] host/"
    for writer, texts in ((LEADER, ["of the master"]), (0, ["one", f"{head}ERROR/a: two"]), (1, [])):
        LogChunk.objects.bulk_create(
            LogChunk(run=run, worker=writer, seq=seq, text=text) for seq, text in enumerate(texts, start=1)
        )
    assert read(tess_client, run, "log/")["lines"] == ["of the master"]
    assert read(tess_client, run, "log/?worker=0") == {"seq": 2, "lines": ["one", f"{head}ERROR/a: two"], "matches": 2}
    assert read(tess_client, run, "log/?worker=0&after=1")["lines"] == [f"{head}ERROR/a: two"]
    assert read(tess_client, run, "log/?worker=0&level=error")["lines"] == [f"{head}ERROR/a: two"]
    assert read(tess_client, run, "log/?worker=0&search=ONE")["lines"] == ["one"]
    assert read(tess_client, run, "log/?worker=1") == {"seq": 0, "lines": [], "matches": 0}


def test_the_log_of_the_only_worker_is_the_runs(tess_client: Client, run: Run) -> None:
    RunWorkerFactory.create(run=run)
    LogChunk.objects.create(run=run, seq=1, text="one")
    assert read(tess_client, run, "log/?worker=0") == read(tess_client, run, "log/")


def test_the_log_of_a_worker_that_is_not_there_is_not_there(tess_client: Client, run: Run) -> None:
    RunWorkerFactory.create(run=run, index=2)
    RunWorkerFactory.create(index=3)  # of another run
    for index in (0, 3, 99_999):
        answer = tess_client.get(f"{RUNS}{run.pk}/log/?worker={index}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert f"no worker {index}" in answer.json()["message"]


@pytest.mark.parametrize("worker", ["x", "-1", "0,1", "1.5", "9" * 30, "%C2%B2", "%00"])
def test_a_worker_that_is_nonsense_is_refused(tess_client: Client, run: Run, worker: str) -> None:
    answer = tess_client.get(f"{RUNS}{run.pk}/log/?worker={worker}")
    assert answer.status_code == 400 and list(answer.json()["fields"]) == ["worker"]


# --- failing requests -----------------------------------------------------------------------------------------------


def test_a_failure_has_its_samples(tess_client: Client, run: Run) -> None:
    FailureFactory.create(run=run, index=4, error="boom", occurrences=9)
    FailureFactory.create(run=run, index=7, error="other", occurrences=3)
    details: dict[str, Any] = {"request_headers": {"Authorization": "••••"}, "body": "<script>", "body_bytes": 5000}
    for second in (2, 1):
        FailureSampleFactory.create(
            run=run, failure=4, at=BEGAN + timedelta(seconds=second), response_ms=1.23456, **details
        )
    FailureSampleFactory.create(failure=4)  # of another run
    rows = read(tess_client, run, "failures/")["results"]
    assert [(row["index"], row["error"], row["samples"]) for row in rows] == [(4, "boom", 2), (7, "other", 0)]
    samples = read(tess_client, run, "failures/4/samples/")["results"]
    assert [row["at"] for row in samples] == ["2026-03-01T12:00:01.000Z", "2026-03-01T12:00:02.000Z"]
    assert samples[0] | details == samples[0]
    assert (samples[0]["status"], samples[0]["response_ms"]) == (500, 1.235)
    assert read(tess_client, run, "failures/7/samples/")["results"] == []


@pytest.mark.parametrize("index", ["5", "99999999999999999999"])
def test_a_failure_that_is_not_there_has_none(tess_client: Client, run: Run, index: str) -> None:
    FailureFactory.create(index=5)
    assert tess_client.get(f"{RUNS}{run.pk}/failures/{index}/samples/").status_code == 404


# --- counts ---------------------------------------------------------------------------------------------------------


def test_endpoints_are_compared_with_locust(tess_client: Client, run: Run) -> None:
    EndpointFactory.create(run=run, index=0, name="/a", totals={"requests": 10}, locust_requests=11)
    EndpointFactory.create(run=run, index=1, name="/b", totals={"requests": 10})
    rows = read(tess_client, run, "endpoints/")["results"]
    assert [(row["locust"], row["difference"]) for row in rows] == [(11, -1), (None, None)]


def test_junit_and_the_report_tell_both_counts(tess_client: Client, run: Run) -> None:
    EndpointFactory.create(run=run, name="/a", totals={"requests": 10, "p99_ms": None}, locust_requests=11)
    suite = ET.fromstring(tess_client.get(f"{RUNS}{run.pk}/junit.xml").content)
    assert suite.findall("testcase")[1].findtext("system-out") == "requests 10, counted by Locust 11"
    report = tess_client.get(f"{RUNS}{run.pk}/report.json").json()
    assert [(row["locust"], row["difference"]) for row in report["endpoints"]] == [(11, -1)]
    assert report["run"]["collector"] == "exact"
