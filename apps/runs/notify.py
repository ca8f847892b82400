"""Telling open pages that a run has news. Only a doorbell: what is new is read from the database."""

from __future__ import annotations

import logging
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

log = logging.getLogger(__name__)


def group_name(run_id: UUID | str) -> str:
    """The channel group of one run; made here only, never from what a client sends."""
    return f"run.{run_id}"


def ring_pages(run_id: UUID) -> None:
    """Once the present transaction is in the database. A Redis that is away costs a second of delay, nothing else."""
    transaction.on_commit(lambda: _send(run_id), robust=True)


def _send(run_id: UUID) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(run_id), {"type": "run.news"})
    except Exception as error:  # the layer lets through errors of Redis, of sockets and of event loops
        log.debug("no doorbell for run %s: %s", run_id, error)
