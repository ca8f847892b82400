"""REST of pools: read by everybody who is logged in, because everybody shares them."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.errors import Missing
from apps.core.ids import is_uuid
from apps.pools.models import Runner, WorkerHost, WorkerPool


class RunnerOut(serializers.ModelSerializer[Runner]):
    online = serializers.BooleanField(source="is_online", read_only=True)

    class Meta:
        model = Runner
        fields = ["id", "name", "online", "draining", "started_at", "last_seen_at"]


class HostOut(serializers.ModelSerializer[WorkerHost]):
    runners = RunnerOut(many=True)
    versions = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = WorkerHost
        fields = ["id", "name", "cores", "versions", "runners"]


class PoolOut(serializers.ModelSerializer[WorkerPool]):
    hosts = HostOut(many=True)

    class Meta:
        model = WorkerPool
        fields = ["id", "name", "description", "is_default", "hosts"]


class PoolList(generics.ListAPIView[WorkerPool]):
    """The pools with their hosts and runners."""

    serializer_class = PoolOut

    def get_queryset(self) -> QuerySet[WorkerPool]:
        return pools()


class PoolDetail(APIView):
    """One pool, by its id or name."""

    @extend_schema(responses=PoolOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a pool with its hosts and runners."""
        lookup: dict[str, Any] = {"pk": ref} if is_uuid(ref) else {"name": ref}
        pool = pools().filter(**lookup).first() if "\x00" not in ref else None
        if pool is None:
            raise Missing
        return Response(PoolOut(pool).data)


def pools() -> QuerySet[WorkerPool]:
    """Every pool; its hosts and their runners come with two more queries, however many there are."""
    hosts = WorkerHost.objects.prefetch_related("runners")
    return WorkerPool.objects.prefetch_related(Prefetch("hosts", hosts))
