"""What the frame around every page shows."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.teams.access import list_for
from apps.teams.actors import Actor
from apps.teams.models import Project, Team

TEAMS_SHOWN = 20
PROJECTS_SHOWN = 20
"""Of each team; the team's own page lists all."""


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`nav_teams`: teams and projects of the visitor, for the switcher; asked only by a template that shows them."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None or actor.user is None:
        return {}
    return {"nav_teams": SimpleLazyObject(lambda: _teams(actor))}


def _teams(actor: Actor) -> list[Team]:
    projects = Project.objects.order_by("name")[:PROJECTS_SHOWN]
    return list(list_for(actor, Team).prefetch_related(Prefetch("projects", queryset=projects))[:TEAMS_SHOWN])
