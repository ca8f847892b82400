"""Writes what `intake` counted: a line for every second, and a closing one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import gevent

from . import grouping, intake, lines, names
from .failed import MAX_SAMPLES, Failed
from .health import Health
from .inflight import InFlight
from .pauses import no_pause, pause
from .seconds import Second
from .trim import Trim

logger = logging.getLogger(__name__)

WAKE_SECONDS = 0.02
"""So long after a second's end its line is written: whoever waited for the loop at the boundary has been counted."""
NAMES_A_PAUSE = 50
MAX_TEXT_CHARS = 500


class Events(Protocol):
    def write(self, kind: str, **data: object) -> None: ...


class Collector:
    """Begins with the test; `finish` ends it."""

    def __init__(self, config: dict[str, Any], environment: Any, events: Events) -> None:
        self._environment = environment
        self._events = events
        self._intake = intake.find(environment)
        self._intake.count_seconds()
        if config.get("group_ids"):
            self._intake.names.group = grouping.grouped
        self._lines = lines.Lines(config["samples"])
        self._health = Health(environment)
        self._failed = Failed(config["failed"], [os.environ.get(name, "") for name in config.get("env_names", ())])
        self._intake.on_failure = self._failed.take
        self._in_flight = InFlight()
        self._in_flight.watch()
        # Of use for a history of each endpoint only, which is ours now; costs 20 copies of its response times.
        environment.stats.use_response_times_cache = False
        self._process = os.getpid()
        self._greenlets: list[gevent.Greenlet] = []
        self._seq = 0
        self._next: int | None = None
        """The second whose line comes next."""
        self._told_names = self._told_errors = 0
        self._requests = self._failures = 0
        self._is_over = self._has_proposed = self._is_broken = self._has_told_of_clearing = False
        self._quiet_from: int | None = None
        """The first second after the test: it has a line only if there is a request in it or after it."""
        self._before_stop: tuple[int, dict[str, object]] | None = None
        """The second in which users begin to leave, and what was measured then: of use for what is over by then."""
        self._at_stop: dict[str, object] | None = None
        self._begin_with_test(environment.stats)
        environment.events.test_stopping.add_listener(self._on_test_stopping)
        environment.events.test_stop.add_listener(self._on_test_stop)

    def finish(self) -> None:
        """Write what is left and the closing line. Idempotent, and never raises."""
        if self._is_over or os.getpid() != self._process:
            return
        self._is_over = True
        try:
            for greenlet in self._greenlets:
                greenlet.kill(block=False)
            last = self._intake.close()
            self._write_over(no_pause, before=last.t)
            if last.requests or last.errors or not self._is_quiet(last.t):
                self._write_second(last, self._measure(), no_pause)
            self._write_end()
            self._failed.write(no_pause, most=MAX_SAMPLES)
        except Exception as error:
            self._report(error)

    def _begin_with_test(self, stats: Any) -> None:
        """Locust clears its statistics right before `test_start`, in which scripts may make their first requests.

        A script may clear them as well, when its users are warm: we keep what we have, and say so.
        """
        clear, reset = stats.clear_all, stats.reset_all

        def clear_all() -> None:
            clear()
            self._begin()

        def reset_all() -> None:
            reset()
            self._tell_of_clearing()

        stats.clear_all, stats.reset_all = clear_all, reset_all

    def _begin(self) -> None:
        if self._greenlets or self._is_over:
            self._tell_of_clearing()
            return
        self._intake.begin()
        loops = (self._health.watch_loop, self._write_each_second, Trim(self._environment.stats).run)
        self._greenlets = [gevent.spawn(loop) for loop in loops]

    def _tell_of_clearing(self) -> None:
        if not self._has_told_of_clearing:
            self._has_told_of_clearing = True
            self._events.write("stats_cleared")

    def _on_test_stopping(self, **_: object) -> None:
        if self._before_stop is None:
            self._before_stop = (self._intake.begin().second(time.monotonic()), self._measure())

    def _on_test_stop(self, **_: object) -> None:
        """Locust now makes its report, which is no business of the load."""
        self._at_stop = self._measure()
        self._quiet_from = self._intake.begin().second(time.monotonic()) + 1

    def _is_quiet(self, second: int) -> bool:
        return self._quiet_from is not None and second >= self._quiet_from

    def _write_each_second(self) -> None:
        clock = self._intake.begin()
        while True:
            wake = clock.end(clock.second(time.monotonic())) + WAKE_SECONDS
            gevent.sleep(max(0.0, wake - time.monotonic()))
            if self._is_over or os.getpid() != self._process:  # or a fork of this one
                return
            self._health.note_lag(time.monotonic() - wake)
            try:
                self._write_what_is_new(clock.second(time.monotonic()))
            except Exception as error:
                self._report(error)

    def _write_what_is_new(self, second: int) -> None:
        self._intake.roll(time.monotonic())
        self._write_over(self._pause, before=second)
        self._lines.flush()
        self._failed.write(self._pause)
        self._propose_group()

    def _report(self, error: Exception) -> None:
        """Say once that something in here is broken; the load goes on, and the seconds are kept for the next try."""
        if not self._is_broken:
            self._is_broken = True
            logger.error("Figures could not be written", exc_info=error)
            self._events.write("collector_error", error=repr(error)[:MAX_TEXT_CHARS])

    def _propose_group(self) -> None:
        """Says once that there are too many names, and which group would take in the most of them."""
        known = self._intake.names
        if known.overflowed is None or known.group or self._has_proposed:
            return
        self._has_proposed = True
        seen = (endpoint.name for endpoint in known.endpoints if endpoint is not known.other)
        example, group, count = names.best_group(self._paused(seen), grouping.grouped) or (known.overflowed, "", 0)
        self._events.write("too_many_names", **{"from": example, "to": group, "names": count})

    def _paused(self, names: Iterable[str]) -> Iterator[str]:
        for place, name in enumerate(names):
            if place % NAMES_A_PAUSE == 0:
                self._pause()
            yield name

    def _pause(self) -> None:
        """For our greenlet. It may wake up once more after `finish` has killed it, and has nothing to say then."""
        pause()
        if self._is_over:
            raise gevent.GreenletExit

    def _measure(self) -> dict[str, object]:
        return self._at_stop or {**self._health.measure(), **self._in_flight.measure()}

    def _write_over(self, pause: Callable[[], None], before: int) -> None:
        """A line for each second that is over, also for those in which nothing happened or the loop was blocked."""
        over = self._intake.over
        if self._next is None:
            clock = self._intake.begin()
            self._next = clock.second(clock.mono)
        measured = self._measure()
        while self._next < before and (over or not self._is_quiet(self._next)):
            second = over[0] if over and over[0].t <= self._next else Second(self._next)
            stopped, then = self._before_stop or (second.t, measured)
            self._write_second(second, then if second.t < stopped else measured, pause)
            if over and over[0] is second:
                over.popleft()

    def _write_second(self, second: Second, measured: dict[str, object], pause: Callable[[], None]) -> None:
        """May be killed while it pauses: all that counts happens at the end, in one go."""
        names_until, errors_until = len(self._intake.names.endpoints), len(self._intake.errors.kinds)
        line = None if self._lines.is_full else self._spell(second, measured, names_until, errors_until, pause)
        self._seq += 1
        self._next = second.t + 1
        self._requests += second.count
        self._failures += second.failures
        if line is not None:
            self._told_names, self._told_errors = names_until, errors_until
            self._lines.append(line)

    def _spell(
        self,
        second: Second,
        measured: dict[str, object],
        names_until: int,
        errors_until: int,
        pause: Callable[[], None],
    ) -> bytes:
        head = {
            "seq": self._seq + 1,
            "t": second.t,
            "mono": round(time.monotonic(), 6),
            "wall": round(time.time(), 6),
            **measured,
            "refused": self._intake.refused,
        }
        new_names = self._intake.names.endpoints[self._told_names : names_until]
        new_errors = self._intake.errors.kinds[self._told_errors : errors_until]
        lists: dict[str, Sequence[Sequence[object]]] = {
            "names": [(endpoint.index, endpoint.method, endpoint.name) for endpoint in new_names],
            "errors_new": [(kind.index, kind.method, kind.name, kind.text) for kind in new_errors],
            "errors": list(second.errors.items()),
            "more": second.more(),
        }
        return lines.spell(head, second.listed(), lists, pause)

    def _write_end(self) -> None:
        end = {
            "end": True,
            "seq": self._seq,
            "requests": self._requests,
            "failures": self._failures,
            "refused": self._intake.refused,
        }
        self._lines.append(lines.spell_small(end))
