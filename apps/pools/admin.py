"""The portal admin's view of pools, hosts and runners."""

from __future__ import annotations

from django.contrib import admin

from apps.pools.models import Runner, WorkerHost, WorkerPool
from apps.teams.admin import Audited, ReadOnly


@admin.register(WorkerPool)
class WorkerPoolAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "description", "is_default"]


@admin.register(WorkerHost)
class WorkerHostAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "pool", "cores"]
    list_select_related = ["pool"]
    readonly_fields = ["versions", "cores"]


@admin.register(Runner)
class RunnerAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are written by the runners themselves."""

    list_display = ["name", "host", "draining", "last_seen_at"]
    list_select_related = ["host"]
