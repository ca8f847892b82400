"""Telling open pages that a run has news. Only a doorbell: what is new is read from the database."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

log = logging.getLogger(__name__)

SEND_SECONDS = 1.0
"""Whoever rings has better things to do, such as renewing a lease, than waiting for a host that does not answer."""
RETRY_SECONDS = 5.0
_silent_until = 0.0


def group_name(run_id: UUID | str) -> str:
    """The channel group of one run; made here only, never from what a client sends."""
    return f"run.{run_id}"


def ring_pages(run_id: UUID) -> None:
    """Once the present transaction is in the database. A Redis that is away costs a second of delay, nothing else."""
    transaction.on_commit(lambda: _send(run_id), robust=True)


def _send(run_id: UUID) -> None:
    global _silent_until  # noqa: PLW0603 # one broken bell for the whole process
    if time.monotonic() < _silent_until:
        return
    try:
        async_to_sync(_group_send)(run_id)
    except Exception as error:  # the layer lets through errors of Redis, of sockets and of event loops
        log.debug("no doorbell for run %s: %s", run_id, error)
        _silent_until = time.monotonic() + RETRY_SECONDS


async def _group_send(run_id: UUID) -> None:
    await asyncio.wait_for(get_channel_layer().group_send(group_name(run_id), {"type": "run.news"}), SEND_SECONDS)
