"""What the pages show of pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from apps.pools import usage
from apps.pools.allocation import Span
from apps.pools.host_rows import Row
from apps.pools.models import Standing, WorkerHost, WorkerPool
from apps.pools.people import text_of
from apps.pools.usage import Viewer
from apps.teams.models import Project

PEOPLE_SHOWN = 8
"""Teams and projects that are named with a pool."""


@dataclass(frozen=True, slots=True)
class People:
    """Who may use a pool."""

    names: list[str]
    """The first teams and projects, as far as the viewer may know; empty for a pool that is for all."""
    are_more: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A pool in the list, and the figures at the head of its own page."""

    pool: WorkerPool
    hosts_all: int
    hosts_active: int
    hosts_pending: int
    slots_all: int
    """Of hosts that take work."""
    slots_taken: int
    ids_leased: int
    people: People

    @property
    def ids_all(self) -> int:
        span = pool_span(self.pool)
        return span.size if span else 0

    @property
    def first_id(self) -> str:
        return self.pool.id_text(self.pool.first_id or 0)

    @property
    def last_id(self) -> str:
        return self.pool.id_text(self.pool.last_id or 0)


def with_people(pools: QuerySet[WorkerPool]) -> QuerySet[WorkerPool]:
    """With the teams and projects that may use them; two more queries."""
    return pools.prefetch_related(*_people())


def _people() -> tuple[str, Prefetch[str]]:
    return "teams", Prefetch("projects", Project.objects.select_related("team"))


def cards(pools: Sequence[WorkerPool], viewer: Viewer) -> list[Card]:
    """Of pools `with_people`; three queries."""
    hosts = list(WorkerHost.objects.filter(pool__in=pools).select_related("pool").defer("report", "recent"))
    runs, leased = usage.shares(hosts, viewer), usage.ids_leased(pools)
    by_pool: dict[UUID, list[Row]] = {}
    for host in hosts:
        by_pool.setdefault(host.pool_id, []).append(Row(host, runs.get(host.pk, [])))
    return [card(pool, by_pool.get(pool.pk, []), leased.get(pool.pk, 0), viewer) for pool in pools]


def card(pool: WorkerPool, hosts: Sequence[Row], ids_leased: int, viewer: Viewer) -> Card:
    """The figures of a pool `with_people`."""
    states = Counter(row.host.state for row in hosts)
    return Card(
        pool=pool,
        hosts_all=len(hosts),
        hosts_active=states[Standing.ACTIVE],
        hosts_pending=states[Standing.PENDING],
        slots_all=sum(row.host.slot_count for row in hosts if row.host.state == Standing.ACTIVE),
        slots_taken=sum(row.slots_taken for row in hosts),
        ids_leased=ids_leased,
        people=people(pool, viewer),
    )


def people(pool: WorkerPool, viewer: Viewer) -> People:
    """Of a pool `with_people`, or in two queries."""
    if pool.is_for_all:
        return People([], are_more=False)
    prefetch_related_objects([pool], *_people())
    teams, projects = list(pool.teams.all()), list(pool.projects.all())
    named = [text_of(row) for row in teams if viewer.is_admin or row.pk in viewer.teams]
    named += [text_of(row) for row in projects if viewer.is_admin or row.pk in viewer.projects]
    shown = named[:PEOPLE_SHOWN]
    return People(shown, are_more=len(shown) < len(teams) + len(projects))


def pool_span(pool: WorkerPool) -> Span | None:
    """All of a pool's IDs."""
    return None if pool.first_id is None or pool.last_id is None else Span(pool.first_id, pool.last_id)
