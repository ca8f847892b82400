"""Projects over REST."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.teams.models import ApiToken, AuditEvent, Project, Team
from apps.teams.roles import Role
from tests import factories
from tests.factories import bearer

URL = "/api/v1/projects/"


def post(client: Client, body: object, **headers: str) -> Any:
    return client.post(URL, body, content_type="application/json", headers=headers)


def test_it_creates_a_project(manny_client: Client, acme: Team) -> None:
    answer = post(manny_client, {"name": "  Web shop ", "description": "All of it"})
    assert answer.status_code == 201
    project = Project.objects.get()
    assert (project.team, project.name, project.slug) == (acme, "Web shop", "web-shop")
    assert answer.json() == {
        "id": str(project.pk),
        "slug": "web-shop",
        "name": "Web shop",
        "description": "All of it",
        "team": {"id": str(acme.pk), "slug": "acme", "name": "Acme"},
        "created_at": answer.json()["created_at"],
    }


def test_it_writes_down_who_created_it(manny_client: Client, acme: Team) -> None:
    post(manny_client, {"name": "Shop"})
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object, event.team_id) == ("user:manny", "project.create", "Shop", acme.pk)


def test_it_creates_with_a_token(client: Client, manage_token: ApiToken) -> None:
    assert post(client, {"name": "Shop"}, **bearer(manage_token)).status_code == 201
    assert AuditEvent.objects.get().actor.startswith("token:ops")


@pytest.mark.parametrize(
    ("name", "slug"), [("商店", "project"), ("Café 24", "cafe-24"), ("<script>alert(1)</script>", "scriptalert1script")]
)
def test_it_makes_a_slug_of_any_name(manny_client: Client, name: str, slug: str) -> None:
    assert post(manny_client, {"name": name}).json()["slug"] == slug


def test_it_counts_slugs_that_are_taken(manny_client: Client, shop: Project) -> None:
    assert [post(manny_client, {"name": "Shop"}).json()["slug"] for _ in range(2)] == ["shop-2", "shop-3"]


def test_it_does_not_make_a_slug_that_looks_like_an_id(manny_client: Client) -> None:
    assert post(manny_client, {"name": "0" * 32}).json()["slug"] == "project"


def test_it_refuses_a_slug_that_is_taken(manny_client: Client, shop: Project) -> None:
    answer = post(manny_client, {"name": "Another", "slug": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (400, "slug_taken")
    assert list(answer.json()["fields"]) == ["slug"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": ["Shop"]}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x" * 10_000}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\u202egnp.exe"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": "Shop", "description": "x" * 2001}, "description"),
        ({"name": "Shop", "slug": "Not A Slug"}, "slug"),
        ({"name": "Shop", "slug": "../etc"}, "slug"),
        ({"name": "Shop", "slug": "0" * 32}, "slug"),
        ({"name": "Shop", "team": 1}, "team"),
        ({"name": "Shop", "team_id": "x"}, "team_id"),
        ({"name": "Shop", "last_run_number": 7}, "last_run_number"),
        ({"name": "Shop", "id": "x"}, "id"),
        ({"name": "Shop", "\x00": 1}, "?"),
    ],
)
def test_it_refuses_what_it_cannot_use(manny_client: Client, body: object, field: str) -> None:
    answer = post(manny_client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert answer.json()["message"]
    assert not Project.objects.exists()


def test_it_keeps_names_in_any_script(manny_client: Client) -> None:
    assert post(manny_client, {"name": "متجر 🛒"}).json()["name"] == "متجر 🛒"


def test_it_does_not_find_a_strangers_team(manny_client: Client, globex: Team) -> None:
    for ref in (str(globex.pk), globex.slug, "no-such-team", "\x00"):
        answer = post(manny_client, {"name": "Shop", "team": ref})
        assert answer.status_code in ((400,) if ref == "\x00" else (404,))
    assert not Project.objects.exists()


def test_it_asks_for_the_team_when_there_are_two(manny: User, manny_client: Client, globex: Team) -> None:
    factories.MembershipFactory.create(team=globex, user=manny, role=Role.MANAGER)
    assert list(post(manny_client, {"name": "Shop"}).json()["fields"]) == ["team"]
    assert post(manny_client, {"name": "Shop", "team": "globex"}).json()["team"]["slug"] == "globex"


def test_it_knows_the_team_when_only_one_may_have_it(manny: User, manny_client: Client, globex: Team) -> None:
    factories.MembershipFactory.create(team=globex, user=manny, role=Role.VIEWER)
    assert post(manny_client, {"name": "Shop"}).json()["team"]["slug"] == "acme"
    assert post(manny_client, {"name": "Shop", "team": "globex"}).status_code == 403


def test_it_finds_a_project_by_id_and_by_slug(vic_client: Client, shop: Project) -> None:
    for ref in (shop.pk, shop.slug):
        assert vic_client.get(f"{URL}{ref}/").json()["id"] == str(shop.pk)


def test_it_says_when_a_slug_means_two(vic: User, vic_client: Client, shop: Project, globex: Team) -> None:
    factories.MembershipFactory.create(team=globex, user=vic)
    factories.ProjectFactory.create(team=globex, slug="shop")
    answer = vic_client.get(f"{URL}shop/")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous")
    assert vic_client.get(f"{URL}{shop.pk}/").status_code == 200


def test_it_changes_a_project(manny_client: Client, shop: Project) -> None:
    body = {"name": "Big shop", "slug": "big"}
    answer = manny_client.patch(f"{URL}shop/", body, content_type="application/json")
    assert (answer.json()["name"], answer.json()["slug"]) == ("Big shop", "big")
    shop.refresh_from_db()
    assert (shop.name, shop.slug) == ("Big shop", "big")
    assert AuditEvent.objects.get().details["before"] == {"name": "Shop", "slug": "shop"}


def test_it_does_not_move_a_project(manny_client: Client, shop: Project, globex: Team) -> None:
    answer = manny_client.patch(f"{URL}shop/", {"team": str(globex.pk)}, content_type="application/json")
    assert list(answer.json()["fields"]) == ["team"]


def test_it_deletes_a_project_with_all_it_has(manny_client: Client, shop: Project) -> None:
    scenario = factories.ScenarioFactory.create(project=shop)
    factories.RunFactory.create(scenario=scenario, state="finished", finished_at="2026-01-01T00:00:00Z")
    assert manny_client.delete(f"{URL}shop/").status_code == 204
    assert not Project.objects.exists()
    event = AuditEvent.objects.get()
    assert event.details == {"slug": "shop", "scenarios": 1, "runs": 1, "tokens": 0}


def test_it_does_not_delete_a_project_with_an_active_run(manny_client: Client, shop: Project) -> None:
    factories.RunFactory.create(scenario=factories.ScenarioFactory.create(project=shop))
    answer = manny_client.delete(f"{URL}shop/")
    assert (answer.status_code, answer.json()["code"]) == (409, "run_active")
    assert Project.objects.exists()
    assert not AuditEvent.objects.exists()


def test_it_lists_with_a_constant_number_of_queries(
    vic_client: Client, acme: Team, depot: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    factories.ProjectFactory.create_batch(7, team=acme)
    with django_assert_num_queries(4):  # session, user, memberships, projects
        answer = vic_client.get(URL)
    assert len(answer.json()["results"]) == 7
    assert str(depot.pk) not in answer.content.decode()


def test_it_lists_by_pages(vic_client: Client, acme: Team) -> None:
    projects = factories.ProjectFactory.create_batch(5, team=acme)
    seen, url = [], f"{URL}?page_size=2"
    while url:
        page = vic_client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == [str(project.pk) for project in reversed(projects)]


@pytest.mark.parametrize("cursor", ["x", "cD1nYXJiYWdl", "cD0lMDA=", "bz0tMQ=="])
def test_it_refuses_a_cursor_that_it_did_not_make(vic_client: Client, shop: Project, cursor: str) -> None:
    answer = vic_client.get(f"{URL}?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
