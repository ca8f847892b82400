"""One second of a run as the socket tells it, and how messages are spelt. No numpy: it is little."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.clock import utc
from apps.runs import blocks
from apps.runs.blocks import TOTAL, Cell, Row
from workers import sketch
from workers.samples import Health
from workers.sketch import Sketch

SKETCH = {"least_ms": sketch.LEAST_MS, "gamma": sketch.GAMMA, "last_bucket": sketch.LAST_BUCKET}
"""What a page has to know to read the buckets."""
HEALTH = tuple(Health.__slots__)


def text(message: Mapping[str, Any]) -> str:
    """A message as it is sent."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def tick(row: Row, classes: Sequence[str] = ()) -> dict[str, Any]:
    """`classes`: names of the user classes in the order of the row's."""
    total = next((cell for cell in row.cells if cell.endpoint == TOTAL), None)
    return {
        "type": "tick",
        "seq": row.seq,
        "t": utc(row.t),
        "users": row.users,
        "total": _figures(total) if total else None,
        "rows": [{"endpoint": cell.endpoint, **_figures(cell)} for cell in row.cells if cell.endpoint != TOTAL],
        "health": {name: _round(getattr(row.health, name)) for name in HEALTH} if row.health else None,
        "classes": dict(zip(classes, row.classes, strict=False)),
        "errors": [list(pair) for pair in row.errors],
        "sketch": _flat(total.sketch) if total and total.sketch is not None else None,
    }


def _figures(cell: Cell) -> dict[str, Any]:
    return {
        "requests": cell.requests,
        "failures": cell.failures,
        "avg_ms": _round(cell.avg_ms),
        **{name: _round(value) for name, value in blocks.percentiles(cell).items()},
        "min_ms": _round(cell.min_ms),
        "max_ms": _round(cell.max_ms),
        "bytes": cell.bytes,
    }


def _flat(of: Sketch) -> list[int]:
    """Bucket, count, bucket, count …, from the fastest on."""
    return [number for bucket in sorted(of) for number in (bucket, of[bucket])]


def _round(value: float | None) -> float | None:
    return round(value, 3) if isinstance(value, float) else value
