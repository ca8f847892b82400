"""REST of pools: who may use one reads it; the portal's admin changes it, in a session of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.clock import db_now
from apps.core.errors import Invalid
from apps.core.idempotency import idempotent
from apps.core.ids import is_uuid
from apps.core.serializers import StrictSerializer
from apps.pools import access, host_rows, keys, overview, pools, presentation, ranges, usage
from apps.pools.models import JoinKey, WorkerHost, WorkerPool
from apps.pools.serializers import (
    JoinKeyNew,
    JoinKeyOut,
    JoinKeyWithSecret,
    PoolChange,
    PoolNew,
    PoolOut,
    SpaceOut,
    SplitNew,
    SplitOut,
)
from apps.pools.space import space
from apps.pools.usage import Viewer
from apps.teams.authentication import actor_of
from apps.teams.models import Project, Team

T = TypeVar("T")

FORMAT = {"id_prefix": "prefix", "id_width": "width", "first_id": "first", "last_id": "last"}
"""Fields of the body, and what `ranges.set_format` calls them."""


class PoolList(generics.ListAPIView[WorkerPool]):
    """The pools that the caller may use, with their hosts and runners."""

    serializer_class = PoolOut

    def get_queryset(self) -> QuerySet[WorkerPool]:
        return overview.with_people(access.pools_for(actor_of(self.request)))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(_pools(request, page or []))

    @extend_schema(request=PoolNew, responses={201: PoolOut})
    @idempotent()
    def post(self, request: Request) -> Response:
        """Make a pool. For the portal's admin."""
        access.require_admin(actor_of(request))
        given = valid(PoolNew, request)
        with _lock_for(given):
            pool = pools.create(options=_options(given), by=actor_of(request))
            _set_format(request, pool, given)
        location = reverse("api:pool", args=[pool.name])
        return Response(_pool(request, pool), status=status.HTTP_201_CREATED, headers={"Location": location})


class PoolDetail(APIView):
    """One pool, by its id or name."""

    @extend_schema(responses=PoolOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a pool with its hosts and runners."""
        return Response(_pool(request, access.get_pool(actor_of(request), ref)))

    @extend_schema(request=PoolChange, responses=PoolOut)
    def patch(self, request: Request, ref: str) -> Response:
        """Change a pool; what is left out stays. For the portal's admin."""
        pool = access.get_pool(actor_of(request), ref, to_change=True)
        given = valid(PoolChange, request)
        with _lock_for(given):
            pool = pools.change(pool=pool, options=_options(given, pool), by=actor_of(request))
            pool = _set_format(request, pool, given)
        return Response(_pool(request, pool))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str) -> Response:
        """Delete a pool. Refused (409) for `local`, for the default, and for one that has hosts or has had runs."""
        pools.delete(pool=access.get_pool(actor_of(request), ref, to_change=True), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PoolSpace(APIView):
    """The IDs of a pool."""

    @extend_schema(responses=SpaceOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read who owns which IDs, and what is leased and free."""
        pool = access.get_pool(actor_of(request), ref)
        return Response(presentation.space(pool, space(pool), Viewer.of(actor_of(request))))


class PoolSplit(APIView):
    """IDs over slots."""

    @extend_schema(request=SplitNew, responses=SplitOut)
    def post(self, request: Request, ref: str) -> Response:
        """Split IDs evenly over the slots of hosts, or see what that would give. For the portal's admin."""
        pool = access.get_pool(actor_of(request), ref, to_change=True)
        given = valid(SplitNew, request)
        is_preview, as_seen = given.pop("preview"), given.pop("seen", None)
        chosen = _hosts_of(pool, given.pop("hosts", None))
        if is_preview:
            parts = ranges.preview_split(pool=pool, **given, hosts=chosen)
        else:
            parts = ranges.split_evenly(pool=pool, **given, hosts=chosen, as_seen=as_seen, by=actor_of(request))
        return Response(presentation.split(pool, parts, is_preview=is_preview))


class PoolJoinKeys(generics.ListAPIView[JoinKey]):
    """Keys for new hosts."""

    serializer_class = JoinKeyOut

    def get_queryset(self) -> QuerySet[JoinKey]:
        pool = access.get_pool(actor_of(self.request), self.kwargs["ref"], to_change=True)
        return pool.join_keys.select_related("pool")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page, now = self.paginate_queryset(self.get_queryset()), db_now()
        return self.get_paginated_response([presentation.join_key(key, now) for key in page or []])

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the join keys of a pool; never what opens the door. For the portal's admin."""
        return super().get(request, *args, **kwargs)

    @extend_schema(request=JoinKeyNew, responses={201: JoinKeyWithSecret})
    @idempotent(hide=("secret", "command"))
    def post(self, request: Request, ref: str) -> Response:
        """Make a key for one new host. The answer is the only place where it is ever shown. For the portal's admin."""
        pool = access.get_pool(actor_of(request), ref, to_change=True)
        given = valid(JoinKeyNew, request)
        key, secret = keys.make(pool, given["host_name"], actor_of(request))
        body = presentation.join_key(key, db_now())
        body |= {"secret": secret, "command": keys.command(pool, key.host_name, secret)}
        return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class PoolJoinKey(APIView):
    """One join key, by its id."""

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str, pk: UUID) -> Response:
        """Revoke a key: it stays in the list, and lets nobody in. Refused (409, `key_used`) when a host came with it.
        For the portal's admin."""
        pool = access.get_pool(actor_of(request), ref, to_change=True)
        keys.revoke(key=access.get_key(actor_of(request), pool, str(pk)), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


# --- what is told -------------------------------------------------------------------------------------------------


def _pools(request: Request, found: list[WorkerPool]) -> list[dict[str, Any]]:
    """Of pools `with_people`."""
    viewer = Viewer.of(actor_of(request))
    hosts_here = WorkerHost.objects.filter(pool__in=found).select_related("pool", "id_range").defer("recent")
    rows = hosts_here.prefetch_related("runners")
    by_pool: dict[Any, list[host_rows.Row]] = {}
    for row in host_rows.rows(list(rows), viewer):
        by_pool.setdefault(row.host.pool_id, []).append(row)
    leased = usage.ids_leased(found)
    return [
        presentation.pool(
            overview.card(pool, by_pool.get(pool.pk, []), leased.get(pool.pk, 0), viewer),
            by_pool.get(pool.pk, []),
            viewer,
        )
        for pool in found
    ]


def _pool(request: Request, pool: WorkerPool) -> dict[str, Any]:
    [told] = _pools(request, list(overview.with_people(WorkerPool.objects.filter(pk=pool.pk))))
    return told


# --- what is given ------------------------------------------------------------------------------------------------


def valid(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The body. Raises ValidationError."""
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


@contextmanager
def _lock_for(given: dict[str, Any]) -> Iterator[None]:
    """One transaction, which holds all pools if another is to be the default."""
    with transaction.atomic():
        if given.get("is_default"):
            pools.lock_all()
        yield


def _options(given: dict[str, Any], pool: WorkerPool | None = None) -> pools.Options:
    """All options of a pool: as given, else as they are."""
    kept: dict[str, Any] = {}
    if pool is not None:
        kept = {column: getattr(pool, column) for column in pools.COLUMNS}
        kept |= {"teams": list(pool.teams.all()), "projects": list(pool.projects.all())}
    kept |= {column: given[column] for column in pools.COLUMNS if column in given}
    if "teams" in given:
        kept["teams"] = _teams(given["teams"])
    if "projects" in given:
        kept["projects"] = _projects(given["projects"])
    return pools.Options(**kept)


def _set_format(request: Request, pool: WorkerPool, given: dict[str, Any]) -> WorkerPool:
    if given.get("is_default"):
        pool = pools.make_default(pool=pool, by=actor_of(request))
    if not given.keys() & FORMAT.keys():
        return pool
    wanted = {word: given.get(field, getattr(pool, field)) for field, word in FORMAT.items()}
    return ranges.set_format(pool=pool, **wanted, by=actor_of(request))


def _hosts_of(pool: WorkerPool, refs: list[str] | None) -> list[WorkerHost] | None:
    """Raises Invalid for one that is not of this pool, or is named twice."""
    if refs is None:
        return None
    hosts = list(pool.hosts.all())
    # An id before a name that looks like it, as in addresses: a machine chooses its name by itself.
    known = {host.name: host for host in hosts} | {str(host.pk): host for host in hosts}
    missing = [ref for ref in refs if ref not in known]
    if missing:
        sentence = _("Host %(host)s is not in pool %(pool)s.") % {"host": missing[0], "pool": pool}
        raise Invalid(sentence, code="other_pool", fields={"hosts": [sentence]})
    chosen = [known[ref] for ref in refs]
    for host, before in pairwise(sorted(chosen, key=lambda host: host.pk)):
        if host == before:
            sentence = _("Host %(host)s is named twice.") % {"host": host}
            raise Invalid(sentence, code="host_twice", fields={"hosts": [sentence]})
    return chosen


def _teams(refs: Collection[str]) -> list[Team]:
    """By ids or slugs; one query."""
    keys_ = [ref for ref in refs if is_uuid(ref)]
    rows = Team.objects.filter(Q(pk__in=keys_) | Q(slug__in=[ref for ref in refs if "\x00" not in ref]))
    known = {name: team for team in rows for name in (str(team.pk), team.slug)}
    return [_known(known, str(UUID(ref)) if is_uuid(ref) else ref, "teams") for ref in refs]


def _projects(pks: Collection[UUID]) -> list[Project]:
    """One query."""
    known = {str(project.pk): project for project in Project.objects.filter(pk__in=pks)}
    return [_known(known, str(pk), "projects") for pk in pks]


def _known(known: Mapping[str, T], ref: str, field: str) -> T:
    """Raises Invalid for what is not there."""
    if ref not in known:
        sentence = _("There is no such team.") if field == "teams" else _("There is no such project.")
        raise Invalid(sentence, fields={field: [sentence]})
    return known[ref]
