"""Scripts that lie, and people who ask for nonsense: counted, bounded, named, and nobody else's figures are touched."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e import scripts
from tests.e2e.stack import TERMINAL, Stack, Target, wait_for

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.same_on_any_database("what a script can do is met before any database"),
]

ECHO = "GET /echo"
RUN_SECONDS = 9
METRICS = (
    "rps,failures_per_s,requests,failures,bytes,avg_ms,min_ms,max_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,"
    "users,in_flight,oldest_ms,lag_ms,cpu_percent,rss_bytes,target_users"
)
PARTS = (
    "",
    "endpoints/",
    "failures/",
    "exceptions/",
    "events/",
    "workers/",
    "log/",
    "summary/",
    "phases/",
    "heatmap/",
    "distribution/",
    "report.json",
    f"series/?metrics={METRICS}&endpoint=null&endpoint=0&band=1",
)
NAMED = {"bad_rows", "samples_lost", "bad_values", "left_unread"}
"""Warnings by which a forged line is named."""
MAX_RUNNER_MIB = 300
SLOW_MS = 5_000
"""No honest request took so long; any forged one would."""


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def sound(stack: Stack, run_id: str) -> dict[str, Any]:
    """Everything REST says of the run, each of it valid JSON without NaN."""
    found = {}
    for part in PARTS:
        answer = stack.api("GET", f"/api/v1/runs/{run_id}/{part}")
        assert answer.status == 200, (part, answer.status, answer.text[:500])
        found[part.partition("?")[0]] = json.loads(answer.text, parse_constant=refuse_constant)
    return found


def warnings(stack: Stack, run_id: str) -> dict[str, dict[str, Any]]:
    """The warnings of a run by code."""
    return {event["data"]["code"]: event for event in all_events(stack, run_id) if event["kind"] == "warning"}


def all_events(stack: Stack, run_id: str) -> list[dict[str, Any]]:
    return stack.part(run_id, "events")


def by_name(stack: Stack, run_id: str) -> dict[str, dict[str, Any]]:
    return {f"{row['method']} {row['name']}".strip(): row["totals"] for row in stack.part(run_id, "endpoints")}


def points_of(stack: Stack, run_id: str, endpoint: int | None) -> tuple[list[int], dict[str, list[float | None]]]:
    wanted = "null" if endpoint is None else endpoint
    path = f"/api/v1/runs/{run_id}/series/?metrics=requests,max_ms&points=5000&endpoint={wanted}"
    answer = stack.api("GET", path).json
    return answer["t"], answer["series"][0]


def check_honest(stack: Stack, target: Target, run_id: str) -> int:
    """The endpoint that nobody tampered with is right in totals and seconds; how many requests it had."""
    served = target.counts()[ECHO]["requests"]
    (honest,) = (row for row in stack.part(run_id, "endpoints") if row["name"] == "/echo")
    assert honest["totals"]["requests"] == served > 50
    assert honest["totals"]["failures"] == 0
    assert 0 < honest["totals"]["min_ms"] <= honest["totals"]["p50_ms"] <= honest["totals"]["max_ms"] < SLOW_MS
    _, series = points_of(stack, run_id, honest["index"])
    assert sum(count or 0 for count in series["requests"]) == served
    assert max(ms or 0 for ms in series["max_ms"]) < SLOW_MS
    return served


def start(stack: Stack, target: Target, script: str, **env: str) -> str:
    load = {"users": 2, "spawn_rate": 10, "run_time": f"{RUN_SECONDS}s", "env": env}
    return stack.start(stack.scenario(script, host=target.url, **load))


def test_nonsense_fired_by_hand_is_counted_and_named(stack: Stack, target: Target, tmp_path: Path) -> None:
    fired_file = tmp_path / "fired"
    run_id = start(stack, target, scripts.NONSENSE, FIRED_FILE=str(fired_file))
    run = stack.over(run_id)
    assert run["state"] == "finished", run
    sound(stack, run_id)
    served, fired = check_honest(stack, target, run_id), fired_file.stat().st_size
    assert fired > 1000
    assert run["totals"]["requests"] == served + fired
    assert run["reconciliation"]["difference"] == 0 and run["reconciliation"]["endpoints"] == []
    assert run["totals"]["max_ms"] < SLOW_MS and run["totals"]["min_ms"] >= 0
    names = by_name(stack, run_id)
    assert all(len(name) < 1100 and "\0" not in name for name in names)
    for name in names:
        name.encode()  # no half of a pair
    assert "bad_values" in warnings(stack, run_id)
    _, series = points_of(stack, run_id, None)
    assert sum(count or 0 for count in series["requests"]) == run["totals"]["requests"]
    assert max(ms or 0 for ms in series["max_ms"]) < SLOW_MS


def test_fifty_thousand_names_are_a_thousand_and_the_rest(stack: Stack, target: Target) -> None:
    run_id = start(stack, target, scripts.MANY_NAMES)
    run = stack.over(run_id)
    assert run["state"] == "finished", run
    sound(stack, run_id)
    served = check_honest(stack, target, run_id)
    names = by_name(stack, run_id)
    assert len(names) <= 1001
    assert names["(other)"]["requests"] > 10_000
    assert sum(totals["requests"] for totals in names.values()) == run["totals"]["requests"] == served + 50_000
    named = warnings(stack, run_id)["too_many_names"]
    assert named["data"]["to"] == "/users/{id}" and named["data"]["from"].startswith("/users/")
    assert named["data"]["names"] > 900


@pytest.mark.parametrize("forgery", ["again", "twice", "future", "million", "nonsense"])
def test_a_forged_line_changes_no_figure(stack: Stack, target: Target, forgery: str) -> None:
    run_id = start(stack, target, scripts.FORGER, FORGERY=forgery)
    most = watched(stack, run_id)
    run = stack.over(run_id)
    assert run["state"] == "finished", run
    sound(stack, run_id)
    served = check_honest(stack, target, run_id)
    assert run["totals"]["requests"] == served
    assert NAMED & set(warnings(stack, run_id)), all_events(stack, run_id)
    times, series = points_of(stack, run_id, None)
    assert times[-1] - times[0] < RUN_SECONDS + 10
    assert sum(count or 0 for count in series["requests"]) == served
    assert most < MAX_RUNNER_MIB


def watched(stack: Stack, run_id: str) -> float:
    """MiB of the largest process of the portal's own while the run is on."""
    most = 0.0
    while stack.run(run_id)["state"] not in TERMINAL:
        for process in psutil.Process(stack.process.pid).children(recursive=True):
            try:
                if "runner" in process.cmdline():
                    most = max(most, process.memory_info().rss / 2**20)
            except psutil.Error:
                continue
        time.sleep(0.2)
    return most


@pytest.mark.parametrize("forgery", ["jump", "end", "torn"])
def test_a_forgery_that_hides_seconds_is_named(stack: Stack, target: Target, forgery: str) -> None:
    """Nobody can tell which of two stories is true; that there are two has to be said."""
    run_id = start(stack, target, scripts.FORGER, FORGERY=forgery)
    run = stack.over(run_id)
    assert run["state"] in {"finished", "failed"} and run["reason"], run
    sound(stack, run_id)
    assert NAMED & set(warnings(stack, run_id)), all_events(stack, run_id)
    served = target.counts()[ECHO]["requests"]
    assert run["totals"]["requests"] == served or run["verdict"] == "invalid", run
    assert run["reconciliation"]["locust"] == served
    times, _ = points_of(stack, run_id, None)
    assert times[-1] - times[0] < RUN_SECONDS + 10


def test_a_torn_last_line_costs_nothing(stack: Stack, target: Target) -> None:
    run_id = start(stack, target, scripts.TORN_AT_THE_END, FORGERY="torn")
    run = stack.over(run_id)
    assert run["state"] == "finished", run
    sound(stack, run_id)
    assert check_honest(stack, target, run_id) == run["totals"]["requests"]
    assert run["reconciliation"]["difference"] == 0


def test_a_clock_that_is_set_back_moves_no_second(stack: Stack, target: Target, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    run_id = start(stack, target, scripts.CLOCK_SET_BACK, NOTES_FILE=str(notes))
    run = stack.over(run_id)
    assert run["state"] == "finished", run
    sound(stack, run_id)
    assert check_honest(stack, target, run_id) == run["totals"]["requests"]
    assert "clock_stepped" in warnings(stack, run_id)
    truth = Counter(int(float(line)) for line in notes.read_text().splitlines())
    times, series = points_of(stack, run_id, None)
    assert times == sorted(set(times))
    found = {t: count for t, count in zip(times, series["requests"], strict=True) if count}
    assert set(found) == set(truth)
    # A request at the very edge of a second may be noted in the one beside.
    assert all(abs(found[t] - truth[t]) <= 2 for t in truth), (found, truth)


ABSURD: dict[str, list[object]] = {
    "users": [-1, 10**9, 1.5, "many", True, [], "NaN"],
    "spawn_rate": [-1, 0, 1e300, "fast", [], "Infinity"],
    "run_time": [-1, 0, 1e300, "soon", []],
    "paused": ["perhaps", 7, []],
}


def refused(answer: Any, status: int) -> None:
    """With a sentence of its own, and one for the field where it is a field's fault."""
    assert answer.status == status, (answer.status, answer.text)
    error = json.loads(answer.text, parse_constant=refuse_constant)
    assert len(error["message"]) > 10 and error["code"]
    assert status != 400 or any(error["fields"].values()), error


def test_absurd_wishes_for_a_running_test_are_refused_with_a_sentence(stack: Stack, target: Target) -> None:
    run_id = start(stack, target, scripts.SHOP)
    path = f"/api/v1/runs/{run_id}/"
    stack.reached(run_id, {"running"}, 30)
    wait_for(lambda: stack.run(run_id)["users"] == 2, 15, "both users are there")
    for field, values in ABSURD.items():
        for value in values:
            refused(stack.api("PATCH", path, {field: value}), 400)
    for raw in (b'{"users": NaN}', b'{"users": 1e999}', b'{"users": ', b"\xff", b"[" * 100_000, b"[]"):
        answer = stack.api("PATCH", path, raw)
        assert answer.status == 400 and len(answer.json["message"]) > 10, (raw[:20], answer.text)
    run = stack.over(run_id)
    assert run["steering"]["revision"] == 0
    assert run["run_time_s"] == RUN_SECONDS
    for body in ({"users": 3}, {"paused": True}, {"run_time": "1m"}, {"spawn_rate": 2}):
        answer = stack.api("PATCH", path, body)
        refused(answer, 409)
        assert answer.json["code"] == "run_over"
    _, series = points_of(stack, run_id, None)
    assert sum(count or 0 for count in series["requests"]) == run["totals"]["requests"]
