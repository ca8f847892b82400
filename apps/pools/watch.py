"""Which hosts are heard of, and what is noted when that changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_noop

from apps.pools.models import RUNNER_SILENT_SECONDS, HostEvent, WorkerHost

FELL_SILENT = gettext_noop("Nothing was heard of it for 15 seconds.")
IS_BACK = gettext_noop("It is heard of again.")
TEXT_CHARS = 300
BY_CHARS = 200


def mark_silent(now: datetime) -> int:
    """Say of hosts that have not reported lately that they are silent; how many that were. `now` is the database's.

    Only for one who has watched the database as long as that: after an outage, all would look silent.
    """
    return sum(_mark_silent(host, now) for host in _fell_silent(now).defer("report", "recent"))


def note(host: WorkerHost, text: str, *, by: str = "") -> None:
    """Leave a line in the host's history, with its state as it now is; in the transaction of the change."""
    HostEvent.objects.create(host=host, state=host.state, text=text[:TEXT_CHARS], by=by[:BY_CHARS])


def note_return(host: WorkerHost) -> None:
    """A host that was silent has been heard of; the caller writes the row."""
    if host.is_silent:
        host.is_silent = False
        note(host, IS_BACK)


def _mark_silent(host: WorkerHost, now: datetime) -> bool:
    with transaction.atomic():
        if not _fell_silent(now).filter(pk=host.pk).update(is_silent=True):
            return False
        host.is_silent = True
        note(host, FELL_SILENT)
        return True


def _fell_silent(now: datetime) -> QuerySet[WorkerHost]:
    limit = now - timedelta(seconds=RUNNER_SILENT_SECONDS)
    return WorkerHost.objects.filter(Q(last_seen_at=None) | Q(last_seen_at__lt=limit), is_silent=False)
