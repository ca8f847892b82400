"""Why a queued run waits, in words for its own team; and whom it has to let go first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.pools import leases
from apps.pools.allocation import NoRoom, seats
from apps.pools.models import WorkerPool
from apps.runs.models import Run
from apps.runs.states import State

FAIR_SECONDS = 600
"""After so long a run that waits for room is overtaken no more: small ones would keep a large one out for ever."""
ELDERS_LOOKED_AT = 20
HOLDERS_NAMED = 3
"""In a sentence; the others are counted."""


class AfterOthers(Exception):
    """There may be room, but it is kept for a run that has waited for longer."""

    def __init__(self, elder: Run) -> None:
        super().__init__(str(elder.pk))
        self.elder = elder


def let_elders_go_first(run: Run, pool: WorkerPool, now: datetime) -> None:
    """Raises AfterOthers when an older run has waited for long, and would have room if nobody else had any."""
    waiting = Run.objects.filter(pool=pool, state=State.QUEUED, pk__lt=run.pk).exclude(waits_for="")
    old = waiting.filter(created_at__lt=now - timedelta(seconds=FAIR_SECONDS)).order_by("pk")
    elders = list(old.select_related("scenario", "project")[:ELDERS_LOOKED_AT])
    rooms = leases.rooms_of_all(pool) if elders else []
    for elder in elders:
        try:
            seats(rooms, workers=elder.workers, users=elder.users)
        except NoRoom:
            continue
        raise AfterOthers(elder)


def why(error: NoRoom | AfterOthers, pool: WorkerPool, team_id: UUID) -> str:
    """Runs of other teams are counted, and not named."""
    if isinstance(error, AfterOthers):
        is_own = error.elder.project.team_id == team_id
        name = str(error.elder) if is_own else _("a run of another team")
        return _("It lets %(run)s go first, which has waited for room for longer.") % {"run": name}
    text = leases.shortage(error, pool)
    if error.kind == "ids":
        text = " ".join([text, *_held(pool, team_id)])
    return text


def _held(pool: WorkerPool, team_id: UUID) -> Sequence[str]:
    found = leases.holders(pool)
    runs = [holder.run_id for holder in found]
    own = set(Run.objects.filter(pk__in=runs, project__team_id=team_id).values_list("pk", flat=True))
    mine = [holder for holder in found if holder.run_id in own]
    parts = [f"{holder.run_label} ({holder.ids})" for holder in mine[:HOLDERS_NAMED]]
    if rest := mine[HOLDERS_NAMED:]:
        more = ngettext("%(count)d other run (%(ids)d)", "%(count)d other runs (%(ids)d)", len(rest))
        parts.append(more % {"count": len(rest), "ids": sum(holder.ids for holder in rest)})
    if others := [holder for holder in found if holder.run_id not in own]:
        more = ngettext(
            "%(count)d run of another team (%(ids)d)", "%(count)d runs of other teams (%(ids)d)", len(others)
        )
        parts.append(more % {"count": len(others), "ids": sum(holder.ids for holder in others)})
    if not parts:
        return ()
    return (_("IDs are leased by %(runs)s.") % {"runs": _listed(parts)},)


def _listed(parts: Sequence[str]) -> str:
    """“a, b and c”."""
    if len(parts) == 1:
        return parts[0]
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
