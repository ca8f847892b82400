"""Pages of pools and hosts, to look at. Those that change something are in `edit_views.py`."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from apps.pools import access, drawing, host_rows, key_rows, overview
from apps.pools.bar import Bar, bar
from apps.pools.edit_views import host_form, save_host
from apps.pools.host_rows import Filters
from apps.pools.models import OFFLINE, Standing, WorkerHost, WorkerPool
from apps.pools.presentation import report_for
from apps.pools.usage import Viewer
from apps.teams.pages import PageRequest

POOLS_A_PAGE = 50
HOSTS_A_PAGE = 200
EVENTS_SHOWN = 50
MOST_HAVE_CHARS = 4_000
"""Of the tokens that a page sends: of all its hosts, and more than its address may have at many proxies."""
LIVE = "live"
"""`?part=live` answers only the part of a page that changes by itself."""


@login_required
@never_cache
@require_GET
def pool_list(request: PageRequest) -> HttpResponse:
    """The pools that the visitor may use."""
    viewer = Viewer.of(request.actor)
    rows = overview.with_people(access.pools_for(request.actor).order_by("-is_default", "name"))
    page = Paginator(rows, POOLS_A_PAGE).get_page(request.GET.get("page"))
    cards = overview.cards(list(page), viewer)
    return _render(request, "pools/list", {"page": page, "cards": cards, "viewer": viewer})


@login_required
@never_cache
@require_GET
def pool_detail(request: PageRequest, name: str) -> HttpResponse:
    """A pool's IDs and hosts."""
    pool, viewer = access.get_pool(request.actor, name), Viewer.of(request.actor)
    context = _pool_context(request, pool, viewer)
    if request.GET.get("part") != LIVE:
        context["people"] = overview.people(pool, viewer)
    return _render(request, "pools/detail", context)


def _pool_context(request: PageRequest, pool: WorkerPool, viewer: Viewer) -> dict[str, Any]:
    """All but what stands at the head of the page, which the live part does not have."""
    hosts, filters = host_rows.hosts_of(pool), Filters.read(request.GET)
    have = frozenset(request.GET.get("have", "")[:MOST_HAVE_CHARS].split("."))
    rows = host_rows.rows(hosts, viewer, have)
    ids = bar(pool, viewer)
    fitting = [row for row in rows if filters.fit(row.host)]
    page = Paginator(fitting, HOSTS_A_PAGE).get_page(request.GET.get("page"))
    return {
        "pool": pool,
        "ids": _ids_piece(pool, ids, viewer, have),
        "hosts_all": len(hosts),
        "page": page,
        "rows": list(page),
        "filters": filters,
        "states": [(state, host_rows.state_word(state)) for state in [*Standing.values, OFFLINE]],
        "labels": sorted({label for host in hosts for label in host_rows.labels_of(host)}),
        "viewer": viewer,
        "keys": key_rows.open_keys(pool) if viewer.is_admin else [],
    }


class Piece(NamedTuple):
    """A part of the page that changes seldom, and is large."""

    html: str
    token: str
    is_known: bool
    """The page that asks shows it already."""


def _ids_piece(pool: WorkerPool, ids: Bar, viewer: Viewer, have: frozenset[str]) -> Piece:
    ends = {"first_id": pool.id_text(pool.first_id or 0), "last_id": pool.id_text(pool.last_id or 0)}
    html = render_to_string("pools/_ids.html", {"pool": pool, "bar": ids, "viewer": viewer, **ends})
    token = drawing.token(html)
    return Piece(html, token, token in have)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def host_detail(request: PageRequest, name: str, host: str) -> HttpResponse:
    """What a host is, does and says, and the form of what is set."""
    pool = access.get_pool(request.actor, name)
    row = access.get_host(request.actor, host, pool=pool, to_change=request.method == "POST")
    form = host_form(request, row) if access.is_admin(request.actor) else None
    if form is not None and request.method == "POST" and (answer := save_host(request, row, form)):
        return answer
    viewer = Viewer.of(request.actor)
    return _render(request, "pools/host", _host_context(pool, row, viewer) | {"form": form})


def _host_context(pool: WorkerPool, host: WorkerHost, viewer: Viewer) -> dict[str, Any]:
    siblings = host_rows.hosts_of(pool)
    row = next((row for row in host_rows.rows(siblings, viewer) if row.host == host), host_rows.Row(host))
    report = report_for(row, viewer)
    return {
        "pool": pool,
        "row": row,
        "report": json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) if report else "",
        "events": [host_rows.Event.of(event) for event in host.events.all()[:EVENTS_SHOWN]],
        "runners": host.runners.all()[:EVENTS_SHOWN],
        "first_id": pool.id_text(pool.first_id or 0),
        "last_id": pool.id_text(pool.last_id or 0),
        "viewer": viewer,
    }


def _render(request: PageRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or the live part of it."""
    template = f"{name.replace('/', '/_')}_live.html" if request.GET.get("part") == LIVE else f"{name}.html"
    return render(request, template, {**context, "section": "pools", "now": timezone.now()})
