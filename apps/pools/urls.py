"""Pages."""

from __future__ import annotations

from django.urls import path

from apps.pools import edit_views, health, key_views, views
from apps.pools.people import PLACES

app_name = "pools"
urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("pools/", views.pool_list, name="list"),
    path("pools/new/", edit_views.pool_new, name="new"),
    *(path(f"pools/find/{kind}/", edit_views.find, {"kind": kind}, name=f"find_{kind}") for kind in PLACES),
    path("pools/<slug:name>/", views.pool_detail, name="detail"),
    path("pools/<slug:name>/settings/", edit_views.pool_settings, name="settings"),
    path("pools/<slug:name>/ids/", edit_views.pool_ids, name="ids"),
    path("pools/<slug:name>/split/", edit_views.pool_split, name="split"),
    path("pools/<slug:name>/default/", edit_views.pool_default, name="default"),
    path("pools/<slug:name>/delete/", edit_views.pool_delete, name="delete"),
    path("pools/<slug:name>/join/", key_views.pool_join, name="join"),
    path("pools/<slug:name>/keys/<uuid:pk>/revoke/", key_views.key_revoke, name="key_revoke"),
    path("pools/<slug:name>/hosts/<str:host>/", views.host_detail, name="host"),
    path("pools/<slug:name>/hosts/<str:host>/move/", edit_views.host_move, name="host_move"),
    *(
        path(f"pools/<slug:name>/hosts/<str:host>/{act}/", edit_views.host_act, {"act": act}, name=f"host_{act}")
        for act in edit_views.ACTS
    ),
]
