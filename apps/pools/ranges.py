"""Which numbers are IDs in a pool, and which host owns which of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Invalid
from apps.pools import leases
from apps.pools.allocation import Span, split
from apps.pools.models import MAX_ID, MAX_ID_WIDTH, IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.teams import audit
from apps.teams.actors import Actor

PREFIX_CHARS = 50
SEEN_DIGITS = 32


class Part(NamedTuple):
    """What a slot would get. `WORKER_OFFSET` of a worker that has all of it is `span.first - 1`."""

    host: WorkerHost
    slot: int
    """Its number on the host, from 1."""
    span: Span


# --- ranges of hosts ----------------------------------------------------------------------------------------------


@transaction.atomic
def assign(*, host: WorkerHost, first: int | None, last: int | None, by: Actor) -> IdRange:
    """Give the host these numbers in the place of what it had. Raises Invalid or Conflict as `check` does."""
    host = _lock(host)
    span, before = check(host=host, first=first, last=last), own_span(host)
    if span == before:
        return host.id_range
    row, _created = IdRange.objects.update_or_create(
        host=host, defaults={"pool": host.pool, "first": span.first, "last": span.last}
    )
    audit.record("host.assign_ids", obj=host, team=None, by=by, before=before, after=span)
    return row


@transaction.atomic
def clear(*, host: WorkerHost, by: Actor) -> None:
    """Take the host's numbers away; nothing happens if it has none. Raises Conflict while some are leased."""
    host = _lock(host)
    before = own_span(host)
    if before is None:
        return
    check_clear(host=host)
    IdRange.objects.filter(host=host).delete()
    audit.record("host.clear_ids", obj=host, team=None, by=by, before=before)


def check(*, host: WorkerHost, first: int | None, last: int | None) -> Span:
    """Whether `assign` would do it. Raises Invalid for numbers that cannot be a range of this pool, Conflict when they
    are another host's, or when IDs of the old or the new range are leased."""
    span, own = _span(host.pool, first, last), own_span(host)
    if span == own:
        return span
    _refuse_owned(host.pool, span, but={host})
    _refuse_leased(host.pool, [span, *([own] if own else [])])
    return span


def check_clear(*, host: WorkerHost) -> None:
    """Whether `clear` would do it. Raises Conflict while some of the IDs are leased."""
    own = own_span(host)
    if own:
        _refuse_leased(host.pool, [own])


def own_span(host: WorkerHost) -> Span | None:
    """What the host owns."""
    return _as_span(host.id_range) if hasattr(host, "id_range") else None


# --- splitting ----------------------------------------------------------------------------------------------------


def preview_split(
    *, pool: WorkerPool, first: int | None, last: int | None, hosts: Iterable[WorkerHost] | None = None
) -> list[Part]:
    """What each slot would get, in order; refused like `split_evenly`."""
    span, chosen = _span(pool, first, last), _chosen(pool, hosts)
    try:
        rows = split(span, [(host, host.slot_count) for host in chosen])
    except ValueError:
        slots = sum(host.slot_count for host in chosen)
        sentence = _("%(slots)d slots cannot share %(ids)d IDs.") % {"slots": slots, "ids": span.size}
        raise _invalid("last", sentence, "too_few_ids") from None
    _refuse_owned(pool, span, but=set(chosen))
    _refuse_leased(pool, [span, *(own for host in chosen if (own := own_span(host)))])
    return [Part(*row) for row in rows]


def seen(parts: Iterable[Part]) -> str:
    """Tells one preview from another: what each slot would get, and what its host has now."""
    rows = [[str(host.pk), slot, span, own_span(host)] for host, slot, span in parts]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:SEEN_DIGITS]


@transaction.atomic
def split_evenly(
    *,
    pool: WorkerPool,
    first: int | None,
    last: int | None,
    hosts: Iterable[WorkerHost] | None = None,
    as_seen: str | None = None,
    by: Actor,
) -> list[Part]:
    """Share the numbers out over all slots of `hosts` in their order (default: all that are approved, by name).

    They lose what they had. Raises Invalid or Conflict, and then nothing has changed: for numbers that are no range of
    this pool or another host's, for fewer numbers than slots, for a host of another pool, while IDs are leased, and
    when it is not `as_seen` in a preview any more.
    """
    pool = leases.lock(pool.pk)
    parts = preview_split(pool=pool, first=first, last=last, hosts=hosts)
    if as_seen is not None and as_seen != seen(parts):
        sentence = _("The hosts have changed since. Look again before you give them the IDs.")
        raise Conflict(sentence, code="split_changed")
    spans: dict[WorkerHost, Span] = {}
    for host, _slot, span in parts:
        spans[host] = Span(spans.get(host, span).first, span.last)
    IdRange.objects.filter(host__in=spans).delete()
    IdRange.objects.bulk_create(
        IdRange(pool=pool, host=host, first=span.first, last=span.last) for host, span in spans.items()
    )
    after = {host.name: span for host, span in spans.items()}
    audit.record("pool.split_ids", obj=pool, team=None, by=by, ranges=after)
    return parts


def _chosen(pool: WorkerPool, hosts: Iterable[WorkerHost] | None) -> list[WorkerHost]:
    known = {host.pk: host for host in pool.hosts.select_related("pool", "id_range").order_by("name")}
    if hosts is None:
        chosen = [host for host in known.values() if host.standing != Standing.PENDING]
    else:
        wanted = list(dict.fromkeys(hosts))
        for host in wanted:
            _refuse_other_pool(pool, host, is_there=host.pk in known)
        chosen = [known[host.pk] for host in wanted]
    if not chosen:
        sentence = _("Pool %(pool)s has no hosts that could share the IDs.") % {"pool": pool}
        if known and hosts is not None:
            sentence = _("Choose at least one host.")
        raise Conflict(sentence, code="no_hosts", fields={"hosts": [sentence]})
    return chosen


# --- the format ---------------------------------------------------------------------------------------------------


@transaction.atomic
def set_format(
    *, pool: WorkerPool, prefix: str, width: int, first: int | None, last: int | None, by: Actor
) -> WorkerPool:
    """What an ID of this pool is: `first` to `last`, or both None for a pool without IDs. Raises as `check_format`."""
    pool = leases.lock(pool.pk)
    check_format(pool=pool, prefix=prefix, width=width, first=first, last=last)
    before = _format(pool)
    pool.id_prefix, pool.id_width, pool.first_id, pool.last_id = prefix, width, first, last
    if _format(pool) != before:
        pool.save(update_fields=["id_prefix", "id_width", "first_id", "last_id"])
        audit.record("pool.set_ids", obj=pool, team=None, by=by, before=before, after=_format(pool))
    return pool


def check_format(*, pool: WorkerPool, prefix: str, width: int, first: int | None, last: int | None) -> None:
    """Whether `set_format` would do it; the pool may be a new one.

    A width of 0 means numbers as they are, without zeros before them. Raises Invalid for what is no format, Conflict
    when a host owns IDs that would be no more, or while IDs are leased.
    """
    _check_prefix(prefix)
    if not 0 <= width <= MAX_ID_WIDTH:
        sentence = _("The width is a number from 0 to %(limit)d.") % {"limit": MAX_ID_WIDTH}
        raise _invalid("id_width", sentence, "bad_id_width")
    span = None if first is None and last is None else _in_order(first, last, fields=("first_id", "last_id"))
    if span is not None and width and span.last >= 10**width:
        sentence = _("%(number)d has more than %(width)d digits.") % {"number": span.last, "width": width}
        raise _invalid("last_id", sentence, "id_too_wide")
    _refuse_stranded(pool, span)
    old = WorkerPool.objects.filter(pk=pool.pk).first()
    if old is not None and _format(old) != [prefix, width, first, last]:
        _refuse_leased(old, None, field="first_id")


def _format(pool: WorkerPool) -> list[str | int | None]:
    return [pool.id_prefix, pool.id_width, pool.first_id, pool.last_id]


def _check_prefix(prefix: str) -> None:
    if len(prefix) <= PREFIX_CHARS and prefix.isprintable() and (prefix.strip() or not prefix):
        return
    sentence = _("A prefix is at most %(limit)d printable characters.") % {"limit": PREFIX_CHARS}
    raise _invalid("id_prefix", sentence, "bad_id_prefix")


def _refuse_stranded(pool: WorkerPool, span: Span | None) -> None:
    rows = IdRange.objects.filter(pool=pool).select_related("host")
    for row in rows:
        if span is None or row.first < span.first or row.last > span.last:
            sentence = _belongs(pool, row, row.host)
            raise Conflict(sentence, code="range_outside", fields={"last_id" if span else "first_id": [sentence]})


# --- refusals -----------------------------------------------------------------------------------------------------


def _span(pool: WorkerPool, first: int | None, last: int | None) -> Span:
    """The numbers as a range of this pool. Raises Invalid, or Conflict for a pool without IDs."""
    if pool.first_id is None or pool.last_id is None:
        sentence = _("Pool %(pool)s has no IDs yet: give it a format first.") % {"pool": pool}
        raise Conflict(sentence, code="no_ids", fields={"first": [sentence]})
    span = _in_order(first, last, fields=("first", "last"))
    if span.first < pool.first_id or span.last > pool.last_id:
        whole = {"pool": pool, "ids": _ids_text(pool, Span(pool.first_id, pool.last_id))}
        field = "first" if span.first < pool.first_id else "last"
        raise _invalid(field, _("The IDs of pool %(pool)s are %(ids)s.") % whole, "range_outside")
    return span


def _in_order(first: int | None, last: int | None, *, fields: tuple[str, str]) -> Span:
    if first is None or last is None:
        raise _invalid(fields[first is not None], _("A range needs a first and a last number."), "range_empty")
    if first > last:
        sentence = _("The range ends before it begins: %(last)d is less than %(first)d.")
        raise _invalid(fields[1], sentence % {"first": first, "last": last}, "range_reversed")
    if first < 1 or last > MAX_ID:
        sentence = _("An ID is a number from 1 to %(limit)d.") % {"limit": MAX_ID}
        raise _invalid(fields[first >= 1], sentence, "range_outside")
    return Span(first, last)


def _refuse_owned(pool: WorkerPool, span: Span, *, but: set[WorkerHost]) -> None:
    others = IdRange.objects.filter(pool=pool, first__lte=span.last, last__gte=span.first).exclude(host__in=but)
    other = others.select_related("host").first()
    if other is not None:
        sentence = _belongs(pool, other, other.host)
        raise Conflict(sentence, code="range_taken", fields={"first": [sentence]})


def _refuse_leased(pool: WorkerPool, spans: Sequence[Span] | None, *, field: str = "first") -> None:
    """Raises Conflict while a run has IDs in one of these spans; None: any at all."""
    for lease in leases.alive(pool):
        if spans is None or any(lease.first <= span.last and lease.last >= span.first for span in spans):
            names = {"ids": _ids_text(pool, _as_span(lease)), "run": lease.run_label}
            sentence = _("%(run)s has leased %(ids)s. Wait until it is over.") % names
            raise Conflict(sentence, code="ids_leased", fields={field: [sentence]})


def _refuse_other_pool(pool: WorkerPool, host: WorkerHost, *, is_there: bool) -> None:
    if not is_there:
        sentence = _("Host %(host)s is not in pool %(pool)s.") % {"host": host, "pool": pool}
        raise _invalid("hosts", sentence, "other_pool")


def _belongs(pool: WorkerPool, row: IdRange, host: WorkerHost) -> str:
    if row.first == row.last:
        return _("%(id)s belongs to host %(host)s.") % {"id": pool.id_text(row.first), "host": host}
    names = {"first": pool.id_text(row.first), "last": pool.id_text(row.last), "host": host}
    return _("%(first)s to %(last)s belong to host %(host)s.") % names


def _ids_text(pool: WorkerPool, span: Span) -> str:
    if span.size == 1:
        return pool.id_text(span.first)
    return _("%(first)s to %(last)s") % {"first": pool.id_text(span.first), "last": pool.id_text(span.last)}


def _invalid(field: str, sentence: str, code: str) -> Invalid:
    return Invalid(sentence, code=code, fields={field: [sentence]})


def _as_span(row: IdRange | IdLease) -> Span:
    return Span(row.first, row.last)


def _lock(host: WorkerHost) -> WorkerHost:
    """The host as it is now, with its pool locked. Raises Invalid if it left the pool."""
    pool = leases.lock(host.pool_id)
    found = WorkerHost.objects.select_related("id_range").filter(pk=host.pk, pool=pool).first()
    _refuse_other_pool(pool, host, is_there=found is not None)
    assert found is not None
    found.pool = pool
    return found
