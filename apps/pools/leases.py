"""Which IDs are in use: what a run may take of a pool, takes, and gives back.

`rooms` and `take` belong into one transaction that began with `lock`; then no two runs are placed at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.db.models import F, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.errors import Conflict, Missing
from apps.pools.allocation import NoRoom, Room, Seat, Span, free_spans
from apps.pools.models import IdLease, Standing, WorkerHost, WorkerPool

RUN_LABEL_CHARS = 300


@dataclass(frozen=True, slots=True)
class Holder:
    """A run, and how much it has of something: IDs, slots or users."""

    run_id: UUID
    run_label: str
    count: int


def lock(pool_id: UUID) -> WorkerPool:
    """The pool, for nobody else until the transaction ends. Raises Missing when somebody has deleted it."""
    pool = WorkerPool.objects.select_for_update().filter(pk=pool_id).first()
    if pool is None:
        raise Missing(_("This pool has just been deleted."))
    return pool


def alive(pool: WorkerPool) -> QuerySet[IdLease]:
    """The leases that have not ended, in the order of their IDs."""
    return IdLease.objects.filter(pool=pool, ended_at=None)


# --- placing a run ------------------------------------------------------------------------------------------------


def rooms(pool: WorkerPool, used: Mapping[UUID, tuple[int, int]], now: datetime) -> list[Room]:
    """What the hosts have free that are active and heard of.

    `used` says of a host's id how many slots and users are taken. Of a pool with IDs, a host without a range has none.
    """
    taken = _taken(pool, now) if pool.has_ids else []
    return [_room(host, used.get(host.pk, (0, 0)), taken) for host in _at_work(pool)]


def rooms_of_all(pool: WorkerPool) -> list[Room]:
    """As `rooms`, if no run had anything."""
    return [_room(host, (0, 0), []) for host in _at_work(pool)]


def _at_work(pool: WorkerPool) -> QuerySet[WorkerHost]:
    return pool.hosts.filter(standing=Standing.ACTIVE, is_silent=False).select_related("pool", "id_range")


def _room(host: WorkerHost, used: tuple[int, int], taken: Iterable[Span]) -> Room:
    slots, users = used
    return Room(
        host_id=host.pk,
        name=host.name,
        slots=max(0, host.slot_count - slots),
        users=None if host.max_users is None else max(0, host.max_users - users),
        spans=_free(host, taken) if host.pool.has_ids else None,
    )


def _free(host: WorkerHost, taken: Iterable[Span]) -> tuple[Span, ...]:
    if not hasattr(host, "id_range"):
        return ()
    return tuple(free_spans(Span(host.id_range.first, host.id_range.last), taken))


def _taken(pool: WorkerPool, now: datetime) -> list[Span]:
    held = alive(pool).exclude(free_at__lte=now)
    return [Span(first, last) for first, last in held.values_list("first", "last")]


def take(*, pool: WorkerPool, seats: Iterable[Seat], run_id: UUID, run_label: str, now: datetime) -> list[IdLease]:
    """Lease the IDs of these seats to a run. Nothing to do in a pool without IDs.

    Raises Conflict when somebody has some of them, which only happens to whoever does not hold the lock.
    """
    if not pool.has_ids:
        return []
    _end(alive(pool).filter(free_at__lte=now), now)
    wanted = [
        IdLease(
            pool=pool,
            host_id=cast(UUID, seat.host_id),
            run_id=run_id,
            run_label=run_label[:RUN_LABEL_CHARS],
            worker=seat.index,
            first=seat.offset + 1,
            last=seat.offset + seat.users,
            leased_at=now,
        )
        for seat in seats
    ]
    _refuse_taken(pool, wanted)
    return IdLease.objects.bulk_create(wanted)


def _refuse_taken(pool: WorkerPool, wanted: Iterable[IdLease]) -> None:
    held = list(alive(pool))
    for lease in wanted:
        other = next((other for other in held if other.first <= lease.last and other.last >= lease.first), None)
        if other is not None:
            sentence = _("%(run)s has IDs that this run was to get.") % {"run": other.run_label}
            raise Conflict(sentence, code="ids_leased")


# --- giving back --------------------------------------------------------------------------------------------------


def end(*, run_id: UUID, worker: int | None = None, now: datetime) -> int:
    """Give back the IDs of a run, or of one of its workers. The answer is how many leases that ended."""
    return _end(_of(run_id, worker), now)


def hold(*, run_id: UUID, worker: int, until: datetime) -> int:
    """Give back the IDs of a lost worker when its process is sure to be gone, at `until`."""
    return _of(run_id, worker).update(free_at=until)


def end_due(now: datetime) -> int:
    """End the leases of lost workers whose time has come; how many."""
    return _end(IdLease.objects.filter(ended_at=None, free_at__lte=now), now)


def _of(run_id: UUID, worker: int | None) -> QuerySet[IdLease]:
    mine = IdLease.objects.filter(run_id=run_id, ended_at=None)
    return mine if worker is None else mine.filter(worker=worker)


def _end(leases: QuerySet[IdLease], now: datetime) -> int:
    return leases.update(ended_at=now)


# --- in words -----------------------------------------------------------------------------------------------------


def holders(pool: WorkerPool) -> list[Holder]:
    """Who holds how many of the pool's IDs, the most first."""
    size = Sum(F("last") - F("first") + 1)
    rows = alive(pool).values("run_id", "run_label").annotate(ids=size).order_by("-ids", "run_label")
    return [Holder(row["run_id"], row["run_label"], row["ids"]) for row in rows]


def shortage(error: NoRoom, pool: WorkerPool) -> str:
    """Why a run has no room in the pool, in figures."""
    figures = {"needed": error.needed, "free": error.free, "pool": pool.name}
    sentences = [_short_of(error.kind, error.needed) % figures]
    if error.kind == "slots" and pool.has_ids:
        sentences.append(_("Slots of hosts without free IDs do not count."))
    return " ".join(sentences)


def _short_of(kind: str, needed: int) -> str:
    match kind:
        case "slots":
            return ngettext(
                "It needs %(needed)d slot; pool %(pool)s has %(free)d free on active hosts.",
                "It needs %(needed)d slots; pool %(pool)s has %(free)d free on active hosts.",
                needed,
            )
        case "users":
            return ngettext(
                "It needs room for %(needed)d user; the active hosts of pool %(pool)s have it for %(free)d.",
                "It needs room for %(needed)d users; the active hosts of pool %(pool)s have it for %(free)d.",
                needed,
            )
        case "ids":
            return ngettext(
                "It needs %(needed)d ID; it can have %(free)d of the active hosts of pool %(pool)s.",
                "It needs %(needed)d IDs; it can have %(free)d of the active hosts of pool %(pool)s.",
                needed,
            )
    raise ValueError(kind)
