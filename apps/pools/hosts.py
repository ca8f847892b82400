"""What people decide about a host, and the history of its state."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core.errors import Conflict, Invalid, Missing
from apps.pools import leases
from apps.pools.models import HostEvent, IdLease, IdRange, Standing, WorkerHost, WorkerPool
from apps.teams import audit
from apps.teams.actors import Actor

MAX_SLOTS = 512
"""More Locust processes than the largest machines have cores."""
MAX_HOST_USERS = 10_000_000
MAX_LINK_MBIT = 1_000_000
MAX_LABELS = 20
LABEL_NAME_CHARS = 50
LABEL_CHARS = 100
ADDRESS_CHARS = 253
"""The longest name that DNS has."""
RESOLVE_SECONDS = 3.0
FORGET_AFTER = timedelta(days=1)
EVENT_CHARS = 300
BY_CHARS = 200

NAME_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
"""Of a host name between dots; with the underscores that Docker's names have."""


# --- standing -----------------------------------------------------------------------------------------------------


@transaction.atomic
def approve(*, host: WorkerHost, by: Actor) -> WorkerHost:
    """Let a pending host take part. Nothing happens to one that was approved before."""
    host = lock(host)
    if host.standing == Standing.PENDING:
        _stand(host, Standing.ACTIVE, gettext_noop("Approved"), "host.approve", by)
    return host


@transaction.atomic
def drain(*, host: WorkerHost, by: Actor) -> WorkerHost:
    """Let it finish what it runs and give it nothing new. Raises Conflict for a host that is not approved."""
    host = _decided(host)
    if host.standing == Standing.ACTIVE:
        _stand(host, Standing.DRAINING, gettext_noop("Takes nothing new"), "host.drain", by)
    return host


@transaction.atomic
def activate(*, host: WorkerHost, by: Actor) -> WorkerHost:
    """Let a draining host take part again. Raises Conflict for a host that is not approved."""
    host = _decided(host)
    if host.standing == Standing.DRAINING:
        _stand(host, Standing.ACTIVE, gettext_noop("Takes part again"), "host.activate", by)
    return host


def _decided(host: WorkerHost) -> WorkerHost:
    host = lock(host)
    if host.standing == Standing.PENDING:
        raise Conflict(_("Host %(host)s has to be approved first.") % {"host": host}, code="host_pending")
    return host


def _stand(host: WorkerHost, standing: Standing, text: str, action: str, by: Actor) -> None:
    host.standing = standing
    host.save(update_fields=["standing"])
    _note(host, host.state, text, by)  # also while it is silent, when its state stays `offline`
    audit.record(action, obj=host, team=None, by=by)


def _note(host: WorkerHost, state: str, text: str, by: Actor) -> None:
    HostEvent.objects.create(host=host, state=state, text=text[:EVENT_CHARS], by=by.label[:BY_CHARS])


# --- what is set --------------------------------------------------------------------------------------------------


def change(
    *,
    host: WorkerHost,
    slots: int | None,
    max_users: int | None,
    address: str,
    link_mbit: int | None,
    labels: Mapping[str, str],
    by: Actor,
) -> WorkerHost:
    """Set all of these; what they mean is with the model. Raises as `check` does."""
    # Not in the transaction: looking up a name takes its time.
    check(host=host, slots=slots, max_users=max_users, address=address, link_mbit=link_mbit, labels=labels)
    wanted = {
        "slots": slots,
        "max_users": max_users,
        "address": address,
        "link_mbit": link_mbit,
        "labels": dict(labels),
    }
    return _set(host, wanted, by)


@transaction.atomic
def _set(host: WorkerHost, wanted: Mapping[str, object], by: Actor) -> WorkerHost:
    host = lock(host)
    after = {name: value for name, value in wanted.items() if value != getattr(host, name)}
    if after:
        before = {name: getattr(host, name) for name in after}
        for name, value in after.items():
            setattr(host, name, value)
        host.save(update_fields=list(after))
        audit.record("host.change", obj=host, team=None, by=by, before=before, after=after)
    return host


def check(
    *,
    host: WorkerHost,
    slots: int | None,
    max_users: int | None,
    address: str,
    link_mbit: int | None,
    labels: Mapping[str, str],
) -> None:
    """Whether `change` would do it. Raises Invalid with the field. A new address must resolve on this machine."""
    _check_number("slots", slots, MAX_SLOTS)
    _check_number("max_users", max_users, MAX_HOST_USERS)
    _check_number("link_mbit", link_mbit, MAX_LINK_MBIT)
    _check_labels(labels)
    if address and address != host.address:
        _check_address(address)


def _check_number(field: str, number: int | None, most: int) -> None:
    if number is not None and not 1 <= number <= most:
        raise _invalid(field, _("Give a number from 1 to %(most)d, or none.") % {"most": most}, "out_of_bounds")


def _check_labels(labels: object) -> None:
    if not isinstance(labels, Mapping) or len(labels) > MAX_LABELS or not all(map(_is_label, labels.items())):
        limits = {"count": MAX_LABELS, "name": LABEL_NAME_CHARS, "text": LABEL_CHARS}
        sentence = _(
            "A host has at most %(count)d labels: names of 1 to %(name)d characters without “=”, texts of up to "
            "%(text)d, no blanks around either."
        )
        raise _invalid("labels", sentence % limits, "bad_labels")


def _is_label(label: tuple[object, object]) -> bool:
    name, text = label
    if not isinstance(name, str) or not isinstance(text, str):
        return False
    is_short = 0 < len(name) <= LABEL_NAME_CHARS and len(text) <= LABEL_CHARS
    # Forms have them as lines of `name = text`: what would not come back the same is another label after a visit there.
    is_line = "=" not in name and (name, text) == (name.strip(), text.strip())
    return is_short and is_line and name.isprintable() and text.isprintable()


def _check_address(address: str) -> None:
    if not _is_ip(address):
        if not _is_name(address):
            sentence = _("An address is the name or the IP under which other hosts reach this one.")
            raise _invalid("address", sentence, "bad_address")
        if not _resolves(address):
            sentence = _("%(name)s does not resolve.") % {"name": address}
            raise _invalid("address", sentence, "address_unresolved")


def _is_ip(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    # One with a zone (`fe80::1%eth0`) means something on its own machine only.
    return not (ip.is_unspecified or ip.is_multicast or "%" in address)


def _is_name(address: str) -> bool:
    parts = address.split(".")
    is_number = parts[-1].isdigit()  # such a name would be read as an IP, and a wrong one
    return len(address) <= ADDRESS_CHARS and not is_number and all(NAME_PART.fullmatch(part) for part in parts)


def _resolves(name: str) -> bool:
    """In time, too: the system may take half a minute to give up, and cannot be told not to."""
    found: list[object] = []

    def ask() -> None:
        with suppress(OSError, UnicodeError):
            found.extend(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(RESOLVE_SECONDS)
    return bool(found)


def check_name(*, host: WorkerHost, name: str) -> None:
    """Raises Conflict for another name than it has: its runner would come back as a new host."""
    if name != host.name:
        sentence = _(
            "Host %(host)s keeps its name: it is the one that its runner is started with. To give it another, drain "
            "it, remove it, and start its runner with another --host and a new key."
        )
        told = sentence % {"host": host}
        raise Conflict(told, code="host_name_kept", fields={"name": [told]})


# --- moving -------------------------------------------------------------------------------------------------------


@transaction.atomic
def move(*, host: WorkerHost, to: WorkerPool, by: Actor) -> WorkerHost:
    """Put it into another pool. Its IDs are no host's then, and its runner listens there within seconds. Nothing
    happens to one that is there. Raises Conflict as `check_move` does."""
    pools = {pk: leases.lock(pk) for pk in sorted({host.pool_id, to.pk})}  # in one order: no two wait for each other
    host, to = lock(host), pools[to.pk]
    if host.pool_id == to.pk:
        return host
    check_move(host=host)
    range_ = IdRange.objects.filter(host=host)
    ids = range_.values_list("first", "last").first()
    range_.delete()
    before, host.pool = host.pool, to
    host.save(update_fields=["pool"])
    # Not from where: whoever may use a pool reads the history of its hosts, and may know nothing of the other.
    _note(host, host.state, gettext_noop("It came from another pool"), by)
    audit.record("host.move", obj=host, team=None, by=by, before=before.name, after=to.name, ids=ids)
    return host


def check_move(*, host: WorkerHost) -> None:
    """Whether `move` would do it. Raises Conflict with the runs that use the host."""
    runs = running(host)
    if runs:
        sentence = _("Host %(host)s is used by %(runs)s. Drain it, and move it when they are over.")
        raise Conflict(sentence % {"host": host, "runs": ", ".join(runs)}, code="host_busy")


# --- removing -----------------------------------------------------------------------------------------------------


@transaction.atomic
def remove(*, host: WorkerHost, by: Actor) -> None:
    """Forget it, with its range, its runners and its history. Raises Conflict while a run uses it."""
    host = lock(host)  # and its pool, so that no run is placed on it in between
    check_remove(host=host)
    audit.record("host.remove", obj=host, team=None, by=by, pool=host.pool.name)
    host.delete()


def forget_passing(now: datetime) -> int:
    """Remove hosts that came by themselves, that nobody has given anything, and that are gone for FORGET_AFTER: those
    of containers, which have a new name each time they are made. How many they were."""
    came = WorkerHost.objects.filter(pool__takes_new_hosts=True, standing=Standing.ACTIVE, id_range=None)
    as_they_came = came.filter(slots=None, max_users=None, link_mbit=None, address="", labels={})
    gone = as_they_came.filter(is_silent=True, last_seen_at__lt=now - FORGET_AFTER)
    return sum(_forget(host, now) for host in gone.select_related("pool").defer("report", "recent"))


@transaction.atomic
def _forget(host: WorkerHost, now: datetime) -> bool:
    with suppress(Conflict, Missing):
        host = lock(host)
        check_remove(host=host)
        if host.last_seen_at is not None and host.last_seen_at < now - FORGET_AFTER:
            audit.record("host.forget", obj=host, team=None, by=Actor(system="keeper"), pool=host.pool.name)
            host.delete()
            return True
    return False


def check_remove(*, host: WorkerHost) -> None:
    """Whether `remove` would do it. Raises Conflict with the runs that use the host."""
    runs = running(host)
    if runs:
        sentence = _("Host %(host)s is used by %(runs)s.") % {"host": host, "runs": ", ".join(runs)}
        raise Conflict(sentence, code="host_busy")


def running(host: WorkerHost) -> list[str]:
    """The labels of the runs that have a worker on this host, that it leads, or that may use IDs of it."""
    labels = set(IdLease.objects.filter(host=host, ended_at=None).values_list("run_label", flat=True))
    workers = host.run_workers.filter(ended_at=None).values_list("run__number", "run__scenario__name")
    runners = host.runners.values("name")
    led = host.pool.runs.filter(finished_at=None, runner__in=runners).values_list("number", "scenario__name")
    return sorted(labels | {run_label(number, name) for number, name in (*workers, *led)})


def run_label(number: int, scenario: str) -> str:
    """What a run is called here; as its leases have it."""
    return f"#{number} {scenario}"[: leases.RUN_LABEL_CHARS]


def _invalid(field: str, sentence: str, code: str) -> Invalid:
    return Invalid(sentence, code=code, fields={field: [sentence]})


def lock(host: WorkerHost) -> WorkerHost:
    """The host as it is now. Its pool first, as everybody who needs both does, so that no two wait for each other.

    Raises Missing when somebody has removed it, Conflict when it is in another pool now.
    """
    leases.lock(host.pool_id)
    rows = WorkerHost.objects.select_for_update(of=("self",), no_key=True).select_related("pool")
    found = rows.filter(pk=host.pk).first()
    if found is None:
        raise Missing(_("Host %(host)s has just been removed.") % {"host": host})
    if found.pool_id != host.pool_id:
        words = {"host": host, "pool": found.pool}
        raise Conflict(_("Host %(host)s has just been moved to pool %(pool)s.") % words, code="host_moved")
    return found
