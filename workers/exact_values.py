"""What stands in a line of our own collector in the child, each value within bounds. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.samples import MAX_NAME_CHARS, Health
from workers.sketch import GAMMA, LAST_BUCKET, Sketch, middle_ms, upper_ms
from workers.values import measure, text, whole

MAX_PER_SECOND = 10_000_000
"""Requests in a second, or users, or whatever else a process can have: more is no number of ours."""
MAX_MS = 24 * 3600 * 1000.0
"""The child takes no longer time for one."""
MAX_AGE_MS = 30 * MAX_MS
_TOLERANCE = GAMMA**1.5
"""The child rounds what it writes, so a minimum may lie just outside of its bucket."""


def parse(line: str) -> Mapping[str, Any]:
    """A line's JSON object, empty for anything else. NaN and the infinities, which are no JSON, become `None`."""
    if not line.startswith("{"):
        return {}
    try:
        document = json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError, MemoryError):
        return {}
    return document if isinstance(document, dict) else {}


def counts_of(values: object) -> dict[str, int]:
    """Those entries of a mapping that are names with counts."""
    if not isinstance(values, dict):
        return {}
    return {text(key, MAX_NAME_CHARS): count for key, count in values.items() if whole(count) is not None}


def health_of(document: Mapping[str, Any]) -> Health:
    size = measure(document.get("rss"))
    return Health(
        target_users=whole(document.get("target"), MAX_PER_SECOND),
        in_flight=whole(document.get("in_flight"), MAX_PER_SECOND),
        oldest_ms=measure(document.get("oldest_ms"), MAX_AGE_MS),
        lag_ms=measure(document.get("lag_ms"), MAX_AGE_MS),
        cpu_percent=measure(document.get("cpu"), MAX_PER_SECOND),
        rss_bytes=None if size is None else round(size),
        open_files=whole(document.get("fds"), MAX_PER_SECOND),
    )


def sketch_of(pairs: object, most: int) -> dict[int, int] | None:
    """Of `[bucket, count, …]`, with at most so many requests in all; `None` for anything else."""
    if not isinstance(pairs, list) or len(pairs) % 2 or not {type(value) for value in pairs} <= {int}:
        return None
    sketch = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if 2 * len(sketch) != len(pairs):
        return None
    if sketch and not (min(sketch) >= 0 and max(sketch) <= LAST_BUCKET and min(sketch.values()) > 0):
        return None
    return sketch if sum(sketch.values()) <= most else None


@dataclass(frozen=True, slots=True)
class Times:
    """Sum, minimum and maximum of a row as far as its sketch bears them out."""

    sum_ms: float
    min_ms: float | None
    max_ms: float | None
    repaired: bool
    """Whether one of them was wrong."""

    @classmethod
    def of(cls, sketch: Sketch, sum_ms: object, min_ms: object, max_ms: object) -> Times:
        if not sketch:
            return cls(0.0, None, None, any(value is not None and value != 0 for value in (sum_ms, min_ms, max_ms)))
        first, last = min(sketch), max(sketch)
        least, most = _inside(min_ms, first), _inside(max_ms, last)
        if least is not None and most is not None and least > most:
            least = most = None
        count = sum(sketch.values())
        low = _lower_ms(first) if least is None else least
        high = _upper_ms(last) if most is None else most
        total = measure(sum_ms)
        if total is None or not count * low / _TOLERANCE <= total <= count * high * _TOLERANCE:
            total = None
        repaired = least is None or most is None or total is None
        if total is None:
            total = sum(middle_ms(bucket) * count for bucket, count in sketch.items())
        return cls(total, least, most, repaired)


def _inside(value: object, bucket: int) -> float | None:
    """A time that lies in the bucket, or nearly; else `None`."""
    ms = measure(value, MAX_MS)
    if ms is None or not _lower_ms(bucket) / _TOLERANCE <= ms <= _upper_ms(bucket) * _TOLERANCE:
        return None
    return ms


def _lower_ms(bucket: int) -> float:
    return upper_ms(bucket - 1) if bucket else 0.0


def _upper_ms(bucket: int) -> float:
    return upper_ms(bucket) if bucket < LAST_BUCKET else MAX_MS
