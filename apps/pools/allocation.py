"""Who gets what: Locust workers over hosts, users and their IDs over Locust workers. Pure.

The hosts of a pool have slots, perhaps a limit of users, and perhaps IDs of their own. A run wants so many workers and
so many users. Each user needs an ID of its own, and those of one worker must follow each other, because a script knows
its users as WORKER_OFFSET + 1, + 2 …
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import NamedTuple, TypeVar

HostId = TypeVar("HostId", bound=Hashable)


class Span(NamedTuple):
    """Numbers in a row, both ends included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Room:
    """What a host has free."""

    host_id: Hashable
    name: str
    slots: int
    users: int | None
    """None: no limit."""
    spans: tuple[Span, ...] | None
    """Free IDs, apart from each other. None, of all hosts of a pool: it has no IDs."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One Locust worker: its IDs are `offset + 1` to `offset + users`."""

    host_id: Hashable
    index: int
    users: int
    """The most it gets."""
    offset: int


class NoRoom(Exception):
    """The hosts have too little: of `kind` ("slots", "users", "ids") they offer `free`, and `needed` are needed.

    Slots without users or IDs for them are not free, nor are IDs that so many workers cannot reach.
    """

    def __init__(self, kind: str, *, needed: int, free: int) -> None:
        super().__init__(f"{needed} {kind} are needed, {free} are free")
        self.kind = kind
        self.needed = needed
        self.free = free


# --- sharing ------------------------------------------------------------------------------------------------------


def shares(total: int, parts: int) -> list[int]:
    """Sizes of the parts between the boundaries floor(i·total/parts): 500 over 3 is 166, 167, 167."""
    return [end - start for start, end in pairwise(i * total // max(parts, 1) for i in range(parts + 1))]


def share_out(total: int, limits: Sequence[int | None]) -> list[int]:
    """`shares` with a limit for each part (None: no limit). Parts below their limits differ by at most one.

    Raises ValueError when the limits leave no place for the total.
    """
    full: dict[int, int] = {}
    rest, parts = total, len(limits)
    for limit, i in sorted((limit, i) for i, limit in enumerate(limits) if limit is not None):
        if limit * parts > rest:
            break  # the average of those that are left is within their limits
        full[i] = limit
        rest, parts = rest - limit, parts - 1
    if rest and not parts:
        raise ValueError(f"no place for {rest} of {total}")
    even = iter(shares(rest, parts))
    return [full[i] if i in full else next(even) for i in range(len(limits))]


def free_spans(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of `span`, in order. Those taken may come in any order, overlap and reach beyond it."""
    free, at = [], span.first
    for block in sorted(taken):
        if at < block.first:
            free.append(Span(at, min(block.first - 1, span.last)))
        at = max(at, block.last + 1)
        if at > span.last:
            return free
    return [*free, Span(at, span.last)]


def split(total_span: Span, slots_by_host: Sequence[tuple[HostId, int]]) -> list[tuple[HostId, int, Span]]:
    """The numbers shared out over all slots in order: the host, the number of its slot from 1, the slot's part.

    A host's range is what its slots have together. Raises ValueError when there are fewer numbers than slots.
    """
    slots = [(host_id, number) for host_id, count in slots_by_host for number in range(1, count + 1)]
    if total_span.size < len(slots):
        raise ValueError(f"{total_span.size} numbers for {len(slots)} slots")
    spans = _lay(total_span.first, shares(total_span.size, len(slots)))
    return [(host_id, number, span) for (host_id, number), span in zip(slots, spans, strict=True)]


# --- seats --------------------------------------------------------------------------------------------------------


def seats(rooms: Iterable[Room], *, workers: int, users: int) -> tuple[Seat, ...]:
    """Places for a run of `users` on `workers` Locust workers (but no more workers than users); both at least 1.

    Workers are spread evenly over the hosts, users evenly over the workers; hosts that have less get less. Workers
    move to hosts with more room only as far as the users could not be placed otherwise. The IDs of each worker lie in
    one free span of its host, the lowest that they fit in. Without IDs offsets are the users of the workers before.
    Seats come in the order of their offsets, and are the same for any order of `rooms`.

    Raises NoRoom when no placement at all has so many workers and users, and only then. If the free IDs of every host
    are one span, the users of two workers differ by at most one unless the host of the smaller is full. Of hosts whose
    free IDs are in pieces, the workers may be as uneven as those are.
    """
    workers = min(workers, users)
    stocks = [_Stock(room, users) for room in sorted(rooms, key=_place) if room.slots > 0]
    _check(stocks, workers, users)
    counts = _spread(stocks, workers, users)
    limits = [limit for stock, count in zip(stocks, counts, strict=True) for limit in shares(stock.reach(count), count)]
    sizes = iter(share_out(users, limits))
    blocks, start = [], 1
    for stock, count in zip(stocks, counts, strict=True):
        own = list(islice(sizes, count))
        spans = stock.room.spans if stock.room.spans is not None else [Span(start, start + sum(own) - 1)]
        blocks += [(block, stock.room.host_id) for block in _pack(sorted(spans), own)]
        start += sum(own)
    blocks.sort(key=lambda placed: placed[0])
    return tuple(Seat(host_id, i, block.size, block.first - 1) for i, (block, host_id) in enumerate(blocks))


class _Stock:
    """A host's room, and what some workers could do with it. `users` are those of the run: more are of no use."""

    def __init__(self, room: Room, users: int) -> None:
        self.room = room
        self.users = users if room.users is None else min(users, room.users)
        longest = sorted((span.size for span in room.spans or ()), reverse=True)
        self._ids = None if room.spans is None else [0, *accumulate(longest)]
        """The most IDs in 0, 1, 2 … of its spans."""

    @property
    def ids(self) -> int:
        """How many it has free; without IDs, enough."""
        return self.users if self._ids is None else self._ids[-1]

    @property
    def most_workers(self) -> int:
        """Each needs a slot and at least one user with its ID."""
        return min(self.room.slots, self.users, self.ids)

    def reach(self, workers: int) -> int:
        """The most users of so many workers. Each further worker adds no more than the one before it."""
        if self._ids is None:
            return self.users if workers else 0
        return min(self.users if workers else 0, self._ids[min(workers, len(self._ids) - 1)])


def _place(room: Room) -> tuple[int, str, str]:
    first = min(room.spans).first if room.spans else 0
    return first, room.name, str(room.host_id)


def _check(stocks: Sequence[_Stock], workers: int, users: int) -> None:
    """What is too little however it is placed. Raises NoRoom."""
    questions = [
        ("slots", workers, sum(stock.room.slots for stock in stocks)),
        ("users", users, sum(stock.users for stock in stocks)),
        ("ids", users, sum(stock.ids for stock in stocks)),
        ("slots", workers, sum(stock.most_workers for stock in stocks)),
    ]
    for kind, needed, free in questions:
        if free < needed:
            raise NoRoom(kind, needed=needed, free=free)


def _spread(stocks: Sequence[_Stock], workers: int, users: int) -> list[int]:
    """How many workers each host gets, so that together they reach all users. Raises NoRoom."""
    counts = share_out(workers, [stock.most_workers for stock in stocks])

    def step(host: int, change: int) -> int:
        return stocks[host].reach(counts[host] + change) - stocks[host].reach(counts[host])

    while (reached := sum(stock.reach(count) for stock, count in zip(stocks, counts, strict=True))) < users:
        # One worker at a time leads to the most that can be reached, because each further one adds less.
        takers = [host for host, stock in enumerate(stocks) if counts[host] < stock.most_workers]
        givers = [host for host, count in enumerate(counts) if count]
        taker = max(takers, key=lambda host: step(host, 1), default=None)
        giver = max(givers, key=lambda host: step(host, -1))
        if taker is None or step(taker, 1) + step(giver, -1) <= 0:
            raise NoRoom(_scarce(stocks, workers, users), needed=users, free=reached)
        counts[taker] += 1
        counts[giver] -= 1
    return counts


def _scarce(stocks: Sequence[_Stock], workers: int, users: int) -> str:
    """Whether so many workers would reach the users if there were IDs enough."""
    most = sorted((stock.users for stock in stocks), reverse=True)[:workers]
    return "users" if sum(most) < users else "ids"


def _pack(spans: Sequence[Span], sizes: Sequence[int]) -> list[Span]:
    """Blocks of these sizes, each in the first span with room for it; other sizes if they do not fit otherwise."""
    free, blocks = list(spans), []
    for size in sizes:
        i = next((i for i, span in enumerate(free) if span.size >= size), None)
        if i is None:
            return _pack_uneven(spans, len(sizes), sum(sizes))
        first = free[i].first
        blocks.append(Span(first, first + size - 1))
        free[i] = Span(first + size, free[i].last)
    return blocks


def _pack_uneven(spans: Sequence[Span], count: int, total: int) -> list[Span]:
    """So many blocks with so many numbers in all, as even as the spans allow.

    As many of the longest spans as the total takes get a block each, the others go where most is left for each
    (D'Hondt's method, which makes the smallest as large as can be).
    """
    longest = sorted(spans, key=lambda span: -span.size)
    needed = next(i for i, size in enumerate(accumulate(span.size for span in longest), 1) if size >= total)
    blocks = {span: int(i < needed) for i, span in enumerate(longest)}
    for _ in range(count - needed):
        blocks[max(longest, key=lambda span: span.size / (blocks[span] + 1))] += 1
    sizes = iter(share_out(total, [part for span in spans for part in shares(span.size, blocks[span])]))
    return [block for span in spans for block in _lay(span.first, islice(sizes, blocks[span]))]


def _lay(first: int, sizes: Iterable[int]) -> list[Span]:
    """Blocks one after the other."""
    return [Span(start, end - 1) for start, end in pairwise(accumulate(sizes, initial=first))]
