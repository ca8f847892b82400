"""Reads what a Locust process leaves in its folder, and passes it on as events, ticks, tables and lines."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workers import tables, tail
from workers.command import RunFolder
from workers.output import Gate, warnings_in
from workers.samples import MAX_ENDPOINTS, ExceptionRow, FailureRow, FinalTotals
from workers.spool import Spool
from workers.ticks import History

TABLE_SECONDS = 1.0
STATS_SECONDS = 2.0
STALL_SECONDS = 5.0
MAX_EVENTS = 2_000
MAX_LOG_BYTES = 64 * 1024 * 1024
LOG_TAIL_LINES = 500
DRAIN_SECONDS = 5.0
"""For what is unread at the end. Locust leaves a second's worth; the lease is not renewed meanwhile."""
CLOCK_SECONDS = 600
"""How far Locust's clock may be off, or set, against ours; a history of other times was made up."""
MAX_TEXT_CHARS = 200
MAX_CLASSES = 100

SENTENCES = {
    "generator_cpu": "The load generator used more than 90 % of a core: response times may be its own.",
    "collector_stalled": "No measurements came for some seconds: the script may block Locust's event loop.",
    "own_shape": "The locustfile brings its own load shape; users, spawn rate and stages of this run had no effect.",
    "too_many_names": f"More than {MAX_ENDPOINTS} request names; the others are counted as (other).",
    "bad_rows": "Some rows of Locust's statistics could not be read.",
    "log_cut": "The log was too long; its beginning was cut off.",
    "left_unread": "The run left more behind than could be read; its files hold all of it.",
}


class Collector:
    """`poll` often; `finish` once the process has gone. Times are monotonic seconds."""

    def __init__(
        self, folder: RunFolder, spool: Spool, clock: Callable[[], float], now: Callable[[], float] = time.time
    ) -> None:
        self.ready = False
        self.started_at: float | None = None
        self.final_at: float | None = None
        self.said_exit_code: int | None = None
        self.own_shape = ""
        self.stopped_by = ""
        self.warnings: dict[str, str] = {}
        self.ticks = 0
        self.log_tail: deque[str] = deque(maxlen=LOG_TAIL_LINES)
        self._folder = folder
        self._spool = spool
        self._clock = clock
        self._now = now
        self._events, self._event_lines, self._event_count = tail.FileTail(folder.events), tail.Lines(), 0
        self._log, self._log_lines, self._gate = tail.FileTail(folder.log), tail.Lines(), Gate()
        self._rows, self._csv, self._history = (
            tail.FileTail(folder.history),
            tail.CsvRows(),
            History(int(now()) - CLOCK_SECONDS),
        )
        self._last_tick_at: float | None = None
        self._tables: tuple[Sequence[FailureRow], Sequence[ExceptionRow]] = ((), ())
        self._tables_at = self._stats_at = clock()
        self._signatures: tuple[object, ...] = ()
        self._stats: FinalTotals | None = None

    def poll(self) -> None:
        self._read()
        if self._clock() >= self._tables_at + TABLE_SECONDS:
            self._tables_at = self._clock()
            self._read_tables()
            if tail.cut(self._folder.log, MAX_LOG_BYTES):
                self.warn("log_cut")
        if self._clock() >= self._stats_at + STATS_SECONDS:
            self._stats_at = self._clock()
            self._take_stats(self._read_stats())
        self._notice_stall()

    def finish(self) -> FinalTotals | None:
        """Read everything to its end, and Locust's totals: its own last word, or else what its CSV files say."""
        deadline = self._clock() + DRAIN_SECONDS
        while self._read():
            if self._clock() > deadline:
                self.warn("left_unread")
                break
        self._take_log([*self._log_lines.end()])
        self._spool.log(self._gate.end())
        final = self._read_final()
        last = self._history.finish(final)
        if last is not None:
            self._spool.ticks([last])
            self.ticks = last.seq
        if final is not None:
            self._take_tables(final.failures, final.exceptions)
        return final

    def close(self) -> None:
        for file in (self._events, self._log, self._rows):
            file.close()

    def warn(self, code: str, text: str = "") -> None:
        """Each code once."""
        if code not in self.warnings:
            self.warnings[code] = text or SENTENCES[code]
            self._spool.event("warning", {"code": code, "text": self.warnings[code]})

    def _read(self) -> bool:
        """One chunk of each growing file; whether there was anything new."""
        events, log, rows = self._events.read(), self._log.read(), self._rows.read()
        for line in self._event_lines.feed(events) if events else ():
            self._take_event(line)
        if log:
            self._take_log(self._log_lines.feed(log))
        if rows:
            self._take_rows(self._csv.feed(rows))
        return bool(events or log or rows)

    def _take_rows(self, rows: Sequence[Sequence[str]]) -> None:
        ticks = self._history.feed(rows, until=int(self._now()) + CLOCK_SECONDS)
        if ticks:
            self._spool.ticks(ticks)
            self.ticks = ticks[-1].seq
            self._last_tick_at = self._clock()
        if self._history.overflowed:
            self.warn("too_many_names")
        if self._history.refused or self._csv.refused:
            self.warn("bad_rows")

    def _take_log(self, lines: Sequence[str]) -> None:
        self.log_tail.extend(lines)
        shown = self._gate.admit(lines, self._clock())
        if shown:
            self._spool.log(shown)
        for code, text in warnings_in(lines).items():
            self.warn(code, text)

    def _take_event(self, line: str) -> None:
        self._event_count += 1
        event = _parse_event(line) if self._event_count <= MAX_EVENTS else {}
        match event:
            case {"kind": "ready"} if not self.ready:
                self.ready = True
                data = _ready(event)
                self.own_shape = str(data["own_shape"])
                self._spool.event("ready", data)
                if self.own_shape:
                    self.warn("own_shape")
            case {"kind": "test_start"} if self.started_at is None:
                self.started_at = self._last_tick_at = self._clock()
                self._spool.event("test_start", {})
            case {"kind": "first_request" | "test_stop" as kind}:
                self._spool.event(kind, {})
            case {"kind": "spawning_complete", "users": int(users)} if 0 <= users <= tables.MAX_COUNT:
                self._spool.event("spawning_complete", {"users": users})
            case {"kind": "cpu_warning"}:
                self.warn("generator_cpu")
            case {"kind": "final", "exit_code": int(code)} if self.final_at is None:
                self.final_at = self._clock()
                self.said_exit_code = code if 0 <= code <= 255 else 1

    def _notice_stall(self) -> None:
        if self._last_tick_at is None or self.final_at is not None:
            return
        if self._clock() > self._last_tick_at + STALL_SECONDS:
            self.warn("collector_stalled")

    def _read_tables(self) -> None:
        signatures = tuple(tail.signature(path) for path in (self._folder.failures, self._folder.exceptions))
        if signatures == self._signatures:
            return
        failures = tables.read_failures(self._folder.failures)
        exceptions = tables.read_exceptions(self._folder.exceptions)
        if failures is not None and exceptions is not None:
            self._signatures = signatures
        before_failures, before_exceptions = self._tables
        self._take_tables(
            before_failures if failures is None else failures, before_exceptions if exceptions is None else exceptions
        )

    def _take_tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        now = (tuple(failures), tuple(exceptions))
        if now != self._tables:
            self._tables = now
            self._spool.tables(*now)

    def _take_stats(self, stats: FinalTotals | None) -> None:
        if stats is not None and stats != self._stats:
            self._stats = stats
            self._spool.totals(stats.total, stats.endpoints)

    def _read_stats(self) -> FinalTotals | None:
        found = tables.read_stats(self._folder.stats)
        return None if found is None else FinalTotals("stats_csv", found[0], found[1], *self._tables)

    def _read_final(self) -> FinalTotals | None:
        found = tables.read_final(self._folder.final)
        if found is not None:
            self.stopped_by = str(found[1].get("stopped_by", ""))
            return found[0]
        self._read_tables()
        return self._read_stats() or self._stats


def _parse_event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _ready(event: Mapping[str, Any]) -> dict[str, object]:
    classes = event.get("user_classes")
    names = classes[:MAX_CLASSES] if isinstance(classes, list) else []
    return {
        "locust": _text(event.get("locust")),
        "user_classes": [_text(name) for name in names],
        "own_shape": _text(event.get("own_shape")),
    }


def _text(value: object) -> str:
    return tail.clean_text(value, MAX_TEXT_CHARS) if isinstance(value, str) else ""
