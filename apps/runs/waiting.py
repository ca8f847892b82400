"""Why a queued run waits, in words for its own team; and whom it has to let go first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.pools import leases
from apps.pools.allocation import NoRoom, seats
from apps.pools.leases import Holder
from apps.pools.models import WorkerPool
from apps.runs.models import Run, RunWorker
from apps.runs.states import WORKERS_IN_PLACE, State

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
    parts = _held(_holders(error.kind, pool), team_id)
    held = [_HELD[error.kind] % {"runs": _listed(parts)}] if parts else []
    return " ".join([leases.shortage(error, pool), *held])


_HELD = {
    "ids": gettext_lazy("IDs are leased by %(runs)s."),
    "slots": gettext_lazy("Slots are taken by %(runs)s."),
    "users": gettext_lazy("There are users of %(runs)s."),
}


def _holders(kind: str, pool: WorkerPool) -> list[Holder]:
    """The runs that have what is short, and how much of it; the most first."""
    if kind == "ids":
        return leases.holders(pool)
    size = Count("pk") if kind == "slots" else Sum("users")
    workers = RunWorker.objects.filter(host__pool=pool, ended_at=None, state__in=sorted(WORKERS_IN_PLACE))
    counts = dict(workers.values_list("run_id").annotate(size=size).order_by("-size", "run_id"))
    runs = Run.objects.select_related("scenario").only("number", "scenario__name").in_bulk(counts)
    return [Holder(run_id, str(runs[run_id]), count) for run_id, count in counts.items() if run_id in runs]


def _held(holders: Sequence[Holder], team_id: UUID) -> list[str]:
    runs = [holder.run_id for holder in holders]
    own = set(Run.objects.filter(pk__in=runs, project__team_id=team_id).values_list("pk", flat=True))
    mine = [holder for holder in holders if holder.run_id in own]
    parts = [f"{holder.run_label} ({holder.count})" for holder in mine[:HOLDERS_NAMED]]
    if rest := mine[HOLDERS_NAMED:]:
        more = ngettext("%(runs)d other run (%(count)d)", "%(runs)d other runs (%(count)d)", len(rest))
        parts.append(more % {"runs": len(rest), "count": sum(holder.count for holder in rest)})
    if others := [holder for holder in holders if holder.run_id not in own]:
        more = ngettext(
            "%(runs)d run of another team (%(count)d)", "%(runs)d runs of other teams (%(count)d)", len(others)
        )
        parts.append(more % {"runs": len(others), "count": sum(holder.count for holder in others)})
    return parts


def _listed(parts: Sequence[str]) -> str:
    """“a, b and c”."""
    if len(parts) == 1:
        return parts[0]
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
