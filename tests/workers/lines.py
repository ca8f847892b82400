"""Lines as our own collector in the child writes them."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

START = 1_800_000_000


Row = tuple[int, Sequence[float], int]
"""Index, times in milliseconds (NaN when a request has none), and how many requests failed."""


def row(index: int, times: Sequence[float], *, failures: int = 0, untimed: int = 0) -> Row:
    return index, [*times, *[math.nan] * untimed], failures


def base64(records: Iterable[tuple[int, int, float, int]]) -> str:
    """Index, whether it failed, milliseconds, bytes."""
    return b64encode(b"".join(struct.pack("=IBdQ", *record) for record in records)).decode("ascii")


def listed(rows: Sequence[Row]) -> str:
    """Each request has 10 bytes; the first ones have failed."""
    return base64(
        (index, place < failures, ms, 10) for index, times, failures in rows for place, ms in enumerate(times)
    )


def second(seq: int, rows: Sequence[Row] = (), **changes: Any) -> dict[str, Any]:
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
        "requests": listed(rows),
        "more": [],
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
