"""The portal admin's view of accounts and tenants."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.teams import audit, services
from apps.teams.actors import Actor
from apps.teams.models import ApiToken, AuditEvent, Membership, Project, Team


class Audited:
    """Mixin of a ModelAdmin: what is done here is in the audit log, too."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _record(request, "admin.add", obj)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _record(request, "admin.change", obj)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            _record(request, "admin.delete", obj)
        return super().log_deletions(request, queryset)  # type: ignore[misc]


class ReadOnly:
    """Mixin of a ModelAdmin: to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Team)
class TeamAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    def has_delete_permission(self, request: HttpRequest, obj: Team | None = None) -> bool:
        return False  # it would take every run of theirs along; delete the projects first


@admin.register(Membership)
class MembershipAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "team", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "team"]
    autocomplete_fields = ["user", "team"]


@admin.register(Project)
class ProjectAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "team"]
    list_select_related = ["team"]
    search_fields = ["name", "slug"]
    autocomplete_fields = ["team"]

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False  # by its page, which knows of running tests


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Revoking is all that can be done. The digest is not shown: it is of use to nobody."""

    list_display = ["name", "prefix", "team", "project", "scope", "last_used_at", "expires_at", "revoked_at"]
    list_select_related = ["team", "project"]
    search_fields = ["name", "prefix"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.select_related("team"):
            services.revoke_token(token=token, by=_actor(request))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["at", "team", "actor", "action", "object"]
    list_filter = ["action"]
    search_fields = ["actor", "object", "object_id"]
    show_full_result_count = False


admin.site.unregister(User)


@admin.register(User)
class PortalUserAdmin(Audited, UserAdmin):  # type: ignore[type-arg]
    """Accounts are made here: nobody signs up alone."""


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def _record(request: HttpRequest, action: str, obj: Model) -> None:
    team = obj if isinstance(obj, Team) else getattr(obj, "team", None)
    audit.record(action, obj=obj, team=team, by=_actor(request))
