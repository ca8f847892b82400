"""Pages of runs."""

from __future__ import annotations

from django.urls import path

from apps.runs import views

app_name = "runs"
urlpatterns = [
    path("runs/<uuid:pk>/", views.detail, name="detail"),
    path("runs/<uuid:pk>/stop/", views.stop, name="stop"),
    path("runs/<uuid:pk>/abort/", views.abort, name="abort"),
    path("runs/<uuid:pk>/report/", views.report, name="report"),
    path("runs/<uuid:pk>/files/<str:name>", views.artifact, name="artifact"),
]
