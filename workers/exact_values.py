"""What stands in a line of our own collector in the child, each value within bounds. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workers.samples import MAX_NAME_CHARS, Health
from workers.values import measure, text, whole

MAX_PER_SECOND = 10_000_000
"""Requests in a second, or users, or whatever else a process can have: more is no number of ours."""
MAX_MS = 24 * 3600 * 1000.0
"""The child takes no longer time for one."""
MAX_AGE_MS = 30 * MAX_MS


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
