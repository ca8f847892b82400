"""Home, projects, lists of runs, and the form that starts one."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.test import Client
from django.utils import timezone

from apps.runs import trend
from apps.runs.models import Run
from apps.scenarios.models import ScenarioVersion
from apps.teams.models import Project
from tests import factories

TOTALS = {"requests": 1000, "failures": 10, "rps": 50.0, "p95_ms": 312.4}


def finished(scenario: Any, **changes: Any) -> Run:
    given = {"state": "finished", "verdict": "passed", "finished_at": timezone.now(), "totals": TOTALS, **changes}
    run: Any = factories.RunFactory(scenario=scenario, version=scenario.versions.first(), **given)
    return cast(Run, run)


# --- home ---------------------------------------------------------------------------------------------------------


def test_home_shows_what_runs_and_what_came_of_the_rest(
    tess_client: Client, tess: Any, version: ScenarioVersion
) -> None:
    active: Any = factories.RunFactory(scenario=version.scenario, version=version, state="running", current_users=3)
    over = finished(version.scenario, requested_by_user=tess)
    html = tess_client.get("/").content.decode()
    assert f"/runs/{active.pk}/stop/" in html
    assert f"/runs/{over.pk}/" in html
    assert f"/scenarios/{version.scenario.pk}/run/?again={over.pk}" in html
    assert "312\u202fms" in html
    assert "1\u202f%" in html


def test_what_waits_is_counted_apart_and_comes_last(tess_client: Client, version: ScenarioVersion) -> None:
    given = {"scenario": version.scenario, "version": version}
    running: Any = factories.RunFactory(state="running", number=71, **given)
    waiting: Any = factories.RunFactory(state="queued", number=72, **given)
    html = tess_client.get("/").content.decode()
    assert 'aria-label="Runs: 1 running, 1 waiting"' in html
    assert html.index(f"/runs/{running.pk}/") < html.index(f"/runs/{waiting.pk}/")


def test_the_count_in_the_bar_can_be_asked_for_again(
    tess_client: Client, charlie_client: Client, version: ScenarioVersion
) -> None:
    active: Any = factories.RunFactory(scenario=version.scenario, version=version, state="running")
    assert 'data-active-runs="/runs/active/"' in tess_client.get("/").content.decode()
    assert 'aria-label="Runs: 1 running, 0 waiting"' in tess_client.get("/runs/active/").content.decode()
    assert "Runs:" not in charlie_client.get("/runs/active/").content.decode()
    Run.objects.filter(pk=active.pk).update(state="finished")
    answer = tess_client.get("/runs/active/")
    assert answer["Cache-Control"] == "no-store" and "Runs:" not in answer.content.decode()


def test_a_run_can_be_stopped_without_javascript(tess_client: Client, version: ScenarioVersion) -> None:
    active: Any = factories.RunFactory(scenario=version.scenario, version=version, state="running")
    over = finished(version.scenario)
    form = f'<noscript><form method="post" action="/runs/{active.pk}/stop/">'
    assert form in tess_client.get(active.get_absolute_url()).content.decode()
    assert "/stop/" not in tess_client.get(over.get_absolute_url()).content.decode()


def test_a_viewer_has_no_stop_button(vic_client: Client, version: ScenarioVersion) -> None:
    active: Any = factories.RunFactory(scenario=version.scenario, version=version, state="running")
    html = vic_client.get("/").content.decode()
    assert f"/runs/{active.pk}/" in html
    assert "/stop/" not in html


def test_home_teaches_whoever_has_nothing(tess_client: Client, client: Client, shop: Project) -> None:
    assert "Nothing has run yet" in tess_client.get("/").content.decode()
    newcomer: Any = factories.UserFactory()
    client.force_login(newcomer)
    assert "You are in no team yet" in client.get("/").content.decode()


def test_home_takes_a_fixed_number_of_queries(
    tess_client: Client, tess: Any, shop: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        version = factories.ScenarioVersionFactory(scenario__project=shop)
        factories.RunFactory(scenario=version.scenario, version=version, state="running", number=1000 + number)
        finished(version.scenario, requested_by_user=tess, number=2000 + number)
    with django_assert_max_num_queries(18):
        tess_client.get("/")


# --- a project ----------------------------------------------------------------------------------------------------


def test_a_project_shows_cards_and_runs(tess_client: Client, version: ScenarioVersion) -> None:
    for number in (1, 2, 3):
        finished(version.scenario, number=number, totals={**TOTALS, "p95_ms": 100.0 * number})
    html = tess_client.get("/t/acme/shop/").content.decode()
    assert "Checkout" in html
    assert "<polyline" in html
    assert "#3" in html
    assert f"/scenarios/{version.scenario.pk}/run/" in html


def test_an_empty_project_offers_the_example(tess_client: Client, vic_client: Client, shop: Project) -> None:
    assert "/t/acme/shop/scenarios/new/?from=example" in tess_client.get("/t/acme/shop/").content.decode()
    assert "?from=example" not in vic_client.get("/t/acme/shop/").content.decode()


def test_a_project_takes_a_fixed_number_of_queries(
    tess_client: Client, shop: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        version = factories.ScenarioVersionFactory(scenario__project=shop)
        finished(version.scenario, number=1000 + number)
    with django_assert_max_num_queries(24):
        tess_client.get("/t/acme/shop/")


# --- lists --------------------------------------------------------------------------------------------------------


def numbers(html: str) -> list[int]:
    return [int(part.split("<")[0]) for part in html.split('">#')[1:]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("outcome=verdict:failed", [2]),
        ("outcome=active", [3]),
        ("outcome=state:stopped", []),
        ("outcome=nonsense", [3, 2, 1]),
        ("q=%232", [2]),
        ("q=deploy", [1]),
        ("q=checkout", [3, 2, 1]),
        ("q=%00", [3, 2, 1]),
        ("before=nonsense", [3, 2, 1]),
    ],
)
def test_filters_are_in_the_address(
    tess_client: Client, version: ScenarioVersion, query: str, found: list[int]
) -> None:
    finished(version.scenario, number=1, note="after the deploy")
    finished(version.scenario, number=2, verdict="failed")
    factories.RunFactory(scenario=version.scenario, version=version, number=3)
    assert numbers(tess_client.get(f"/runs/?{query}").content.decode()) == found
    assert numbers(tess_client.get(f"/scenarios/{version.scenario.pk}/runs/?{query}").content.decode()) == found


def test_lists_are_paged_by_key(tess_client: Client, version: ScenarioVersion) -> None:
    for number in range(1, 54):
        finished(version.scenario, number=number)
    first = tess_client.get("/runs/?q=checkout").content.decode()
    assert numbers(first) == list(range(53, 3, -1))
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "q=checkout" in older
    second = tess_client.get(f"/runs/{older}").content.decode()
    assert numbers(second) == [3, 2, 1]
    assert "Older" not in second


def test_a_stranger_sees_no_run(charlie_client: Client, version: ScenarioVersion) -> None:
    finished(version.scenario)
    assert numbers(charlie_client.get("/runs/").content.decode()) == []


# --- the form that starts a run ------------------------------------------------------------------------------------


def test_it_starts_a_run_with_what_was_typed(tess_client: Client, version: ScenarioVersion) -> None:
    url = f"/scenarios/{version.scenario.pk}/run/"
    assert 'value="10s"' in tess_client.get(url).content.decode(), "the scenario's load"
    form = {"users": "3", "spawn_rate": "1", "run_time": "1m", "host": "http://127.0.0.1:9", "version": version.pk}
    response = tess_client.post(url, {**form, "note": "smoke"})
    run = Run.objects.get()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert (run.users, run.run_time_s, run.note, run.requested_by) == (3, 60, "smoke", "user:tess")


@pytest.mark.parametrize("changes", [{"users": "0"}, {"run_time": "5x"}, {"version": "1"}, {"note": "x" * 501}])
def test_it_starts_nothing_from_a_bad_form(tess_client: Client, version: ScenarioVersion, changes: Any) -> None:
    form = {"users": "3", "spawn_rate": "1", "run_time": "1m", "version": version.pk, **changes}
    response = tess_client.post(f"/scenarios/{version.scenario.pk}/run/", form)
    assert response.status_code == 200
    assert "field-error" in response.content.decode()
    assert not Run.objects.exists()


def test_a_version_of_another_scenario_is_refused(tess_client: Client, version: ScenarioVersion) -> None:
    other: Any = factories.ScenarioVersionFactory()
    form = {"users": "3", "spawn_rate": "1", "run_time": "1m", "version": other.pk}
    assert "field-error" in tess_client.post(f"/scenarios/{version.scenario.pk}/run/", form).content.decode()
    assert not Run.objects.exists()


def test_it_runs_again_with_the_load_of_a_run(tess_client: Client, version: ScenarioVersion) -> None:
    run = finished(version.scenario, users=77, note="like this")
    html = tess_client.get(f"/scenarios/{version.scenario.pk}/run/?again={run.pk}").content.decode()
    assert 'value="77"' in html
    assert 'value="like this"' in html


def test_the_plan_says_that_nobody_would_take_it(tess_client: Client, version: ScenarioVersion) -> None:
    url = f"/scenarios/{version.scenario.pk}/run/"
    assert "no runner is online" in tess_client.get(url).content.decode()
    factories.RunnerFactory(host__slots=1)
    factories.RunnerFactory(host__standing="pending")
    assert "1 of 1 free" in tess_client.get(url).content.decode()
    assert "starts at once" in tess_client.get(url).content.decode()
    factories.RunFactory(scenario=version.scenario, version=version)
    assert "1 run before it" in tess_client.get(url).content.decode()


# --- the small picture --------------------------------------------------------------------------------------------


def runs_with(p95s: list[Any]) -> list[Run]:
    return [Run(totals={"requests": 10, "failures": 1, "p95_ms": p95}) for p95 in p95s]


def test_a_trend_needs_two_runs() -> None:
    assert trend.of_runs(runs_with([])) is None
    assert trend.of_runs(runs_with([5.0, None])) is None
    assert trend.of_runs([Run(totals={}), Run(totals={"p95_ms": float("nan")})]) is None


def test_a_trend_goes_from_the_oldest_to_the_newest() -> None:
    picture = trend.of_runs(runs_with([300.0, 200.0, 100.0]))
    assert picture is not None
    assert picture.p95s == (100.0, 200.0, 300.0)
    assert picture.line == "2.0,26.0 60.0,14.0 118.0,2.0"
    assert len(picture.bars) == 3


def test_a_trend_of_equal_runs_is_flat() -> None:
    picture = trend.of_runs(runs_with([7.0] * 30))
    assert picture is not None
    assert len(picture.p95s) == trend.RUNS
    assert {point.split(",")[1] for point in picture.line.split()} == {"14.0"}


# --- the page of a run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "finished"])
def test_a_run_holds_the_place_of_figures_that_there_are(
    tess_client: Client, version: ScenarioVersion, state: str
) -> None:
    run: Any = factories.RunFactory(scenario=version.scenario, version=version, state=state)
    html = tess_client.get(f"/runs/{run.pk}/").content.decode()
    assert "data-charts hidden" in html and "data-numbers hidden" in html
    factories.EndpointFactory.create(run=run)
    html = tess_client.get(f"/runs/{run.pk}/").content.decode()
    assert "data-charts inert" in html and "data-numbers>" in html
    assert f'js/line.js" data-socket="/ws/runs/{run.pk}/"' in html
