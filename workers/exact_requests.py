"""The requests of a second as our own collector in the child lists them, added up by endpoint. Pure.

`which`, `times` and `sizes` are columns: of each request the index of its endpoint, its milliseconds (NaN when it has
no time) and its bytes, as the machine's own numbers in base64. `failed` has pairs of index and number of failures;
`more` has index, number and bytes of requests that came without their times, as there were too many. A script may have
written anything.
"""

from __future__ import annotations

import math
from array import array
from binascii import a2b_base64
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers import sketch
from workers.exact_values import MAX_MS, MAX_PER_SECOND
from workers.samples import MAX_ENDPOINTS
from workers.values import MAX_COUNT, whole


@dataclass(slots=True)
class Requests:
    """Of one endpoint in one second. Times in milliseconds, None when no request had one."""

    count: int = 0
    failures: int = 0
    bytes: int = 0
    times: list[float] = field(default_factory=list)
    """As they were written; `reckon` leaves those that are some."""
    sum_ms: float = 0.0
    min_ms: float | None = None
    max_ms: float | None = None
    sketch: dict[int, int] = field(default_factory=dict)

    def reckon(self) -> int:
        """Make sums and sketch of the times; how many were nonsense."""
        if not self.times:
            return 0
        refused = 0
        total, low, high = sum(self.times), min(self.times), max(self.times)
        if not (low >= 0.0 and high <= MAX_MS and total >= 0.0):  # which NaN is not
            good = [ms for ms in self.times if 0.0 <= ms <= MAX_MS]
            refused = sum(not math.isnan(ms) for ms in self.times) - len(good)
            self.times = good
            if not good:
                return refused
            total, low, high = sum(good), min(good), max(good)
        self.sum_ms, self.min_ms, self.max_ms = total, low, high
        self.sketch = sketch.of(self.times)
        return refused


def by_endpoint(document: Mapping[str, Any]) -> tuple[dict[int, Requests], int]:
    """What a line says of each index, from 0 to `MAX_ENDPOINTS`, and how much in it was nonsense.

    Requests count most: one of an index that cannot be is counted with the others, one whose time or size is missing
    has none.
    """
    found: defaultdict[int, Requests] = defaultdict(Requests)
    which, refused = _which(document.get("which"))
    times = _column(document.get("times"), "d", len(which))
    sizes = _column(document.get("sizes"), "Q", len(which))
    refused += (times is None) + (sizes is None)
    _add(found, which, times or [math.nan] * len(which), sizes or [0] * len(which))
    left = MAX_PER_SECOND - len(which)
    for index, count, size in _numbers(document.get("more"), 3):
        if index is None or not count or size is None or count > left:
            refused += 1
            continue
        left -= count
        found[index].count += count
        found[index].bytes += size
    for one in found.values():
        refused += one.reckon()
        if one.bytes > MAX_COUNT:
            one.bytes = 0
            refused += 1
    return found, refused + _fail(found, document.get("failed"))


def _which(text: object) -> tuple[Sequence[int], int]:
    which = _column(text, "I")
    if which is None:
        return [], 1
    if which and max(which) > MAX_ENDPOINTS:
        return [min(index, MAX_ENDPOINTS) for index in which], 1
    return which, 0


def _add(found: Mapping[int, Requests], which: Sequence[int], times: Sequence[float], sizes: Sequence[int]) -> None:
    """By far the most work of a line: three steps for each request."""
    for index, ms, size in zip(which, times, sizes, strict=True):
        one = found[index]
        one.times.append(ms)
        one.bytes += size
    for one in found.values():
        one.count = len(one.times)


def _fail(found: Mapping[int, Requests], said: object) -> int:
    """Enter the failures; how many entries were nonsense."""
    refused = 0
    for index, count in _numbers(said, 2):
        one = None if index is None else found.get(index)
        if one is None or not count or one.failures + count > one.count:
            refused += 1
        else:
            one.failures += count
    return refused


def _column(text: object, kind: str, length: int | None = None) -> array[Any] | None:
    """Numbers out of base64; None for anything else, and for another number of numbers."""
    column: array[Any] = array(kind)
    try:
        column.frombytes(a2b_base64(text, strict_mode=True))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return column if length is None or len(column) == length else None


def _numbers(said: object, width: int) -> Iterator[Sequence[int | None]]:
    """The entries of a list, each an index and counts; what is none is `None`."""
    nothing = [None] * width
    if not isinstance(said, list):
        yield nothing
        return
    for entry in said[: MAX_ENDPOINTS + 1]:
        if isinstance(entry, list) and len(entry) == width:
            yield [whole(entry[0], MAX_ENDPOINTS), *map(whole, entry[1:])]
        else:
            yield nothing
    if len(said) > MAX_ENDPOINTS + 1:
        yield nothing
