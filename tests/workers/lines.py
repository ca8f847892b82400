"""Lines as our own collector in the child writes them."""

from __future__ import annotations

import json
import math
from array import array
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

START = 1_800_000_000


Row = tuple[int, Sequence[float], int]
"""Index, times in milliseconds (NaN when a request has none), and how many requests failed."""


def row(index: int, times: Sequence[float], *, failures: int = 0, untimed: int = 0) -> Row:
    return index, [*times, *[math.nan] * untimed], failures


def base64(kind: str, values: Iterable[float]) -> str:
    return b64encode(array(kind, values)).decode("ascii")


def columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Each request has 10 bytes."""
    which = [index for index, times, _ in rows for _ in times]
    return {
        "which": base64("I", which),
        "times": base64("d", (ms for _, times, _ in rows for ms in times)),
        "sizes": base64("Q", [10] * len(which)),
        "failed": [[index, failures] for index, _, failures in rows if failures],
        "more": [],
    }


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
        **columns(rows),
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
