"""Reads what a Locust process leaves in its folder, and passes it on as events, ticks, tables and lines."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from workers import tables, tail
from workers.command import RunFolder
from workers.output import Gate, warnings_in
from workers.samples import (
    MAX_CLASSES,
    MAX_ENDPOINTS,
    MAX_NAME_CHARS,
    EndpointTotals,
    ExceptionRow,
    FailureRow,
    FailureSample,
    FinalTotals,
    Tick,
)
from workers.spool import Spool
from workers.swarm import WORDS
from workers.values import MAX_COUNT, whole
from workers.watch import Lateness, Stalls

TABLE_SECONDS = 1.0
STATS_SECONDS = 2.0
SILENT_SECONDS = 5.0
MAX_EVENTS = 2_000
WORDS_A_SECOND = 5.0
"""As many words of other processes as events, and more as time goes by: a master says of each worker when it is silent,
and a test may last for a week."""
MAX_LOG_BYTES = 64 * 1024 * 1024
LOG_TAIL_LINES = 500
DRAIN_SECONDS = 5.0
"""For what is unread at the end. Locust leaves a second's worth; the lease is not renewed meanwhile."""
MAX_TEXT_CHARS = 200

SENTENCES = {
    "generator_cpu": "The load generator used more than 90 % of a core: response times may be its own.",
    "collector_stalled": "No measurements came for some seconds: the script may block Locust's event loop.",
    "own_shape": "The locustfile brings its own load shape; users, spawn rate and stages of this run had no effect.",
    "too_many_names": f"More than {MAX_ENDPOINTS} request names; the others are counted as (other).",
    "bad_rows": "Some of the measurements could not be read.",
    "bad_values": "The script reported requests with times, sizes or names that are none; they count as requests only.",
    "samples_lost": "The measurements of some seconds were lost.",
    "loop_lag": "The load generator's event loop was late by more than 200 ms: response times may be its own.",
    "stats_cleared": "The script cleared Locust's own statistics: its files and its count are of the time after that.",
    "not_steered": "A change could not be handed to the test: its script has put something in the way.",
    "log_cut": "The log was too long; its beginning was cut off.",
    "left_unread": "The run left more behind than could be read; its files hold all of it.",
}

Totals = tuple[EndpointTotals, Sequence[EndpointTotals]]
"""Over all endpoints, and of each."""


class Source(Protocol):
    """Where a run's seconds come from: one of `CsvSource` and `ExactSource`."""

    warnings: dict[str, str]
    """Code → sentence, empty for the one in `SENTENCES`; grows."""

    @property
    def ended(self) -> bool:
        """Whether it is known that no second will follow."""

    def read(self) -> tuple[list[Tick], bool]:
        """The seconds of the next chunk, and whether there was one."""

    def finish(self, final: FinalTotals | None) -> list[Tick]:
        """What can only be told at the end."""

    def totals(self) -> Totals | None:
        """`None` when nothing has changed, or nothing can be read."""

    def failures(self) -> Sequence[FailureRow] | None:
        """As `totals`."""

    def samples(self) -> tuple[list[FailureSample], bool]:
        """New ones, of errors that `failures` has told; and whether there was anything to read."""

    def collected(self) -> FinalTotals | None:
        """All that was counted, if this source counts by itself."""

    def close(self) -> None: ...


class Collector:
    """`poll` often; `finish` once the process has gone. Times are monotonic seconds."""

    def __init__(
        self,
        source: Source,
        folder: RunFolder,
        spool: Spool,
        clock: Callable[[], float],
        on_word: Callable[[str, Mapping[str, Any]], None] = lambda kind, said: None,
    ) -> None:
        """`on_word` hears what the child says of other processes of the run (`swarm.WORDS`), as it stands there."""
        self.ready = False
        self.started_at: float | None = None
        self.final_at: float | None = None
        self.said_exit_code: int | None = None
        self.own_shape = ""
        self.stopped_by = ""
        self.warnings: dict[str, str] = {}
        self.ticks = 0
        self.log_tail: deque[str] = deque(maxlen=LOG_TAIL_LINES)
        self._source = source
        self._folder = folder
        self._spool = spool
        self._clock = clock
        self._on_word = on_word
        self._events, self._event_lines = tail.FileTail(folder.events), tail.Lines()
        self._event_count = self._word_count = 0
        self._log, self._log_lines, self._gate = tail.FileTail(folder.log), tail.Lines(), Gate()
        self._stalls, self._lateness = Stalls(), Lateness()
        self._last_tick_at: float | None = None
        self._failures: Sequence[FailureRow] = ()
        self._exceptions: Sequence[ExceptionRow] = ()
        self._exceptions_signature: object = None
        self._tables_at = self._stats_at = self._began = clock()
        self._totals: Totals | None = None

    def poll(self) -> None:
        self._read()
        if self._clock() >= self._tables_at + TABLE_SECONDS:
            self._tables_at = self._clock()
            self._read_tables()
            if tail.cut(self._folder.log, MAX_LOG_BYTES):
                self.warn("log_cut")
        if self._clock() >= self._stats_at + STATS_SECONDS:
            self._stats_at = self._clock()
            self._read_totals()
        self._notice_silence()

    def finish(self) -> FinalTotals | None:
        """Read everything to its end, and Locust's totals: its own last word, or else what its CSV files say."""
        deadline = self._clock() + DRAIN_SECONDS
        while self._read():
            if self._clock() > deadline:
                self.warn("left_unread")
                break
        self._take_log([*self._log_lines.end()])
        self._spool.log(self._gate.end())
        self._read_tables()
        final = self._read_final()
        self._take_ticks(self._source.finish(final))
        for kind, data in self._stalls.end():
            self._spool.event(kind, data)
        self._read_last_tables(final)
        return final

    def collected(self) -> FinalTotals | None:
        """Our own totals, once finished; `None` when Locust's are all there is."""
        found = self._source.collected()
        return None if found is None else replace(found, exceptions=self._exceptions)

    def close(self) -> None:
        self._source.close()
        for file in (self._events, self._log):
            file.close()

    def warn(self, code: str, text: str = "", data: Mapping[str, object] | None = None) -> None:
        """Each code once."""
        if code not in self.warnings:
            self.warnings[code] = text or SENTENCES[code]
            more = {} if data is None else {"data": data}
            self._spool.event("warning", {"code": code, "text": self.warnings[code], **more})

    def _read(self) -> bool:
        """One chunk of each growing file; whether there was anything new."""
        events, log = self._events.read(), self._log.read()
        for line in self._event_lines.feed(events) if events else ():
            self._take_event(line)
        if log:
            self._take_log(self._log_lines.feed(log))
        ticks, anything = self._source.read()
        self._take_ticks(ticks)
        return bool(events or log or anything or self._read_samples())

    def _read_samples(self) -> bool:
        samples, anything = self._source.samples()
        if samples:
            self._spool.failure_samples(samples)
        return anything

    def _take_ticks(self, ticks: Sequence[Tick]) -> None:
        if ticks:
            self._spool.ticks(ticks)
            self.ticks = ticks[-1].seq
            self._last_tick_at = self._clock()
        for tick in ticks:
            for kind, data in self._stalls.feed(tick):
                self._spool.event(kind, data)
            if self._lateness.feed(tick):
                self.warn("loop_lag")
        for code, text in self._source.warnings.items():
            self.warn(code, text)

    def _take_log(self, lines: Sequence[str]) -> None:
        self.log_tail.extend(lines)
        shown = self._gate.admit(lines, self._clock())
        if shown:
            self._spool.log(shown)
        for code, text in warnings_in(lines).items():
            self.warn(code, text)

    def _take_event(self, line: str) -> None:
        match event := self._heard(line):
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
            case {"kind": "final", "exit_code": int(code)} if self.final_at is None:
                self.final_at = self._clock()
                self.said_exit_code = code if 0 <= code <= 255 else 1
            case _:
                self._take_word(event)

    def _heard(self, line: str) -> Mapping[str, Any]:
        """The event in a line; nothing when the script has had its say."""
        event = _parse_event(line)
        kind = event.get("kind")
        if isinstance(kind, str) and kind in WORDS:
            if self._word_count >= MAX_EVENTS + WORDS_A_SECOND * (self._clock() - self._began):
                return {}
            self._word_count += 1
            return event
        self._event_count += 1
        return event if self._event_count <= MAX_EVENTS else {}

    def _take_word(self, event: Mapping[str, Any]) -> None:
        """What is passed on and changes nothing here."""
        match event:
            case {"kind": "spawning_complete", "users": int(users)} if 0 <= users <= MAX_COUNT:
                self._spool.event("spawning_complete", {"users": users})
            case {"kind": "steered", "revision": int(revision)} if 0 <= revision <= MAX_COUNT:
                self._spool.event("steered", {"revision": revision})
            case {"kind": "cpu_warning"}:
                self.warn("generator_cpu")
            case {"kind": "too_many_names"}:
                self.warn("too_many_names", data=_proposal(event))
            case {"kind": "stats_cleared"}:
                self.warn("stats_cleared")
            case {"kind": "collector_error"}:
                self.warn("samples_lost")
            case {"kind": str(kind)} if kind in WORDS:
                self._on_word(kind, event)

    def _notice_silence(self) -> None:
        """Seconds come as long as the event loop turns, also of a target that hangs."""
        if self._last_tick_at is None or self.final_at is not None or self._source.ended:
            return
        if self._clock() > self._last_tick_at + SILENT_SECONDS:
            self.warn("collector_stalled")

    def _read_tables(self) -> None:
        failures, exceptions = self._source.failures(), self._read_exceptions()
        self._take_tables(
            self._failures if failures is None else failures, self._exceptions if exceptions is None else exceptions
        )

    def _read_exceptions(self) -> Sequence[ExceptionRow] | None:
        signature = tail.signature(self._folder.exceptions)
        if signature == self._exceptions_signature:
            return None
        found = tables.read_exceptions(self._folder.exceptions)
        if found is not None:
            self._exceptions_signature = signature
        return found

    def _take_tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        if (*failures, None, *exceptions) != (*self._failures, None, *self._exceptions):
            self._failures, self._exceptions = failures, exceptions
            self._spool.tables(failures, exceptions)

    def _read_last_tables(self, final: FinalTotals | None) -> None:
        """Locust's last word, but for failures that we have counted ourselves."""
        collected = self._source.collected()
        if collected is not None:
            self._read_totals()
            self._take_tables(collected.failures, self._exceptions if final is None else final.exceptions)
            self._read_samples()
        elif final is not None:
            self._take_tables(final.failures, final.exceptions)

    def _read_totals(self) -> None:
        totals = self._source.totals()
        if totals is not None:
            self._totals = totals
            self._spool.totals(*totals)

    def _read_final(self) -> FinalTotals | None:
        found = tables.read_final(self._folder.final)
        if found is not None:
            self.stopped_by = str(found[1].get("stopped_by", ""))
            return found[0]
        stats: Totals | None = tables.read_stats(self._folder.stats)
        if stats is None and self._source.collected() is None:
            stats = self._totals  # torn by the end; these are of the same file
        return None if stats is None else FinalTotals("stats_csv", *stats, self._failures, self._exceptions)


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


def _proposal(event: Mapping[str, Any]) -> dict[str, object]:
    """A name, the one it would have if ids were grouped, and how many names that would take in."""
    return {
        "from": _text(event.get("from"), MAX_NAME_CHARS),
        "to": _text(event.get("to"), MAX_NAME_CHARS),
        "names": whole(event.get("names")) or 0,
    }


def _text(value: object, max_chars: int = MAX_TEXT_CHARS) -> str:
    return tail.clean_text(value, max_chars) if isinstance(value, str) else ""
