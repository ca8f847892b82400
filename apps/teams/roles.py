"""Who may do what, as plain data. A permission that is not listed here does not exist."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """A member's role; each may do all that those before it may."""

    VIEWER = "viewer", _("Viewer: reads everything of the team")
    TESTER = "tester", _("Tester: also writes scenarios and starts runs")
    MANAGER = "manager", _("Manager: also manages projects and API tokens")
    OWNER = "owner", _("Owner: also manages members and the team")


class Scope(TextChoices):
    """What an API token may do; each contains those before it."""

    READ = "read", _("Read: results and scenarios")
    RUN = "run", _("Run: also start and stop runs")
    MANAGE = "manage", _("Manage: also scenarios, projects and settings")


VIEW = "view"
RUN_START = "run.start"
RUN_CONTROL = "run.control"
SCENARIO_EDIT = "scenario.edit"
PROJECT_EDIT = "project.edit"
TOKEN_MANAGE = "token.manage"  # noqa: S105
AUDIT_VIEW = "audit.view"
MEMBER_MANAGE = "member.manage"
TEAM_EDIT = "team.edit"

PERMISSIONS = {
    VIEW: _("see projects, scenarios, runs and results"),
    RUN_START: _("start runs"),
    RUN_CONTROL: _("stop, abort and annotate runs"),
    SCENARIO_EDIT: _("create, change and delete scenarios"),
    PROJECT_EDIT: _("create, change and delete projects"),
    TOKEN_MANAGE: _("create and revoke API tokens"),
    AUDIT_VIEW: _("read the audit log"),
    MEMBER_MANAGE: _("add and remove members and change their roles"),
    TEAM_EDIT: _("rename the team"),
}

_VIEWER = frozenset({VIEW})
_TESTER = _VIEWER | {RUN_START, RUN_CONTROL, SCENARIO_EDIT}
_MANAGER = _TESTER | {PROJECT_EDIT, TOKEN_MANAGE, AUDIT_VIEW}
_OWNER = _MANAGER | {MEMBER_MANAGE, TEAM_EDIT}

ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    Role.VIEWER: _VIEWER,
    Role.TESTER: _TESTER,
    Role.MANAGER: _MANAGER,
    Role.OWNER: _OWNER,
}
SCOPE_PERMISSIONS: dict[str, frozenset[str]] = {
    Scope.READ: _VIEWER,
    Scope.RUN: _VIEWER | {RUN_START, RUN_CONTROL},
    # A token never hands out rights: no tokens, no members.
    Scope.MANAGE: _TESTER | {PROJECT_EDIT, AUDIT_VIEW},
}


def check_known(permission: str) -> None:
    """Raise for a misspelt permission: silently denying it would hide the mistake, allowing it would be worse."""
    if permission not in PERMISSIONS:
        raise ValueError(f"unknown permission {permission!r}")
