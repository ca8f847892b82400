"""What is counted of one second. Pure."""

from __future__ import annotations

from array import array
from binascii import b2a_base64
from collections import Counter
from collections.abc import Sequence

Refused = dict[str, int]
"""How many events had nonsense for a `time`, a `name`, a `size`: counted all the same."""

NO_TIME = float("nan")
MOST_TIMES = 400_000
"""Requests of a second that keep their times. Only a script that fires events and does nothing else has more; what is
over is added up, so that a line is never longer than its reader takes."""


class Second:
    """One UTC second: its requests one after the other, in columns, and its errors by their index.

    Sums and percentiles are made of it by the supervisor, in a process that makes no load. Here a request costs the
    same however many endpoints there are, and the second itself next to nothing.
    """

    __slots__ = ("errors", "failed", "sizes", "t", "times", "which")

    def __init__(self, t: int) -> None:
        self.t = t
        self.which = array("I")
        """The index of the endpoint of each request."""
        self.times = array("d")
        """Milliseconds, `NO_TIME` for a request without a time."""
        self.sizes = array("Q")
        """Bytes."""
        self.failed = array("I")
        """The index of the endpoint of each request that failed."""
        self.errors: dict[int, int] = {}

    def columns(self) -> dict[str, bytes]:
        """`which times sizes` as base64 of the machine's own numbers: a tenth of the cost of digits."""
        return {"which": _base64(self.which), "times": _base64(self.times), "sizes": _base64(self.sizes)}

    def lists(self) -> dict[str, Sequence[tuple[int, ...]]]:
        """`failed`: index and number; `more`: index, number and bytes of requests beyond `MOST_TIMES`."""
        more, sizes = self.which[MOST_TIMES:], Counter[int]()
        for index, size in zip(more, self.sizes[MOST_TIMES:], strict=True):
            sizes[index] += size
        return {
            "failed": list(Counter(self.failed).items()),
            "more": [(index, count, sizes[index]) for index, count in Counter(more).items()],
        }


def _base64(column: array[int] | array[float]) -> bytes:
    return b2a_base64(memoryview(column)[:MOST_TIMES], newline=False)
