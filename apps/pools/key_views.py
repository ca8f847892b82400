"""Pages of the keys with which hosts join: for the portal's admin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.pools import access, key_rows, keys
from apps.pools.edit_views import is_done, obstacle_of, render_pool
from apps.pools.forms import told_in
from apps.pools.page_forms import JoinForm
from apps.teams.pages import PageRequest

KEYS_A_PAGE = 50


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def pool_join(request: PageRequest, name: str) -> HttpResponse:
    """A key for a new host, whose secret is in the answer to the POST and nowhere else; and all keys of the pool."""
    pool = access.get_pool(request.actor, name, to_change=True)
    form = JoinForm(request.POST or None)
    made: dict[str, Any] = {"command": ""}
    if request.method == "POST" and form.is_valid():
        with told_in(form):
            key, secret = keys.make(pool, form.cleaned_data["host_name"], request.actor)
            made = {"command": keys.command(pool, key.host_name, secret), "host_name": key.host_name}
    page = Paginator(pool.join_keys.all(), KEYS_A_PAGE).get_page(request.GET.get("page"))
    context = {"pool": pool, "form": form, "hours": keys.KEY_HOURS, "page": page, "keys": key_rows.keys(page)}
    return render_pool(request, "pools/join.html", context | made)


@login_required
@require_http_methods(["GET", "POST"])
def key_revoke(request: PageRequest, name: str, pk: UUID) -> HttpResponse:
    """Asks first; a POST revokes."""
    pool = access.get_pool(request.actor, name, to_change=True)
    key = access.get_key(request.actor, pool, str(pk))
    if request.method == "POST":
        if is_done(request, lambda: keys.revoke(key=key, by=request.actor)):
            messages.success(request, _("The join key for “%(host)s” is revoked.") % {"host": key.host_name})
        return redirect("pools:join", pool.name)
    obstacle = obstacle_of(lambda: keys.check_revoke(key=key))
    return render_pool(request, "pools/key_revoke.html", {"pool": pool, "key": key, "obstacle": obstacle})
