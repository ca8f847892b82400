"""Lines as our own collector in the child writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workers.sketch import bucket_of, merged

START = 1_800_000_000


def row(index: int, times: Sequence[float], *, failures: int = 0, untimed: int = 0) -> list[Any]:
    sketch = merged({bucket_of(ms): 1} for ms in times)
    pairs = [number for pair in sketch.items() for number in pair]
    extremes: list[float | None] = [sum(times), min(times), max(times)] if times else [None] * 3
    return [index, len(times) + untimed, failures, *extremes, 10 * len(times), pairs]


def second(seq: int, rows: Sequence[object] = (), **changes: Any) -> dict[str, Any]:
    """The second `START + seq`."""
    return {
        "seq": seq,
        "t": START + seq,
        "mono": 500.02 + seq,
        "wall": START + seq + 1.02,
        "users": {"Shopper": 3},
        "target": 3,
        "in_flight": 0,
        "oldest_ms": None,
        "lag_ms": 0.5,
        "cpu": 12.5,
        "rss": 50_000_000,
        "fds": 14,
        "names": [],
        "rows": list(rows),
        "errors_new": [],
        "errors": [],
        "refused": {"time": 0, "name": 0, "size": 0},
        **changes,
    }


def end(seq: int, requests: int, failures: int = 0) -> dict[str, Any]:
    refused: Mapping[str, int] = {"time": 0, "name": 0, "size": 0}
    return {"end": True, "seq": seq, "requests": requests, "failures": failures, "refused": refused}


def spell(*documents: Mapping[str, Any]) -> list[str]:
    return [json.dumps(document, separators=(",", ":")) for document in documents]


def file(*documents: Mapping[str, Any]) -> bytes:
    return "".join(f"{line}\n" for line in spell(*documents)).encode("ascii")
