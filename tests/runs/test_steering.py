"""Changing a test while it runs: over REST, in the database, and what the time line says of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from apps.core.errors import Conflict
from apps.runs import presentation, steering
from apps.runs.models import Run, RunEvent
from apps.runs.states import TERMINAL, State
from apps.scenarios.models import Scenario
from apps.teams.actors import Actor
from apps.teams.models import ApiToken, AuditEvent
from tests.factories import RunFactory, bearer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool", "no_redis")]

STAGES = [{"duration": 60.0, "users": 20, "spawn_rate": 2.0}, {"duration": 240.0, "users": 5, "spawn_rate": 1.0}]


def running(scenario: Scenario | None = None, *, ago_s: float = 60, **fields: Any) -> Run:
    load = {"users": 10, "spawn_rate": 2.0, "run_time_s": 300.0, "state": State.RUNNING}
    given = {"scenario": scenario} if scenario else {}
    return RunFactory.create(**given, started_at=timezone.now() - timedelta(seconds=ago_s), **(load | fields))


@pytest.fixture
def run(scenario: Scenario) -> Run:
    return running(scenario)


def patch(client: Client, run: Run, body: Any, **headers: Any) -> Any:
    path = f"/api/v1/runs/{run.pk}/"
    return client.patch(path, body, content_type="application/json", headers=headers or None)


def test_users_and_rate_are_changed(tess_client: Client, run: Run) -> None:
    answer = patch(tess_client, run, {"users": 40, "spawn_rate": 5})
    assert answer.status_code == 200, answer.json()
    said = answer.json()
    assert said["steering"] == {"revision": 1, "users": 40, "spawn_rate": 5.0, "is_paused": False, "own_shape": ""}
    assert (said["users"], said["spawn_rate"]) == (10, 2.0)  # what was asked for
    assert tess_client.get(f"/api/v1/runs/{run.pk}/").json()["steering"] == said["steering"]
    event = run.events.get()
    assert (event.kind, event.by, event.data) == ("control", "user:tess", {"users": [10, 40], "spawn_rate": [2.0, 5.0]})
    assert event.text == "Users: 10 → 40 · Users a second: 2 → 5"
    audit = AuditEvent.objects.get(action="run.steer")
    assert (audit.actor, audit.object_id, audit.details["users"]) == ("user:tess", str(run.pk), [10, 40])


def test_a_run_is_paused_and_goes_on(tess_client: Client, run: Run) -> None:
    assert patch(tess_client, run, {"paused": True}).json()["steering"]["is_paused"] is True
    assert patch(tess_client, run, {"users": 0}).json()["steering"]["is_paused"] is True
    assert patch(tess_client, run, {"paused": False}).json()["steering"]["revision"] == 3
    assert [event.text for event in run.events.all()] == ["Paused", "Users: 10 → 0", "Resumed"]
    assert [event.data for event in run.events.all()][::2] == [{"paused": [False, True]}, {"paused": [True, False]}]


@pytest.mark.parametrize(
    ("given", "seconds"), [("10m", 600.0), (70, 70.0), (66.5, 66.5), ("1h30m", 5400.0), (7 * 86400, 7 * 86400)]
)
def test_the_end_is_moved(tess_client: Client, run: Run, given: Any, seconds: float) -> None:
    answer = patch(tess_client, run, {"run_time": given})
    assert answer.status_code == 200, answer.json()
    assert answer.json()["run_time_s"] == seconds
    assert answer.json()["progress"] == pytest.approx(60 / seconds, rel=0.1)
    assert run.events.get().data == {"run_time_s": [300.0, seconds]}


def test_what_is_as_wanted_is_no_change(tess_client: Client, run: Run) -> None:
    same = {"users": 10, "spawn_rate": 2, "paused": False, "run_time": "5m"}
    assert patch(tess_client, run, same).json()["steering"]["revision"] == 0
    assert not run.events.exists() and not AuditEvent.objects.filter(action="run.steer").exists()
    patch(tess_client, run, {"paused": True})
    assert patch(tess_client, run, {"paused": True, "users": 10}).json()["steering"]["revision"] == 1
    assert run.events.count() == 1


def test_only_what_changes_is_an_event(tess_client: Client, run: Run) -> None:
    patch(tess_client, run, {"users": 11, "spawn_rate": 2, "paused": False})
    assert run.events.get().data == {"users": [10, 11]}


def test_with_stages_a_number_of_users_is_always_a_change(tess_client: Client, scenario: Scenario) -> None:
    run = running(scenario, stages=STAGES, users=20)
    patch(tess_client, run, {"users": 20})
    assert run.events.get().text == "Users: as planned → 20"
    assert run.events.get().data == {"users": [None, 20]}
    assert Run.objects.get().wanted_users == 20


BAD = [
    ({}, None, "nothing_to_change"),
    ({"users": -1}, "users", "out_of_range"),
    ({"users": 100_001}, "users", "out_of_range"),
    ({"users": 10**400}, "users", "out_of_range"),
    ({"users": 1.5}, "users", "out_of_range"),
    ({"users": "5"}, "users", "out_of_range"),
    ({"users": True}, "users", "out_of_range"),
    ({"users": [5]}, "users", "out_of_range"),
    ({"spawn_rate": 0}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": -3}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": 10_001}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": 10**400}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": "fast"}, "spawn_rate", "out_of_range"),
    ({"paused": "yes"}, "paused", "not_a_truth_value"),
    ({"paused": 1}, "paused", "not_a_truth_value"),
    ({"run_time": "soon"}, "run_time", "not_a_duration"),
    ({"run_time": -5}, "run_time", "not_a_duration"),
    ({"run_time": 10**400}, "run_time", "not_a_duration"),
    ({"run_time": {"minutes": 5}}, "run_time", "not_a_duration"),
    ({"run_time": 7 * 86400 + 1}, "run_time", "out_of_range"),
    ({"run_time": 30}, "run_time", "too_short"),
    ({"run_time": 61}, "run_time", "too_short"),
]


@pytest.mark.parametrize(("body", "field", "code"), BAD, ids=[str(body)[:40] for body, _, _ in BAD])
def test_what_nobody_can_want_is_refused_with_a_sentence(
    tess_client: Client, run: Run, body: dict[str, Any], field: str | None, code: str
) -> None:
    answer = patch(tess_client, run, body)
    assert answer.status_code == 400, answer.json()
    said = answer.json()
    assert said["code"] == code and said["message"].endswith(".")
    assert list(said.get("fields", {})) == ([field] if field else [])
    run.refresh_from_db()
    assert (run.steering_revision, run.wanted_users, run.run_time_s) == (0, None, 300.0)
    assert not run.events.exists()


@pytest.mark.parametrize("body", [{"users": None}, {"speed": 3}, {"state": "finished"}, [], "faster"], ids=str)
def test_a_body_of_another_form_is_refused(tess_client: Client, run: Run, body: Any) -> None:
    assert patch(tess_client, run, body).status_code == 400
    assert not run.events.exists()


def test_one_bad_value_spoils_all(tess_client: Client, run: Run) -> None:
    answer = patch(tess_client, run, {"users": 5, "spawn_rate": 0, "run_time": "x"})
    assert set(answer.json()["fields"]) == {"spawn_rate", "run_time"}
    run.refresh_from_db()
    assert run.wanted_users is None


def test_it_says_how_to_end_a_run_now(tess_client: Client, run: Run) -> None:
    (sentence,) = patch(tess_client, run, {"run_time": "30s"}).json()["fields"]["run_time"]
    assert "1m" in sentence and "Use Stop to end it now." in sentence


@pytest.mark.parametrize("state", sorted(set(State) - steering.STEERABLE))
def test_only_a_running_test_is_steered(tess_client: Client, scenario: Scenario, state: State) -> None:
    run = running(scenario, state=state)
    answer = patch(tess_client, run, {"users": 5})
    code = "not_running" if state in (State.QUEUED, State.CLAIMED) else "run_over"
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert answer.json()["message"].endswith(".")
    run.refresh_from_db()
    assert run.steering_revision == 0 and not run.events.exists()
    assert state not in TERMINAL or code == "run_over"


@pytest.mark.parametrize(
    "ending", [{"stop_requested_at": timezone.now()}, {"abort_requested_at": timezone.now()}, {"run_time_s": 59.0}]
)
def test_a_test_that_is_ending_is_not_steered(tess_client: Client, scenario: Scenario, ending: dict[str, Any]) -> None:
    answer = patch(tess_client, running(scenario, **ending), {"run_time": "1h"})
    assert (answer.status_code, answer.json()["code"]) == (409, "run_over")


def test_a_test_may_be_changed_while_it_starts(tess_client: Client, scenario: Scenario) -> None:
    run = RunFactory.create(scenario=scenario, state=State.STARTING, run_time_s=300.0)
    assert patch(tess_client, run, {"users": 3, "run_time": 6}).status_code == 200
    assert patch(tess_client, run, {"run_time": 3}).json()["code"] == "too_short"


def test_a_shape_of_the_script_decides_about_users_alone(tess_client: Client, scenario: Scenario) -> None:
    run = running(scenario, own_shape="Waves")
    for body in ({"users": 5}, {"spawn_rate": 5}, {"paused": True}, {"users": 5, "run_time": "10m"}):
        answer = patch(tess_client, run, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "own_shape")
        assert "Waves" in answer.json()["message"]
    assert patch(tess_client, run, {"run_time": "10m"}).json()["run_time_s"] == 600


def test_a_token_may_steer_when_it_may_control_runs(
    client: Client, run: Run, run_token: ApiToken, read_token: ApiToken
) -> None:
    assert patch(client, run, {"users": 5}, **bearer(run_token)).status_code == 200
    assert run.events.get().by.startswith("token:")
    assert patch(client, run, {"users": 6}, **bearer(read_token)).status_code == 403


def test_a_viewer_may_not_and_a_stranger_sees_nothing(run: Run, vic: User, charlie: User) -> None:
    for user, status in ((vic, 403), (charlie, 404)):
        client = Client()
        client.force_login(user)
        assert patch(client, run, {"users": 5}).status_code == status
    assert not run.events.exists()


def test_a_change_that_was_overtaken_by_the_end_is_refused(
    run: Run, tess: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = steering._read

    def read_and_end(held: Run, changes: Any) -> Any:
        Run.objects.update(state=State.FINISHED)
        return read(held, changes)

    monkeypatch.setattr(steering, "_read", read_and_end)
    with pytest.raises(Conflict):
        steering.steer(run=run, changes={"users": 5}, by=Actor(user=tess))
    assert not RunEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_moment_all_count(tess: User) -> None:
    run, start, by = running(), Barrier(4), Actor(user=tess)

    def change(number: int) -> None:
        try:
            start.wait()
            steering.steer(run=run, changes={"users": 20 + number}, by=by)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    run.refresh_from_db()
    assert (run.steering_revision, run.events.count()) == (4, 4)
    changes = [event.data["users"] for event in run.events.all()]
    assert [old for old, _ in changes] == [10, *(new for _, new in changes[:-1])]


def test_the_sentence_is_kept_as_the_source_has_it_and_translated_where_it_is_shown(run: Run, tess: User) -> None:
    with translation.override("de"):
        steering.steer(run=run, changes={"run_time": 600.0, "paused": True}, by=Actor(user=tess))
    event = run.events.get()
    assert event.text == presentation.event(event)["text"] == "Paused · Run time: 5m → 10m"


@pytest.mark.parametrize("data", [{}, {"users": 5}, {"users": [1]}, {"users": "ab", "speed": [1, 2]}], ids=str)
def test_data_of_another_kind_has_no_words(data: dict[str, Any]) -> None:
    assert steering.words(data) == ""
    event = RunEvent(kind="control", text="100 % changed", data=data)
    assert presentation.event(event)["text"] == "100 % changed"
