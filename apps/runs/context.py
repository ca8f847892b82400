"""What the frame around every page shows of runs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.runs.models import Run
from apps.runs.states import ACTIVE, State
from apps.teams.access import list_for


def running(request: HttpRequest) -> dict[str, Any]:
    """`active_runs`: `running` and `waiting` of the visitor's teams; asked only by a template that shows it."""
    actor = getattr(request, "actor", None)
    if actor is None or actor.user is None:
        return {}
    waiting = Q(state=State.QUEUED)
    active = list_for(actor, Run).filter(state__in=sorted(ACTIVE)).order_by()
    counts = {"waiting": Count("pk", filter=waiting), "running": Count("pk", filter=~waiting)}
    return {"active_runs": SimpleLazyObject(lambda: active.aggregate(**counts))}
