"""REST of scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import ApiToken, AuditEvent, Project
from tests import factories
from tests.factories import LOCUSTFILE, bearer

URL = "/api/v1/scenarios/"


@pytest.fixture
def api(manage_token: ApiToken) -> Client:
    """A program that may do all that tokens can."""
    return Client(headers=bearer(manage_token))


def body(**changes: Any) -> dict[str, Any]:
    plain = {"project": "shop", "name": "Checkout", "locustfile": LOCUSTFILE, "host": "https://shop.example.com"}
    return {**plain, "users": 50, "spawn_rate": 5, "run_time": "5m", **changes}


def post(api: Client, url: str = URL, **given: Any) -> Any:
    return api.post(url, given, content_type="application/json")


def test_it_creates_a_scenario(api: Client, shop: Project) -> None:
    response = post(api, **body(tags=["smoke"], env={"REGION": "eu"}))
    assert response.status_code == 201
    made = response.json()
    assert made["slug"] == "checkout"
    assert made["version"] == 1
    assert made["project"]["slug"] == "shop"
    assert (made["users"], made["spawn_rate"], made["run_time"]) == (50, 5.0, 300.0)
    assert (made["tags"], made["env"], made["host"]) == (["smoke"], {"REGION": "eu"}, "https://shop.example.com")
    assert response["Location"] == f"{URL}{made['id']}/"
    assert ScenarioVersion.objects.get(scenario=made["id"]).locustfile == LOCUSTFILE
    assert AuditEvent.objects.filter(action="scenario.create", object_id=made["id"]).exists()


def test_it_has_defaults(api: Client, shop: Project) -> None:
    made = post(api, project=str(shop.pk), name="Tiny", locustfile=LOCUSTFILE).json()
    assert (made["users"], made["run_time"], made["host"]) == (10, 60.0, "")
    assert (made["collector"], made["group_ids"]) == ("exact", False)


def test_it_makes_a_free_slug(api: Client, shop: Project) -> None:
    assert [post(api, **body()).json()["slug"] for _ in range(2)] == ["checkout", "checkout-2"]
    assert post(api, **body(name="结账")).json()["slug"] == "scenario"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"users": 0}, "users", "out_of_range"),
        ({"users": 10**9}, "users", "out_of_range"),
        ({"users": "50"}, "users", "out_of_range"),
        ({"spawn_rate": 0}, "spawn_rate", "out_of_range"),
        ({"spawn_rate": "NaN"}, "spawn_rate", "out_of_range"),
        ({"run_time": -5}, "run_time", "not_a_duration"),
        ({"run_time": "5x"}, "run_time", "not_a_duration"),
        ({"host": "ftp://x"}, "host", "not_an_address"),
        ({"env": {"PATH": "/tmp"}}, "env", "denied_name"),
        ({"stages": [{"duration": 1}]}, "stages", "bad_stage"),
        ({"locustfile": ""}, "locustfile", "empty"),
        ({"locustfile": "def broken(:\n"}, "locustfile", "syntax_error"),
        ({"locustfile": "x = 1\n" * 100_000}, "locustfile", "too_large"),
        ({"locustfile": "x = '\ud800'"}, "locustfile", "not_utf8"),
        ({"locustfile": "x = '\0'"}, "locustfile", "null_byte"),
        ({"locustfile": 7}, "locustfile", "invalid"),
        ({"name": ""}, "name", "invalid"),
        ({"name": "a\u202eb"}, "name", "invalid"),
        ({"name": "x" * 101}, "name", "invalid"),
        ({"collector": "magic"}, "collector", "invalid"),
        ({"collector": ["csv"]}, "collector", "invalid"),
        ({"group_ids": "true"}, "group_ids", "invalid"),
        ({"group_ids": 1}, "group_ids", "invalid"),
        ({"group_ids": None}, "group_ids", "invalid"),
        ({"owner": "me"}, "owner", "invalid"),
        ({"id": "me"}, "id", "invalid"),
        ({"note": "x" * 501}, "note", "invalid"),
    ],
)
def test_it_refuses_bad_input_and_keeps_nothing(
    api: Client, shop: Project, changes: dict[str, Any], field: str, code: str
) -> None:
    response = post(api, **body(**changes))
    assert response.status_code == 400, response.content
    answer = response.json()
    assert answer["code"] == code
    assert field in answer["fields"]
    assert answer["message"]
    assert not Scenario.objects.exists()


def test_it_names_the_line_of_a_syntax_error(api: Client, shop: Project) -> None:
    answer = post(api, **body(locustfile="import locust\n\ndef broken(:\n")).json()
    assert answer["message"].startswith("Line 3 of the locustfile")


@pytest.mark.parametrize("raw", ['{"users": NaN}', "not json", "[]", "null", '"text"'])
def test_it_refuses_what_is_no_object(api: Client, shop: Project, raw: str) -> None:
    response = api.post(URL, raw, content_type="application/json")
    assert response.status_code == 400
    assert set(response.json()) >= {"code", "message"}


def test_it_does_not_create_in_a_project_of_others(api: Client, shop: Project, depot: Project) -> None:
    assert post(api, **body(project=str(depot.pk))).status_code == 404
    assert post(api, **body(project="depot")).status_code == 404


def test_it_starts_one_thing_for_one_key(api: Client, shop: Project) -> None:
    sent = [
        api.post(URL, body(), content_type="application/json", headers={"Idempotency-Key": "one"}) for _ in range(2)
    ]
    assert sent[0].json() == sent[1].json()
    assert Scenario.objects.count() == 1


def test_it_lists_with_a_fixed_number_of_queries(
    api: Client, shop: Project, blog: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        factories.ScenarioVersionFactory(scenario__project=shop, number=number + 1)
    factories.ScenarioVersionFactory(scenario__project=blog)
    with django_assert_max_num_queries(6):
        listed = api.get(URL).json()["results"]
    assert len(listed) == 13
    assert {row["version"] for row in listed} >= {1, 12}
    assert len(api.get(URL, {"project": "shop"}).json()["results"]) == 12


def test_it_changes_the_load(api: Client, version: ScenarioVersion) -> None:
    url = f"{URL}{version.scenario.pk}/"
    answer = api.patch(url, {"users": 7, "run_time": 90, "name": "Buy"}, content_type="application/json")
    assert answer.status_code == 200
    assert (answer.json()["users"], answer.json()["run_time"], answer.json()["name"]) == (7, 90.0, "Buy")
    assert answer.json()["slug"] == "checkout", "addresses go on working"
    assert api.patch(url, {"users": 0}, content_type="application/json").json()["code"] == "out_of_range"
    assert api.get(url).json()["users"] == 7


def test_it_takes_stages(api: Client, version: ScenarioVersion) -> None:
    url = f"{URL}{version.scenario.slug}/"
    stages = [{"duration": "1m", "users": 3, "spawn_rate": 1}, {"duration": 30, "users": 0, "spawn_rate": 1}]
    answer = api.patch(url, {"stages": stages}, content_type="application/json").json()
    assert answer["stages"][0] == {"duration": 60.0, "users": 3, "spawn_rate": 1.0}
    assert (answer["users"], answer["run_time"]) == (3, 90.0)


def test_it_saves_versions_and_knows_the_same_text(api: Client, version: ScenarioVersion) -> None:
    url = f"{URL}{version.scenario.pk}/versions/"
    same = post(api, url, locustfile=version.locustfile)
    assert (same.status_code, same.json()["number"]) == (200, version.number)
    changed = post(api, url, locustfile=version.locustfile + "\n# more\n", note="more")
    assert (changed.status_code, changed.json()["number"]) == (201, version.number + 1)
    listed = api.get(url).json()["results"]
    assert [row["number"] for row in listed] == [version.number + 1, version.number]
    assert "locustfile" not in listed[0]
    assert listed[0]["note"] == "more"
    assert listed[0]["author"].startswith("token:ops")
    read = api.get(f"{url}{version.number}/").json()
    assert read["locustfile"] == version.locustfile
    assert read["sha256"] == version.sha256


@pytest.mark.parametrize("number", [0, 99, 10**30])
def test_it_does_not_find_a_version_that_is_not_there(api: Client, version: ScenarioVersion, number: int) -> None:
    assert api.get(f"{URL}{version.scenario.pk}/versions/{number}/").status_code == 404


def test_it_deletes_with_runs_but_not_while_one_is_active(api: Client, version: ScenarioVersion) -> None:
    run: Any = factories.RunFactory(scenario=version.scenario, version=version)
    url = f"{URL}{version.scenario.pk}/"
    refused = api.delete(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "run_active")
    run.state, run.finished_at = "stopped", timezone.now()
    run.save()
    assert api.delete(url).status_code == 204
    assert not Scenario.objects.exists()
    assert AuditEvent.objects.filter(action="scenario.delete").exists()


def test_a_run_token_validates_what_is_stored_and_nothing_else(version: ScenarioVersion, run_token: ApiToken) -> None:
    api = Client(headers=bearer(run_token))
    url = f"{URL}{version.scenario.pk}/validate/"
    assert post(api, url, locustfile="print()").status_code == 403
    assert post(api, url, version=99).status_code == 404


@pytest.mark.engine
def test_it_validates_in_a_child(api: Client, version: ScenarioVersion) -> None:
    url = f"{URL}{version.scenario.pk}/validate/"
    found = post(api, url).json()
    assert found["valid"] is True
    assert found["user_classes"][0]["name"] == "Shopper"
    assert found["user_classes"][0]["tasks"][0]["name"] == "products"
    wrong = post(api, url, locustfile="import nothing_like_this\n").json()
    assert (wrong["valid"], wrong["problems"][0]["line"]) == (False, 1)
    assert "nothing_like_this" in wrong["problems"][0]["message"]
    assert post(api, url, locustfile="x = 1\n").json()["problems"][0]["code"] == "no_user_class"
    assert post(api, url, locustfile=" ").json()["problems"][0]["code"] == "empty"


def test_the_schema_describes_what_is_sent(api: Client, version: ScenarioVersion) -> None:
    from apps.scenarios.serializers import ScenarioOut, VersionWithScriptOut

    url = f"{URL}{version.scenario.pk}/"
    assert set(api.get(url).json()) == set(ScenarioOut().fields)
    assert set(api.get(f"{url}versions/{version.number}/").json()) == set(VersionWithScriptOut().fields)


def test_it_chooses_how_requests_are_counted(api: Client, shop: Project) -> None:
    made = post(api, **body(collector="csv", group_ids=True)).json()
    assert (made["collector"], made["group_ids"]) == ("csv", True)
    url = f"{URL}{made['id']}/"
    changed = api.patch(url, {"group_ids": False}, content_type="application/json").json()
    assert (changed["collector"], changed["group_ids"], changed["users"]) == ("csv", False, 50)
    changed = api.patch(url, {"collector": "exact"}, content_type="application/json").json()
    assert (changed["collector"], changed["group_ids"]) == ("exact", False)
    assert AuditEvent.objects.filter(action="scenario.update", object_id=made["id"]).count() == 2
