"""Writing the audit log. Called inside the transaction of what it records, so that neither exists without the other."""

from __future__ import annotations

from typing import Any

from apps.teams.actors import Actor
from apps.teams.models import AuditEvent, Team


def record(action: str, *, obj: Any, team: Team | None, by: Actor, **details: object) -> None:
    """Note that `by` did `action` to the model instance `obj`. `details` must be plain JSON values, and no secrets."""
    AuditEvent.objects.create(
        team_id=team.pk if team else None,
        team=team.name if team else "",
        actor=by.label[:200],
        action=action,
        object_type=type(obj)._meta.model_name,
        object_id=str(obj.pk),
        object=str(obj)[:200],
        details=details,
    )
