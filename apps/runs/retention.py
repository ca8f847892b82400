"""What is thrown away of runs that ended long ago: seconds first, then all figures over time. Totals and files stay.

Little at a time, so that nobody waits for the database meanwhile; what is left is done in the next round.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.runs import tiers
from apps.runs.blocks import BadBlock
from apps.runs.models import Run, SampleBlock
from apps.runs.states import TERMINAL
from apps.teams.models import Team

log = logging.getLogger(__name__)

RUNS_AT_ONCE = 50
BLOCKS_AT_ONCE = 200
"""Blocks deleted in one transaction."""
BLOCKS_A_ROUND = 600
"""A day has 1,440 of seconds; this is a second's work."""


@dataclass(slots=True)
class Retention:
    """One round after the other."""

    kept: set[UUID] = field(default_factory=set)
    """Runs whose seconds stay, because the coarser tiers cannot be made of them."""

    def round(self, now: datetime) -> bool:
        """Whether anything was done, so that there may be more."""
        room, is_news = BLOCKS_A_ROUND, False
        for run_id, keep_from, finest in self._due(now):
            if room <= 0:
                break
            if keep_from == tiers.TIERS[1] and not self._is_rolled_up(run_id):
                self.kept.add(run_id)
                continue
            deleted, is_done = _delete(run_id, keep_from, room)
            room, is_news = room - deleted, True
            if is_done:
                # Only downwards: a run that lost all its tiers meanwhile stays as it is.
                Run.objects.filter(pk=run_id, finest_step_s=finest).update(finest_step_s=keep_from)
        return is_news

    def _due(self, now: datetime) -> Iterator[tuple[UUID, int, int]]:
        """Runs, the finest tier they keep (0: none), and the finest they have."""
        ended = Run.objects.filter(state__in=sorted(TERMINAL), finest_step_s__gt=0)
        for days in Team.objects.order_by("keep_days").values_list("keep_days", flat=True).distinct():
            over = ended.filter(project__team__keep_days=days, finished_at__lt=now - timedelta(days=days))
            yield from ((run_id, 0, finest) for run_id, finest in _first(over))
        fine = ended.filter(finest_step_s=1, finished_at__lt=now - timedelta(days=settings.KEEP_SECONDS_DAYS))
        yield from ((run_id, tiers.TIERS[1], finest) for run_id, finest in _first(fine.exclude(pk__in=self.kept)))

    def _is_rolled_up(self, run_id: UUID) -> bool:
        """After a last try to make it so."""
        if tiers.is_rolled_up(run_id):
            return True
        try:
            tiers.close_all(run_id)
        except BadBlock:
            log.exception("run %s: its seconds are kept, since they cannot be read", run_id)
            return False
        return tiers.is_rolled_up(run_id)


def _first(runs: QuerySet[Run]) -> list[tuple[UUID, int]]:
    return list(runs.order_by("finished_at").values_list("pk", "finest_step_s")[:RUNS_AT_ONCE])


def _delete(run_id: UUID, keep_from: int, room: int) -> tuple[int, bool]:
    """Delete the blocks that are finer than the tier `keep_from`, or all; how many, and whether none is left."""
    doomed = SampleBlock.objects.filter(run_id=run_id)
    if keep_from:
        doomed = doomed.filter(step_s__lt=keep_from)
    deleted = 0
    while deleted < room:
        ids = list(doomed.order_by().values_list("pk", flat=True)[: min(BLOCKS_AT_ONCE, room - deleted)])
        if not ids:
            return deleted, True
        with transaction.atomic():
            deleted += SampleBlock.objects.filter(pk__in=ids).delete()[0]
    return deleted, not doomed.exists()
