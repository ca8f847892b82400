"""On how much of a pool somebody asks a run to be spread: held to the limits, wherever it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.pools import pools
from apps.pools.models import WorkerPool
from apps.scenarios.models import OnLost, WhenFull
from apps.teams.models import Project
from workers.spec import Problem

FIELDS = ("workers", "on_lost", "when_full")
"""The fields of `Placement`."""
MAX_WORKERS = 500


def check(places: Mapping[str, Any], *, users: Any) -> list[Problem]:
    """What is wrong with the values of all FIELDS for so many users; users that are no number are another's to say."""
    problems = _check_workers(places["workers"], users)
    for name, choices in (("on_lost", OnLost), ("when_full", WhenFull)):
        if places[name] not in choices.values:
            params = {"all": ", ".join(choices.values)}
            problems.append(Problem(name, "bad_choice", "This must be one of: %(all)s.", params))
    return problems


def check_pool(pool: WorkerPool | None, project: Project) -> list[Problem]:
    """Whether the project may use it; None stands for the default, whichever that is when a run starts."""
    if pool is None or pools.usable_by(project).filter(pk=pool.pk).exists():
        return []
    return [Problem("pool", "pool_not_allowed", "The pool %(pool)s is not for this project.", {"pool": pool.name})]


def check_ids(pool: WorkerPool, *, users: int) -> list[Problem]:
    """Whether the pool could ever have an ID for each of so many users; whether it has now is seen at the claim."""
    if pool.first_id is None or pool.last_id is None or users <= (ids := pool.last_id - pool.first_id + 1):
        return []
    message = "%(users)d users need as many IDs; the pool %(pool)s has %(ids)d."
    return [Problem("users", "too_few_ids", message, {"users": users, "pool": pool.name, "ids": ids})]


def _check_workers(workers: Any, users: Any) -> list[Problem]:
    if not _is_whole(workers) or not 1 <= workers <= MAX_WORKERS:
        message = "Workers must be a whole number from 1 to %(limit)d."
        return [Problem("workers", "out_of_range", message, {"limit": MAX_WORKERS})]
    if _is_whole(users) and workers > users:
        message = "%(workers)d workers need at least as many users; there are %(users)d."
        return [Problem("workers", "too_many_workers", message, {"workers": workers, "users": users})]
    return []


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
