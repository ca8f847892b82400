"""Keys with which a machine joins a pool: made, used and revoked. Only their digests are kept."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.clock import db_now, utc
from apps.core.errors import Conflict, Invalid, Missing
from apps.core.names import clean_name
from apps.pools import leases
from apps.pools.models import JoinKey, WorkerHost, WorkerPool
from apps.teams import audit
from apps.teams.actors import Actor

KEY_HOURS = 24
KEY_BYTES = 32


class Refused(Exception):
    """Why this runner may not work here, as a sentence for whoever started it."""


@transaction.atomic
def make(pool: WorkerPool, host_name: str, by: Actor) -> tuple[JoinKey, str]:
    """The right for one machine to join `pool` as `host_name`, once; and its secret, which is kept nowhere.

    Raises Invalid for a name nobody can have, Conflict for one that is taken in another pool.
    """
    host_name = clean_host_name(host_name, field="host_name")
    pool = leases.lock(pool.pk)
    elsewhere = WorkerHost.objects.filter(name=host_name).exclude(pool=pool).select_related("pool").first()
    if elsewhere is not None:
        words = {"host": host_name, "pool": elsewhere.pool.name}
        raise Conflict(_("The host “%(host)s” belongs to the pool “%(pool)s”.") % words, code="host_elsewhere")
    secret = f"htj_{secrets.token_urlsafe(KEY_BYTES)}"
    key = JoinKey.objects.create(
        pool=pool,
        host_name=host_name,
        digest=digest_of(secret),
        created_by=by.label[:200],
        expires_at=db_now() + timedelta(hours=KEY_HOURS),
    )
    audit.record("join_key.create", obj=key, team=None, by=by, pool=pool.name, host=host_name)
    return key, secret


@transaction.atomic
def revoke(*, key: JoinKey, by: Actor) -> JoinKey:
    """It lets nobody in any more. A second time changes nothing. Raises Conflict as `check_revoke` does."""
    held = JoinKey.objects.select_for_update(of=("self",)).select_related("pool").filter(pk=key.pk).first()
    if held is None:
        raise Missing(_("This join key is gone, with its pool."))
    check_revoke(key=held)
    if held.revoked_at is None:
        held.revoked_at = db_now()
        held.save(update_fields=["revoked_at"])
        audit.record("join_key.revoke", obj=held, team=None, by=by, pool=held.pool.name, host=held.host_name)
    return held


def check_revoke(*, key: JoinKey) -> None:
    """Whether `revoke` would do it. Raises Conflict for a key that somebody has used: there is nothing to take back."""
    if key.used_at is not None:
        words = {"time": utc(key.used_at), "host": key.host_name}
        sentence = _("This join key was used at %(time)s. To shut that machine out, remove the host “%(host)s”.")
        raise Conflict(sentence % words, code="key_used")


def clean_host_name(name: str, *, field: str = "name") -> str:
    """As `clean_name`, of a name that stands in commands. Raises Invalid for one that looks like an option there."""
    name = clean_name(name, field=field)
    if name.startswith("-"):
        sentence = _("A host's name cannot begin with a hyphen: commands would take it for an option.")
        raise Invalid(sentence, fields={field: [sentence]})
    return name


def command(pool: WorkerPool, host_name: str, secret: str) -> str:
    """What to type on the new host, in a shell."""
    words = ["python", "manage.py", "runner", "--pool", pool.name, "--host", host_name, "--join", secret]
    return shlex.join(words)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def take(secret: str, pool: WorkerPool, host_name: str, now: datetime) -> JoinKey | None:
    """The key, used up now; None without a secret. Raises Refused for one that does not open this door."""
    if not secret:
        return None
    key = (
        JoinKey.objects.select_for_update(of=("self",)).select_related("pool").filter(digest=digest_of(secret)).first()
    )
    if key is None:
        raise Refused(_("This join key is not known."))
    if (key.pool_id, key.host_name) != (pool.pk, host_name):
        words = {"host": key.host_name, "pool": key.pool.name}
        raise Refused(_("This join key is for the host “%(host)s” of the pool “%(pool)s”.") % words)
    if key.used_at is not None:
        raise Refused(_("This join key was used at %(time)s; ask for a new one.") % {"time": utc(key.used_at)})
    if key.revoked_at is not None:
        raise Refused(_("This join key was revoked at %(time)s; ask for a new one.") % {"time": utc(key.revoked_at)})
    if key.expires_at <= now:
        raise Refused(_("This join key expired at %(time)s; ask for a new one.") % {"time": utc(key.expires_at)})
    key.used_at = now
    key.save(update_fields=["used_at"])
    return key
