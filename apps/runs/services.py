"""What people and programs do to runs."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core.clock import db_now, utc
from apps.core.errors import Conflict, Invalid, Missing
from apps.core.queue import host_queue, is_host_ringing, is_ringing, pool_queue, ring, ring_host
from apps.pools import leases, pools
from apps.pools.models import WorkerPool
from apps.runs import selectors
from apps.runs.lease import note_state
from apps.runs.models import Run, RunEvent, RunWorker
from apps.runs.notify import ring_pages
from apps.runs.states import TERMINAL, State
from apps.scenarios import data_services, data_supply
from apps.scenarios import load as loads
from apps.scenarios import placement as places
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.scenarios.services import lock as lock_scenario
from apps.teams import audit
from apps.teams.actors import Actor
from apps.teams.models import Project
from workers import spec as engine

log = logging.getLogger(__name__)

NOTE_CHARS = 500
NOTE_MARGIN = timedelta(hours=1)
"""What happened so shortly before or after a run may still be about it."""
RING_WAITING = 5
"""Queued runs that are rung for at once when another has ended."""
MAX_LABELS = 20
MAX_LABEL_CHARS = 100


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run carries besides its load."""

    note: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wish:
    """An end that somebody wants. `text` is translated where it is shown."""

    action: str
    field_name: str
    reason: str
    text: str


STOP = _Wish("run.stop", "stop_requested_at", "stop_requested", gettext_noop("Stop requested"))
ABORT = _Wish("run.abort", "abort_requested_at", "abort_requested", gettext_noop("Abort requested"))


def start(
    *,
    scenario: Scenario,
    version: ScenarioVersion | None = None,
    options: Mapping[str, Any] | None = None,
    pool: WorkerPool | None = None,
    placement: Mapping[str, Any] | None = None,
    extras: Extras = Extras(),
    by: Actor,
) -> Run:
    """Queue a run of `version` (default: the newest) with the scenario's load, overridden by `options`.

    `options` uses the names in `loads.FIELDS`, `placement` those in `places.FIELDS`. Raises Invalid with the fields
    that are wrong.
    """
    version = version or scenario.versions.first()
    if version is None:
        raise Invalid(_("This scenario has no script yet."), code="no_version")
    pool = pool or scenario.pool or pools.pool_for(project=scenario.project)
    load = loads.merge({name: getattr(scenario, name) for name in loads.FIELDS}, options or {})
    placed = {name: getattr(scenario, name) for name in places.FIELDS} | dict(placement or {})
    _check(version, load, extras)
    problems = places.check_pool(pool, scenario.project) + places.check(placed, users=load["users"])
    data = data_services.pin(scenario)
    problems = problems or places.check_ids(pool, users=load["users"])
    if problems := problems or data_supply.check(data, workers=placed["workers"], users=load["users"]):
        loads.refuse(problems)
    with transaction.atomic():
        return _insert(scenario, version, pool, {**load, **placed, "data": data}, extras, by)


def stop(*, run: Run, by: Actor) -> Run:
    """Ask for an end in good order: `on_stop`, final numbers, report. A run that still waits ends at once.

    Raises Conflict when it is over.
    """
    return _end(run, by, STOP)


def abort(*, run: Run, by: Actor) -> Run:
    """Ask for an end at once; the last seconds may be missing. Raises Conflict when it is over."""
    return _end(run, by, ABORT)


@transaction.atomic
def add_note(*, run: Run, text: str, at: datetime | None = None, until: datetime | None = None, by: Actor) -> RunEvent:
    """Pin a line to a moment of the run (`at`, else now) or to a span (`at` to `until`). Raises Invalid."""
    text = " ".join(text.split())
    if not text or len(text) > NOTE_CHARS or not _is_plain(text):
        sentence = _("A note has 1 to %(limit)d characters.") % {"limit": NOTE_CHARS}
        raise Invalid(sentence, code="bad_note", fields={"text": [sentence]})
    _check_span(run, at, until)
    selectors.lock(run)
    event = RunEvent.objects.create(run=run, kind="note", text=text, by=by.label, at=at or timezone.now(), until=until)
    audit.record("run.note", obj=run, team=run.project.team, by=by)
    ring_pages(run.pk)
    return event


def ring_waiting(pool_id: UUID) -> None:
    """Somebody has given something back: ask the runners to look at those that wait for it."""
    waiting = Run.objects.filter(pool_id=pool_id, state=State.QUEUED).exclude(waits_for="").order_by("id")
    for run_id in waiting.values_list("pk", flat=True)[:RING_WAITING]:
        if not ring_doorbell(run_id):
            return


def ring_host_for_run(run_id: UUID, host_id: UUID) -> None:
    """Ask the runner of one host to take a queued run: it has room, and whoever was asked has none."""
    run = Run.objects.only("rings").filter(pk=run_id, state=State.QUEUED).first()
    if run is None or not Run.objects.filter(pk=run_id, rings=run.rings).update(rung_at=db_now(), rings=run.rings + 1):
        return
    try:
        ring(host_queue(host_id), run_id=str(run_id), attempt=run.rings + 1)
    except redis.RedisError as error:
        log.warning("no doorbell for run %s, the keeper will ring: %s", run_id, error)


def ring_workers(worker: RunWorker) -> None:
    """Ask the runner of a worker's host to take what a run wants of it; without Redis nothing happens."""
    if worker.host_id is None:
        return
    try:
        queue = host_queue(worker.host_id)
        asked = {"run_id": str(worker.run_id), "host_id": str(worker.host_id)}
        if worker.rings and is_host_ringing(queue, attempt=worker.rings, **asked):
            return
        RunWorker.objects.filter(pk=worker.pk).update(rings=F("rings") + 1)
        ring_host(queue, attempt=worker.rings + 1, **asked)
    except redis.RedisError as error:
        log.warning("no doorbell for host %s: %s", worker.host_name, error)


def to_spec(run: Run) -> engine.RunSpec:
    """The engine's view of a run."""
    load = {name: getattr(run, name) for name in loads.FIELDS}
    spec = loads.to_spec(load, locustfile=run.version.locustfile)
    return replace(
        spec,
        run_id=str(run.pk),
        collector=run.collector,
        group_ids=run.group_ids,
        workers=run.workers,
        ids=engine.IdFormat(run.id_prefix, run.id_width),
        data=tuple(_data_file(entry) for entry in run.data),
    )


def open_data(run: Run) -> Callable[[engine.DataFileSpec], IO[bytes]]:
    """Opens the data files that a run has pinned."""
    versions = {entry["name"]: entry["version"] for entry in run.data}
    return lambda file: data_services.open_version(versions[file.name])


def _data_file(entry: Mapping[str, Any]) -> engine.DataFileSpec:
    return engine.DataFileSpec(**{name: entry[name] for name in engine.DataFileSpec.__slots__})


def ring_doorbell(run_id: UUID) -> bool:
    """Ask the pool's runners to look, unless they were asked and have not come to it. False when Redis is away."""
    run = Run.objects.only("rings", "pool_id").filter(pk=run_id, state=State.QUEUED).first()
    if run is None:
        return True
    queue, waiting = pool_queue(run.pool_id), Run.objects.filter(pk=run_id, state=State.QUEUED, rings=run.rings)
    try:
        if run.rings and is_ringing(queue, run_id=str(run_id), attempt=run.rings):
            waiting.update(rung_at=db_now())
        # Of two that ring at once, one.
        elif waiting.update(rung_at=db_now(), rings=run.rings + 1):
            ring(queue, run_id=str(run_id), attempt=run.rings + 1)
    except redis.RedisError as error:
        log.warning("no doorbell for run %s, the keeper will ring: %s", run_id, error)
        return False
    return True


def _insert(
    scenario: Scenario,
    version: ScenarioVersion,
    pool: WorkerPool,
    fields: Mapping[str, Any],
    extras: Extras,
    by: Actor,
) -> Run:
    _hold(pool)
    lock_scenario(scenario)
    Project.objects.filter(pk=scenario.project_id).update(last_run_number=F("last_run_number") + 1)
    project = Project.objects.select_related("team").get(pk=scenario.project_id)
    run = Run.objects.create(
        project=project,
        scenario=scenario,
        version=version,
        pool=pool,
        number=project.last_run_number,
        collector=scenario.collector,
        group_ids=scenario.group_ids,
        requested_by=by.label,
        requested_by_user=by.user,
        note=extras.note,
        labels=dict(extras.labels),
        **fields,
    )
    note_state(run.pk, State.QUEUED, by=by.label)
    audit.record("run.start", obj=run, team=project.team, by=by, version=version.number, users=run.users)
    # Robust: whatever goes wrong with the bell, the run is queued by then.
    transaction.on_commit(lambda: ring_doorbell(run.pk), robust=True)
    return run


def _hold(pool: WorkerPool) -> None:
    """Nobody deletes it until the run is there. Raises Invalid when somebody has."""
    try:
        leases.lock(pool.pk)
    except Missing as gone:
        raise Invalid(gone.message, code="no_pool", fields={"pool": [gone.message]}) from None


@transaction.atomic
def _end(run: Run, by: Actor, wish: _Wish) -> Run:
    now = timezone.now()
    held = selectors.lock(run)
    asked = {wish.field_name: now, "stopped_by": by.label}
    match State(held.state):
        case State.QUEUED:
            Run.objects.filter(pk=run.pk).update(
                state=State.STOPPED, reason=wish.reason, finished_at=now, waits_for="", **asked
            )
            note_state(run.pk, State.STOPPED, reason=wish.reason, by=by.label)
        case state if state in TERMINAL:
            raise Conflict(_("This run is over already."), code="run_over")
        case _ if held.abort_requested_at or getattr(held, wish.field_name):
            return run  # it is being done
        case _:
            Run.objects.filter(pk=run.pk).update(**asked)
            RunEvent.objects.create(run=run, kind="request", text=wish.text, by=by.label)
            ring_pages(run.pk)
    audit.record(wish.action, obj=run, team=run.project.team, by=by)
    run.refresh_from_db()
    return run


def _check(version: ScenarioVersion, load: Mapping[str, Any], extras: Extras) -> None:
    """Raise Invalid for everything the engine would refuse, by field."""
    problems = engine.check(loads.to_spec(load, locustfile=version.locustfile))
    if problems:
        loads.refuse(problems)
    if len(extras.note) > NOTE_CHARS or not _is_plain(" ".join(extras.note.split())):
        sentence = _("At most %(limit)d characters.") % {"limit": NOTE_CHARS}
        raise Invalid(sentence, fields={"note": [sentence]})
    texts = [text for pair in extras.labels.items() for text in pair]
    if len(extras.labels) > MAX_LABELS or not all(_is_plain(text) and len(text) <= MAX_LABEL_CHARS for text in texts):
        limits = {"count": MAX_LABELS, "limit": MAX_LABEL_CHARS}
        sentence = _("At most %(count)d labels of %(limit)d characters.") % limits
        raise Invalid(sentence, fields={"labels": [sentence]})


def _check_span(run: Run, at: datetime | None, until: datetime | None) -> None:
    """Raise Invalid for a moment that cannot be about this run, or a span that ends before it begins."""
    first, last = (run.started_at or run.created_at) - NOTE_MARGIN, (run.finished_at or timezone.now()) + NOTE_MARGIN
    wrong: dict[str, list[str]] = {}
    for name, moment in (("at", at), ("until", until)):
        if moment is not None and not first <= moment <= last:
            ends = {"first": utc(first), "last": utc(last)}
            wrong[name] = [_("This must be within an hour of the run: from %(first)s to %(last)s.") % ends]
    if until is not None and at is None:
        wrong["at"] = [_("A span needs its beginning too.")]
    elif until is not None and at is not None and until < at:
        wrong.setdefault("until", [_("A span ends after it began.")])
    if wrong:
        raise Invalid(next(iter(wrong.values()))[0], code="bad_time", fields=wrong)


def _is_plain(text: str) -> bool:
    """Whether it is text for one line, which any database keeps: no control characters, no halves of characters."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)
