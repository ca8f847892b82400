"""Who may use which numbers of a run: kept by the master, which lends workers more than their own. Pure.

Each number is with one worker, or free, or waits: those of a worker that was lost wait until its process, of which
nobody has seen the end, is sure to be gone. No number is ever with two workers, and none is forgotten.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

QUARANTINE_SECONDS = 90.0
"""A Locust worker that has lost its master goes on for 60 s; the rest is for its users to leave."""

Span = tuple[int, int]
"""First and last number."""


class Spans:
    """A set of numbers, kept as sorted spans with gaps between them."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for span in spans:
            self.add(span)

    def __iter__(self) -> Iterator[Span]:
        yield from list(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def add(self, span: Span) -> None:
        """Also what is in it already; neighbours become one. A span that ends before it begins is none."""
        first, last = span
        if first > last:
            return
        start, stop = bisect_left(self._lasts, first - 1), bisect_right(self._firsts, last + 1)
        if start < stop:
            first, last = min(first, self._firsts[start]), max(last, self._lasts[stop - 1])
        self._firsts[start:stop], self._lasts[start:stop] = [first], [last]

    def within(self, span: Span) -> list[Span]:
        """What of `span` is in here."""
        first, last = span
        if first > last:
            return []
        places = range(bisect_left(self._lasts, first), bisect_right(self._firsts, last))
        return [(max(first, self._firsts[place]), min(last, self._lasts[place])) for place in places]

    def remove(self, span: Span) -> list[Span]:
        """Take out what of `span` is in here, and return it."""
        found = self.within(span)
        if found:
            first, last = span
            start, stop = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
            below, above = (self._firsts[start], first - 1), (last + 1, self._lasts[stop - 1])
            left = [one for one in (below, above) if one[0] <= one[1]]
            self._firsts[start:stop] = [one[0] for one in left]
            self._lasts[start:stop] = [one[1] for one in left]
        return found

    def take(self, count: int, within: Span | None = None) -> list[Span]:
        """Take out the `count` lowest, or as many as there are, of those `within`."""
        taken: list[Span] = []
        for first, last in self if within is None else self.within(within):
            if count <= 0:
                break
            taken += self.remove((first, min(last, first + count - 1)))
            count -= last - first + 1
        return taken


@dataclass(slots=True)
class _Quarantine:
    """Numbers of a lost worker, until `until`."""

    worker: int
    until: float
    numbers: Spans


@dataclass(slots=True)
class Ledger:
    """The numbers of a run. `blocks`: what belongs to each worker, by its index, and is with it in the beginning.

    Times are seconds of any clock that never goes back. Raises ValueError for blocks that overlap or are empty.
    """

    blocks: Mapping[int, Span]
    quarantine_s: float = QUARANTINE_SECONDS
    _held: dict[int, Spans] = field(init=False)
    _free: Spans = field(init=False, default_factory=Spans)
    _lost: list[_Quarantine] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        seen = Spans()
        for first, last in self.blocks.values():
            if first > last or seen.within((first, last)):
                raise ValueError("blocks of workers must not be empty, nor overlap")
            seen.add((first, last))
        self._held = {worker: Spans([block]) for worker, block in self.blocks.items()}

    @property
    def free(self) -> list[Span]:
        """With nobody."""
        return list(self._free)

    def held(self, worker: int) -> list[Span]:
        """With this worker now, its own and those it was lent."""
        return list(self._held.get(worker, ()))

    def waiting(self) -> list[Span]:
        """Those of lost workers whose time is not over."""
        return [span for lost in self._lost for span in lost.numbers]

    def grant(self, worker: int, count: int, now: float) -> list[Span]:
        """Lend up to `count` numbers that are free: the worker's own before others, then the lowest."""
        self.due(now)
        granted = self._free.take(count, self.blocks[worker]) if worker in self.blocks else []
        granted += self._free.take(count - _size(granted))
        self._hold(worker, granted)
        return granted

    def give_back(self, worker: int, spans: Iterable[Span]) -> None:
        """The worker needs them no more. What is not with it is left alone: a message may come late, or twice."""
        held = self._held.get(worker, Spans())
        for span in spans:
            self._release(held.remove(span))

    def lost(self, worker: int, at: float) -> None:
        """Nothing is heard of it: what is with it waits until `at + quarantine_s`, for its process may live on."""
        if numbers := self._held.pop(worker, None):
            self._lost.append(_Quarantine(worker, at + self.quarantine_s, numbers))

    def heard(self, worker: int, now: float) -> None:
        """The very process that was lost is there again: it keeps what still waits."""
        self.due(now)
        for lost in self._leave_quarantine(worker):
            self._hold(worker, lost)

    def dead(self, worker: int) -> None:
        """No process of this worker is left: all that was with it is free. To be told before `back`."""
        self._release(self._held.pop(worker, ()))
        for lost in self._leave_quarantine(worker):
            self._release(lost)

    def due(self, now: float) -> list[Span]:
        """Numbers that have waited long enough; they are free from now on."""
        over = [lost for lost in self._lost if lost.until <= now]
        self._lost = [lost for lost in self._lost if lost.until > now]
        freed = [span for lost in over for span in lost.numbers]
        self._release(freed)
        return freed

    def back(self, worker: int, now: float) -> list[Span]:
        """A new process is this worker now: what it begins with, which is what is free of its own block.

        It may be lent the rest when that comes home. If nobody said that the former process is dead, its numbers wait.
        """
        self.lost(worker, now)
        self.due(now)
        spans = self._free.remove(self.blocks[worker]) if worker in self.blocks else []
        self._hold(worker, spans)
        return spans

    def _hold(self, worker: int, spans: Iterable[Span]) -> None:
        held = self._held.setdefault(worker, Spans())
        for span in spans:
            held.add(span)

    def _release(self, spans: Iterable[Span]) -> None:
        for span in spans:
            self._free.add(span)

    def _leave_quarantine(self, worker: int) -> list[Spans]:
        out = [lost.numbers for lost in self._lost if lost.worker == worker]
        self._lost = [lost for lost in self._lost if lost.worker != worker]
        return out


def _size(spans: Iterable[Span]) -> int:
    return sum(last - first + 1 for first, last in spans)


def numbers_of(spans: Iterable[Span]) -> list[int]:
    return [number for first, last in spans for number in range(first, last + 1)]


def spans_of(numbers: Iterable[int]) -> list[Span]:
    return list(Spans((number, number) for number in numbers))
