"""Pages on which the portal's admin changes pools and hosts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import HatcheryError
from apps.pools import access, host_rows, hosts, key_rows, people, pools, ranges
from apps.pools.forms import FormatForm, told_in
from apps.pools.models import WorkerHost, WorkerPool
from apps.pools.page_forms import HostPageForm, MoveForm, PoolNewForm, PoolSettingsForm, SplitForm
from apps.teams.pages import PageRequest

Form = TypeVar("Form", PoolNewForm, PoolSettingsForm, FormatForm, HostPageForm, MoveForm)


@login_required
@require_http_methods(["GET", "POST"])
def pool_new(request: PageRequest) -> HttpResponse:
    """A name is enough."""
    access.require_admin(request.actor)
    form = PoolNewForm(request.POST or None)
    if _is_written(request, form):
        made = form.cleaned_data["name"]
        messages.success(request, _("The pool “%(pool)s” is made. It has no hosts yet.") % {"pool": made})
        return redirect("pools:detail", made)
    return render_pool(request, "pools/new.html", {"form": form})


@login_required
@require_GET
def find(request: PageRequest, kind: str) -> HttpResponse:
    """Teams or projects that a pool may be opened to, by what is typed; a fragment for under it."""
    access.require_admin(request.actor)
    found = people.find(kind, request.GET.get("q", ""))
    return render(request, "pools/_found.html", {"kind": kind, "found": found})


@login_required
@require_http_methods(["GET", "POST"])
def pool_settings(request: PageRequest, name: str) -> HttpResponse:
    """All but the IDs."""
    pool = access.get_pool(request.actor, name, to_change=True)
    form = PoolSettingsForm(request.POST or None, instance=copy.copy(pool))
    if _is_written(request, form):
        messages.success(request, _("Saved."))
        _warn_of_keys(request, pool, form.cleaned_data["name"])
        return redirect("pools:detail", form.cleaned_data["name"])
    return render_pool(request, "pools/settings.html", {"pool": pool, "form": form})


def _warn_of_keys(request: PageRequest, pool: WorkerPool, new_name: str) -> None:
    """Of a pool that has another name now: runners that are there follow; what was copied for new hosts does not."""
    if new_name != pool.name and key_rows.open_keys(pool):
        sentence = _("Commands that were made for new hosts name the pool “%(old)s”: start them with --pool %(new)s.")
        messages.warning(request, sentence % {"old": pool.name, "new": new_name})


@login_required
@require_http_methods(["GET", "POST"])
def pool_ids(request: PageRequest, name: str) -> HttpResponse:
    """What an ID of this pool is."""
    pool = access.get_pool(request.actor, name, to_change=True)
    form = FormatForm(request.POST or None, instance=copy.copy(pool))
    if _is_written(request, form):
        messages.success(request, _("Saved."))
        return redirect("pools:detail", pool.name)
    return render_pool(request, "pools/ids.html", {"pool": pool, "form": form})


@login_required
@require_POST
def pool_default(request: PageRequest, name: str) -> HttpResponse:
    """Runs that name no pool go here from now on."""
    pool = access.get_pool(request.actor, name, to_change=True)
    pools.make_default(pool=pool, by=request.actor)
    messages.success(request, _("Runs that name no pool go to “%(pool)s” from now on.") % {"pool": pool})
    return redirect("pools:detail", pool.name)


@login_required
@require_http_methods(["GET", "POST"])
def pool_delete(request: PageRequest, name: str) -> HttpResponse:
    """Asks first; a POST deletes."""
    pool = access.get_pool(request.actor, name, to_change=True)
    obstacle = obstacle_of(lambda: pools.check_delete(pool=pool))
    if request.method == "POST":
        done = is_done(request, lambda: pools.delete(pool=pool, by=request.actor))
        if done:
            messages.success(request, _("“%(name)s” is deleted.") % {"name": pool.name})
            return redirect("pools:list")
        return redirect("pools:delete", pool.name)
    return render_pool(request, "pools/delete.html", {"pool": pool, "obstacle": obstacle})


# --- IDs over hosts -----------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "POST"])
def pool_split(request: PageRequest, name: str) -> HttpResponse:
    """Shows what each slot would get; a POST gives it to them, if it is still what was shown."""
    pool = access.get_pool(request.actor, name, to_change=True)
    asked = request.POST if request.method == "POST" else request.GET
    form = SplitForm(asked if "first" in asked else None, pool=pool)
    parts = form.preview()
    if request.method == "POST" and parts:
        if form.is_split(as_seen=request.POST.get("seen", ""), by=request.actor):
            messages.success(request, _("The IDs are split over %(count)d slots.") % {"count": len(parts)})
            return redirect("pools:detail", pool.name)
        parts = form.preview_again() if not form.has_field_errors else []
    context = {"pool": pool, "form": form, "parts": parts, "rows": form.rows(parts), "seen": ranges.seen(parts)}
    context["choices"] = form.choices()
    return render_pool(request, "pools/split.html", context)


# --- hosts --------------------------------------------------------------------------------------------------------

ACTS: dict[str, Callable[..., object]] = {
    "approve": hosts.approve,
    "drain": hosts.drain,
    "activate": hosts.activate,
    "remove": hosts.remove,
}


@login_required
@require_http_methods(["GET", "POST"])
def host_act(request: PageRequest, name: str, host: str, act: str) -> HttpResponse:
    """Says what goes with it; a POST does it."""
    pool = access.get_pool(request.actor, name, to_change=True)
    row = access.get_host(request.actor, host, pool=pool, to_change=True)
    if request.method == "POST":
        done = is_done(request, lambda: ACTS[act](host=row, by=request.actor))
        if done:
            messages.success(request, _said(act) % {"host": row.name})
            return redirect("pools:detail", pool.name)
        return redirect("pools:host", pool.name, host_rows.host_ref(row))
    context = {"pool": pool, "host": row, "ref": host_rows.host_ref(row), "act": act, "runs": hosts.running(row)}
    return render_pool(request, "pools/host_act.html", context | {"events": row.events.count()})


@login_required
@require_http_methods(["GET", "POST"])
def host_move(request: PageRequest, name: str, host: str) -> HttpResponse:
    """Asks where to, and says what goes with it; a POST moves it."""
    pool = access.get_pool(request.actor, name, to_change=True)
    row = access.get_host(request.actor, host, pool=pool, to_change=True)
    form = MoveForm(request.POST or None, host=row)
    if _is_written(request, form):
        to = form.cleaned_data["to"]
        messages.success(request, _("The host “%(host)s” is in the pool “%(pool)s” now.") % {"host": row, "pool": to})
        if to.has_ids:
            messages.warning(request, _("It has no IDs there yet, and no run goes to it without."))
        return redirect("pools:host", to.name, host_rows.host_ref(row))
    context = {"pool": pool, "host": row, "ref": host_rows.host_ref(row), "form": form, "runs": hosts.running(row)}
    return render_pool(request, "pools/host_move.html", context)


def _said(act: str) -> str:
    match act:
        case "approve":
            return _("The host “%(host)s” takes part.")
        case "drain":
            return _("The host “%(host)s” finishes what it runs and takes nothing new.")
        case "activate":
            return _("The host “%(host)s” takes part again.")
        case "remove":
            return _("The host “%(host)s” is removed.")
    raise ValueError(act)


def host_form(request: PageRequest, host: WorkerHost) -> HostPageForm:
    """What is set of a host, as it is or as it was posted."""
    return HostPageForm(request.POST or None, instance=copy.copy(host))


def save_host(request: PageRequest, host: WorkerHost, form: HostPageForm) -> HttpResponseRedirect | None:
    """Back to the pool if the form was written; None if it was refused."""
    if not _is_written(request, form):
        return None
    messages.success(request, _("Saved."))
    slots = form.cleaned_data["slots"]
    if slots is not None and slots > host.cores:
        figures = {"host": host.name, "slots": slots, "cores": host.cores}
        sentence = _("%(host)s has %(slots)d slots on %(cores)d cores: full ones slow each other down.")
        messages.warning(request, sentence % figures)
    return redirect("pools:host", host.pool.name, host_rows.host_ref(host))


# --- what they share ----------------------------------------------------------------------------------------------


def _is_written(request: PageRequest, form: Form) -> bool:
    """Whether the form came, and was taken; a refusal stands in it."""
    if request.method != "POST" or not form.is_valid():
        return False
    with told_in(form), transaction.atomic():
        form.write(by=request.actor)
    return not form.errors


def is_done(request: PageRequest, service: Callable[[], object]) -> bool:
    """Whether the service did it; a refusal is said on the next page."""
    refusal = obstacle_of(service)
    if refusal:
        messages.error(request, refusal)
    return not refusal


def obstacle_of(service: Callable[[], object]) -> str:
    try:
        service()
    except HatcheryError as error:
        return error.message
    return ""


def render_pool(request: PageRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, {**context, "section": "pools"})
