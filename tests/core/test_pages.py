"""Refusals that happen before any view."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.scenarios.models import Scenario
from apps.teams.models import Project


def test_a_form_that_is_too_large_says_so(tess_client: Client, shop: Project) -> None:
    form = {"name": "Big", "locustfile": "x" * 5 * 1024 * 1024, "users": "1", "spawn_rate": "1", "run_time": "1m"}
    response = tess_client.post("/t/acme/shop/scenarios/new/", form)
    assert response.status_code == 413
    assert "This is too large" in response.content.decode()
    assert not Scenario.objects.exists()


def test_a_strange_host_is_refused(db: None) -> None:
    response = Client(headers={"host": "evil.example"}).get("/accounts/login/")
    assert response.status_code == 400
    assert "did not understand" in response.content.decode()
    answer = Client(headers={"host": "evil.example"}).get("/api/v1/projects/")
    assert answer.status_code == 400


def test_a_forged_form_is_refused_with_advice(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x", "password": "y"})
    assert response.status_code == 403
    assert "open for too long" in response.content.decode()


@pytest.mark.parametrize("address", ["/", "/t/acme/shop/", "/api/v1/projects/", "/nowhere", "/api/v1/nowhere/"])
def test_nobody_keeps_what_was_answered_to_somebody(tess_client: Client, shop: Project, address: str) -> None:
    assert "no-store" in tess_client.get(address).headers["Cache-Control"]
    assert "no-store" in Client().get(address).headers["Cache-Control"]
