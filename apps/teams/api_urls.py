"""REST, version 1."""

from __future__ import annotations

from django.urls import path

from apps.teams import api

urlpatterns = [
    path("projects/", api.ProjectList.as_view(), name="projects"),
    path("projects/<str:ref>/", api.ProjectDetail.as_view(), name="project"),
    path("tokens/", api.TokenList.as_view(), name="tokens"),
    path("tokens/<str:ref>/", api.TokenDetail.as_view(), name="token"),
    path("audit/", api.AuditList.as_view(), name="audit"),
]
