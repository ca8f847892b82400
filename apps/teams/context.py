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
    """`nav_teams`: the visitor's teams, each with `nav_projects`; asked only by a template that shows them."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None or actor.user is None:
        return {}
    return {"nav_teams": SimpleLazyObject(lambda: _teams(actor))}


def _teams(actor: Actor) -> list[Team]:
    some = Project.objects.order_by("name")[:PROJECTS_SHOWN]
    rows = list_for(actor, Team).prefetch_related(Prefetch("projects", queryset=some, to_attr="nav_projects"))
    return list(rows[:TEAMS_SHOWN])
