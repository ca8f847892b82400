"""`Idempotency-Key`, on the POST that makes a project."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core.models import IdempotencyKey
from apps.teams import services
from apps.teams.models import ApiToken, AuditEvent, Project, Team
from tests.factories import bearer, client_of

URL = "/api/v1/projects/"


def post(client: Client, body: object, key: str, **headers: str) -> Any:
    return client.post(URL, body, content_type="application/json", headers={"Idempotency-Key": key, **headers})


def test_it_answers_twice_and_works_once(manny_client: Client) -> None:
    first, second = (post(manny_client, {"name": "New", "slug": "new"}, "k") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (Project.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_it_knows_a_body_by_its_meaning(manny_client: Client) -> None:
    post(manny_client, '{"name": "New", "slug": "new"}', "k")
    assert post(manny_client, '{ "slug":"new", "name":"New" }', "k").headers["Idempotency-Replayed"] == "true"


def test_it_refuses_the_key_for_another_body(manny_client: Client) -> None:
    post(manny_client, {"name": "New"}, "k")
    answer = post(manny_client, {"name": "Newer"}, "k")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


def test_it_keeps_callers_apart(manny_client: Client, alice_client: Client, manage_token: ApiToken) -> None:
    for client, headers in ((manny_client, {}), (alice_client, {}), (Client(), bearer(manage_token))):
        assert "Idempotency-Replayed" not in post(client, {"name": "New"}, "k", **headers).headers
    assert Project.objects.count() == 3


def test_it_lets_a_refused_request_try_again(manny_client: Client) -> None:
    assert post(manny_client, {"name": ""}, "k").status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert post(manny_client, {"name": "New"}, "k").status_code == 201


def test_it_forgets_after_a_day(manny_client: Client) -> None:
    post(manny_client, {"name": "New"}, "k")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert "Idempotency-Replayed" not in post(manny_client, {"name": "New"}, "k").headers
    assert (Project.objects.count(), IdempotencyKey.objects.count()) == (2, 1)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "schlüssel"])
def test_it_refuses_a_key_it_cannot_keep(manny_client: Client, key: str) -> None:
    answer = post(manny_client, {"name": "New"}, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


def test_it_says_that_the_first_is_still_at_work(manny_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    post(manny_client, {"name": "New"}, "k")
    IdempotencyKey.objects.update(status=0)
    answer = post(manny_client, {"name": "New"}, "k")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")


def test_it_takes_over_from_a_request_that_died(manny_client: Client) -> None:
    post(manny_client, {"name": "New"}, "k")
    IdempotencyKey.objects.update(status=0, created_at=timezone.now() - timedelta(seconds=61))
    assert post(manny_client, {"name": "New"}, "k").status_code == 201


def test_it_undoes_the_work_of_a_request_that_was_taken_for_dead(
    manny_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = services.create_project

    def slow(**kwargs: Any) -> Project:
        project = create(**kwargs)
        IdempotencyKey.objects.all().delete()  # what another request does after a minute
        return project

    monkeypatch.setattr(services, "create_project", slow)
    assert post(manny_client, {"name": "New"}, "k").json()["code"] == "idempotency_in_progress"
    assert not Project.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_works_once_for_requests_at_the_same_time(manny: User, acme: Team) -> None:
    clients = [client_of(manny) for _ in range(6)]
    start, answers = threading.Barrier(len(clients)), []

    def go(client: Client) -> None:
        try:
            start.wait()
            answers.append(post(client, {"name": "New"}, "k"))
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Project.objects.count() == 1
    outcomes = {answer.json().get("code", answer.status_code) for answer in answers}
    assert len(answers) == len(clients)
    assert 201 in outcomes
    assert outcomes <= {201, "idempotency_in_progress"}
