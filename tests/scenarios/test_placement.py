"""On how much of a pool a scenario asks to be spread: in its form, in REST, and what may be asked at all."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from apps.pools.models import WorkerPool
from apps.scenarios import placement
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import ApiToken, AuditEvent, Project
from tests.factories import LOCUSTFILE, PoolFactory, bearer

URL = "/api/v1/scenarios/"
PLAIN = {"workers": 1, "on_lost": "degrade", "when_full": "wait"}


@pytest.fixture
def api(manage_token: ApiToken) -> Client:
    return Client(headers=bearer(manage_token))


@pytest.fixture
def lab(shop: Project) -> WorkerPool:
    """One that only Acme's project Shop may use."""
    pool = PoolFactory.create(name="lab", is_for_all=False)
    pool.projects.add(shop)
    return pool


@pytest.fixture
def closed(db: None) -> WorkerPool:
    """One that nobody of Acme may use."""
    return PoolFactory.create(name="closed", is_for_all=False)


def load_form(**changes: Any) -> dict[str, Any]:
    load = {"users": "20", "spawn_rate": "2", "run_time": "5m", "host": "https://shop.example.com"}
    return {**load, "pool": "", "workers": "1", "on_lost": "degrade", "when_full": "wait", **changes}


def patch(api: Client, scenario: Scenario, **changes: Any) -> Any:
    return api.patch(f"{URL}{scenario.pk}/", changes, content_type="application/json")


# --- the limits ---------------------------------------------------------------------------------------------------


@given(st.integers(1, placement.MAX_WORKERS), st.integers(0, 100_000))
def test_as_many_workers_as_users_are_the_most(workers: int, more: int) -> None:
    assert placement.check({**PLAIN, "workers": workers}, users=workers + more) == []
    if workers > 1:
        (problem,) = placement.check({**PLAIN, "workers": workers}, users=workers - 1)
        assert (problem.field, problem.code) == ("workers", "too_many_workers")


@pytest.mark.parametrize("workers", [0, -1, 501, True, 1.5, "3", None])
def test_what_is_no_number_of_workers_is_said_once(workers: Any) -> None:
    (problem,) = placement.check({**PLAIN, "workers": workers}, users="nonsense")
    assert (problem.field, problem.code) == ("workers", "out_of_range")


# --- the form -----------------------------------------------------------------------------------------------------


def test_the_load_tab_keeps_the_placement(tess_client: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    page = f"/scenarios/{version.scenario.pk}/load/"
    sent = load_form(pool="lab", workers="3", on_lost="rebalance", when_full="refuse")
    assert tess_client.post(page, sent)["Location"] == page
    scenario = Scenario.objects.get(pk=version.scenario.pk)
    assert (scenario.pool, scenario.workers, scenario.on_lost) == (lab, 3, "rebalance")
    assert scenario.when_full == "refuse"
    html = tess_client.get(page).content.decode()
    for value in ("lab", "rebalance", "refuse"):
        assert re.search(rf'value="{value}" selected', html), value
    assert 'name="workers" value="3"' in html


def test_what_the_form_does_not_send_stays(tess_client: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    Scenario.objects.update(pool=lab, workers=4, on_lost="end")
    tess_client.post(f"/scenarios/{version.scenario.pk}/load/", {"users": "9", "spawn_rate": "1", "run_time": "9s"})
    scenario = Scenario.objects.get(pk=version.scenario.pk)
    assert (scenario.users, scenario.pool, scenario.workers, scenario.on_lost) == (9, lab, 4, "end")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"workers": "0"}, "Workers must be a whole number from 1 to 500."),
        ({"workers": ""}, "Workers must be a whole number from 1 to 500."),
        ({"workers": "9" * 5000}, "Workers must be a whole number from 1 to 500."),
        ({"workers": "21"}, "21 workers need at least as many users; there are 20."),
        ({"pool": "closed"}, "closed is not one of the available choices."),
        ({"pool": "x\0y"}, "is not one of the available choices."),
        ({"on_lost": "pray"}, "pray is not one of the available choices."),
        ({"when_full": ""}, "This must be one of: wait, refuse."),
    ],
)
def test_the_form_says_what_cannot_be(
    tess_client: Client, version: ScenarioVersion, closed: WorkerPool, changes: dict[str, Any], sentence: str
) -> None:
    html = tess_client.post(f"/scenarios/{version.scenario.pk}/load/", load_form(**changes)).content.decode()
    assert sentence in html
    assert 'value="closed"' not in html, "a pool of others is not offered"
    assert not AuditEvent.objects.filter(action="scenario.update").exists()


def test_a_new_scenario_can_say_where_it_runs(tess_client: Client, lab: WorkerPool) -> None:
    sent = {"name": "Browse", "locustfile": LOCUSTFILE, **load_form(pool="lab", workers="2")}
    tess_client.post("/t/acme/shop/scenarios/new/", sent)
    scenario = Scenario.objects.get()
    assert (scenario.pool, scenario.workers, scenario.on_lost) == (lab, 2, "degrade")


# --- REST ---------------------------------------------------------------------------------------------------------


def test_rest_sets_and_shows_the_placement(api: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    shown = patch(api, version.scenario, pool="lab", workers=3, on_lost="end", when_full="refuse", users=30).json()
    assert [shown[name] for name in ("pool", "workers", "on_lost", "when_full")] == ["lab", 3, "end", "refuse"]
    (told,) = AuditEvent.objects.filter(action="scenario.update")
    assert told.details["changed"] == ["on_lost", "pool", "users", "when_full", "workers"]
    assert patch(api, version.scenario, pool=None).json()["pool"] is None
    assert patch(api, version.scenario, name="Other").json()["workers"] == 3


def test_rest_creates_with_a_placement(api: Client, shop: Project, lab: WorkerPool) -> None:
    sent = {"project": "shop", "name": "Browse", "locustfile": LOCUSTFILE, "users": 5, "workers": 5, "pool": "lab"}
    made = api.post(URL, sent, content_type="application/json").json()
    assert (made["pool"], made["workers"], made["when_full"]) == ("lab", 5, "wait")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"pool": "closed"}, "pool", "no_pool"),
        ({"pool": "nothing"}, "pool", "no_pool"),
        ({"pool": "x\0y"}, "pool", "invalid"),
        ({"pool": ""}, "pool", "invalid"),
        ({"pool": 7}, "pool", "invalid"),
        ({"workers": 0}, "workers", "invalid"),
        ({"workers": 501}, "workers", "invalid"),
        ({"workers": "3"}, "workers", "invalid"),
        ({"workers": 9, "users": 8}, "workers", "too_many_workers"),
        ({"on_lost": "pray"}, "on_lost", "invalid"),
        ({"when_full": None}, "when_full", "invalid"),
    ],
)
def test_rest_refuses_what_cannot_be(
    api: Client, version: ScenarioVersion, closed: WorkerPool, changes: dict[str, Any], field: str, code: str
) -> None:
    refused = patch(api, version.scenario, **changes)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert field in refused.json()["fields"]


def test_fewer_users_than_workers_are_refused_wherever_they_come_from(api: Client, version: ScenarioVersion) -> None:
    patch(api, version.scenario, users=8, workers=8)
    assert patch(api, version.scenario, users=7).json()["code"] == "too_many_workers"
    assert patch(api, version.scenario, stages=[{"duration": 9, "users": 7, "spawn_rate": 1}]).status_code == 400


def test_a_pool_that_was_taken_away_stops_no_other_change(
    api: Client, version: ScenarioVersion, closed: WorkerPool
) -> None:
    Scenario.objects.update(pool=closed)
    assert patch(api, version.scenario, name="Other").status_code == 200
