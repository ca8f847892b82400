"""What runs take of hosts, as far as whoever looks may know."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Sum

from apps.pools.access import is_admin
from apps.pools.hosts import run_label
from apps.pools.models import IdLease, WorkerHost, WorkerPool
from apps.teams import roles
from apps.teams.access import list_for
from apps.teams.actors import Actor
from apps.teams.models import Project


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: sees the runs of `projects`; as the admin, what others are called."""

    actor: Actor
    is_admin: bool
    teams: frozenset[UUID]
    projects: frozenset[UUID]

    @classmethod
    def of(cls, actor: Actor) -> Viewer:
        projects = list_for(actor, Project).values_list("pk", flat=True)
        return cls(actor, is_admin(actor), frozenset(actor.teams_with(roles.VIEW)), frozenset(projects))


@dataclass(frozen=True, slots=True)
class Share:
    """What one run has of a host. Without `run_id` it is another team's; without `label`, nobody's business."""

    run_id: UUID | None
    label: str
    workers: int
    users: int


def shares(hosts: Iterable[WorkerHost], viewer: Viewer) -> dict[UUID, list[Share]]:
    """Of each host that runs something: its runs, one query. A worker counts until its process is known to be gone."""
    rows = (
        WorkerHost.objects.filter(pk__in=[host.pk for host in hosts])
        .filter(run_workers__isnull=False, run_workers__ended_at=None)
        .values(
            "pk",
            "run_workers__run_id",
            "run_workers__run__number",
            "run_workers__run__scenario__name",
            "run_workers__run__project_id",
        )
        .annotate(workers=Count("run_workers"), users=Sum("run_workers__users"))
        .order_by("pk", "-run_workers__run_id")
    )
    found: dict[UUID, list[Share]] = {}
    for host, run_id, number, scenario, project, workers, users in rows.values_list(
        "pk",
        "run_workers__run_id",
        "run_workers__run__number",
        "run_workers__run__scenario__name",
        "run_workers__run__project_id",
        "workers",
        "users",
    ):
        is_mine = project in viewer.projects
        label = run_label(number, scenario) if is_mine or viewer.is_admin else ""
        found.setdefault(host, []).append(Share(run_id if is_mine else None, label, workers, users or 0))
    return found


def visible_runs(pool: WorkerPool, run_ids: Collection[UUID], viewer: Viewer) -> frozenset[UUID]:
    """Those of these runs that the viewer may see; one query."""
    mine = pool.runs.filter(pk__in=run_ids, project__in=viewer.projects)
    return frozenset(mine.values_list("pk", flat=True))


def ids_leased(pools: Iterable[WorkerPool]) -> dict[UUID, int]:
    """How many IDs of each pool are leased; one query."""
    rows = IdLease.objects.filter(pool__in=[pool.pk for pool in pools], ended_at=None).values_list("pool")
    sums = rows.annotate(first_sum=Sum("first"), last_sum=Sum("last"), leases=Count("pk")).order_by()
    return {pool: last - first + count for pool, first, last, count in sums}
