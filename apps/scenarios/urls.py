"""Pages of scenarios."""

from __future__ import annotations

from django.urls import path

from apps.scenarios import data_views, views

app_name = "scenarios"
urlpatterns = [
    path("scenarios/", views.index, name="list"),
    path("t/<slug:team_slug>/<slug:project_slug>/scenarios/new/", views.new, name="new"),
    path("t/<slug:team_slug>/<slug:project_slug>/scenarios/validate/", views.validate_script, name="validate"),
    path("scenarios/<uuid:pk>/", views.detail, name="detail"),
    path("scenarios/<uuid:pk>/load/", views.load, name="load"),
    path("scenarios/<uuid:pk>/data/", data_views.data, name="data"),
    path("scenarios/<uuid:pk>/data/<str:name>/", data_views.data_file, name="data_file"),
    path("scenarios/<uuid:pk>/data/<str:name>/delete/", data_views.data_delete, name="data_delete"),
    path("scenarios/<uuid:pk>/data/<str:name>/restore/", data_views.data_restore, name="data_restore"),
    path("scenarios/<uuid:pk>/data/<str:name>/content", data_views.data_content, name="data_content"),
    path("scenarios/<uuid:pk>/settings/", views.settings, name="settings"),
    path("scenarios/<uuid:pk>/delete/", views.delete, name="delete"),
    path("scenarios/<uuid:pk>/versions/<int:number>/", views.version, name="version"),
    path("scenarios/<uuid:pk>/diff/", views.compare, name="diff"),
]
