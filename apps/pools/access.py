"""The doorway to pools and hosts: who may use one reads it, and the portal's admin changes it, in person."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Denied, Missing
from apps.core.ids import is_uuid
from apps.pools.models import JoinKey, WorkerHost, WorkerPool
from apps.teams import roles
from apps.teams.access import list_for
from apps.teams.actors import Actor
from apps.teams.models import Project

R = TypeVar("R", WorkerPool, WorkerHost)


def is_admin(actor: Actor) -> bool:
    """Whether it is a superuser at a browser: a token never administers."""
    user = actor.user
    return actor.token is None and user is not None and user.is_active and user.is_superuser


def require_admin(actor: Actor) -> None:
    """Raise Denied for everybody else."""
    if not is_admin(actor):
        raise Denied


def pools_for(actor: Actor) -> QuerySet[WorkerPool]:
    """The pools that runs of the actor's projects may be on; all of them for the admin."""
    if is_admin(actor):
        return WorkerPool.objects.all()
    teams, projects = actor.teams_with(roles.VIEW), list_for(actor, Project).values("pk")
    named = Q(pk__in=WorkerPool.teams.through.objects.filter(team_id__in=teams).values("workerpool_id"))
    named |= Q(pk__in=WorkerPool.projects.through.objects.filter(project_id__in=projects).values("workerpool_id"))
    return WorkerPool.objects.filter(named | Q(is_for_all=True))


def hosts_for(actor: Actor) -> QuerySet[WorkerHost]:
    """The hosts of `pools_for`."""
    hosts = WorkerHost.objects.select_related("pool", "id_range")
    return hosts if is_admin(actor) else hosts.filter(pool__in=pools_for(actor))


def get_pool(actor: Actor, ref: str, *, to_change: bool = False) -> WorkerPool:
    """The pool with this id or name. Raises Missing when it is not there or not the actor's, Denied when it is."""
    pool = None if "\x00" in ref else _by_ref(pools_for(actor), ref)
    if pool is None:
        raise Missing
    if to_change:
        require_admin(actor)
    return pool


def get_host(actor: Actor, ref: str, *, pool: WorkerPool | None = None, to_change: bool = False) -> WorkerHost:
    """The host with this id or name, of this pool if one is given. Raises as `get_pool`."""
    hosts = hosts_for(actor) if pool is None else hosts_for(actor).filter(pool=pool)
    host = None if "\x00" in ref else _by_ref(hosts, ref)
    if host is None:
        raise Missing
    if to_change:
        require_admin(actor)
    return host


def get_key(actor: Actor, pool: WorkerPool, ref: str) -> JoinKey:
    """The join key of this pool with this id; who may change the pool sees its keys. Raises Missing, Denied."""
    require_admin(actor)
    key = pool.join_keys.select_related("pool").filter(pk=ref).first() if is_uuid(ref) else None
    if key is None:
        raise Missing
    return key


def still_there(rows: QuerySet[R], row: R) -> R:
    """The row as it is now. Raises Missing when somebody has deleted it since it was read."""
    found = rows.filter(pk=row.pk).first()
    if found is None:
        raise Missing(_("“%(name)s” has just been deleted.") % {"name": row.name})
    return found


def _by_ref(rows: QuerySet[R], ref: str) -> R | None:
    return rows.filter(pk=ref).first() if is_uuid(ref) else rows.filter(name=ref).first()
