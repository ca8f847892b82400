"""The portal admin's view of pools, hosts and runners. What is done here is done by the services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, Model, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core.errors import HatcheryError
from apps.pools import hosts, pools, ranges
from apps.pools.forms import HostAdminForm, PoolForm
from apps.pools.models import HostEvent, IdLease, JoinKey, Runner, WorkerHost, WorkerPool
from apps.teams.actors import Actor
from apps.teams.admin import ReadOnly

EVENTS_SHOWN = 50


class ByServices(admin.ModelAdmin):  # type: ignore[type-arg]
    """Base of those whose forms and deletions are carried out by services, which write the audit log."""

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        obj.pk = form.write(by=_actor(request)).pk

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time is deleted, and asked about before."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What is in use says so instead of asking."""
        obj = self.get_object(request, unquote(object_id))
        try:
            if obj is not None:
                self.check_delete(obj)
        except HatcheryError as error:
            self.message_user(request, error.message, messages.ERROR)
            name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))
        return super().delete_view(request, object_id, extra_context)

    def check_delete(self, obj: Any) -> None:
        """Raises HatcheryError for what cannot be deleted."""
        raise NotImplementedError

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Not all that goes with it: a host has thousands of events."""
        return [str(obj) for obj in objs], {}, set(), []

    def carry_out(self, request: HttpRequest, rows: QuerySet[Any], service: Callable[[Any, Actor], object]) -> None:
        """An action on each row, with a message for each that is refused and one for the others."""
        done = 0
        for row in rows:
            try:
                service(row, _actor(request))
                done += 1
            except HatcheryError as error:
                self.message_user(request, error.message, messages.ERROR)
        if done:
            told = ngettext("Done for %(count)d.", "Done for %(count)d.", done) % {"count": done}
            self.message_user(request, told, messages.SUCCESS)


@admin.register(WorkerPool)
class WorkerPoolAdmin(ByServices):
    form = PoolForm
    list_display = ["name", "description", "is_default", "host_count", "ids", "is_for_all", "takes_new_hosts"]
    list_filter = ["is_for_all"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["teams", "projects"]
    actions = ["make_default", "split_evenly"]
    fieldsets = [
        (None, {"fields": ["name", "description", "takes_new_hosts"]}),
        (_("Who may use it"), {"fields": ["is_for_all", "teams", "projects"]}),
        (_("IDs of simulated users"), {"fields": ["id_prefix", "id_width", "first_id", "last_id"]}),
        (_("Use"), {"fields": ["users_per_worker", "first_port", "last_port"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkerPool]:
        rows: QuerySet[WorkerPool] = super().get_queryset(request)
        return rows.annotate(hosts_here=Count("hosts"))

    @admin.display(description=_("hosts"))
    def host_count(self, pool: WorkerPool) -> int:
        return pool.hosts_here  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("IDs"))
    def ids(self, pool: WorkerPool) -> str:
        if pool.first_id is None or pool.last_id is None:
            return ""
        return f"{pool.id_text(pool.first_id)}–{pool.id_text(pool.last_id)}"

    @admin.action(description=_("Make it the default"))
    def make_default(self, request: HttpRequest, queryset: QuerySet[WorkerPool]) -> None:
        if len(queryset) != 1:
            self.message_user(request, _("Choose one pool."), messages.ERROR)
            return
        self.carry_out(request, queryset, lambda pool, by: pools.make_default(pool=pool, by=by))

    @admin.action(description=_("Split all IDs evenly over the hosts"))
    def split_evenly(self, request: HttpRequest, queryset: QuerySet[WorkerPool]) -> None:
        def split(pool: WorkerPool, by: Actor) -> object:
            return ranges.split_evenly(pool=pool, first=pool.first_id, last=pool.last_id, by=by)

        self.carry_out(request, queryset, split)

    def check_delete(self, obj: WorkerPool) -> None:
        pools.check_delete(pool=obj)

    def delete_model(self, request: HttpRequest, obj: WorkerPool) -> None:
        pools.delete(pool=obj, by=_actor(request))


class NewestEvents(BaseInlineFormSet):  # type: ignore[type-arg]
    """A host's history may be long."""

    _newest: QuerySet[HostEvent] | None = None

    def get_queryset(self) -> QuerySet[HostEvent]:
        if self._newest is None:
            self._newest = super().get_queryset()[:EVENTS_SHOWN]
        return self._newest


class EventInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = HostEvent
    formset = NewestEvents
    fields = ["at", "state", "text", "by"]
    verbose_name_plural = _("history")


@admin.register(WorkerHost)
class WorkerHostAdmin(ByServices):
    """A host comes into being when its runner registers."""

    form = HostAdminForm
    list_display = ["name", "pool", "state", "slot_count", "max_users", "ids", "address", "last_seen_at"]
    list_select_related = ["pool", "id_range"]
    list_filter = ["pool", "standing"]
    search_fields = ["name", "address"]
    actions = ["approve", "drain", "activate"]
    inlines = [EventInline]
    readonly_fields = ["name", "state", "cores", "versions", "last_seen_at"]
    fieldsets = [
        (None, {"fields": ["name", "pool", "state", "last_seen_at", "cores", "versions"]}),
        (_("What it carries"), {"fields": ["slots", "max_users", "link_mbit"]}),
        (_("IDs of simulated users"), {"fields": ["first", "last"]}),
        (_("Where it is"), {"fields": ["address", "labels"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=_("IDs"))
    def ids(self, host: WorkerHost) -> str:
        own = ranges.own_span(host)
        return "" if own is None else f"{host.pool.id_text(own.first)}–{host.pool.id_text(own.last)}"

    @admin.action(description=_("Approve"))
    def approve(self, request: HttpRequest, queryset: QuerySet[WorkerHost]) -> None:
        self.carry_out(request, queryset, lambda host, by: hosts.approve(host=host, by=by))

    @admin.action(description=_("Drain: finish what runs, take nothing new"))
    def drain(self, request: HttpRequest, queryset: QuerySet[WorkerHost]) -> None:
        self.carry_out(request, queryset, lambda host, by: hosts.drain(host=host, by=by))

    @admin.action(description=_("Activate"))
    def activate(self, request: HttpRequest, queryset: QuerySet[WorkerHost]) -> None:
        self.carry_out(request, queryset, lambda host, by: hosts.activate(host=host, by=by))

    def check_delete(self, obj: WorkerHost) -> None:
        hosts.check_remove(host=obj)

    def delete_model(self, request: HttpRequest, obj: WorkerHost) -> None:
        hosts.remove(host=obj, by=_actor(request))


@admin.register(Runner)
class RunnerAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are written by the runners themselves."""

    list_display = ["name", "host", "draining", "last_seen_at"]
    list_select_related = ["host"]


@admin.register(JoinKey)
class JoinKeyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Keys are made on the pages of pools, where their secrets are shown once."""

    list_display = ["host_name", "pool", "created_by", "created_at", "expires_at", "used_at", "revoked_at"]
    list_select_related = ["pool"]
    list_filter = ["pool"]
    search_fields = ["host_name"]
    exclude = ["digest"]


@admin.register(IdLease)
class IdLeaseAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are written by the runs."""

    list_display = ["run_label", "pool", "host", "worker", "first", "last", "leased_at", "free_at", "ended_at"]
    list_select_related = ["pool", "host"]
    list_filter = ["pool"]
    search_fields = ["run_label"]
    show_full_result_count = False


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
