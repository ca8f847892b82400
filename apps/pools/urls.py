"""Pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "pools"
urlpatterns: list[URLPattern] = []
