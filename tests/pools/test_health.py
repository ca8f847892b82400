"""`/healthz` and `/readyz`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core import health as core_health
from apps.core.health import Check
from apps.pools import health
from apps.pools.models import Standing
from tests import factories
from tests.factories import client_of


@pytest.fixture
def redis_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "check_redis", lambda: Check(ok=True))


def test_it_lives_without_a_database(vic: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with_cookie = client_of(vic)
    with django_assert_num_queries(0):
        answer = with_cookie.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


def test_it_is_ready(client: Client, db: None, redis_is_there: None) -> None:
    factories.RunnerFactory.create()
    factories.RunnerFactory.create(draining=True)
    factories.RunnerFactory.create(last_seen_at=timezone.now() - timedelta(minutes=1))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert answer.json()["checks"]["runners"] == {"ok": True, "reason": "", "online": 2, "draining": 1}


def test_it_is_not_ready_without_a_runner(client: Client, db: None, redis_is_there: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["runners"]["reason"] == "No runner is online."


@pytest.mark.parametrize("standing", [Standing.PENDING, Standing.DRAINING])
def test_it_is_not_ready_when_no_host_takes_work(client: Client, db: None, redis_is_there: None, standing: str) -> None:
    factories.RunnerFactory.create(host__standing=standing)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["runners"]["reason"] == "No host with a runner takes work."
    factories.RunnerFactory.create()
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_without_redis_and_tells_no_secrets(client: Client, db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    factories.RunnerFactory.create()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["redis"]["ok"]) == (503, False)
    assert b"hunter2" not in answer.content
    assert b"127.0.0.1" not in answer.content


def test_it_is_not_ready_without_a_database(
    client: Client, db: None, redis_is_there: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("host=secret")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert {name for name, check in answer.json()["checks"].items() if not check["ok"]} == {"database", "runners"}
    assert b"secret" not in answer.content


def test_it_asks_a_real_redis_for_a_sign_of_life(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert core_health.check_redis() == Check(ok=False, reason="Redis does not answer.")
