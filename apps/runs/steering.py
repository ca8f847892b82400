"""Changing a test while it runs: users, spawn rate, pause, length. The runner hears of it through its lease."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Sum
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core.errors import Conflict, Invalid
from apps.runs import selectors
from apps.runs.models import Run, RunEvent
from apps.runs.notify import ring_pages
from apps.runs.states import TERMINAL, State
from apps.scenarios import load as loads
from apps.teams import audit
from apps.teams.actors import Actor
from workers import spec as engine
from workers.spec import Problem

STEERABLE = frozenset({State.STARTING, State.RUNNING})
LEAST_LEFT_SECONDS = 5
"""A new length leaves at least so much: the change needs a second or two to arrive."""

COLUMNS = {
    "users": "wanted_users",
    "spawn_rate": "wanted_spawn_rate",
    "paused": "is_paused",
    "run_time": "run_time_s",
}
"""What people call it → where a run keeps it."""

Change = tuple[Any, Any]
"""Before and after; None: as the stages say."""

WORDS = {
    "users": gettext_noop("Users: %(old)s → %(new)s"),
    "spawn_rate": gettext_noop("Users a second: %(old)s → %(new)s"),
    "run_time_s": gettext_noop("Run time: %(old)s → %(new)s"),
}
PAUSED = gettext_noop("Paused")
RESUMED = gettext_noop("Resumed")
AS_PLANNED = gettext_noop("as planned")


@transaction.atomic
def steer(*, run: Run, changes: Mapping[str, Any], by: Actor) -> Run:
    """Change `users`, `spawn_rate`, `paused` or `run_time` (the new length from the start) of a test that runs.

    What is as wanted already is no change. Users hold from now to the end. Raises Invalid with the fields that are
    wrong, and Conflict when the run cannot be steered now or leaves no say to us.
    """
    if not changes:
        raise Invalid(_("Give at least one of users, spawn_rate, paused and run_time."), code="nothing_to_change")
    held = selectors.lock(run)
    _refuse_state(held)
    wanted = _read(held, changes)
    if held.own_shape and set(wanted) - {"run_time"}:
        sentence = _("The script brings its own load shape, %(name)s: it alone decides about users.")
        raise Conflict(sentence % {"name": held.own_shape}, code="own_shape")
    if data := _differences(held, wanted):
        _write(held, wanted, data, by)
        run.refresh_from_db()
    return run


def words(data: Mapping[str, Any]) -> str:
    """What a change was, for people, from the `data` of its event; empty for data of another kind."""
    found = []
    if paused := _pair(data, "paused"):
        found.append(_(PAUSED) if paused[1] else _(RESUMED))
    for name, text in WORDS.items():
        if pair := _pair(data, name):
            old, new = (_shown(name, value) for value in pair)
            found.append(_(text) % {"old": old, "new": new})
    return " · ".join(found)


def _refuse_state(held: Run) -> None:
    match State(held.state):
        case state if state in TERMINAL:
            raise Conflict(_("This run is over already."), code="run_over")
        case State.QUEUED | State.CLAIMED:
            raise Conflict(_("This run has not begun yet: it can be changed while it runs."), code="not_running")
        case State.STOPPING:
            raise Conflict(_("This run is being ended."), code="run_over")
    if held.stop_requested_at or held.abort_requested_at or held.elapsed_s >= held.run_time_s:
        raise Conflict(_("This run is being ended."), code="run_over")


def _read(held: Run, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with values of their types. Raises Invalid with all that is wrong."""
    wanted, problems = dict(changes), []
    if "paused" in wanted and not isinstance(wanted["paused"], bool):
        problems.append(Problem("paused", "not_a_truth_value", "“paused” must be true or false."))
    if "run_time" in wanted:
        try:
            wanted["run_time"] = engine.parse_duration(wanted["run_time"])
        except (ValueError, OverflowError):
            del wanted["run_time"]
            problems.append(Problem("run_time", "not_a_duration", "Run time must look like 90s, 5m or 1h30m."))
    problems += engine.check_steering(wanted, max_users=_most_users(held)) or _check_left(held, wanted)
    if problems:
        loads.refuse(problems)
    if "spawn_rate" in wanted:
        wanted["spawn_rate"] = float(wanted["spawn_rate"])
    return wanted


def _check_left(held: Run, wanted: Mapping[str, Any]) -> list[Problem]:
    """Whether the new end is far enough away to be heard of in time."""
    seconds = wanted.get("run_time", held.run_time_s)
    least = math.ceil(held.elapsed_s) + LEAST_LEFT_SECONDS
    if seconds == held.run_time_s or seconds >= least:
        return []
    message = (
        "The test runs for %(elapsed)s already: its length must be at least %(least)s from now on. "
        "Use Stop to end it now."
    )
    params = {"elapsed": engine.format_duration(held.elapsed_s), "least": engine.format_duration(least)}
    return [Problem("run_time", "too_short", message, params)]


def _most_users(held: Run) -> int:
    """Users that this run may have: those of its places and IDs, if they are its own."""
    is_bounded = held.workers > 1 or held.pool.has_ids
    return held.worker_rows.aggregate(users=Sum("users"))["users"] or held.users if is_bounded else engine.MAX_USERS


def _differences(held: Run, wanted: Mapping[str, Any]) -> dict[str, Change]:
    """Before and after of what really changes, by the names that an event gives it."""
    now = {
        "users": _present(held.wanted_users, held.users, held),
        "spawn_rate": _present(held.wanted_spawn_rate, held.spawn_rate, held),
        "paused": held.is_paused,
        "run_time": held.run_time_s,
    }
    names = {"run_time": "run_time_s"}
    return {names.get(name, name): (now[name], new) for name, new in wanted.items() if now[name] != new}


def _present(steered: float | None, planned: float, held: Run) -> float | None:
    """What holds now; None while the stages say it."""
    return planned if steered is None and not held.stages else steered


def _write(held: Run, wanted: Mapping[str, Any], data: Mapping[str, Change], by: Actor) -> None:
    """Only upon what was seen: somebody else's change or the end of the run may have come in between."""
    unchanged = Run.objects.filter(pk=held.pk, state__in=STEERABLE, steering_revision=held.steering_revision)
    columns = {COLUMNS[name]: value for name, value in wanted.items()}
    if not unchanged.update(steering_revision=F("steering_revision") + 1, **columns):
        raise Conflict(_("This run has just changed: look at it again."), code="changed_meanwhile")
    with translation.override(None):  # kept as it stands in the source; `presentation.event` translates it
        text = words(data)
    RunEvent.objects.create(run=held, kind="control", text=text, by=by.label, data=dict(data))
    audit.record("run.steer", obj=held, team=held.project.team, by=by, **data)
    ring_pages(held.pk)


def _pair(data: Mapping[str, Any], name: str) -> Sequence[Any] | None:
    value = data.get(name)
    return value if isinstance(value, (list, tuple)) and len(value) == 2 else None


def _shown(name: str, value: Any) -> str:
    if value is None:
        return _(AS_PLANNED)
    return engine.format_duration(value) if name == "run_time_s" else f"{value:g}"
