"""Electing one of several equal processes by a row in the database."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.core.clock import db_now
from apps.core.models import LeaderLease


def acquire(name: str, *, holder: str, seconds: float) -> bool:
    """Take or renew the lease `name` for `holder`; False while another holds it. Call again well before `seconds`."""
    now = db_now()
    until = now + timedelta(seconds=seconds)
    mine_or_expired = Q(holder=holder) | Q(until__lt=now)
    if LeaderLease.objects.filter(mine_or_expired, name=name).update(holder=holder, until=until):
        return True
    try:
        with transaction.atomic():
            _, created = LeaderLease.objects.get_or_create(name=name, defaults={"holder": holder, "until": until})
    except IntegrityError:
        return False
    return created


def release(name: str, *, holder: str) -> None:
    """Give the lease back so that another need not wait for its end."""
    LeaderLease.objects.filter(name=name, holder=holder).delete()
