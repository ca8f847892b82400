"""What a run started now would meet in its pool: the hosts it would be on, and who stands before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.clock import db_now
from apps.pools import leases
from apps.pools.allocation import NoRoom, Room
from apps.pools.models import RUNNER_SILENT_SECONDS, Runner, Standing, WorkerHost, WorkerPool
from apps.runs import placing, planning, waiting
from apps.runs.models import Run
from apps.runs.states import State
from apps.scenarios import data_supply, placement
from apps.scenarios.load import sentences
from apps.scenarios.models import WhenFull
from workers.launch import RUN_LIMITS
from workers.spec import Problem


@dataclass(frozen=True, slots=True)
class Wish:
    """The part of what is asked for that decides about places."""

    team_id: UUID
    """Whose run it would be."""
    pool: WorkerPool
    workers: int
    users: int
    when_full: str
    traffic: planning.Traffic | None = None
    data: Sequence[Mapping[str, Any]] = ()
    """Its data files, as `data_services.pin` gives them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`slots` of the hosts that take work now, `free` of them; `waiting` counts runs in the queue before it."""

    wish: Wish
    slots: int
    free: int
    waiting: int
    hosts: tuple[planning.PlannedHost, ...]
    """Empty when there is no room."""
    shortage: str
    """Why there is none, of a pool that has it at other times."""
    shortfalls: list[str]
    refusals: list[str]
    """Why it would not even be queued."""
    is_anywhere: bool
    """A single worker goes to whichever host asks first; the one shown is an example."""

    @property
    def is_served(self) -> bool:
        """A host is there that could take it."""
        return self.slots > 0

    @property
    def is_refused(self) -> bool:
        """It would not wait for room."""
        return bool(self.shortage) and self.wish.when_full == WhenFull.REFUSE

    @property
    def mbit(self) -> float | None:
        """Of all hosts together; None when nobody said what a request weighs."""
        return self.wish.traffic.mbit(self.wish.users) if self.wish.traffic else None


def plan_for(wish: Wish) -> Plan:
    """As the run would be placed if it were taken now, by the very functions that place it; nothing is held for it."""
    pool, users, advice = wish.pool, wish.users, wish.pool.users_per_worker
    used = placing.taken(pool)
    rooms = leases.rooms(pool, used, db_now())
    hosts, shortage = _hosts(wish, rooms, used)
    never = placement.check_ids(pool, users=users)
    return Plan(
        wish=wish,
        slots=_slots(pool),
        free=sum(room.slots for room in rooms),
        waiting=Run.objects.filter(pool=pool, state=State.QUEUED).count(),
        hosts=hosts,
        shortage="" if never else shortage,
        shortfalls=[*planning.shortfalls(hosts, advice=advice), *_told(data_supply.shortfalls(wish.data, users=users))],
        refusals=[
            *_told(never),
            *_told(data_supply.check(wish.data, workers=wish.workers, users=users)),
        ],
        is_anywhere=wish.workers == 1 and len(rooms) > 1,
    )


def _told(problems: Iterable[Problem]) -> list[str]:
    return [text for texts in sentences(problems).values() for text in texts]


def _hosts(
    wish: Wish, rooms: Sequence[Room], used: Mapping[UUID, tuple[int, int]]
) -> tuple[tuple[planning.PlannedHost, ...], str]:
    """Where it would be, or why nowhere."""
    first = min(rooms, key=lambda room: (-room.slots, room.name), default=None)
    host_id = UUID(str(first.host_id)) if first else UUID(int=0)
    try:
        seats = placing.choose(rooms, workers=wish.workers, users=wish.users, host_id=host_id)
    except NoRoom as error:
        return (), waiting.why(error, wish.pool, wish.team_id)
    machines = [_machine(host, used) for host in wish.pool.hosts.filter(pk__in={seat.host_id for seat in seats})]
    pool = wish.pool
    id_text = pool.id_text if pool.has_ids else str
    return planning.lay_out(seats, machines, advice=pool.users_per_worker, traffic=wish.traffic, id_text=id_text), ""


def _machine(host: WorkerHost, used: Mapping[UUID, tuple[int, int]]) -> planning.Machine:
    report: Mapping[str, Any] = host.report
    return planning.Machine(
        host_id=host.pk,
        name=host.name,
        link_mbit=host.link_mbit or report.get("link_mbit"),
        ports=report.get("local_ports"),
        files=_files(report) if report else None,
        others=used.get(host.pk, (0, 0))[1],
    )


def _files(report: Mapping[str, Any]) -> int:
    """A Locust worker raises its limit as far as the host lets it, but no further than the engine wants."""
    hard = report.get("open_files_hard")
    return RUN_LIMITS["NOFILE"] if hard is None else min(RUN_LIMITS["NOFILE"], hard)


def _slots(pool: WorkerPool) -> int:
    """Of the hosts on which a runner listens."""
    heard = timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
    listening = Runner.objects.filter(last_seen_at__gt=heard, draining=False).values("host_id")
    hosts = WorkerHost.objects.filter(pool=pool, standing=Standing.ACTIVE, pk__in=listening)
    return sum(host.slot_count for host in hosts.select_related("pool").defer("report", "recent"))
