"""Numbers for the names of a run: of its endpoints, errors and user classes. All of its recorders use the same.

Several hosts may come with new names in the same moment: whoever adds one holds the run's row meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db.models import F

from apps.runs import rows
from apps.runs.models import Endpoint, Failure, Run
from workers.samples import MAX_CLASSES, MAX_ENDPOINTS, MAX_ERRORS, OTHER, FailureRow
from workers.totals import Error

OTHER_ERROR = Error("", OTHER, "(other errors)")
"""What stands for all errors beyond `MAX_ERRORS`."""


def endpoints(run_id: UUID, known: Mapping[rows.Key, int], keys: Iterable[rows.Key]) -> dict[rows.Key, int]:
    """`known`, and the numbers of names that are not in it; of as many as a run may have, and one for all others."""
    wanted = [key for key in dict.fromkeys(keys) if key not in known]
    is_full = len(known) >= MAX_ENDPOINTS and rows.OTHER_KEY in known
    if not wanted or is_full:  # else all workers would wait for the run's row each second, and find nothing to add
        return dict(known)
    _hold(run_id)
    stored = Endpoint.objects.filter(run_id=run_id).values_list("method", "name", "index")
    indexes = {(method, name): index for method, name, index in stored}
    fresh = []
    for key in wanted:
        name = key if key in indexes or len(indexes) < MAX_ENDPOINTS else rows.OTHER_KEY
        if name not in indexes:
            indexes[name] = len(indexes)
            fresh.append(Endpoint(run_id=run_id, index=indexes[name], method=name[0], name=name[1]))
    if fresh:
        Endpoint.objects.bulk_create(fresh)
        _tell(run_id)
    return indexes


def errors(run_id: UUID, known: Mapping[Error, int], wanted: Iterable[Error]) -> dict[Error, int]:
    """As `endpoints`. Errors whose texts are the same once they are stored have one number."""
    missing = [error for error in dict.fromkeys(wanted) if error not in known]
    if not missing:
        return dict(known)
    _hold(run_id)
    stored = {
        Error(method, name, text): index
        for method, name, text, index in Failure.objects.filter(run_id=run_id).values_list(
            "method", "name", "error", "index"
        )
    }
    indexes, fresh = dict(known), []
    for error in missing:
        made = _failure(run_id, error, len(stored))
        kept = Error(made.method, made.name, made.error)
        if kept not in stored and len(stored) >= MAX_ERRORS:
            made = _failure(run_id, OTHER_ERROR, len(stored))
            kept = Error(made.method, made.name, made.error)
        if kept not in stored:
            stored[kept] = made.index
            fresh.append(made)
        indexes[error] = stored[kept]
    Failure.objects.bulk_create(fresh, batch_size=200)
    return indexes


def classes(run_id: UUID, known: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """`known`, or what the run has by now, and behind them those that are not in it; as many as a run may have."""
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    if not missing or len(known) >= MAX_CLASSES:
        return list(known)
    stored = _hold(run_id).user_classes
    names = list(dict.fromkeys([*stored, *missing]))[:MAX_CLASSES]
    if names != stored:
        Run.objects.filter(pk=run_id).update(user_classes=names)
    return names


def _failure(run_id: UUID, error: Error, index: int) -> Failure:
    return rows.failure(run_id, FailureRow(error.method, error.name, error.text, 0, None, None), index)


def _hold(run_id: UUID) -> Run:
    return Run.objects.select_for_update().only("id", "user_classes").get(pk=run_id)


def _tell(run_id: UUID) -> None:
    Run.objects.filter(pk=run_id).update(tables_version=F("tables_version") + 1)
