"""What the frame around every page shows of runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.runs.models import Run
from apps.runs.states import ACTIVE
from apps.teams.access import list_for


def running(request: HttpRequest) -> dict[str, Any]:
    """`running_count`: active runs of the visitor's teams; asked only by a template that shows it."""
    actor = getattr(request, "actor", None)
    if actor is None or actor.user is None:
        return {}
    return {"running_count": SimpleLazyObject(lambda: list_for(actor, Run).filter(state__in=sorted(ACTIVE)).count())}
