"""Every address of the REST API, version 1: composition only."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.core.api import unknown_address

app_name = "api"
docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="core/api_docs.html")
urlpatterns = [
    path("docs/", login_required(docs), name="docs"),
    path("v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("v1/", include("apps.core.api_urls")),
    path("v1/", include("apps.teams.api_urls")),
    path("v1/", include("apps.scenarios.api_urls")),
    path("v1/", include("apps.pools.api_urls")),
    path("v1/", include("apps.runs.api_urls")),
    re_path(r"^(?P<path>[\s\S]*)$", unknown_address, name="unknown"),
]
