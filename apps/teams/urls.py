"""Pages of teams. Not below /t/<team>/: there a project's slug follows, and it may be any word."""

from __future__ import annotations

from django.urls import path

from apps.teams import views

app_name = "teams"
urlpatterns = [
    path("teams/<slug:slug>/members/", views.members, name="members"),
    path("teams/<slug:slug>/tokens/", views.tokens, name="tokens"),
    path("teams/<slug:slug>/tokens/<uuid:pk>/revoke/", views.revoke_token, name="token_revoke"),
    path("teams/<slug:slug>/projects/new/", views.project_new, name="project_new"),
    path("t/<slug:team_slug>/<slug:project_slug>/settings/", views.project_settings, name="project_settings"),
    path("t/<slug:team_slug>/<slug:project_slug>/delete/", views.project_delete, name="project_delete"),
]
