"""REST of runs: start, list, read, stop, annotate."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.runs.models import LogChunk, Run, RunEvent
from apps.runs.states import State
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import ApiToken, Project
from tests.factories import (
    EndpointFactory,
    PoolFactory,
    RunFactory,
    RunWorkerFactory,
    ScenarioFactory,
    ScenarioVersionFactory,
    bearer,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool", "no_redis")]
RUNS = "/api/v1/runs/"


@pytest.fixture
def run(scenario: Scenario) -> Run:
    return RunFactory.create(scenario=scenario)


def post(client: Client, path: str, body: Any = None, **headers: Any) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers or None)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


# --- starting -----------------------------------------------------------------------------------------------------


def test_it_starts_a_run(tess_client: Client, version: ScenarioVersion) -> None:
    began = time.monotonic()
    answer = post(tess_client, RUNS, {"scenario": "checkout", "users": 3, "run_time": "5m", "labels": {"sha": "1f"}})
    assert time.monotonic() - began < 5  # Redis is away
    run = Run.objects.get()
    assert answer.status_code == 202, answer.json()
    assert answer.headers["Location"] == f"{RUNS}{run.pk}/"
    body = answer.json()
    assert (body["state"], body["number"], body["users"], body["run_time_s"]) == ("queued", 1, 3, 300.0)
    assert (body["queue_position"], body["version"], body["labels"]) == (1, version.number, {"sha": "1f"})
    assert body["project"]["slug"] == "shop" and body["requested_by"] == "user:tess"
    assert tess_client.get(answer.headers["Location"]).json()["id"] == str(run.pk)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"users": 0}, "users"),
        ({"users": -1}, "users"),
        ({"users": 1.5}, "users"),
        ({"users": "5"}, "users"),
        ({"users": 10**9}, "users"),
        ({"spawn_rate": 0}, "spawn_rate"),
        ({"spawn_rate": "fast"}, "spawn_rate"),
        ({"run_time": -5}, "run_time"),
        ({"run_time": "5x"}, "run_time"),
        ({"run_time": 0}, "run_time"),
        ({"run_time": "9999999h"}, "run_time"),
        ({"host": "javascript:alert(1)"}, "host"),
        ({"env": {"PATH": "/tmp"}}, "env"),
        ({"env": [1]}, "env"),
        ({"tags": "a"}, "tags"),
        ({"stages": [{"duration": "1m"}]}, "stages"),
        ({"workers": 0}, "workers"),
        ({"workers": 1.5}, "workers"),
        ({"workers": 501}, "workers"),
        ({"workers": 6, "users": 5}, "workers"),
        ({"on_lost": "shrug"}, "on_lost"),
        ({"when_full": 1}, "when_full"),
        ({"pool": "nowhere"}, "pool"),
        ({"version": 99}, "version"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {"nul \0": "x"}}, "labels"),
        ({"note": "x" * 501}, "note"),
        ({"scenario": 1}, "scenario"),
        ({"user": 1}, "user"),
        ({"state": "finished"}, "state"),
    ],
)
@pytest.mark.usefixtures("version")
def test_it_names_the_field_that_is_wrong(tess_client: Client, given: dict[str, Any], field: str) -> None:
    answer = post(tess_client, RUNS, {"scenario": "checkout", **given})
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"code", "message", "fields"} and body["message"]
    assert [name.partition(".")[0] for name in body["fields"]] == [field]
    assert not Run.objects.exists() and not RunEvent.objects.exists()


@pytest.mark.parametrize(("given", "field"), [({"scenario": "nope"}, "scenario"), ({"project": "nope"}, "project")])
@pytest.mark.usefixtures("version")
def test_it_names_the_field_of_what_is_not_there(tess_client: Client, given: dict[str, str], field: str) -> None:
    answer = post(tess_client, RUNS, {"scenario": "checkout", **given})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert list(answer.json()["fields"]) == [field]


@pytest.mark.parametrize("text", ['{"scenario":"checkout","spawn_rate":NaN}', "[]", "{", "1e999", '"x"'])
@pytest.mark.usefixtures("version")
def test_it_refuses_what_is_no_request(tess_client: Client, text: str) -> None:
    assert post(tess_client, RUNS, text).status_code == 400
    assert not Run.objects.exists()


@pytest.mark.usefixtures("version")
def test_it_refuses_a_rate_that_is_infinite(tess_client: Client) -> None:
    answer = post(tess_client, RUNS, '{"scenario":"checkout","spawn_rate":1e999}')
    assert answer.status_code == 400 and list(answer.json()["fields"]) == ["spawn_rate"]


@pytest.mark.usefixtures("version")
def test_the_same_key_starts_one_run(run_token: ApiToken) -> None:
    headers = {**bearer(run_token), "Idempotency-Key": "build-7"}
    answers = [post(Client(), RUNS, {"scenario": "checkout"}, **headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"] and Run.objects.count() == 1
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    other = post(Client(), RUNS, {"scenario": "checkout", "users": 9}, **headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.usefixtures("version")
def test_others_may_not_start(vic_client: Client, charlie_client: Client, read_token: ApiToken) -> None:
    assert post(vic_client, RUNS, {"scenario": "checkout"}).status_code == 403
    assert post(Client(), RUNS, {"scenario": "checkout"}, **bearer(read_token)).status_code == 403
    assert post(charlie_client, RUNS, {"scenario": "checkout"}).status_code == 404
    assert not Run.objects.exists()


# --- lists --------------------------------------------------------------------------------------------------------


def test_it_filters(tess_client: Client, blog: Project, run: Run, scenario: Scenario) -> None:
    done = RunFactory.create(scenario=scenario, state=State.FINISHED)
    lost = RunFactory.create(scenario=scenario, state=State.LOST)
    other = RunFactory.create(scenario=ScenarioFactory.create(project=blog, slug="read"), state=State.RUNNING)
    names = {str(row.pk): name for row, name in ((run, "queued"), (done, "done"), (lost, "lost"), (other, "other"))}

    def found(query: str) -> list[str]:
        return [names[row] for row in ids(tess_client.get(f"{RUNS}?{query}"))]

    assert found("") == ["other", "lost", "done", "queued"]
    assert found("project=shop") == found(f"project={scenario.project_id}") == ["lost", "done", "queued"]
    assert found("scenario=read") == ["other"]
    assert found("scenario=checkout&state=lost") == ["lost"]
    assert found("state=finished,lost") == ["lost", "done"]
    assert found("state=active") == ["other", "queued"]


@pytest.mark.parametrize("query", ["state=paused", "state=active,lost", "state=,"])
def test_it_refuses_a_state_that_is_none(tess_client: Client, query: str) -> None:
    answer = tess_client.get(f"{RUNS}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_state")


@pytest.mark.parametrize(
    "query", ["project=nowhere", "scenario=nowhere", "project=depot", "project=%00", "cursor=nonsense"]
)
def test_it_does_not_find_what_is_not_there(tess_client: Client, depot: Project, query: str) -> None:
    assert tess_client.get(f"{RUNS}?{query}").status_code == 404


def test_it_pages(tess_client: Client, scenario: Scenario) -> None:
    made = [str(RunFactory.create(scenario=scenario).pk) for _ in range(5)]
    first = tess_client.get(f"{RUNS}?page_size=2")
    second = tess_client.get(first.json()["next"])
    third = tess_client.get(second.json()["next"])
    assert ids(first) + ids(second) + ids(third) == made[::-1]
    assert third.json()["next"] is None
    assert ids(tess_client.get(second.json()["previous"])) == ids(first)


@pytest.mark.parametrize("count", [1, 50])
def test_it_lists_with_as_many_queries_however_many_runs_wait(
    tess_client: Client, scenario: Scenario, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = ScenarioVersionFactory.create(scenario=scenario)
    for _ in range(count):
        RunFactory.create(scenario=scenario, version=version)
    with django_assert_num_queries(5):  # session, user, memberships, ids, runs
        rows = tess_client.get(RUNS).json()["results"]
    assert [row["queue_position"] for row in rows] == list(range(count, 0, -1))


def test_only_runs_before_it_in_its_pool_count_in_the_queue(tess_client: Client, scenario: Scenario) -> None:
    RunFactory.create(pool=PoolFactory.create())
    RunFactory.create(state=State.RUNNING)
    first, second = RunFactory.create(), RunFactory.create(scenario=scenario)
    assert tess_client.get(f"{RUNS}{second.pk}/").json()["queue_position"] == 2
    Run.objects.filter(pk=first.pk).update(state=State.CLAIMED)
    assert tess_client.get(f"{RUNS}{second.pk}/").json()["queue_position"] == 1


# --- one run ------------------------------------------------------------------------------------------------------


def test_it_stops_and_aborts(tess_client: Client, run: Run) -> None:
    Run.objects.update(state=State.RUNNING)
    answer = post(tess_client, f"{RUNS}{run.pk}/stop/")
    assert (answer.status_code, answer.json()["state"], answer.json()["stopped_by"]) == (202, "running", "user:tess")
    assert post(tess_client, f"{RUNS}{run.pk}/abort/").status_code == 202
    Run.objects.update(state=State.STOPPED)
    for action in ("stop", "abort"):
        answer = post(tess_client, f"{RUNS}{run.pk}/{action}/")
        assert (answer.status_code, answer.json()["code"]) == (409, "run_over")


def test_a_waiting_run_that_is_stopped_has_no_place_any_more(tess_client: Client, run: Run) -> None:
    body = post(tess_client, f"{RUNS}{run.pk}/stop/").json()
    assert (body["state"], body["reason"], body["queue_position"]) == ("stopped", "stop_requested", None)
    assert body["reason_text"] == "Somebody stopped it."


def test_it_takes_notes(tess_client: Client, run: Run) -> None:
    answer = post(tess_client, f"{RUNS}{run.pk}/events/", {"text": "deployed <b>"})
    assert (answer.status_code, answer.json()["text"], answer.json()["by"]) == (201, "deployed <b>", "user:tess")
    (event,) = tess_client.get(f"{RUNS}{run.pk}/events/").json()["results"]
    assert event == answer.json()
    for bad in ({}, {"text": ""}, {"text": 1}, {"text": "x" * 501}, {"text": "x", "by": "user:alice"}):
        assert post(tess_client, f"{RUNS}{run.pk}/events/", bad).status_code == 400
    assert RunEvent.objects.count() == 1


def test_a_viewer_reads_and_changes_nothing(vic_client: Client, run: Run) -> None:
    assert vic_client.get(f"{RUNS}{run.pk}/").status_code == 200
    for action in ("stop", "abort", "events"):
        assert post(vic_client, f"{RUNS}{run.pk}/{action}/", {"text": "x"}).status_code == 403
    run.refresh_from_db()
    assert run.state == State.QUEUED


READS = ["", "events/", "endpoints/", "failures/", "exceptions/", "workers/", "log/", "series/", "report.json"]
READS += ["junit.xml", "stats.csv", "report.html", "locust.log"]


@pytest.mark.parametrize("path", [*READS, "stop/", "abort/"])
def test_a_stranger_finds_nothing(
    charlie_client: Client, blog_token: ApiToken, charlie: User, run: Run, path: str
) -> None:
    for client, headers in ((charlie_client, {}), (Client(), bearer(blog_token))):
        method = client.post if path in ("stop/", "abort/") else client.get
        answer = method(f"{RUNS}{run.pk}/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_reads_what_hangs_on_a_run(tess_client: Client, run: Run) -> None:
    EndpointFactory.create(run=run, index=1, name="/b")
    EndpointFactory.create(run=run, index=0, name="/a")
    LogChunk.objects.bulk_create(LogChunk(run=run, seq=seq, text=f"line {seq}") for seq in range(1, 61))
    Run.objects.update(runner="host-1", id_prefix="test_", id_width=3)
    RunWorkerFactory.create(run=run, host_name="host", users=7, offset=10)

    def read(path: str) -> Any:
        return tess_client.get(f"{RUNS}{run.pk}/{path}").json()

    assert [row["name"] for row in read("endpoints/")["results"]] == ["/a", "/b"]
    assert read("failures/")["results"] == read("exceptions/")["results"] == []
    (worker,) = read("workers/")["results"]
    assert (worker["host"], worker["runner"], worker["ids"]) == (
        "host",
        "host-1",
        {"first": "test_011", "last": "test_017", "in_use": None},
    )
    assert read("log/") == {"seq": 60, "lines": [f"line {seq}" for seq in range(1, 61)], "matches": 60}
    assert read("log/?after=58") == {"seq": 60, "lines": ["line 59", "line 60"], "matches": 2}
    assert read("log/?after=60") == {"seq": 60, "lines": [], "matches": 0}
    assert read("log/?after=x")["code"] == "invalid"
