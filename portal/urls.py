"""Every address of the portal: composition only."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("apps.core.urls")),
    path("", include("apps.teams.urls")),
    path("", include("apps.scenarios.urls")),
    path("", include("apps.pools.urls")),
    path("", include("apps.runs.urls")),
    path("", include("apps.runs.dashboard_urls")),
    path("api/", include("portal.api_urls")),
    path("accounts/", include("apps.teams.account_urls")),
    path("admin/", admin.site.urls),
]
handler400 = "apps.core.pages.bad_request"
handler500 = "apps.core.api.server_error"
