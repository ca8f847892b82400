"""Where a run goes: which hosts, how many users on each, and which IDs are theirs while it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, Sum

from apps.core.clock import db_now
from apps.pools import leases
from apps.pools.allocation import NoRoom, Room, Seat, seats
from apps.pools.models import WorkerHost, WorkerPool
from apps.runs.lease import Lease, claim, note_state
from apps.runs.models import Run, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.services import ring_waiting
from apps.runs.states import TERMINAL, WORKERS_IN_PLACE, State, WorkerState
from apps.runs.waiting import AfterOthers, let_elders_go_first, why
from apps.scenarios.models import WhenFull

QUARANTINE_SECONDS = 90
"""A worker that nobody hears of may be alive, and ends by itself after a minute without its master."""
LABEL_CHARS = 300
WAITS_FOR_CHARS = 500
UNHEARD_NEW, UNHEARD_FIRST = 200, 20
"""So many of a pool that were told nothing yet, and so many that are next, are looked at in a round of the keeper; each
is a transaction of its own."""


class Elsewhere(Exception):
    """There is room on another host, whose runner has to take the run."""

    def __init__(self, host_id: UUID) -> None:
        super().__init__(str(host_id))
        self.host_id = host_id


def take(run_id: UUID, *, runner: str, host: WorkerHost) -> Lease | None:
    """Claim a queued run for the runner of `host`, and give it its places. None when it is gone, has to wait, or is for
    another pool: whoever writes to Redis may ring anybody.

    A run of one process goes to `host` itself. Raises Elsewhere when it has no room and another one has.
    """
    try:
        with transaction.atomic():
            return _take(run_id, runner, host)
    except (NoRoom, AfterOthers) as error:
        _note_full(run_id, error)
        return None


def _take(run_id: UUID, runner: str, host: WorkerHost) -> Lease | None:
    """Raises NoRoom, AfterOthers and Elsewhere, and leaves nothing behind then."""
    run = Run.objects.select_related("scenario").filter(pk=run_id, state=State.QUEUED, pool=host.pool_id).first()
    if run is None:
        return None
    pool = leases.lock(run.pool_id)
    if not pool.hosts.filter(pk=host.pk).exists():
        return None  # the host was moved to another pool since its runner heard the bell; the keeper rings again
    now = db_now()
    let_elders_go_first(run, pool, now)
    rooms = leases.rooms(pool, taken(pool), now)
    found = choose(rooms, workers=run.workers, users=run.users, host_id=host.pk)
    if run.workers == 1 and found[0].host_id != host.pk:
        raise Elsewhere(UUID(str(found[0].host_id)))
    lease = claim(run_id, runner=runner)
    if lease is None:
        return None
    leases.take(pool=pool, seats=found, run_id=run.pk, run_label=label(run), now=now)
    names = {one.host_id: one.name for one in rooms}
    RunWorker.objects.bulk_create(_worker(run, seat, names[seat.host_id]) for seat in found)
    format_ = {"id_prefix": pool.id_prefix, "id_width": pool.id_width} if pool.has_ids else {}
    lease.write(waits_for="", **format_)
    return lease


def choose(rooms: Sequence[Room], *, workers: int, users: int, host_id: UUID) -> Sequence[Seat]:
    """The seats of a run that the runner of this host takes: a single worker stays there if it can. Raises NoRoom."""
    if workers > 1:
        return seats(rooms, workers=workers, users=users)
    try:
        return seats([room for room in rooms if room.host_id == host_id], workers=1, users=users)
    except NoRoom:
        return seats(rooms, workers=1, users=users)  # on another host; or what is short is so in the whole pool


def note_unheard(now: datetime) -> None:
    """Where all slots are taken no runner listens to the bell: say what those runs wait for, or end them.

    Not where no host is at work: such a run waits for one, whatever its scenario says.
    """
    waiting = Run.objects.filter(state=State.QUEUED)
    for pool in WorkerPool.objects.filter(pk__in=waiting.values("pool_id")):
        rooms = leases.rooms(pool, taken(pool), now)
        if not rooms or any(room.slots for room in rooms):
            continue
        here = waiting.filter(pool=pool).only("workers", "users").order_by("id")
        for run in {*here.filter(waits_for="")[:UNHEARD_NEW], *here[:UNHEARD_FIRST]}:
            try:
                seats(rooms, workers=run.workers, users=run.users)
            except NoRoom as error:
                _note_full(run.pk, error)


def _note_full(run_id: UUID, error: NoRoom | AfterOthers) -> None:
    """Say on the run what it waits for; or end it, if it is not to wait."""
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("pool", "project")
            .filter(pk=run_id, state=State.QUEUED)
            .first()
        )
        if run is None:
            return
        text = why(error, run.pool, run.project.team_id)[:WAITS_FOR_CHARS]
        held = Run.objects.filter(pk=run_id, state=State.QUEUED)
        if run.when_full == WhenFull.REFUSE:
            diagnosis = {"code": "no_room", "message": text, "line": None, "traceback": ""}
            held.update(state=State.FAILED, reason="no_room", diagnosis=diagnosis, finished_at=db_now(), waits_for="")
            note_state(run_id, State.FAILED, reason="no_room")
        elif run.waits_for != text:
            held.update(waits_for=text)
            ring_pages(run_id)


def taken(pool: WorkerPool) -> dict[UUID, tuple[int, int]]:
    """Slots and users of each host that runs have: those whose process is not known to be gone."""
    in_use = Q(run_workers__ended_at=None, run_workers__state__in=sorted(WORKERS_IN_PLACE))
    hosts = pool.hosts.annotate(
        slots_taken=Count("run_workers", filter=in_use), users_taken=Sum("run_workers__users", filter=in_use)
    )
    return {pk: (slots, users or 0) for pk, slots, users in hosts.values_list("pk", "slots_taken", "users_taken")}


def end(lease: Lease, target: State, *, by: str = "", reason: str = "", **fields: Any) -> None:
    """The last change of a run, with which it gives back what it had. Raises Fenced."""
    with transaction.atomic():
        lease.move(target, by=by, reason=reason, **fields)
        release(lease.run_id, db_now())


def release(run_id: UUID, now: datetime) -> None:
    """The run is over: give back what is known to be free, and the rest when it is sure to be."""
    pool_id = Run.objects.values_list("pool_id", flat=True).get(pk=run_id)
    transaction.on_commit(lambda: ring_waiting(pool_id), robust=True)
    idle = RunWorker.objects.filter(Q(starts=0) | Q(state=WorkerState.WANTED), run_id=run_id)
    idle.update(state=WorkerState.ENDED, ended_at=now, is_closed=True)
    for worker in RunWorker.objects.filter(run_id=run_id).defer("identity"):
        if worker.ended_at is not None:
            leases.end(run_id=run_id, worker=worker.index, now=now)
        else:
            leases.hold(run_id=run_id, worker=worker.index, until=now + timedelta(seconds=QUARANTINE_SECONDS))


def free_due(now: datetime) -> None:
    """Workers whose process is sure to be gone, although nobody saw it: their slots and IDs are free again."""
    sure = now - timedelta(seconds=QUARANTINE_SECONDS)
    over = RunWorker.objects.filter(run__state__in=sorted(TERMINAL), run__finished_at__lt=sure, ended_at=None)
    for pk, run_id, index in over.values_list("pk", "run_id", "index"):
        RunWorker.objects.filter(pk=pk).update(state=WorkerState.ENDED, ended_at=now, is_closed=True)
        leases.end(run_id=run_id, worker=index, now=now)
    leases.end_due(now)


def withdraw(run_id: UUID, now: datetime) -> None:
    """Nothing has been started yet, and it goes back to the queue."""
    leases.end(run_id=run_id, now=now)
    RunWorker.objects.filter(run_id=run_id).delete()


def label(run: Run) -> str:
    """What others are told of who has the IDs."""
    return f"#{run.number} {run.scenario.name}"[:LABEL_CHARS]


def _worker(run: Run, seat: Seat, host_name: str) -> RunWorker:
    return RunWorker(
        run=run,
        index=seat.index,
        host_id=UUID(str(seat.host_id)),
        host_name=host_name,
        users=seat.users,
        offset=seat.offset,
    )
