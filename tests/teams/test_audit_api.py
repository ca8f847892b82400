"""The audit log over REST."""

from __future__ import annotations

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.teams import audit
from apps.teams.actors import Actor
from apps.teams.models import Project, Team

URL = "/api/v1/audit/"


def test_it_shows_what_was_done_in_ones_own_teams(
    manny_client: Client,
    acme: Team,
    globex: Team,
    shop: Project,
    depot: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    by = Actor(system="test")
    audit.record("project.create", obj=depot, team=globex, by=by)
    for _ in range(3):
        audit.record("project.change", obj=shop, team=acme, by=by, before="=cmd|' /C calc'!A0")
    with django_assert_num_queries(5):  # session, user, memberships twice, events
        rows = manny_client.get(URL).json()["results"]
    assert [row["object"] for row in rows] == ["Shop"] * 3
    assert rows[0]["actor"] == "system:test"


def test_it_filters(manny_client: Client, acme: Team, shop: Project) -> None:
    for action in ("project.create", "project.change"):
        audit.record(action, obj=shop, team=acme, by=Actor(system="test"))
    rows = manny_client.get(URL, {"action": "project.change", "object_id": str(shop.pk)}).json()["results"]
    assert [row["action"] for row in rows] == ["project.change"]
    assert manny_client.get(URL, {"team_id__in": "x"}).status_code == 200


def test_it_cannot_be_changed(manny_client: Client, acme: Team) -> None:
    for method in (manny_client.post, manny_client.put, manny_client.patch, manny_client.delete):
        answer = method(URL, {}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
