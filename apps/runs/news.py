"""What is new of a run since a reader last looked, read from the database."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.clock import utc
from apps.runs import logs, presentation, selectors, snapshot, tiers, wire
from apps.runs.blocks import Row
from apps.runs.models import LEADER, Endpoint, Run, RunEvent

WORKERS_EVERY_SECONDS = 1.0
"""Their figures change with every flush of each of them; more often nobody can read them."""
EVENTS_LOOKED_AT = 100
"""Newest events that are compared with those already told."""
MAX_TICKS_AT_ONCE = 30
"""Further behind than this, a socket gets a snapshot instead."""

Head = tuple[object, ...]
"""Changes whenever what stands above the charts should."""


@dataclass(slots=True)
class Seen:
    """How far a reader has read."""

    seq: int = 0
    events: set[UUID] = field(default_factory=set)
    log: int = 0
    tables: int = -1
    tables_text: str = ""
    workers_text: str = ""
    workers_at: float = -math.inf
    """When the workers were looked at, on the monotonic clock."""
    head: Head = ()
    is_over: bool = False


@dataclass(slots=True)
class News:
    """Messages ready to send, and the sequence number of the last tick among them."""

    messages: list[tuple[int, str]] = field(default_factory=list)
    """`(seq, text)`; seq is 0 for a message that is no tick."""
    overrun: bool = False
    """More than anyone should be sent bit by bit, or nothing any more: look at the whole."""


def position(run_id: UUID) -> Seen:
    """Where a reader stands that knows everything stored now."""
    run = selectors.one(run_id)
    events = {row.pk for row in _newest_events(run_id)}
    return Seen(
        seq=run.last_seq,
        events=events,
        log=logs.newest(run_id, LEADER),
        tables=run.tables_version,
        workers_text=_workers_text(run),
        head=_head(run),
        is_over=run.is_over,
    )


def ticks(run_id: UUID, seen: Seen) -> tuple[Run, News]:
    """The seconds after `seen`, which is moved on, and the endpoints that they are of. Raises Run.DoesNotExist."""
    run = selectors.one(run_id)
    found = News()
    if run.tables_version != seen.tables:
        rows = Endpoint.objects.filter(run_id=run_id).order_by("index")
        _tell(found, {"type": "endpoints", "endpoints": [presentation.endpoint(row) for row in rows]})
        _tell_tables(run_id, seen, found)
        seen.tables = run.tables_version
    if run.last_seq > seen.seq:
        _ticks(run, seen, found)
    return run, found


def rest(run: Run, seen: Seen) -> News:
    """What else came after `seen`, which is moved on. `run` as `ticks` read it."""
    found = News()
    _events(run.pk, seen, found)
    newest, lines = logs.read(run.pk, LEADER, seen.log)
    if lines:
        _tell(found, {"type": "log", "seq": newest, "lines": lines})
        seen.log = newest
    _workers(run, seen, found)
    if (head := _head(run)) != seen.head:
        _tell(found, {"type": "state", "now": utc(timezone.now()), "run": presentation.run_with_files(run)})
        seen.head, seen.is_over = head, run.is_over
    return found


def _head(run: Run) -> Head:
    asked = (run.stop_requested_at, run.abort_requested_at)
    steered = (run.steering_revision, run.run_time_s, run.own_shape)
    kept = (run.user_classes, run.finest_step_s, run.waits_for)
    return (run.state, run.reason, run.totals, run.generator, *asked, *steered, *kept, selectors.queue_position(run))


def _tell_tables(run_id: UUID, seen: Seen, found: News) -> None:
    """Endpoints change every few seconds, these seldom."""
    text = wire.text({"type": "tables", **snapshot.tables(run_id)})
    if text != seen.tables_text:
        found.messages.append((0, text))
        seen.tables_text = text


def _workers(run: Run, seen: Seen, found: News) -> None:
    """At most once a second, but at once when the run has come to its end: little is looked at after that."""
    now = time.monotonic()
    if now - seen.workers_at < WORKERS_EVERY_SECONDS and run.is_over == seen.is_over:
        return
    seen.workers_at, text = now, _workers_text(run)
    if text != seen.workers_text:
        found.messages.append((0, text))
        seen.workers_text = text


def _workers_text(run: Run) -> str:
    return wire.text({"type": "workers", "workers": presentation.workers(run, snapshot.MAX_WORKERS)})


def _ticks(run: Run, seen: Seen, found: News) -> None:
    rows = _rows_after(run, seen.seq)
    if len(rows) > MAX_TICKS_AT_ONCE:
        found.overrun = True
    else:
        found.messages += [(row.seq, wire.text(wire.tick(row, run.user_classes))) for row in rows]
    if rows:
        seen.seq = rows[-1].seq


def _rows_after(run: Run, seq: int) -> list[Row]:
    """Of several workers, whole seconds only: those that the leader of the run has counted as such."""
    if run.first_t is None:
        return tiers.read_after(run.pk, seq)
    first = run.first_t + seq
    rows = tiers.seconds(run.pk, first, min(first + MAX_TICKS_AT_ONCE, run.first_t + run.last_seq - 1))
    return [replace(row, seq=row.t - run.first_t + 1) for row in rows]


def _events(run_id: UUID, seen: Seen, found: News) -> None:
    """Compared one by one: an id of another host, or of a longer transaction, may sort before one that was seen."""
    for row in _newest_events(run_id):
        if row.pk not in seen.events:
            _tell(found, {"type": "event", "event": presentation.event(row)})
            seen.events.add(row.pk)


def _newest_events(run_id: UUID) -> list[RunEvent]:
    return list(RunEvent.objects.filter(run_id=run_id).order_by("-id")[:EVENTS_LOOKED_AT])[::-1]


def _tell(found: News, message: dict[str, Any]) -> None:
    found.messages.append((0, wire.text(message)))
