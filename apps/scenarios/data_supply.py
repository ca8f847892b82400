"""Whether data files have rows enough for the workers and users of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.scenarios.models import AtEnd, Distribution
from workers.spec import Problem


def check(data: Iterable[Mapping[str, Any]], *, workers: int, users: int) -> list[Problem]:
    """What keeps a run from starting, of `data` as `data_services.pin` gives it."""
    return [problem for file in data if (problem := _missing(file, workers, users))]


def shortfalls(data: Iterable[Mapping[str, Any]], *, users: int) -> list[Problem]:
    """What a run may well start with, and somebody should know."""
    message = (
        "%(name)s has a row each for %(rows)d of %(users)d users: the others share theirs. Ask for fewer users, or add "
        "rows."
    )
    return [
        Problem("users", "rows_shared", message, _figures(file, users=users))
        for file in data
        if _is_one_a_user(file) and file["at_end"] == AtEnd.RECYCLE and file["rows"] < users
    ]


def _missing(file: Mapping[str, Any], workers: int, users: int) -> Problem | None:
    rows = file["rows"]
    if file["distribution"] == Distribution.SPLIT and rows < workers:
        message = (
            "%(name)s is split over %(workers)d workers, and has rows for %(rows)d: %(without)d would have none. Ask "
            "for fewer workers, add rows, or let all workers share the file."
        )
        return Problem("workers", "too_few_rows", message, _figures(file, workers=workers, without=workers - rows))
    if _is_one_a_user(file) and file["at_end"] == AtEnd.STOP and rows < users:
        message = (
            "%(name)s has a row each for %(rows)d of %(users)d users, and stops the other %(without)d. Ask for fewer "
            "users, add rows, or let it begin again at its end."
        )
        return Problem("users", "too_few_rows", message, _figures(file, users=users, without=users - rows))
    return None


def _is_one_a_user(file: Mapping[str, Any]) -> bool:
    return bool(file["distribution"] == Distribution.PER_USER)


def _figures(file: Mapping[str, Any], **more: int) -> dict[str, Any]:
    return {"name": file["name"], "rows": file["rows"], **more}
