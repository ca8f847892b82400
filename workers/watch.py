"""Notices, second by second, when the target does not answer and when the generator is late. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from workers.samples import Tick

STALL_SECONDS = 5
MAX_STALLS = 100
"""Of a run; further ones are in the figures of its seconds only."""
LATE_MS = 200.0
LATE_SECONDS = 3

Event = tuple[str, dict[str, object]]
"""Kind and data, as `spool.Sink.event` takes them."""


class Stalls:
    """A stall: for `STALL_SECONDS` or more no request has completed, although users wait for some.

    Where the collector does not know what is in flight (`csv`), users are taken to wait.
    """

    def __init__(self) -> None:
        self._seconds = 0
        self._since = 0
        self._count = 0
        self._is_told = False

    def feed(self, tick: Tick) -> Iterator[Event]:
        if _is_waiting(tick):
            self._since = self._since if self._seconds else tick.t
            self._seconds = tick.t - self._since + 1
            if self._seconds >= STALL_SECONDS and not self._is_told:
                yield from self._begin(tick)
        else:
            yield from self.end()

    def end(self) -> Iterator[Event]:
        """The target answers again, or nobody waits any more."""
        if self._is_told:
            yield "stall_over", {"seconds": self._seconds, "t": self._since + self._seconds - 1}
        self._seconds, self._is_told = 0, False

    def _begin(self, tick: Tick) -> Iterator[Event]:
        if self._count >= MAX_STALLS:
            return
        self._count += 1
        self._is_told = True
        health = tick.health
        yield (
            "stall",
            {
                "seconds": self._seconds,
                "in_flight": health.in_flight if health else None,
                "oldest_ms": health.oldest_ms if health else None,
                "t": self._since,
            },
        )


class Lateness:
    """Whether the event loop was late for some seconds on end: then response times are the generator's own."""

    def __init__(self) -> None:
        self._seconds = 0

    def feed(self, tick: Tick) -> bool:
        lag = tick.health.lag_ms if tick.health else None
        self._seconds = self._seconds + 1 if lag is not None and lag > LATE_MS else 0
        return self._seconds >= LATE_SECONDS


def _is_waiting(tick: Tick) -> bool:
    if tick.total.requests or not tick.users:
        return False
    return tick.health is None or bool(tick.health.in_flight)
