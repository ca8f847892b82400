"""Keeps Locust's own statistics from growing with the length of a run."""

from __future__ import annotations

import time
from collections.abc import MutableMapping, MutableSequence
from typing import Any

import gevent

from .pauses import pause

TRIM_SECONDS = 30
KEPT_SECONDS = 60
"""Locust looks back 12 seconds for the present rate; it keeps a slot for each endpoint and second of the run."""
MAX_POINTS = 1_000
"""Of the chart in its report."""
ENTRIES_A_PAUSE = 20


class Trim:
    def __init__(self, stats: Any) -> None:
        self._stats = stats
        self._history = Thinning(MAX_POINTS)

    def run(self) -> None:
        """For ever, as a greenlet."""
        while True:
            gevent.sleep(TRIM_SECONDS)
            self.once(time.time())

    def once(self, now: float) -> None:
        limit = min(now, self._stats.last_request_timestamp or now) - KEPT_SECONDS
        entries = [self._stats.total, *self._stats.entries.values()]
        for place, entry in enumerate(entries):
            if place % ENTRIES_A_PAUSE == 0:
                pause()
            forget(entry.num_reqs_per_sec, limit)
            forget(entry.num_fail_per_sec, limit)
        self._history.thin(self._stats.history)


def forget(by_second: MutableMapping[int, int], limit: float) -> None:
    for second in [second for second in by_second if second < limit]:
        del by_second[second]


class Thinning:
    """Keeps every n-th point of a list that grows at its end; n doubles whenever that would be too many.

    So the points stay evenly spread over the whole run. The last ones, since the last call, are all there.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._every, self._kept, self._met = 1, 0, 0

    def thin(self, points: MutableSequence[Any]) -> None:
        if len(points) < self._kept:  # somebody has emptied it
            self._every, self._kept, self._met = 1, 0, 0
        self._take(points)
        while len(points) > self._most:
            points[:] = points[::2]
            self._every *= 2
        self._kept = len(points)

    def _take(self, points: MutableSequence[Any]) -> None:
        fresh = points[self._kept :]
        points[self._kept :] = [point for n, point in enumerate(fresh, self._met) if n % self._every == 0]
        self._met += len(fresh)
