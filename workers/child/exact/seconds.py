"""What is counted of one second. Pure."""

from __future__ import annotations

from binascii import b2a_base64
from struct import Struct

Refused = dict[str, int]
"""How many events had nonsense for a `time`, a `name`, a `size`: counted all the same."""

NO_TIME = float("nan")
RECORD = Struct("=IBdQ")
"""Of a request: the index of its endpoint, whether it failed (1), milliseconds or `NO_TIME`, bytes. The reader has the
same (`exact_requests.py`)."""
MOST_LISTED = 200_000
"""Requests of a second that are listed one by one. Only a script that fires events and does nothing else has more; what
is over is added up, so that a line is not longer than its reader takes."""


class Second:
    """One UTC second: its requests, one record after the other, and its errors by their index.

    Sums and percentiles are made of it by the supervisor, in a process that makes no load. Here a request costs the
    same however many endpoints there are. `requests += RECORD.pack(…)` is one step: no signal handler and no other
    thread leaves half of a request.
    """

    __slots__ = ("errors", "requests", "t")

    def __init__(self, t: int) -> None:
        self.t = t
        self.requests = bytearray()
        self.errors: dict[int, int] = {}

    @property
    def count(self) -> int:
        return len(self.requests) // RECORD.size

    @property
    def failures(self) -> int:
        return self.requests[4 :: RECORD.size].count(1)

    def listed(self) -> bytes:
        """The first `MOST_LISTED` records as base64: a tenth of the cost of digits."""
        return b2a_base64(memoryview(self.requests)[: MOST_LISTED * RECORD.size], newline=False)

    def more(self) -> list[tuple[int, ...]]:
        """The others by endpoint: its index, how many requests, how many of them failed, bytes."""
        found: dict[int, list[int]] = {}
        for index, failed, _, size in RECORD.iter_unpack(self.requests[MOST_LISTED * RECORD.size :]):
            sums = found.setdefault(index, [0, 0, 0])
            sums[0] += 1
            sums[1] += failed
            sums[2] += size
        return [(index, *sums) for index, sums in found.items()]
