"""API tokens: making, using, revoking."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.models import IdempotencyKey
from apps.teams.models import ApiToken, AuditEvent, Project, Team
from tests import factories
from tests.factories import bearer

URL = "/api/v1/tokens/"
PROJECTS = "/api/v1/projects/"


def post(client: Client, body: object, **headers: str) -> Any:
    return client.post(URL, body, content_type="application/json", headers=headers)


def use(client: Client, secret: str) -> int:
    status: int = client.get(PROJECTS, headers={"Authorization": f"Bearer {secret}"}).status_code
    return status


def test_it_shows_a_secret_once_and_keeps_its_hash(manny_client: Client, client: Client, acme: Team) -> None:
    answer = post(manny_client, {"name": "ci", "scope": "run"})
    secret = answer.json()["secret"]
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert (len(secret), secret[:4]) == (47, "htc_")
    token = ApiToken.objects.get()
    assert (token.prefix, token.digest) == (secret[:12], hashlib.sha256(secret.encode()).hexdigest())
    everything = [*ApiToken.objects.all(), *AuditEvent.objects.all()]
    assert secret not in serializers.serialize("json", everything)
    for url in (URL, f"{URL}{token.pk}/"):
        text = manny_client.get(url).content.decode()
        assert secret not in text
        assert token.digest not in text
    assert use(client, secret) == 200


def test_it_writes_down_who_made_and_revoked_it(manny_client: Client) -> None:
    made = post(manny_client, {"name": "ci", "scope": "run"}).json()
    assert manny_client.delete(f"{URL}{made['id']}/").status_code == 204
    assert manny_client.delete(f"{URL}{made['id']}/").status_code == 204
    events = AuditEvent.objects.order_by("id").values_list("actor", "action")
    assert list(events) == [("user:manny", "token.create"), ("user:manny", "token.revoke")]


def test_it_stops_at_once_when_it_is_revoked(manny_client: Client, client: Client) -> None:
    made = post(manny_client, {"name": "ci", "scope": "run"}).json()
    manny_client.delete(f"{URL}{made['id']}/")
    assert use(client, made["secret"]) == 401
    assert manny_client.get(f"{URL}{made['id']}/").json()["usable"] is False


def test_it_stops_when_it_expires(client: Client, acme: Team) -> None:
    token = factories.ApiTokenFactory.create(team=acme, expires_at=timezone.now() - timedelta(seconds=1))
    answer = client.get(PROJECTS, headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "bearer htc_" + "x" * 10_000, "Bearer \xff\xfe"])
def test_it_refuses_what_is_no_token(client: Client, acme: Team, header: str) -> None:
    answer = client.get(PROJECTS, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_token")


def test_it_notes_when_it_was_used_but_not_every_time(
    client: Client, read_token: ApiToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get(PROJECTS, headers=bearer(read_token))
    read_token.refresh_from_db()
    assert read_token.last_used_at is not None
    with django_assert_num_queries(2):  # token, projects
        client.get(PROJECTS, headers=bearer(read_token))


def test_it_sees_only_its_project(client: Client, blog_token: ApiToken, blog: Project, shop: Project) -> None:
    listed = client.get(PROJECTS, headers=bearer(blog_token)).json()["results"]
    assert [row["slug"] for row in listed] == ["blog"]
    assert client.get(f"{PROJECTS}shop/", headers=bearer(blog_token)).status_code == 404
    assert client.delete(f"{PROJECTS}{shop.pk}/", headers=bearer(blog_token)).status_code == 404
    new = client.post(PROJECTS, {"name": "New"}, content_type="application/json", headers=bearer(blog_token))
    assert new.status_code == 403


def test_it_makes_no_tokens(client: Client, manage_token: ApiToken) -> None:
    assert post(client, {"name": "child", "scope": "read"}, **bearer(manage_token)).status_code == 403


def test_it_binds_to_a_project(manny_client: Client, shop: Project) -> None:
    assert post(manny_client, {"name": "ci", "scope": "run", "project": "shop"}).json()["project"] == "shop"
    assert ApiToken.objects.get().project == shop


def test_it_does_not_bind_to_a_strangers_project(manny_client: Client, depot: Project) -> None:
    for ref in (str(depot.pk), depot.slug):
        answer = post(manny_client, {"name": "ci", "scope": "run", "project": ref})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "scope"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "scope": ["run"]}, "scope"),
        ({"scope": "run"}, "name"),
        ({"name": "x", "scope": "run", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scope": "run", "expires_at": "soon"}, "expires_at"),
        ({"name": "x", "scope": "run", "digest": "0"}, "digest"),
        ({"name": "x", "scope": "run", "secret": "mine"}, "secret"),
        ({"name": "x", "scope": "run", "created_by": 1}, "created_by"),
    ],
)
def test_it_refuses_what_it_cannot_use(manny_client: Client, body: object, field: str) -> None:
    answer = post(manny_client, body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_it_lists_with_a_constant_number_of_queries(
    manny_client: Client, acme: Team, globex: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    factories.ApiTokenFactory.create_batch(7, team=acme)
    foreign = factories.ApiTokenFactory.create(team=globex)
    with django_assert_num_queries(5):  # session, user, memberships twice, tokens
        answer = manny_client.get(URL)
    assert len(answer.json()["results"]) == 7
    assert str(foreign.pk) not in answer.content.decode()


def test_it_does_not_keep_the_secret_for_a_repeated_request(manny_client: Client) -> None:
    first = post(manny_client, {"name": "ci", "scope": "run"}, **{"Idempotency-Key": "k"})
    again = post(manny_client, {"name": "ci", "scope": "run"}, **{"Idempotency-Key": "k"})
    assert again.json() == {**first.json(), "secret": None}
    assert ApiToken.objects.count() == 1
    assert first.json()["secret"] not in json.dumps(IdempotencyKey.objects.get().body)
