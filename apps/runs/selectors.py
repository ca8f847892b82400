"""Reading runs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from apps.runs.models import LogChunk, Run
from apps.runs.states import ACTIVE, State


def with_names(runs: QuerySet[Run]) -> QuerySet[Run]:
    """With all that a row of a list shows, in one query."""
    return runs.select_related("project__team", "scenario", "version", "pool").defer("version__locustfile")


def active(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Those that are not over."""
    return runs.filter(state__in=sorted(ACTIVE))


def queue_position(run: Run) -> int | None:
    """1 for the next to be taken from its pool's queue; None when it does not wait."""
    if run.state != State.QUEUED:
        return None
    return Run.objects.filter(pool_id=run.pool_id, state=State.QUEUED, pk__lt=run.pk).count() + 1


def log_after(run_id: UUID, seq: int) -> tuple[int, list[str]]:
    """Lines of the live log after chunk `seq`, and the number of the newest chunk."""
    chunks: Sequence[LogChunk] = list(LogChunk.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq"))
    lines = [line for chunk in chunks for line in chunk.text.split("\n")]
    return (chunks[-1].seq if chunks else seq), lines
