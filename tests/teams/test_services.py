"""What HTTP does not reach yet: members; and what must hold in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from apps.core.errors import Conflict, Invalid
from apps.teams import audit, services
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent, Membership, Project, Team
from apps.teams.roles import Role
from tests import factories

SYSTEM = Actor(system="test")


def of(team: Team, user: User) -> Membership:
    return Membership.objects.get(team=team, user=user)


def test_it_makes_a_team_with_an_owner(db: None) -> None:
    user = factories.UserFactory.create(username="olga")
    team = services.create_team(name="Umbrella", owner=user, by=SYSTEM)
    assert (team.slug, of(team, user).role) == ("umbrella", Role.OWNER)
    assert AuditEvent.objects.get().details == {"owner": "olga"}


def test_it_adds_a_member_once(acme: Team, alice: User, charlie: User) -> None:
    services.add_member(team=acme, user=charlie, role=Role.TESTER, by=Actor(user=alice))
    with pytest.raises(Conflict):
        services.add_member(team=acme, user=charlie, role=Role.OWNER, by=Actor(user=alice))
    assert of(acme, charlie).role == Role.TESTER


def test_it_refuses_a_role_that_does_not_exist(acme: Team, vic: User) -> None:
    with pytest.raises(Invalid):
        services.change_role(membership=of(acme, vic), role="king", by=SYSTEM)


def test_it_keeps_the_last_owner(acme: Team, alice: User, manny: User) -> None:
    with pytest.raises(Conflict, match="owner"):
        services.remove_member(membership=of(acme, alice), by=SYSTEM)
    with pytest.raises(Conflict, match="owner"):
        services.change_role(membership=of(acme, alice), role=Role.VIEWER, by=SYSTEM)
    assert not AuditEvent.objects.exists()


def test_it_lets_an_owner_go_when_there_is_another(acme: Team, alice: User, manny: User) -> None:
    services.change_role(membership=of(acme, manny), role=Role.OWNER, by=Actor(user=alice))
    services.remove_member(membership=of(acme, alice), by=Actor(user=alice))
    assert list(Membership.objects.values_list("user__username", flat=True)) == ["manny"]
    actions = AuditEvent.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["member.change_role", "member.remove"]


def test_it_takes_rights_away_with_the_membership(vic_client: Client, acme: Team, vic: User, shop: Project) -> None:
    factories.member(acme, "other", Role.OWNER)
    assert vic_client.get("/api/v1/projects/shop/").status_code == 200
    services.remove_member(membership=of(acme, vic), by=SYSTEM)
    assert vic_client.get("/api/v1/projects/shop/").status_code == 404


def test_it_writes_nothing_down_when_nothing_happened(
    manny_client: Client, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        manny_client.post("/api/v1/projects/", {"name": "New"}, content_type="application/json")
    assert list(Project.objects.all()) == [shop]


@pytest.mark.parametrize(
    ("model", "change"),
    [(Membership, {"role": "king"}), (Project, {"slug": "shop"})],
)
def test_it_holds_in_the_database(
    model: type[Membership | Project], change: dict[str, str], vic: User, shop: Project, blog: Project
) -> None:
    row = model._default_manager.order_by("-id").first()
    assert row is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        model._default_manager.filter(pk=row.pk).update(**change)
