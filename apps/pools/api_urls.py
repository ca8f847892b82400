"""REST, version 1."""

from __future__ import annotations

from django.urls import path

from apps.pools import api

urlpatterns = [
    path("pools/", api.PoolList.as_view(), name="pools"),
    path("pools/<str:ref>/", api.PoolDetail.as_view(), name="pool"),
]
