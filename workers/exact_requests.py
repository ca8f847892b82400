"""The requests of a second as our own collector in the child lists them, added up by endpoint. Pure.

`requests` is base64 of `RECORD`s, one a request. `more` has index, number, failures and bytes of requests that came
without their times, as there were too many. A script may have written anything.
"""

from __future__ import annotations

import math
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from workers import sketch
from workers.exact_values import MAX_MS, MAX_PER_SECOND
from workers.samples import MAX_ENDPOINTS
from workers.values import MAX_COUNT, whole

RECORD = Struct("=IBdQ")
"""Of a request: the index of its endpoint, whether it failed, its milliseconds (NaN when it has no time) and bytes, as
this machine has numbers, which is the child's as well."""


@dataclass(slots=True)
class Requests:
    """Of one endpoint in one second. Times in milliseconds, None when no request had one."""

    count: int = 0
    failures: int = 0
    bytes: int = 0
    times: list[float] = field(default_factory=list)
    """All that a line says, until `reckon` leaves out what is no time."""
    sum_ms: float = 0.0
    min_ms: float | None = None
    max_ms: float | None = None
    sketch: dict[int, int] = field(default_factory=dict)

    def reckon(self) -> int:
        """Make sums and sketch of the times; how many values were nonsense."""
        refused = 0
        if self.bytes > MAX_COUNT:
            self.bytes = MAX_COUNT
            refused += 1
        # An infinity is an extreme, and a NaN makes a sum that is none.
        if self.times and not (min(self.times) >= 0.0 and max(self.times) <= MAX_MS and sum(self.times) >= 0.0):
            good = [ms for ms in self.times if 0.0 <= ms <= MAX_MS]
            refused += sum(not math.isnan(ms) for ms in self.times) - len(good)
            self.times = good
        if self.times:
            self.sum_ms, self.min_ms, self.max_ms = sum(self.times), min(self.times) + 0.0, max(self.times) + 0.0
            self.sketch = sketch.of(self.times)
        return refused


class Endpoints(dict[int, Requests]):
    """By index, made when they are asked for; all indexes above `MAX_ENDPOINTS`, which are nonsense, are that one."""

    refused = 0

    def __missing__(self, index: int) -> Requests:
        if index > MAX_ENDPOINTS:
            self.refused += 1
            return self[MAX_ENDPOINTS]
        self[index] = made = Requests()
        return made


def by_endpoint(document: Mapping[str, Any]) -> tuple[dict[int, Requests], int]:
    """What a line says of each index, from 0 to `MAX_ENDPOINTS`, and how much in it was nonsense.

    Requests count most: one of an index that cannot be is counted with the others, one whose time or size cannot be has
    none.
    """
    found = Endpoints()
    records, refused = _records(document.get("requests"))
    for index, failed, ms, size in RECORD.iter_unpack(records):
        one = found[index]
        one.times.append(ms)
        one.bytes += size
        if failed:
            one.failures += 1
    for one in found.values():
        one.count = len(one.times)
    refused += _add_more(found, document.get("more"), MAX_PER_SECOND - len(records) // RECORD.size)
    refused += sum(one.reckon() for one in found.values())
    return found, refused + found.refused


def _records(text: object) -> tuple[memoryview, int]:
    """Whole ones, and how much was nonsense."""
    try:
        data = a2b_base64(text, strict_mode=True)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return memoryview(b""), 1
    rest = len(data) % RECORD.size
    return memoryview(data)[: len(data) - rest], bool(rest)


def _add_more(found: Endpoints, said: object, left: int) -> int:
    """Enter up to `left` requests without times; how much was nonsense."""
    if not isinstance(said, list):
        return 1
    refused = int(len(said) > MAX_ENDPOINTS + 1)
    for entry in said[: MAX_ENDPOINTS + 1]:
        index, count, failures, size = map(whole, entry if isinstance(entry, list) and len(entry) == 4 else [None] * 4)
        if index is None or not count or count > left:
            refused += 1
            continue
        if failures is None or failures > count:
            failures, refused = 0, refused + 1
        if size is None:
            size, refused = 0, refused + 1
        left -= count
        one = found[index]
        one.count += count
        one.failures += failures
        one.bytes += size
    return refused
