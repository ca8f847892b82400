"""What the child counted, endpoint by endpoint, as the supervisor makes it of a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from workers.child.exact.lines import spell
from workers.child.exact.seconds import Second
from workers.exact_requests import Requests, by_endpoint


def rows_of(line: Mapping[str, Any]) -> dict[int, Requests]:
    """Of a line in which nothing may be nonsense."""
    found, refused = by_endpoint(line)
    assert not refused
    return found


def rows(second: Second) -> dict[int, Requests]:
    return rows_of(json.loads(spell({"t": second.t}, second.listed(), {"more": second.more()}, lambda: None)))


def total(seconds: Iterable[Second]) -> tuple[int, int]:
    """Requests and failures."""
    each = [row for second in seconds for row in rows(second).values()]
    return sum(row.count for row in each), sum(row.failures for row in each)
