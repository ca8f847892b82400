"""THE doorway: the only way in which views, API and sockets get a tenant's rows."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Denied, Missing
from apps.core.ids import is_uuid
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


def require(actor: Actor, permission: str, *, whole_team: bool = False) -> None:
    """Raise Denied unless `actor` holds `permission` somewhere; for lists and new things, before there is a row to ask.

    `whole_team`: a token that is bound to one project does not count, for things that belong to no project.
    """
    roles.check_known(permission)
    if not actor.teams_with(permission) or (whole_team and actor.only_project is not None):
        raise Denied


def get_by_ref(actor: Actor, model: type[M], ref: str, permission: str = roles.VIEW, **lookup: Any) -> M:
    """`get_for` by what a person may type: the id, or else the slug."""
    return get_for(actor, model, permission, **lookup, **({"pk": ref} if is_uuid(ref) else {"slug": ref}))


def may(actor: Actor, permission: str, row: Tenanted) -> bool:
    """Whether `actor` holds `permission` for this row; for showing or hiding a button, never instead of `get_for`."""
    return list_for(actor, type(row), permission).filter(pk=row.pk).exists()


def _one(rows: QuerySet[M], lookup: dict[str, Any]) -> M:
    if any(isinstance(value, str) and "\x00" in value for value in lookup.values()):
        raise Missing  # PostgreSQL does not even take the question
    try:
        return rows.get(**lookup)
    except (ObjectDoesNotExist, ValueError, ValidationError):
        raise Missing from None  # not there, or an id that is no id
    except MultipleObjectsReturned:
        # The same slug in two teams of one person.
        raise Conflict(_("More than one matches; name it by its id."), code="ambiguous") from None
