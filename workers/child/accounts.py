"""Which worker of a run has which numbers: the master's ledger, and the processes that come and go."""

import time
from collections.abc import Callable, Mapping, Sequence

from .ledger import Ledger, Span


class Accounts:
    """`blocks`: first and last number of each worker, by its index. Times are monotonic seconds."""

    def __init__(self, blocks: Mapping[int, Span], clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = Ledger(blocks)
        self._clock = clock
        self._starts: dict[int, int] = {}
        self._gone: frozenset[int] = frozenset()
        self._lost: frozenset[int] = frozenset()

    def connect(self, index: int, start: int) -> list[Span]:
        """What the `start`-th process of a worker begins with; for the same process the same.

        A supervisor starts a process only when the one before it has ended, so that one's numbers are free.
        """
        known = self._starts.get(index, start)
        self._starts[index] = max(known, start)
        if start > known:
            self._ledger.dead(index)
            return self._ledger.back(index, self._clock())
        self._ledger.heard(index, self._clock())
        return self._ledger.held(index)

    def take(self, index: int, count: int) -> list[Span]:
        """Lend a worker some more, as far as there are any."""
        return self._ledger.grant(index, count, self._clock())

    def give_back(self, index: int, spans: Sequence[Span]) -> None:
        self._ledger.give_back(index, spans)

    def settle(self, gone: Sequence[int], lost: Sequence[int]) -> None:
        """The processes of `gone` have ended; those of `lost` are given up, and may be alive. The newest word holds."""
        for index in set(gone) - self._gone:
            self._ledger.dead(index)
        for index in set(lost) - self._lost:
            self._ledger.lost(index, self._clock())
        self._gone, self._lost = frozenset(gone), frozenset(lost)
