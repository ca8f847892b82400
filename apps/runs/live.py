"""What an open page is told: a snapshot at first, then what is new. All of it read from the database.

One `Feed` a run and web process reads the news once and hands the same text to every socket; a doorbell through the
channel layer makes it look at once, a timer makes it look when the doorbell is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.utils import timezone

from apps.core.clock import utc
from apps.runs import presentation, reading, selectors, series, tiers, wire
from apps.runs.blocks import Row
from apps.runs.models import Endpoint, Run, RunEvent, ScriptException
from apps.runs.notify import group_name
from apps.runs.series import Line

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
"""Without a doorbell; with one it looks at once."""
LOOK_WHEN_OVER_SECONDS = 10.0
"""Of a run that is over nothing is new but a note now and then."""
LAYER_RETRY_SECONDS = 2.0
SNAPSHOT_ENDPOINTS = 12
SNAPSHOT_METRICS = ["rps", "failures_per_s", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"]
SNAPSHOT_POINTS = 1_441
"""A day in minutes, wherever its first one begins: each point is a row that is stored, and no sketch is merged."""
SNAPSHOT_EVENTS = 500
SNAPSHOT_EXCEPTIONS = 100
SNAPSHOT_TEXT_CHARS = 1_000
SNAPSHOT_TRACEBACK_CHARS = 4_000
SNAPSHOT_WORKERS = 500
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


def snapshot(run_id: UUID) -> dict[str, Any]:
    """All that a page shows of a run, as of `seq`. Raises Run.DoesNotExist."""
    run = _run(run_id)
    seq = run.last_seq
    endpoints = list(Endpoint.objects.filter(run_id=run_id).order_by("index"))
    busiest = sorted(endpoints, key=lambda row: row.totals.get("requests", 0), reverse=True)[:SNAPSHOT_ENDPOINTS]
    log_seq, lines = _newest_log(run_id)
    events = RunEvent.objects.filter(run_id=run_id).order_by("id")[:SNAPSHOT_EVENTS]
    shown: list[Line] = [None, *sorted(row.index for row in busiest)]
    return {
        "type": "snapshot",
        "seq": seq,
        "sketch": wire.SKETCH,
        "now": utc(timezone.now()),
        "run": presentation.run_with_files(run),
        "workers": presentation.workers(run, SNAPSHOT_WORKERS),
        "endpoints": [presentation.endpoint(row) for row in endpoints],
        "series": _series(run, shown),
        **_tables(run_id),
        "events": [presentation.event(row) for row in events],
        "log": {"seq": log_seq, "lines": lines},
    }


def position(run_id: UUID) -> Seen:
    """Where a reader stands that knows everything stored now."""
    run = _run(run_id)
    events = {row.pk for row in _newest_events(run_id)}
    return Seen(
        seq=run.last_seq,
        events=events,
        log=_newest_log(run_id)[0],
        tables=run.tables_version,
        workers_text=_workers_text(run),
        head=_head(run),
        is_over=run.is_over,
    )


def ticks(run_id: UUID, seen: Seen) -> tuple[Run, News]:
    """The seconds after `seen`, which is moved on, and the endpoints that they are of. Raises Run.DoesNotExist."""
    run = _run(run_id)
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
    newest, lines = selectors.log_after(run.pk, seen.log)
    if lines:
        _tell(found, {"type": "log", "seq": newest, "lines": lines})
        seen.log = newest
    _workers(run, seen, found)
    if (head := _head(run)) != seen.head:
        _tell(found, {"type": "state", "now": utc(timezone.now()), "run": presentation.run_with_files(run)})
        seen.head, seen.is_over = head, run.is_over
    return found


class Feed:
    """The readers of one run in this process."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.sockets: set[Callable[[News], None]] = set()
        self.ready = asyncio.Event()
        """Set once it knows where it stands: a snapshot read from then on leaves nothing out."""
        self._bell = asyncio.Event()
        self._reading = asyncio.Lock()
        self._next_snapshot: asyncio.Task[tuple[int, str]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; must be called with a running event loop."""
        self._task = asyncio.create_task(self._look())
        self._listener = asyncio.create_task(self._listen())

    def stop(self) -> None:
        """Nobody reads any more."""
        for task in (self._task, self._listener):
            if task is not None:
                task.cancel()

    async def snapshot(self) -> tuple[int, str]:
        """Sequence number and text of a snapshot that is read from now on. Raises Run.DoesNotExist.

        One is read at a time, and given to all who asked before it began: a thousand readers who come, or come back,
        in the same moment cost as much as two.
        """
        if self._next_snapshot is None:
            self._next_snapshot = asyncio.create_task(self._read_snapshot())
        return await asyncio.shield(self._next_snapshot)

    async def _read_snapshot(self) -> tuple[int, str]:
        async with self._reading:
            self._next_snapshot = None  # whoever asks after this needs a later one
            read: tuple[int, str] = await database_sync_to_async(_snapshot_text, thread_sensitive=False)(self.run_id)
            return read

    async def _look(self) -> None:
        seen: Seen | None = None
        while True:
            self._bell.clear()  # before reading: news that come while it reads ring again
            try:
                if seen is None:
                    seen = await database_sync_to_async(position, thread_sensitive=False)(self.run_id)
                    self.ready.set()
                run, found = await database_sync_to_async(ticks, thread_sensitive=False)(self.run_id, seen)
                self._hand_over(found)
                await asyncio.sleep(0)  # all sockets send their seconds now, and no thread disturbs them
                self._hand_over(await database_sync_to_async(rest, thread_sensitive=False)(run, seen))
            except Run.DoesNotExist:
                self.ready.set()
                self._hand_over(News(overrun=True))  # looking at the whole, they find that it is gone
                return
            except Exception:
                log.warning("run %s: its news could not be read; trying again", self.run_id, exc_info=True)
            with contextlib.suppress(TimeoutError):
                patience = LOOK_EVERY_SECONDS if seen is None or not seen.is_over else LOOK_WHEN_OVER_SECONDS
                await asyncio.wait_for(self._bell.wait(), patience)

    def _hand_over(self, found: News) -> None:
        if found.messages or found.overrun:
            for hand_over in list(self.sockets):
                hand_over(found)

    async def _listen(self) -> None:
        """Wait for the doorbell; when Redis is away, the timer alone has to do."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(group_name(self.run_id), channel)
                while True:
                    await layer.receive(channel)
                    self._bell.set()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.debug("run %s: no doorbell: %s", self.run_id, error)
                await asyncio.sleep(LAYER_RETRY_SECONDS)


class Feeds:
    """The feeds of this process, started with their first reader and stopped with their last."""

    def __init__(self) -> None:
        self._feeds: dict[UUID, Feed] = {}

    def join(self, run_id: UUID, hand_over: Callable[[News], None]) -> Feed:
        """Hand every news of the run to `hand_over` from now on; take the first snapshot when the feed is `ready`."""
        feed = self._feeds.get(run_id)
        if feed is None:
            feed = self._feeds[run_id] = Feed(run_id)
            feed.start()
        feed.sockets.add(hand_over)
        return feed

    def leave(self, run_id: UUID, hand_over: Callable[[News], None]) -> None:
        """No more."""
        feed = self._feeds.get(run_id)
        if feed is None:
            return
        feed.sockets.discard(hand_over)
        if not feed.sockets:
            feed.stop()
            del self._feeds[run_id]


feeds = Feeds()


def _snapshot_text(run_id: UUID) -> tuple[int, str]:
    message = snapshot(run_id)
    return message["seq"], _text(message)


def _run(run_id: UUID) -> Run:
    return selectors.presented(Run.objects.filter(pk=run_id)).get()


def _head(run: Run) -> Head:
    asked = (run.stop_requested_at, run.abort_requested_at)
    steered = (run.steering_revision, run.run_time_s, run.own_shape)
    kept = (run.user_classes, run.finest_step_s, run.waits_for)
    return (run.state, run.reason, run.totals, run.generator, *asked, *steered, *kept, selectors.queue_position(run))


def _series(run: Run, shown: list[Line]) -> dict[str, Any]:
    """What is known of the run alone stands beside the line of all endpoints."""
    metrics = [*SNAPSHOT_METRICS, *series.RUN_METRICS]
    figures = reading.figures(run, series.Window(points=SNAPSHOT_POINTS), lines=shown, metrics=metrics)
    for line in figures["series"]:
        if line["endpoint"] is not None:
            for name in series.RUN_METRICS:
                del line[name]
    return figures


def _tables(run_id: UUID) -> dict[str, Any]:
    """What fits into a message; REST has all of it."""
    failures = presentation.failures(selectors.failures(run_id))
    exceptions = presentation.exceptions(ScriptException.objects.filter(run_id=run_id)[:SNAPSHOT_EXCEPTIONS])
    for row in failures:
        row["error"] = row["error"][:SNAPSHOT_TEXT_CHARS]
    for row in exceptions:
        row["message"] = row["message"][:SNAPSHOT_TEXT_CHARS]
        row["traceback"] = row["traceback"][:SNAPSHOT_TRACEBACK_CHARS]
    return {"failures": failures, "exceptions": exceptions}


def _tell_tables(run_id: UUID, seen: Seen, found: News) -> None:
    """Endpoints change every few seconds, these seldom."""
    text = _text({"type": "tables", **_tables(run_id)})
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
    return _text({"type": "workers", "workers": presentation.workers(run, SNAPSHOT_WORKERS)})


def _ticks(run: Run, seen: Seen, found: News) -> None:
    rows = _rows_after(run, seen.seq)
    if len(rows) > MAX_TICKS_AT_ONCE:
        found.overrun = True
    else:
        found.messages += [(row.seq, _text(wire.tick(row, run.user_classes))) for row in rows]
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


def _newest_log(run_id: UUID) -> tuple[int, list[str]]:
    return selectors.log_after(run_id, 0)


def _tell(found: News, message: dict[str, Any]) -> None:
    found.messages.append((0, _text(message)))


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
