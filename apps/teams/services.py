"""Everything that changes a team and what belongs to it. Each leaves its line in the audit log, or does not happen."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Invalid
from apps.core.names import clean_name, clean_slug, derive_slug
from apps.teams import audit, selectors
from apps.teams.actors import Actor
from apps.teams.authentication import digest
from apps.teams.models import ApiToken, Membership, Project, Team
from apps.teams.roles import Role, Scope

TOKEN_BYTES = 32
"""256 random bits: 43 characters after the `htc_`."""
TOKEN_PREFIX_CHARS = 12
DESCRIPTION_CHARS = 2000

M = TypeVar("M", Team, Project)


# --- teams and their members --------------------------------------------------------------------------------------


@transaction.atomic
def create_team(*, name: str, owner: User, slug: str = "", by: Actor) -> Team:
    """A team with its first owner. Raises Invalid for a name or slug that cannot be used."""
    name = clean_name(name)
    others = Team.objects.all()
    slug = _slug(slug, name, otherwise="team", taken=lambda slug: others.filter(slug=slug).exists())
    team = _create_once(lambda: Team.objects.create(name=name, slug=slug))
    Membership.objects.create(team=team, user=owner, role=Role.OWNER)
    audit.record("team.create", obj=team, team=team, by=by, owner=owner.get_username())
    return team


@transaction.atomic
def add_member(*, team: Team, user: User, role: str, by: Actor) -> Membership:
    """Raises Conflict for somebody who is in the team already."""
    role = _known_role(role)
    membership, created = Membership.objects.get_or_create(team=team, user=user, defaults={"role": role})
    if not created:
        raise Conflict(_("%(user)s is in this team already.") % {"user": user}, code="already_member")
    audit.record("member.add", obj=membership, team=team, by=by, user=user.get_username(), role=role)
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: Actor) -> Membership:
    """Raises Conflict when it would leave the team without an owner."""
    role = _known_role(role)
    if role != Role.OWNER:
        _keep_an_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    details = {"user": membership.user.get_username(), "before": before, "after": role}
    audit.record("member.change_role", obj=membership, team=membership.team, by=by, **details)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, by: Actor) -> None:
    """Raises Conflict for the last owner. Tokens are the team's and stay."""
    _keep_an_owner(membership)
    user = membership.user.get_username()
    audit.record("member.remove", obj=membership, team=membership.team, by=by, user=user, role=membership.role)
    membership.delete()


def _keep_an_owner(leaving: Membership) -> None:
    # Locked: two owners who leave in the same moment must not both see the other.
    owners = Membership.objects.select_for_update().filter(team_id=leaving.team_id, role=Role.OWNER)
    ids = {owner.pk for owner in owners}
    if ids == {leaving.pk}:
        raise Conflict(_("A team needs an owner. Make somebody else an owner first."), code="last_owner")


def _known_role(role: str) -> str:
    if role not in Role.values:
        raise Invalid(_("There is no such role."), fields={"role": [_("There is no such role.")]})
    return role


# --- projects -----------------------------------------------------------------------------------------------------


@transaction.atomic
def create_project(*, team: Team, name: str, slug: str = "", description: str = "", by: Actor) -> Project:
    """A project of the team. Raises Invalid for a name or slug that cannot be used."""
    name = clean_name(name)
    slug = _slug(slug, name, otherwise="project", taken=lambda slug: team.projects.filter(slug=slug).exists())
    fields = {"name": name, "slug": slug, "description": _clean_description(description)}
    project = _create_once(lambda: Project.objects.create(team=team, **fields))
    audit.record("project.create", obj=project, team=team, by=by, slug=slug)
    return project


@transaction.atomic
def change_project(
    *, project: Project, name: str | None = None, slug: str | None = None, description: str | None = None, by: Actor
) -> Project:
    """Change what is not None. A new slug is a new address."""
    before = {"name": project.name, "slug": project.slug}
    if name is not None:
        project.name = clean_name(name)
    if description is not None:
        project.description = _clean_description(description)
    if slug is not None and slug != project.slug:
        others = project.team.projects.exclude(pk=project.pk)
        project.slug = _slug(slug, project.name, otherwise="", taken=lambda slug: others.filter(slug=slug).exists())
    project.save(update_fields=["name", "slug", "description"])
    after = {"name": project.name, "slug": project.slug}
    audit.record("project.change", obj=project, team=project.team, by=by, before=before, after=after)
    return project


@transaction.atomic
def delete_project(*, project: Project, by: Actor) -> selectors.Contents:
    """Delete it with all that hangs on it; the answer says what that was. Raises Conflict while a run is active."""
    # Locked: no run is numbered, and so none starts, between the question and the deletion.
    project = Project.objects.select_for_update(of=("self",)).select_related("team").get(pk=project.pk)
    if selectors.has_active_runs(project):
        raise Conflict(_("A run of this project is active. Stop it first."), code="run_active")
    contents = selectors.contents(project)
    audit.record("project.delete", obj=project, team=project.team, by=by, slug=project.slug, **contents)
    project.runs.all().delete()  # first, because a run protects the script version it used
    project.delete()
    return contents


def _clean_description(description: str) -> str:
    if len(description) > DESCRIPTION_CHARS or "\x00" in description:
        sentence = _("A description has at most %(chars)d characters.") % {"chars": DESCRIPTION_CHARS}
        raise Invalid(sentence, fields={"description": [sentence]})
    return description


# --- tokens -------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_token(
    *,
    team: Team,
    name: str,
    scope: str,
    project: Project | None = None,
    expires_at: datetime | None = None,
    by: Actor,
) -> tuple[ApiToken, str]:
    """The token, and its secret, which nobody can show again. Raises Invalid for input that cannot be used."""
    if scope not in Scope.values:
        raise Invalid(_("There is no such scope."), fields={"scope": [_("There is no such scope.")]})
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(_("That is in the past."), fields={"expires_at": [_("That is in the past.")]})
    if project is not None and project.team_id != team.pk:
        raise Invalid(_("The project is another team's."), fields={"project": [_("The project is another team's.")]})
    secret = f"htc_{secrets.token_urlsafe(TOKEN_BYTES)}"
    token = ApiToken.objects.create(
        team=team,
        project=project,
        name=clean_name(name),
        prefix=secret[:TOKEN_PREFIX_CHARS],
        digest=digest(secret),
        scope=scope,
        expires_at=expires_at,
        created_by=by.user,
    )
    audit.record("token.create", obj=token, team=team, by=by, scope=scope, project=project.slug if project else "")
    return token, secret


@transaction.atomic
def revoke_token(*, token: ApiToken, by: Actor) -> None:
    """It stops working at once, and open sockets with it within half a minute. A second time changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("token.revoke", obj=token, team=token.team, by=by)
    token.refresh_from_db()


# --- slugs --------------------------------------------------------------------------------------------------------


def _slug(given: str, name: str, *, otherwise: str, taken: Callable[[str], bool]) -> str:
    if not given:
        return derive_slug(name, otherwise=otherwise, is_taken=taken)
    if taken(clean_slug(given)):
        raise _slug_taken()
    return given


def _create_once(create: Callable[[], M]) -> M:
    """A slug that another took between the question and now is answered like one that was taken before."""
    try:
        with transaction.atomic():
            return create()
    except IntegrityError:
        raise _slug_taken() from None


def _slug_taken() -> Invalid:
    sentence = _("This slug is taken.")
    return Invalid(sentence, code="slug_taken", fields={"slug": [sentence]})
