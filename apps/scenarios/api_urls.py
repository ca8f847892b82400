"""REST, version 1."""

from __future__ import annotations

from django.urls import path

from apps.scenarios import api

urlpatterns = [
    path("scenarios/", api.ScenarioList.as_view(), name="scenarios"),
    path("scenarios/<str:ref>/", api.ScenarioDetail.as_view(), name="scenario"),
    path("scenarios/<str:ref>/versions/", api.VersionList.as_view(), name="versions"),
    path("scenarios/<str:ref>/versions/<int:number>/", api.VersionDetail.as_view(), name="version"),
    path("scenarios/<str:ref>/validate/", api.ScenarioValidate.as_view(), name="scenario_validate"),
]
