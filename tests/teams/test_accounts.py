"""Logging in, and what is closed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.factories import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def no_attempts_before(db: None) -> None:
    cache.clear()


@pytest.mark.parametrize("name", ["alice", "alice@example.test"])
def test_it_logs_in_by_name_or_address(client: Client, alice: User, name: str) -> None:
    answer = client.post(LOGIN, {"login": name, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.get("/api/v1/projects/").status_code == 200


def test_it_says_the_same_of_a_wrong_name_and_a_wrong_password(client: Client, alice: User) -> None:
    texts = [
        client.post(LOGIN, {"login": name, "password": "wrong"}).context["form"].errors.as_text()
        for name in ("alice", "nobody")
    ]
    assert texts[0] == texts[1] != ""


def test_it_stops_guessing(client: Client, alice: User) -> None:
    for _ in range(5):
        assert client.post(LOGIN, {"login": "alice", "password": "wrong"}).status_code == 200
    client.post(LOGIN, {"login": "alice", "password": PASSWORD})
    assert client.get("/api/v1/projects/").status_code == 401


def test_it_does_not_believe_a_made_up_address(client: Client, alice: User) -> None:
    for number in range(25):
        headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        client.post(LOGIN, {"login": f"user{number}", "password": "wrong"}, headers=headers)
    assert client.post(LOGIN, {"login": "alice", "password": PASSWORD}).status_code != 302


def test_it_does_not_send_people_to_other_sites(client: Client, alice: User) -> None:
    answer = client.post(f"{LOGIN}?next=https://evil.example/", {"login": "alice", "password": PASSWORD})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("path", ["signup/", "email/", "confirm-email/", "password/set/", "3rdparty/", "2fa/"])
def test_it_has_no_address_for_what_is_closed(alice_client: Client, path: str) -> None:
    assert alice_client.get(f"/accounts/{path}").status_code == 404
    assert alice_client.post(f"/accounts/{path}").status_code == 404


def test_it_asks_pages_of_other_sites_for_a_csrf_token(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    answer = browser.post("/api/v1/projects/", {"name": "New"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
