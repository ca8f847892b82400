"""Runs from request to report, through REST, with a real Locust and a target that counts."""

from __future__ import annotations

import csv
import io
import time

import pytest

from apps.pools import telemetry
from apps.pools.models import LOCAL_SLOTS
from tests.e2e import scripts
from tests.e2e.stack import Stack, Target, wait_for

pytestmark = pytest.mark.timeout(180)

SLOTS = max(telemetry.cores(), LOCAL_SLOTS)
"""Of the portal's one host."""


def nothing_left(stack: Stack, run_id: str) -> bool:
    """No process and no folder of the run."""
    return not stack.locusts(run_id) and not list((stack.state / "runs").glob(f"{run_id}*"))


def collected(stack: Stack, run_id: str) -> int:
    """Requests as the stored seconds add up."""
    series = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=requests&points=5000").json
    return sum(value or 0 for value in series["series"][0]["requests"])


def test_it_counts_every_request_of_a_good_run(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, users=5, run_time="6s"))
    run = stack.over(run_id)
    assert (run["state"], run["reason"], run["verdict"]) == ("finished", "run_time_over", "none"), run
    answered = sum(row["requests"] for row in target.counts().values())
    assert run["totals"]["requests"] == answered > 100
    assert run["reconciliation"] == {
        "collected": answered,
        "locust": answered,
        "difference": 0,
        "source": "final",
        "endpoints": [],
    }
    assert collected(stack, run_id) == answered
    by_name = {row["name"]: row["totals"]["requests"] for row in stack.part(run_id, "endpoints")}
    assert by_name["/goodbye"] == 5
    assert {f"GET {name}": n for name, n in by_name.items() if name != "/goodbye"} == {
        path: row["requests"] for path, row in target.counts().items() if path != "GET /status/200"
    }
    wait_for(lambda: nothing_left(stack, run_id), 5, "nothing is left of the run")


def test_it_keeps_what_locust_wrote(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, run_time="3s"))
    run = stack.over(run_id)
    stats = stack.api("GET", f"/api/v1/runs/{run_id}/stats.csv")
    rows = list(csv.DictReader(io.StringIO(stats.text)))
    assert rows[-1]["Name"] == "Aggregated"
    report = stack.api("GET", f"/api/v1/runs/{run_id}/report.html")
    assert report.headers["Content-Disposition"].startswith("attachment")
    assert "<html" in report.text
    assert "Shutting down" in stack.api("GET", f"/api/v1/runs/{run_id}/locust.log").text
    assert stack.api("GET", f"/api/v1/runs/{run_id}/report.json").json["run"]["totals"] == run["totals"]
    assert "<testsuite" in stack.api("GET", f"/api/v1/runs/{run_id}/junit.xml").text


def test_it_shows_failures_with_first_and_last_seen(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.FAILING, host=target.url, users=3))
    run = stack.over(run_id)
    counts = target.counts()
    failures = {row["name"]: row for row in stack.part(run_id, "failures")}
    for path in ("/status/404", "/status/500"):
        assert failures[path]["occurrences"] == counts[f"GET {path}"]["requests"]
        assert (
            run["started_at"] <= failures[path]["last_seen"]
            and failures[path]["first_seen"] <= failures[path]["last_seen"]
        )
    assert run["state"] == "finished"
    assert run["totals"]["failures"] == sum(row["occurrences"] for row in failures.values())


@pytest.mark.same_on_any_database("it is about the collector")
def test_it_shows_a_target_that_hangs_as_seconds_without_requests(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, users=4, run_time="14s"))
    stack.reached(run_id, {"running"}, 20)
    wait_for(lambda: stack.run(run_id)["totals"]["requests"] > 20, 15, "requests are made")
    target.hang(5)
    run = stack.over(run_id)
    series = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=requests,users&points=5000").json["series"][0]
    still = [users for users, n in zip(series["users"], series["requests"], strict=True) if users and n == 0]
    assert len(still) >= 3, series
    assert run["reconciliation"]["difference"] == 0
    # A target that does not answer is a finding, not a fault of the measurement.
    assert run["verdict"] == "none"


def test_it_names_file_and_line_of_a_script_that_cannot_be_imported(stack: Stack) -> None:
    started = time.monotonic()
    run_id = stack.start(stack.scenario(scripts.RAISES_AT_IMPORT))
    run = stack.over(run_id)
    assert time.monotonic() - started < 15
    assert (run["state"], run["reason"]) == ("failed", "locustfile_error")
    assert run["diagnosis"]["line"] == 4
    assert "KeyError: 'missing'" in run["diagnosis"]["message"]
    assert "Traceback" in run["diagnosis"]["traceback"]


@pytest.mark.same_on_any_database("it is about the script")
def test_it_says_that_a_script_has_no_user(stack: Stack) -> None:
    run = stack.over(stack.start(stack.scenario(scripts.NO_USER)))
    assert (run["state"], run["reason"]) == ("failed", "locustfile_error")
    assert run["diagnosis"]["code"] == "no_user_class"


@pytest.mark.same_on_any_database("it is about the script")
def test_it_keeps_what_the_script_raised_in_a_task(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.RAISES_IN_TASK, host=target.url))
    run = stack.over(run_id)
    (raised,) = stack.part(run_id, "exceptions")
    assert "the tester's own mistake" in raised["message"] and "stumble" in raised["traceback"]
    assert raised["count"] == target.counts()["GET /echo"]["requests"]
    assert run["state"] == "finished"


@pytest.mark.same_on_any_database("it is about the process")
def test_it_ends_a_script_that_will_not_stop(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.NEVER_STOPS, host=target.url, run_time="10m"))
    stack.reached(run_id, {"running"}, 20)
    wait_for(lambda: stack.run(run_id)["totals"]["requests"] > 5, 15, "requests are made")
    asked = time.monotonic()
    assert stack.api("POST", f"/api/v1/runs/{run_id}/stop/").status == 202
    run = stack.over(run_id)
    assert time.monotonic() - asked < 20
    assert (run["state"], run["reason"]) == ("stopped", "stop_requested")
    assert run["totals"]["requests"] > 5
    wait_for(lambda: nothing_left(stack, run_id), 5, "nothing is left of the run")


def test_it_takes_names_that_break_other_programs(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.ODD_NAMES, host=target.url))
    run = stack.over(run_id)
    assert run["reconciliation"]["difference"] == 0 and run["reconciliation"]["endpoints"] == []
    names = {row["name"] for row in stack.part(run_id, "endpoints")}
    assert {"a,b", 'say "hi"', "two\nlines", "<script>alert(1)</script>", "=1+1", "smile \U0001f600"} <= names
    for file in ("stats.csv", "stats_history.csv", "failures.csv"):
        text = stack.api("GET", f"/api/v1/runs/{run_id}/{file}").text
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        assert any("'=" in cell for cell in cells)


def test_it_follows_three_hundred_endpoints(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.MANY_ENDPOINTS, host=target.url, users=4, run_time="8s"))
    run = stack.over(run_id)
    endpoints = stack.part(run_id, "endpoints")
    assert len(endpoints) == 300
    assert sum(row["totals"]["requests"] for row in endpoints) == target.counts()["GET /echo"]["requests"]
    assert run["reconciliation"]["difference"] == 0 and run["reconciliation"]["endpoints"] == []


@pytest.mark.same_on_any_database("it is about the plan")
def test_it_plays_stages(stack: Stack, target: Target) -> None:
    stages = [
        {"duration": "3s", "users": 2, "spawn_rate": 10},
        {"duration": "3s", "users": 6, "spawn_rate": 10},
        {"duration": "3s", "users": 1, "spawn_rate": 10},
    ]
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url), stages=stages)
    run = stack.over(run_id)
    series = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=users&points=5000").json["series"][0]["users"]
    assert run["state"] == "finished" and run["run_time_s"] == 9
    assert {2, 6, 1} <= set(series)
    assert max(series) == 6


@pytest.mark.parametrize("when", ["queued", "starting", "running", "stopping"])
def test_it_can_be_stopped_in_every_state(stack: Stack, target: Target, when: str) -> None:
    slow = stack.scenario(scripts.SLOW_IMPORT, host=target.url, run_time="60s")
    before = [stack.start(slow) for _ in range(SLOTS)] if when == "queued" else []
    for other in before:
        stack.reached(other, {"claimed", "starting", "running"}, 40)
    run_id = stack.start(slow)
    stack.reached(run_id, {"running"} if when == "stopping" else {when}, 40)
    if when == "stopping":
        assert stack.api("POST", f"/api/v1/runs/{run_id}/stop/").status == 202
    answer = stack.api("POST", f"/api/v1/runs/{run_id}/stop/")
    assert answer.status == 202 or (when == "stopping" and answer.json["code"] == "run_over")
    run = stack.over(run_id, 20)
    assert (run["state"], run["reason"]) == ("stopped", "stop_requested"), run
    if when == "running":
        assert stack.api("GET", f"/api/v1/runs/{run_id}/report.html").status == 200
    for other in before:
        stack.api("POST", f"/api/v1/runs/{other}/abort/")
        assert stack.over(other, 20)["reason"] == "abort_requested"
    wait_for(lambda: nothing_left(stack, run_id), 5, "nothing is left of the run")
    late = stack.api("POST", f"/api/v1/runs/{run_id}/stop/")
    assert (late.status, late.json["code"]) == (409, "run_over")
