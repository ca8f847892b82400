"""The words of the access table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.teams.roles import VIEW

PUBLIC = "public"
"""Anybody, logged in or not."""
LOGGED_IN = "logged in"
"""Everybody with an account or a token, whatever their teams."""
ADMIN = "portal admin"
"""The portal's admin at a browser: no member, and no token."""
CLOSED = "closed"
"""Nobody: not found."""


@dataclass(frozen=True)
class Need:
    """What one method of one address asks of who calls it."""

    permission: str = VIEW
    """One of `apps.teams.roles`, or a word from above."""
    of: str = "project"
    """Whose thing the address or the body names: of Acme's project "Shop" (`project`), of Acme as a whole (`team`),
    a pool that Acme may use or a host of it (`pool`), or nobody's (`own`: a list of one's own things, or a new one)."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Sent along. `"@run.pk"` stands for that attribute of the cast."""
    query: str = ""


def of_project(permission: str = VIEW, *, query: str = "", **body: Any) -> Need:
    """Names a thing of Shop: strangers and Blog's token do not find it."""
    return Need(permission, "project", body, query)


def of_team(permission: str = VIEW, *, query: str = "", **body: Any) -> Need:
    """Names a thing of Acme that belongs to no project: strangers do not find it."""
    return Need(permission, "team", body, query)


def own(permission: str = VIEW, *, query: str = "", **body: Any) -> Need:
    """Names nothing: whoever holds the permission in a team of theirs is served, from that team."""
    return Need(permission, "own", body, query)


def of_pool(permission: str = VIEW, *, query: str = "", **body: Any) -> Need:
    """Names a pool that is Acme's to use, or a host of it: strangers do not find it, the portal's admin does."""
    return Need(permission, "pool", body, query)


public = Need(PUBLIC, "own")
logged_in = Need(LOGGED_IN, "own")
closed = Need(CLOSED, "own")


@dataclass(frozen=True)
class Route:
    """One address: what fills its holes, and a need for each method that it has."""

    needs: Mapping[str, Need]
    holes: Mapping[str, str]
    """`{"pk": "run.pk"}`: the attribute of the cast that fills `<uuid:pk>`; a word without a dot stands for itself."""


def route(
    holes: Mapping[str, str] | None = None,
    *,
    get: Need | None = None,
    post: Need | None = None,
    patch: Need | None = None,
    put: Need | None = None,
    delete: Need | None = None,
) -> Route:
    """One line of the table. Methods that are not named must be refused."""
    needs = {"GET": get, "POST": post, "PATCH": patch, "PUT": put, "DELETE": delete}
    return Route({method: need for method, need in needs.items() if need is not None}, holes or {})
