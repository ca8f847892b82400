"""The percentiles of Locust's CSV rows, from one walk down a histogram instead of one walk for each of them.

Locust writes its files in the loop that makes the load. At 100 names the eleven walks an endpoint stop it for about
20 ms of every second, one walk for 6 ms. The figures are the same to the last digit: `tests/workers` compares them.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

SNAPSHOT_SECONDS = 10
"""Locust compares with what it had about so long ago …"""
SNAPSHOT_SLACK_SECONDS = 9
"""… and takes the nearest snapshot less than this away from that."""


def fields(entry: Any, shares: Sequence[float], *, current: bool) -> list[int]:
    """Of a Locust `StatsEntry` with requests, in milliseconds; `current`: over its last ten seconds or so."""
    times, count = entry.response_times, entry.num_requests - entry.num_none_requests
    if current and entry.use_response_times_cache:
        times, count = _recent(entry, count)
    return in_one_pass(times, count, shares)


def in_one_pass(times: Mapping[int, int], count: int, shares: Sequence[float]) -> list[int]:
    """For each share the slowest time that leaves at most `int(count * share)` requests below it; 0 when there is none.

    `times`: milliseconds → number of requests.
    """
    allowed = [int(count * share) for share in shares]
    found = [0] * len(shares)
    wanted = sorted(range(len(shares)), key=lambda place: -allowed[place])
    left, place = count, 0
    for milliseconds in sorted(times, reverse=True):
        left -= times[milliseconds]
        while place < len(wanted) and left <= allowed[wanted[place]]:
            found[wanted[place]] = int(milliseconds)
            place += 1
        if place == len(wanted):
            break
    return found


def _recent(entry: Any, count: int) -> tuple[Mapping[int, int], int]:
    """What came since the snapshot, and how many; nothing without one, as Locust has it."""
    cache = entry.response_times_cache or {}
    then = int(time.time()) - SNAPSHOT_SECONDS
    nearest = (then + sign * away for away in range(SNAPSHOT_SLACK_SECONDS) for sign in ((-1, 1) if away else (1,)))
    before = next((cache[second] for second in nearest if second in cache), None)
    if before is None:
        return {}, 0
    old = before.response_times
    fresh = {ms: n - old.get(ms, 0) for ms, n in entry.response_times.items() if n != old.get(ms, 0)}
    return fresh, count - (before.num_requests - before.num_none_requests)
