"""REST, version 1."""

from __future__ import annotations

from django.urls import path

from apps.pools import api, hosts_api

urlpatterns = [
    path("pools/", api.PoolList.as_view(), name="pools"),
    path("pools/<str:ref>/", api.PoolDetail.as_view(), name="pool"),
    path("pools/<str:ref>/space/", api.PoolSpace.as_view(), name="pool_space"),
    path("pools/<str:ref>/split/", api.PoolSplit.as_view(), name="pool_split"),
    path("pools/<str:ref>/join-keys/", api.PoolJoinKeys.as_view(), name="pool_join_keys"),
    path("pools/<str:ref>/join-keys/<uuid:pk>/", api.PoolJoinKey.as_view(), name="pool_join_key"),
    path("hosts/", hosts_api.HostList.as_view(), name="hosts"),
    path("hosts/<str:ref>/", hosts_api.HostDetail.as_view(), name="host"),
    path("hosts/<str:ref>/move/", hosts_api.HostMove.as_view(), name="host_move"),
    path("hosts/<str:ref>/approve/", hosts_api.HostApprove.as_view(), name="host_approve"),
    path("hosts/<str:ref>/drain/", hosts_api.HostDrain.as_view(), name="host_drain"),
    path("hosts/<str:ref>/activate/", hosts_api.HostActivate.as_view(), name="host_activate"),
]
