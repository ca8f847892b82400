"""Pages that bring scenarios and runs together."""

from __future__ import annotations

from django.urls import path

from apps.runs import dashboard, start_views

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("t/<slug:team_slug>/<slug:project_slug>/", dashboard.project, name="project"),
    path("runs/", dashboard.run_list, name="run_list"),
    path("runs/active/", dashboard.active_runs, name="active_runs"),
    path("scenarios/<uuid:pk>/runs/", dashboard.scenario_runs, name="scenario_runs"),
    path("scenarios/<uuid:pk>/run/", start_views.start, name="run_start"),
    path("scenarios/<uuid:pk>/run/plan/", start_views.plan, name="run_plan"),
]
