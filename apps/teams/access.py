"""THE doorway: the only way in which views, API and sockets get a tenant's rows."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from apps.core.errors import Denied, Missing
from apps.core.models import Tenanted
from apps.teams import roles
from apps.teams.actors import Actor

M = TypeVar("M", bound=Tenanted)


def list_for(actor: Actor, model: type[M], permission: str = roles.VIEW) -> QuerySet[M]:
    """The rows of `model` for which `actor` holds `permission`; empty for an outsider."""
    roles.check_known(permission)
    rows = model._default_manager.filter(**{f"{model.TEAM_PATH}__in": actor.teams_with(permission)})
    if actor.only_project is None:
        return rows
    if model.PROJECT_PATH is not None:
        return rows.filter(**{model.PROJECT_PATH: actor.only_project})
    return rows if permission == roles.VIEW else rows.none()


def get_for(actor: Actor, model: type[M], permission: str = roles.VIEW, **lookup: Any) -> M:
    """The one row of `model` that matches `lookup`.

    Raises Missing when it does not exist or the actor may not even see it, Denied when it may see but not do this.
    """
    roles.check_known(permission)
    row = _one(list_for(actor, model, roles.VIEW), lookup)
    if permission != roles.VIEW and not list_for(actor, model, permission).filter(pk=row.pk).exists():
        raise Denied
    return row


def may(actor: Actor, permission: str, row: Tenanted) -> bool:
    """Whether `actor` holds `permission` for this row; for showing or hiding a button, never instead of `get_for`."""
    return list_for(actor, type(row), permission).filter(pk=row.pk).exists()


def _one(rows: QuerySet[M], lookup: dict[str, Any]) -> M:
    try:
        return rows.get(**lookup)
    except (ValueError, ValidationError):
        raise Missing from None  # an id that is no id
    except _does_not_exist(rows.model):
        raise Missing from None


def _does_not_exist(model: type[Model]) -> type[Exception]:
    return model.DoesNotExist  # type: ignore[attr-defined, no-any-return]
