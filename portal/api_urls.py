"""Every address of the REST API, version 1: composition only."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

app_name = "api"
urlpatterns = [
    path("v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("v1/", include("apps.teams.api_urls")),
    path("v1/", include("apps.scenarios.api_urls")),
    path("v1/", include("apps.pools.api_urls")),
    path("v1/", include("apps.runs.api_urls")),
]
