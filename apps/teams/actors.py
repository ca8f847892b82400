"""Who is acting: a person in a browser, a program with a token, or the portal itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User

from apps.teams.models import ApiToken, Membership
from apps.teams.roles import ROLE_PERMISSIONS, SCOPE_PERMISSIONS


@dataclass(frozen=True, slots=True)
class Actor:
    """One of a user, a token, or neither (the system, named by `system`)."""

    user: User | None = None
    token: ApiToken | None = None
    system: str = ""

    @property
    def label(self) -> str:
        """How the audit log and the run name it; it outlives the row."""
        if self.token is not None:
            return f"token:{self.token.name} ({self.token.prefix}…)"
        if self.user is not None:
            return f"user:{self.user.get_username()}"
        return f"system:{self.system}"

    @property
    def display(self) -> str:
        """The label without its kind, for pages."""
        return self.label.partition(":")[2]

    def teams_with(self, permission: str) -> list[UUID]:
        """Ids of the teams in which this actor holds `permission`. One query for a user, none for a token."""
        if self.token is not None:
            held = permission in SCOPE_PERMISSIONS[self.token.scope] and self.token.is_usable
            return [self.token.team_id] if held else []
        if self.user is None or not self.user.is_active:
            return []
        roles = [role for role, held in ROLE_PERMISSIONS.items() if permission in held]
        return list(Membership.objects.filter(user=self.user, role__in=roles).values_list("team_id", flat=True))

    @property
    def only_project(self) -> UUID | None:
        """The single project a token is bound to, if it is."""
        return self.token.project_id if self.token is not None else None
