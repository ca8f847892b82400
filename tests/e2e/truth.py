"""What a known target and the script itself noted of each request, and what any honest figure of it may say. Pure,
but for `known_target`, which starts one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.stack import wait_for

PROGRAM = Path(__file__).with_name("known_target.py")
SHARES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
SKETCH_ERROR = 0.01
ROUNDING_MS = 0.001
"""REST gives three decimals."""


@dataclass(frozen=True, slots=True)
class Done:
    """One request: when it was done (UTC epoch seconds) and how long it took."""

    id: str
    name: str
    utc: float
    ms: float
    failed: bool
    bytes: int


@dataclass
class KnownTarget:
    """A running known target."""

    process: subprocess.Popen[bytes]
    url: str

    def plan(self, **moments: object) -> None:
        """`step_at=utc`, `freeze=(from, until)`."""
        self._ask("/_control/plan", json.dumps(moments).encode())

    def log(self) -> list[Done]:
        """What it really served, in order; what nobody took any more is not in it."""
        answer = self._ask("/_control/log")
        rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
        served = [row for row in rows if row["status"]]
        return [Done(row["id"], row["path"], row["utc"], row["actual_ms"], row["status"] >= 400, 64) for row in served]

    def late_ms(self) -> list[float]:
        """By how much its idle timer came late, all along."""
        found: list[float] = self._ask("/_control/jitter")["late_ms"]
        return found

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=body), timeout=15) as answer:
            return json.load(answer)


@contextmanager
def known_target(folder: Path) -> Iterator[KnownTarget]:
    """A target of one's own with a log of its own."""
    port_file = folder / "known.port"
    command = [sys.executable, str(PROGRAM), "--port-file", str(port_file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port_file.exists, 20, "the target listens")
        yield KnownTarget(process, f"http://127.0.0.1:{port_file.read_text().strip()}")
    finally:
        process.terminate()
        process.wait(10)


def notes_in(path: Path) -> list[Done]:
    """What the script `scripts.TRUTH` wrote."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Done(number, name, utc, ms, failed, size) for name, number, ms, failed, size, _, utc in rows]


class Times:
    """Requests in order of when they were done: what a window of them must and may hold.

    `early` and `late`: by how many seconds a collector's clock may have seen a completion before or after this one;
    `lags`: for requests of which it is known that it saw them even later, by their id.
    """

    def __init__(
        self, done: Sequence[Done], *, early: float, late: float, lags: Mapping[str, float] | None = None
    ) -> None:
        self.done = sorted(done, key=lambda one: one.utc)
        self._ends = [one.utc for one in self.done]
        self._early = early
        self._lates = [max(late, (lags or {}).get(one.id, 0.0)) for one in self.done]
        self._latest = max(self._lates, default=0.0)

    def certain(self, begin: float, end: float) -> list[Done]:
        """Those that fall in [begin, end) whatever the clocks did."""
        places = range(bisect_left(self._ends, begin + self._early), bisect_left(self._ends, end))
        return [self.done[place] for place in places if self._ends[place] + self._lates[place] < end]

    def possible(self, begin: float, end: float) -> list[Done]:
        """Those that may fall in it."""
        places = range(bisect_left(self._ends, begin - self._latest), bisect_left(self._ends, end + self._early))
        return [self.done[place] for place in places if self._ends[place] + self._lates[place] >= begin]


def complaint_of_count(found: float | None, times: Times, begin: float, end: float) -> str:
    """Empty when `found` requests in [begin, end) can be true."""
    least, most = len(times.certain(begin, end)), len(times.possible(begin, end))
    return "" if least <= (found or 0) <= most else f"{found} requests, not {least} to {most}"


def complaint_of_percentile(
    found: float | None, share: float, times: Times, begin: float, end: float, *, above_ms: float = 0.0
) -> str:
    """Empty when `found` can be the nearest-rank percentile of [begin, end).

    It may be wrong by the error of the sketch, and too high by `above_ms`: what a client sees beyond the target's time.
    """
    certain = sorted(one.ms for one in times.certain(begin, end))
    possible = sorted(one.ms for one in times.possible(begin, end))
    if found is None:
        return "nothing, though there were requests" if certain else ""
    if not possible:
        return f"{found} ms of no requests"
    low, high = percentile_bounds(certain, possible, share)
    low, high = low * (1 - SKETCH_ERROR) - ROUNDING_MS, (high + above_ms) * (1 + SKETCH_ERROR) + ROUNDING_MS
    return "" if low <= found <= high else f"{found} ms, not {low:.3f} to {high:.3f}"


def percentile_bounds(certain: Sequence[float], possible: Sequence[float], share: float) -> tuple[float, float]:
    """The least and the most that the percentile of a set can be that holds all `certain` and only `possible` values.

    Both sorted. An added value moves no rank down, so a set between the two has its kth value between theirs.
    """
    low = possible[_rank(share, len(certain)) - 1]
    last = _rank(share, len(possible))
    return low, certain[last - 1] if last <= len(certain) else possible[-1]


def _rank(share: float, count: int) -> int:
    return max(1, math.ceil(share * count))
