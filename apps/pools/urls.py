"""Pages."""

from __future__ import annotations

from django.urls import path

from apps.pools import health

app_name = "pools"
urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
]
