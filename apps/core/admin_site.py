"""Django's admin, for the portal admin alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse


class PortalAdminConfig(AdminConfig):
    """In INSTALLED_APPS in the place of Django's own."""

    default = False
    default_site = "apps.core.admin_site.PortalAdminSite"


class PortalAdminSite(AdminSite):
    """Superusers only: what is here crosses the walls between teams."""

    site_header = site_title = "Hatchery"

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one log-in page there is, because its attempts are counted."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        after = urlencode({REDIRECT_FIELD_NAME: request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index"))})
        return redirect(f"{resolve_url(settings.LOGIN_URL)}?{after}")
