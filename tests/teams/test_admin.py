"""Django's admin for the portal admin."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from apps.teams.models import ApiToken, AuditEvent, Team
from tests import factories
from tests.factories import client_of


@pytest.fixture
def admin_client(admin: User) -> Client:
    return client_of(admin)


def test_it_refuses_staff_who_are_no_superusers(db: None) -> None:
    clerk = client_of(factories.UserFactory.create(is_staff=True))
    assert clerk.get("/admin/", follow=True).status_code == 403


def test_it_sends_strangers_to_the_one_login_page(client: Client, db: None) -> None:
    answer = client.get("/admin/teams/team/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2Fteams%2Fteam%2F"


@pytest.mark.parametrize("model", [model for model in admin.site._registry if model.__module__.startswith("apps.")])
def test_it_shows_every_list_and_row(
    admin_client: Client, read_token: ApiToken, alice: User, model: type[Model]
) -> None:
    factories.ProjectFactory.create()
    factories.RunnerFactory.create()
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert admin_client.get(base).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert admin_client.get(f"{base}{row.pk}/change/").status_code == 200


def test_it_writes_down_what_the_admin_does(admin_client: Client) -> None:
    form = {"name": "Acme", "slug": "acme", "keep_days": 365}
    form |= {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    assert admin_client.post("/admin/teams/team/add/", form).status_code == 302
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object) == ("user:admin", "admin.add", "Acme")
    assert event.team_id == Team.objects.get().pk


def test_it_never_shows_or_changes_a_token(admin_client: Client, read_token: ApiToken) -> None:
    url = f"/admin/teams/apitoken/{read_token.pk}/change/"
    assert read_token.digest not in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"scope": "manage"}).status_code == 403
    assert admin_client.get("/admin/teams/apitoken/add/").status_code == 403


def test_it_revokes_a_token(admin_client: Client, read_token: ApiToken) -> None:
    body = {"action": "revoke", "_selected_action": [str(read_token.pk)]}
    admin_client.post("/admin/teams/apitoken/", body)
    read_token.refresh_from_db()
    assert not read_token.is_usable
    assert AuditEvent.objects.get().action == "token.revoke"


def test_it_only_adds_to_the_audit_log(admin_client: Client, admin_event: AuditEvent) -> None:
    base = "/admin/teams/auditevent/"
    assert admin_client.post(f"{base}{admin_event.pk}/change/", {}).status_code == 403
    assert admin_client.post(f"{base}{admin_event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{base}add/").status_code == 403


@pytest.fixture
def admin_event(db: None) -> AuditEvent:
    return AuditEvent.objects.create(
        actor="user:alice", action="x", object_type="run", object_id="1", object="<script>"
    )
