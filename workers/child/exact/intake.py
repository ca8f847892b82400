"""What Locust calls for each request: hands it on to Locust's own statistics, and counts it for ours.

It takes the place of Locust's own listener, which raises on nonsense when it has counted half of it. So both see the
same names, times and errors, and every event is a request once, whatever a script fires by hand.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .clock import Clock
from .errors import Errors, Kind
from .names import Endpoint, Names
from .seconds import NO_TIME, RECORD, Refused, Second
from .values import MAX_BYTES, MAX_MS, error_text, is_failure, size_of, time_of

LOCUSTS_LISTENER = "Runner.__init__.<locals>.on_request"
MISSING: Any = object()

# One look-up less for each request.
_monotonic = time.monotonic
_record = RECORD.pack


class Intake:
    """Counts for Locust alone until `begin`."""

    def __init__(self, environment: Any, names: Names, errors: Errors) -> None:
        self.names = names
        self.errors = errors
        self.refused: Refused = {"time": 0, "name": 0, "size": 0}
        self.on_failure: Callable[[Kind, str, dict[str, Any]], None] | None = None
        self._environment = environment
        self._counts = False
        self._ends = math.inf
        """The monotonic time at which the present second is over."""
        self._second = Second(0)

    def count_seconds(self) -> None:
        """Keep what happens in each second, from `begin` on."""
        self.clock: Clock | None = None
        self.over: deque[Second] = deque()
        """Seconds that are over and in which something happened, the earliest first."""

    def begin(self) -> Clock:
        """The first second starts. Requests from before are none of the test; Locust forgets them as well."""
        if self.clock is None:
            self._counts = True
            now = _monotonic()
            self.clock = Clock(time.time(), now)
            self._go_on(self.clock, self.clock.second(now))
        return self.clock

    def _go_on(self, clock: Clock, second: int) -> None:
        self._second = Second(second)
        self._ends = clock.end(second)

    def roll(self, now: float) -> None:
        """Close the present second should it be over."""
        clock = self.begin()
        if now < self._ends:
            return
        if self._second.requests or self._second.errors:
            self.over.append(self._second)
        self._go_on(clock, max(self._second.t + 1, clock.second(now)))

    def close(self) -> Second:
        """The present second, which is not over yet; nothing is counted any more after this."""
        self.roll(_monotonic())
        self._counts, self._ends = False, math.inf
        return self._second

    def on_request(
        self,
        request_type: Any = MISSING,
        name: Any = MISSING,
        response_time: Any = MISSING,
        response_length: Any = MISSING,
        exception: Any = MISSING,
        response: Any = MISSING,
        url: Any = MISSING,
        **_: Any,
    ) -> None:
        """Listens to Locust's event."""
        self.count(request_type, name, response_time, response_length, exception, response, url)

    def count(
        self,
        request_type: Any,
        name: Any,
        response_time: Any,
        response_length: Any,
        exception: Any,
        response: Any,
        url: Any,
    ) -> None:
        """A request, whatever is said of it."""
        try:
            ms = response_time
            if type(ms) is not float or not 0.0 <= ms <= MAX_MS:
                ms = self._time(ms)
            size = response_length
            if type(size) is not int or not 0 <= size <= MAX_BYTES:
                size = self._size(size)
            is_failed = exception is not None and exception is not MISSING and is_failure(exception)
            endpoint = None
            if type(name) is str is type(request_type):
                endpoint = self.names.seen.get((name, request_type))
            if endpoint is None:
                endpoint = self._find(name, request_type)
            if _monotonic() >= self._ends:
                self.roll(_monotonic())
            counts = self._counts
            if counts:
                # After the look at the clock nothing of a script's has run, which could let a second go by.
                self._second.requests += _record(endpoint.index, is_failed, NO_TIME if ms is None else ms, size)
            self._environment.stats.log_request(endpoint.method, endpoint.name, ms, size)
            if is_failed:
                more = {"response_ms": ms, "response": response, "url": _given(url)}
                self._fail(endpoint, name, exception, more, counts=counts)
        except Exception:
            return  # the script goes on, whatever it made of our insides

    def _find(self, name: Any, method: Any) -> Endpoint:
        """For what no earlier request said."""
        endpoint, is_good = self.names.find(_given(name), _given(method))
        if not is_good:
            self.refused["name"] += 1
        return endpoint

    def _fail(self, endpoint: Endpoint, name: Any, exception: Any, more: dict[str, Any], *, counts: bool) -> None:
        """`counts`: whether the request is one of the test."""
        text = self._error_text(exception, name, endpoint.name)
        if counts and self._counts:
            kind = self.errors.find(endpoint.method, endpoint.name, text)
            errors = self._second.errors
            errors[kind.index] = errors.get(kind.index, 0) + 1
            if self.on_failure:
                self.on_failure(kind, endpoint.method, more)
        self._environment.stats.log_error(endpoint.method, endpoint.name, text)

    def _time(self, value: Any) -> float | None:
        if value is None:
            return None  # Locust's own way to say that a request has no time
        ms = time_of(value)
        if ms is None:
            self.refused["time"] += 1
        return ms

    def _size(self, value: Any) -> int:
        size = 0 if value is MISSING else size_of(value)
        if size is None:
            self.refused["size"] += 1
        return size or 0

    def _error_text(self, exception: Any, name: Any, shown: str) -> str:
        """Locust puts the name of a request into the text of its error; grouped names must not come back by that."""
        text = error_text(exception)
        if self.names.group and type(name) is str and name != shown and len(name) > 1:
            text = text.replace(name, shown)
        return text


def install(environment: Any, names: Names, errors: Errors) -> Intake:
    """Put an `Intake` where Locust's own listener stands."""
    intake = Intake(environment, names, errors)
    handlers = environment.events.request._handlers
    places = [place for place, handler in enumerate(handlers) if _name(handler) == LOCUSTS_LISTENER]
    handlers[places[-1]] = intake.on_request
    return intake


def find(environment: Any) -> Intake:
    """The one that listens; `LookupError` when there is none."""
    for handler in environment.events.request._handlers:
        owner = getattr(handler, "__self__", None)
        if isinstance(owner, Intake):
            return owner
    raise LookupError("nobody listens to requests")


def _name(handler: Any) -> str:
    return str(getattr(handler, "__qualname__", ""))


def _given(value: Any) -> Any:
    return None if value is MISSING else value
