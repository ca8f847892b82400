"""How a machine becomes a host of a pool: by itself where the pool takes anyone, with a key, or by approval."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core.clock import db_now, utc
from apps.core.errors import Invalid
from apps.core.names import clean_name
from apps.pools import keys
from apps.pools.keys import Refused
from apps.pools.models import RUNNER_SILENT_SECONDS, Runner, Standing, WorkerHost, WorkerPool
from apps.pools.telemetry import cores, versions
from apps.pools.watch import note, note_return

MACHINE_ID = Path("/etc/machine-id")
MACHINE_DIGITS = 32
RUNNER_NAME_CHARS = 150
"""As many as the column holds: by itself a runner is called as its host, and a number."""
CLOCK_SECONDS = 1.0
"""Linux tells when a process began in ticks since a boot that is known to the second only."""

JOINED_BY_KEY = gettext_noop("It joined with a key.")
JOINED_OPEN_POOL = gettext_noop("It joined; the pool takes new hosts.")
ASKS = gettext_noop("It asks to join the pool.")
OTHER_MACHINE = gettext_noop("Another machine took its name.")
OTHER_MACHINE_ASKS = gettext_noop("Another machine took its name, and asks to join.")


# --- a runner at its start ----------------------------------------------------------------------------------------


def register(pool_name: str, host_name: str, runner_name: str, machine: str, join_key: str = "") -> Runner:
    """Make or renew the rows of this host and this runner process. Raises Refused.

    A host that people have decided about needs no key, and is in the pool where the portal has it: a command that
    worked once works again, also when the host was moved or its pool got another name.
    """
    try:
        host_name, runner_name = keys.clean_host_name(host_name), clean_name(runner_name, most=RUNNER_NAME_CHARS)
    except Invalid as error:
        raise Refused(error.message) from None
    with transaction.atomic():
        pool = _pool(pool_name, host_name, machine)
        now = db_now()
        host = _host(pool, host_name, machine, join_key, now)
        return _runner(host, runner_name, now)


def _pool(name: str, host_name: str, machine: str) -> WorkerPool:
    """Where the host belongs. Locked, so that of two machines with one name that come at once, the second meets the
    first."""
    known = WorkerHost.objects.filter(name=host_name, machine=machine).values("pool_id").first()
    wanted = Q(pk=known["pool_id"]) if known else Q(name=name)
    pool = WorkerPool.objects.select_for_update().filter(wanted).first()
    if pool is None:
        raise Refused(_("There is no pool “%(pool)s”. If it has another name now, start with that.") % {"pool": name})
    return pool


def machine_id(system: Path = MACHINE_ID, own: Path | None = None) -> str:
    """Tells this machine from any other, and says nothing else about it."""
    known = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = system.read_text().strip()
    if len(known) < MACHINE_DIGITS:  # missing or empty in most containers
        known = _kept_id(own or Path(settings.STATE_DIR) / "machine_id")
    return hashlib.sha256(f"hatchery:{known}".encode()).hexdigest()


def _kept_id(path: Path) -> str:
    """Made at the first start, whole: of two processes that start together one makes it."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(secrets.token_hex(MACHINE_DIGITS))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text().strip()


def _host(pool: WorkerPool, name: str, machine: str, join_key: str, now: datetime) -> WorkerHost:
    host = WorkerHost.objects.select_for_update(of=("self",)).select_related("pool").filter(name=name).first()
    if host is None:
        return _new_host(pool, name, machine, join_key, now)
    if host.pool_id != pool.pk:
        words = {"host": name, "pool": host.pool.name}
        raise Refused(_("The host “%(host)s” belongs to the pool “%(pool)s”.") % words)
    is_other = bool(host.machine) and host.machine != machine
    if is_other:
        _refuse_twin(host, now)
    if is_other or host.standing == Standing.PENDING:
        _decide(host, join_key, now, is_other=is_other)
    note_return(host)
    host.machine, host.last_seen_at = machine, now
    host.versions, host.cores = versions(), cores()
    host.save()
    return host


def _new_host(pool: WorkerPool, name: str, machine: str, join_key: str, now: datetime) -> WorkerHost:
    key = keys.take(join_key, pool, name, now)
    standing = Standing.ACTIVE if key or pool.takes_new_hosts else Standing.PENDING
    host = WorkerHost.objects.create(
        pool=pool,
        name=name,
        machine=machine,
        standing=standing,
        is_silent=False,
        last_seen_at=now,
        versions=versions(),
        cores=cores(),
    )
    text = JOINED_BY_KEY if key else JOINED_OPEN_POOL if pool.takes_new_hosts else ASKS
    note(host, text, by=key.created_by if key else "")
    return host


def _decide(host: WorkerHost, join_key: str, now: datetime, *, is_other: bool) -> None:
    """One that waits, or another machine under its name: it comes in like a new one, or has to be approved."""
    key = keys.take(join_key, host.pool, host.name, now)
    by = key.created_by if key else ""
    if key is None and not host.pool.takes_new_hosts:
        host.standing = Standing.PENDING
        if is_other:
            note(host, OTHER_MACHINE_ASKS)
        return
    if is_other:
        note(host, OTHER_MACHINE, by=by)
    if host.standing == Standing.PENDING:  # one that people drain stays so
        host.standing = Standing.ACTIVE
        note(host, JOINED_BY_KEY if key else JOINED_OPEN_POOL, by=by)


def _refuse_twin(host: WorkerHost, now: datetime) -> None:
    """Two machines under one name would take each other's work, and each other's IDs."""
    if host.last_seen_at is None or host.last_seen_at <= now - timedelta(seconds=RUNNER_SILENT_SECONDS):
        return
    since = host.runners.order_by("-last_seen_at").values_list("started_at", flat=True).first()
    known = host.address or next(iter(host.report.get("addresses") or []), "")
    raise Refused(
        _("Host name twice: “%(host)s” is another machine (%(address)s), online since %(since)s. Take another --host.")
        % {"host": host.name, "address": known or _("address unknown"), "since": utc(since) if since else "?"}
    )


def _runner(host: WorkerHost, name: str, now: datetime) -> Runner:
    known = Runner.objects.select_for_update(of=("self",)).select_related("host").filter(name=name).first()
    if known is not None and known.host_id != host.pk:
        if known.last_seen_at > now - timedelta(seconds=RUNNER_SILENT_SECONDS):
            words = {"runner": name, "host": known.host.name}
            raise Refused(_("A runner “%(runner)s” works on the host “%(host)s”. Choose another --name.") % words)
    elif known is not None and is_alive(known):
        words = {"runner": name, "pid": str(known.pid)}
        raise Refused(_("The runner “%(runner)s” already works here: process %(pid)s.") % words)
    fresh = {"pid": os.getpid(), "started_at": timezone.now(), "last_seen_at": now, "draining": False}
    runner, _created = Runner.objects.update_or_create(name=name, defaults={"host": host, **fresh})
    return runner


def is_alive(runner: Runner) -> bool:
    """Whether the process that wrote the row is still there, and not us; on its own machine only.

    A process of that number that was there when the row was written is the one that wrote it. `started_at` is by this
    machine's clock for that.
    """
    if runner.pid == os.getpid():
        return False
    try:
        process = psutil.Process(runner.pid)
        was_there = process.create_time() <= runner.started_at.timestamp() + CLOCK_SECONDS
        return was_there and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
