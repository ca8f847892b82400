"""Changing a running test from REST, down to the users of a real Locust, and back in the report."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import scripts
from tests.e2e.stack import Stack, Target, wait_for

pytestmark = pytest.mark.timeout(240)

SHAPED = (
    scripts.SHOP
    + """
from locust import LoadTestShape

class Waves(LoadTestShape):
    def tick(self):
        return (2, 10)
"""
)


def steer(stack: Stack, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change the run; it as it then is."""
    answer = stack.api("PATCH", f"/api/v1/runs/{run_id}/", body)
    assert answer.status == 200, answer.text
    run: dict[str, Any] = answer.json
    return run


def users_reached(stack: Stack, run_id: str, users: int, seconds: float = 15) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = stack.run(run_id)
        return run if run["current_users"] == users and run["state"] == "running" else None

    return wait_for(look, seconds, f"{users} users", lambda: stack.run(run_id))


def test_a_running_test_is_changed_paused_resumed_and_shortened(stack: Stack, target: Target) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=3, run_time="10m")
    run_id = stack.start(scenario)
    users_reached(stack, run_id, 3, 30)

    said = steer(stack, run_id, {"users": 7, "spawn_rate": 50})
    assert said["steering"]["revision"] == 1
    users_reached(stack, run_id, 7)
    steer(stack, run_id, {"users": 2})
    users_reached(stack, run_id, 2)
    assert target.counts()["GET /status/200"]["requests"] == 5  # who went has said goodbye

    steer(stack, run_id, {"paused": True})
    paused = users_reached(stack, run_id, 0)
    counted = target.counts()["GET /api/products"]["requests"]
    assert paused["totals"]["requests"] > 0
    resumed = steer(stack, run_id, {"paused": False, "users": 4})
    assert resumed["totals"]["requests"] >= paused["totals"]["requests"]
    users_reached(stack, run_id, 4)
    wait_for(lambda: target.counts()["GET /api/products"]["requests"] > counted, 10, "they are back at work")

    elapsed = stack.run(run_id)["progress"] * 600
    steer(stack, run_id, {"run_time": elapsed + 8})
    over = stack.over(run_id, 40)
    assert (over["state"], over["reason"], over["progress"]) == ("finished", "run_time_over", 1.0)
    assert over["verdict"] in ("none", "passed"), over["verdict_reasons"]
    assert over["reconciliation"]["difference"] == 0 and over["reconciliation"]["endpoints"] == []
    assert over["totals"]["requests"] == sum(row["requests"] for row in target.counts().values())
    assert over["peak_users"] == 7 and over["steering"]["revision"] == 5

    events = [event for event in stack.part(run_id, "events") if event["kind"] == "control"]
    assert [sorted(event["data"]) for event in events] == [
        ["spawn_rate", "users"],
        ["users"],
        ["paused"],
        ["paused", "users"],
        ["run_time_s"],
    ]
    assert events[0]["data"]["users"] == [3, 7] and all(event["by"] for event in events)

    refused = stack.api("PATCH", f"/api/v1/runs/{run_id}/", {"users": 5})
    assert (refused.status, refused.json["code"]) == (409, "run_over")


@pytest.mark.same_on_any_database("it is about the plan")
def test_a_run_is_extended_beyond_its_stages_and_their_last_users_stay(stack: Stack, target: Target) -> None:
    stages = [{"duration": "4s", "users": 5, "spawn_rate": 10}, {"duration": "4s", "users": 2, "spawn_rate": 10}]
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, stages=stages, run_time="8s"))
    users_reached(stack, run_id, 5, 30)
    assert steer(stack, run_id, {"run_time": "16s"})["run_time_s"] == 16
    over = stack.over(run_id, 60)
    assert (over["state"], over["reason"]) == ("finished", "run_time_over")
    series = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=users,requests&points=100").json["series"][0]
    held = [users for users, requests in zip(series["users"], series["requests"], strict=True) if requests]
    assert 15 <= len(held) <= 18
    assert held[-8:-1] == [2] * 7
    assert over["totals"]["requests"] == sum(row["requests"] for row in target.counts().values())


@pytest.mark.same_on_any_database("it is about the plan")
def test_a_shape_of_the_script_is_left_alone_but_for_its_end(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(SHAPED, host=target.url, run_time="5m"))
    users_reached(stack, run_id, 2, 30)
    assert stack.run(run_id)["steering"]["own_shape"] == "Waves"
    refused = stack.api("PATCH", f"/api/v1/runs/{run_id}/", {"paused": True})
    assert (refused.status, refused.json["code"]) == (409, "own_shape")
    steer(stack, run_id, {"run_time": stack.run(run_id)["progress"] * 300 + 7})
    over = stack.over(run_id, 40)
    assert (over["state"], over["reason"], over["peak_users"]) == ("finished", "run_time_over", 2)
