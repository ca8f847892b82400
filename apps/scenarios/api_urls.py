"""REST, version 1."""

from __future__ import annotations

from django.urls import path

from apps.scenarios import api, data_api

urlpatterns = [
    path("scenarios/", api.ScenarioList.as_view(), name="scenarios"),
    path("scenarios/<str:ref>/", api.ScenarioDetail.as_view(), name="scenario"),
    path("scenarios/<str:ref>/versions/", api.VersionList.as_view(), name="versions"),
    path("scenarios/<str:ref>/versions/<int:number>/", api.VersionDetail.as_view(), name="version"),
    path("scenarios/<str:ref>/validate/", api.ScenarioValidate.as_view(), name="scenario_validate"),
    path("scenarios/<str:ref>/data/", data_api.DataList.as_view(), name="scenario_data"),
    path("scenarios/<str:ref>/data/<str:name>/", data_api.DataDetail.as_view(), name="scenario_data_file"),
    path("scenarios/<str:ref>/data/<str:name>/versions/", data_api.DataVersions.as_view(), name="data_versions"),
    path("scenarios/<str:ref>/data/<str:name>/content", data_api.DataContent.as_view(), name="data_content"),
    path("scenarios/<str:ref>/data/<str:name>/preview/", data_api.DataPreview.as_view(), name="data_preview"),
]
