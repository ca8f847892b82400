"""REST of hosts: who may use their pool reads them; the portal's admin changes them, in a session of their own."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.errors import Invalid, Missing
from apps.pools import access, host_rows, hosts, presentation, ranges
from apps.pools.api import valid
from apps.pools.models import Standing, WorkerHost, WorkerPool
from apps.pools.serializers import STATES, HostChange, HostFullOut, HostMoveNew, HostOut
from apps.pools.usage import Viewer
from apps.teams.authentication import actor_of

SETTINGS = ("slots", "max_users", "address", "link_mbit", "labels")


class HostList(generics.ListAPIView[WorkerHost]):
    """The hosts of the pools that the caller may use."""

    serializer_class = HostOut

    def get_queryset(self) -> QuerySet[WorkerHost]:
        actor, asked = actor_of(self.request), self.request.GET
        rows = access.hosts_for(actor).defer("recent").prefetch_related("runners")
        if ref := asked.get("pool"):
            rows = rows.filter(pool=access.get_pool(actor, ref))
        if state := asked.get("state"):
            rows = _in_state(rows, state)
        return rows

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        viewer = Viewer.of(actor_of(request))
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(
            [presentation.host(row, viewer) for row in host_rows.rows(page or [], viewer)]
        )

    @extend_schema(
        parameters=[
            OpenApiParameter("pool", str, description="Id or name."),
            OpenApiParameter("state", str, enum=STATES),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List hosts."""
        return super().get(request, *args, **kwargs)


class HostDetail(APIView):
    """One host, by its id or name."""

    @extend_schema(responses=HostFullOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a host with its last report and its history."""
        return Response(_host(request, access.get_host(actor_of(request), ref)))

    @extend_schema(request=HostChange, responses=HostFullOut)
    def patch(self, request: Request, ref: str) -> Response:
        """Change a host and its IDs; what is left out stays. For the portal's admin."""
        host = access.get_host(actor_of(request), ref, to_change=True)
        given = valid(HostChange, request)
        hosts.check_name(host=host, name=given.get("name", host.name))
        kept = {name: given.get(name, getattr(host, name)) for name in SETTINGS}
        hosts.check(host=host, **kept)  # before anything is locked: a name that nobody knows takes its time
        with transaction.atomic():
            hosts.change(host=host, **kept, by=actor_of(request))
            if given.keys() & {"first", "last"}:
                _set_range(request, host, given.get("first"), given.get("last"))
        return Response(_host(request, access.get_host(actor_of(request), str(host.pk))))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str) -> Response:
        """Remove a host with its range and history. Refused (409, `host_busy`) while it runs something."""
        hosts.remove(host=access.get_host(actor_of(request), ref, to_change=True), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class HostApprove(APIView):
    """A decision."""

    @extend_schema(request=None, responses=HostFullOut)
    def post(self, request: Request, ref: str) -> Response:
        """Let a pending host take part. For the portal's admin."""
        host = hosts.approve(host=access.get_host(actor_of(request), ref, to_change=True), by=actor_of(request))
        return Response(_host(request, host))


class HostDrain(APIView):
    """A decision."""

    @extend_schema(request=None, responses=HostFullOut)
    def post(self, request: Request, ref: str) -> Response:
        """Let a host finish what it runs and take nothing new. For the portal's admin."""
        host = hosts.drain(host=access.get_host(actor_of(request), ref, to_change=True), by=actor_of(request))
        return Response(_host(request, host))


class HostActivate(APIView):
    """A decision."""

    @extend_schema(request=None, responses=HostFullOut)
    def post(self, request: Request, ref: str) -> Response:
        """Let a draining host take part again. For the portal's admin."""
        host = hosts.activate(host=access.get_host(actor_of(request), ref, to_change=True), by=actor_of(request))
        return Response(_host(request, host))


class HostMove(APIView):
    """Another pool."""

    @extend_schema(request=HostMoveNew, responses=HostFullOut)
    def post(self, request: Request, ref: str) -> Response:
        """Move a host to another pool; its IDs are then no host's. Refused (409, `host_busy`) while a run uses it.
        For the portal's admin."""
        host = access.get_host(actor_of(request), ref, to_change=True)
        to = _pool(request, valid(HostMoveNew, request)["pool"])
        moved = hosts.move(host=host, to=to, by=actor_of(request))
        return Response(_host(request, access.get_host(actor_of(request), str(moved.pk))))


def _pool(request: Request, ref: str) -> WorkerPool:
    try:
        return access.get_pool(actor_of(request), ref)
    except Missing:
        sentence = _("There is no such pool.")
        raise Invalid(sentence, code="no_pool", fields={"pool": [sentence]}) from None


def _host(request: Request, host: WorkerHost) -> dict[str, Any]:
    viewer = Viewer.of(actor_of(request))
    [row] = host_rows.rows([host], viewer)
    return presentation.host_in_full(row, viewer)


def _in_state(rows: QuerySet[WorkerHost], state: str) -> QuerySet[WorkerHost]:
    """Raises Invalid for a state that there is not."""
    match state:
        case "offline":
            return rows.filter(is_silent=True).exclude(standing=Standing.PENDING)
        case "pending":
            return rows.filter(standing=state)
        case "active" | "draining":
            return rows.filter(standing=state, is_silent=False)
    sentence = _("A state is one of %(states)s.") % {"states": ", ".join(STATES)}
    raise Invalid(sentence, fields={"state": [sentence]})


def _set_range(request: Request, host: WorkerHost, first: int | None, last: int | None) -> None:
    if first is None and last is None:
        ranges.clear(host=host, by=actor_of(request))
    else:
        ranges.assign(host=host, first=first, last=last, by=actor_of(request))
