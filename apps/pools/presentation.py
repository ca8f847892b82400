"""Pools and hosts as REST tells them, to whom it may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from apps.core.clock import utc
from apps.pools import usage
from apps.pools.drawing import number
from apps.pools.host_rows import Row
from apps.pools.models import HostEvent, JoinKey, Runner, WorkerPool
from apps.pools.overview import Card
from apps.pools.ranges import Part, own_span, seen
from apps.pools.space import Space
from apps.pools.usage import Share, Viewer

FOR_THE_ADMIN = ("addresses",)
"""Of a report: where the host can be reached is a secret."""
LOAD = (
    "cpu_percent",
    "memory_percent",
    "memory_bytes",
    "received_mbit",
    "sent_mbit",
    "disk_free_bytes",
    "clock_offset_ms",
    "open_files",
    "open_files_hard",
)


def pool(row: Card, hosts: Sequence[Row], viewer: Viewer) -> dict[str, Any]:
    """A pool with its hosts. Of teams and projects that may use it, those that the viewer knows."""
    of = row.pool
    return {
        "id": of.pk,
        "name": of.name,
        "description": of.description,
        "is_default": of.is_default,
        "takes_new_hosts": of.takes_new_hosts,
        "is_for_all": of.is_for_all,
        "teams": [_ref(team) for team in of.teams.all() if viewer.is_admin or team.pk in viewer.teams],
        "projects": [_ref(one) for one in of.projects.all() if viewer.is_admin or one.pk in viewer.projects],
        "ids": ids_of(of, row.ids_leased),
        "users_per_worker": of.users_per_worker,
        "first_port": of.first_port,
        "last_port": of.last_port,
        "slots": row.slots_all,
        "slots_taken": row.slots_taken,
        "hosts": [host(one, viewer) for one in hosts],
        "created_at": utc(of.created_at),
    }


def ids_of(of: WorkerPool, leased: int) -> dict[str, Any] | None:
    """The format of a pool's IDs, and how many are leased; None without."""
    if of.first_id is None or of.last_id is None:
        return None
    return {
        "prefix": of.id_prefix,
        "width": of.id_width,
        "first": of.first_id,
        "last": of.last_id,
        "first_text": of.id_text(of.first_id),
        "last_text": of.id_text(of.last_id),
        "leased": leased,
    }


def host(row: Row, viewer: Viewer) -> dict[str, Any]:
    """A host, what it runs and how it does."""
    of = row.host
    span = own_span(of)
    return {
        "id": of.pk,
        "name": of.name,
        "pool": of.pool.name,
        "state": of.state,
        "standing": of.standing,
        "slots": of.slot_count,
        "slots_set": of.slots,
        "slots_taken": row.slots_taken,
        "max_users": of.max_users,
        "users": row.users,
        "address": of.address if viewer.is_admin else None,
        "link_mbit": of.link_mbit,
        "labels": of.labels,
        "cores": of.cores,
        "versions": of.versions,
        "ids": part_of(of.pool, span.first, span.last) if span else None,
        "runs": [_share(share) for share in row.runs],
        "load": _load(row.load),
        "last_seen_at": utc(of.last_seen_at) if of.last_seen_at else None,
        "runners": [runner(one) for one in of.runners.all()],
    }


def host_in_full(row: Row, viewer: Viewer) -> dict[str, Any]:
    """With its last report, its last ten minutes and its history."""
    events = row.host.events.all()[:50]
    return host(row, viewer) | {
        "machine": row.host.machine if viewer.is_admin else None,
        "report": report_for(row, viewer),
        "recent": row.host.recent,
        "events": [event(one, viewer) for one in events],
    }


def report_for(row: Row, viewer: Viewer) -> dict[str, Any]:
    """The newest report, without what the viewer may not know: where the host is, and which runs are others'."""
    hidden = () if viewer.is_admin else FOR_THE_ADMIN
    report = {name: value for name, value in row.host.report.items() if name not in hidden}
    seen = {str(share.run_id) for share in row.runs if share.run_id}
    works = report.get("running") or []
    return report | {"running": [work | {"run": work["run"] if work["run"] in seen else None} for work in works]}


def runner(of: Runner) -> dict[str, Any]:
    """A runner process."""
    return {
        "id": of.pk,
        "name": of.name,
        "online": of.is_online,
        "draining": of.draining,
        "started_at": utc(of.started_at),
        "last_seen_at": utc(of.last_seen_at),
    }


def event(of: HostEvent, viewer: Viewer) -> dict[str, Any]:
    """A change of a host's state."""
    by = of.by if viewer.is_admin else ""
    return {"at": utc(of.at), "state": of.state, "text": gettext(of.text) if of.text else "", "by": by}


def space(of: WorkerPool, found: Space, viewer: Viewer) -> dict[str, Any]:
    """Who has which IDs. A run of others is there, without its name."""
    seen = usage.visible_runs(of, {part.run_id for part in found.segments if part.run_id}, viewer)
    leased = sum(part.last - part.first + 1 for part in found.segments if part.state == "leased")
    segments = [
        {
            **part_of(of, part.first, part.last),
            "state": part.state,
            "host": part.host.name if part.host else None,
            "run": part.run_id if part.run_id in seen else None,
            "run_label": part.run_label if part.run_id in seen or (viewer.is_admin and part.run_id) else None,
        }
        for part in found.segments
    ]
    return {"ids": ids_of(of, leased), "segments": segments}


def split(of: WorkerPool, parts: Iterable[Part], *, is_preview: bool) -> dict[str, Any]:
    """What each slot gets."""
    parts = list(parts)
    slots = [
        {
            "host": part.host.name,
            "slot": part.slot,
            **part_of(of, part.span.first, part.span.last),
            "worker_offset": part.span.first - 1,
        }
        for part in parts
    ]
    return {"preview": is_preview, "seen": seen(parts), "slots": slots}


def join_key(of: JoinKey, now: datetime) -> dict[str, Any]:
    """A join key, without its secret, which nobody has."""
    return {
        "id": of.pk,
        "pool": of.pool.name,
        "host_name": of.host_name,
        "state": of.state(now),
        "created_by": of.created_by,
        "created_at": utc(of.created_at),
        "expires_at": utc(of.expires_at),
        "used_at": utc(of.used_at) if of.used_at else None,
        "revoked_at": utc(of.revoked_at) if of.revoked_at else None,
    }


def part_of(of: WorkerPool, first: int, last: int) -> dict[str, Any]:
    """Numbers in a row, and the IDs at their ends."""
    return {"first": first, "last": last, "first_text": of.id_text(first), "last_text": of.id_text(last)}


def _share(share: Share) -> dict[str, Any]:
    return {"id": share.run_id, "label": share.label or None, "workers": share.workers, "users": share.users}


def _load(report: Mapping[str, Any]) -> dict[str, Any] | None:
    if not report:
        return None
    return {name: number(report.get(name)) for name in LOAD} | {"load_average": report.get("load_average") or []}


def _ref(of: Any) -> dict[str, Any]:
    return {"id": of.pk, "slug": of.slug, "name": of.name}
