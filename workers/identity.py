"""Which ID was whose and when, from the journals that `child/journal.py` writes, and what is wrong with it. Pure.

The files belong to the script, so a line may be anything: what cannot be is left out and counted. What is kept is
bounded; what did not fit is counted as well, and the report says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.exact_values import parse
from workers.values import MAX_COUNT, MAX_TIME, measure, text, whole

MAX_NUMBER = 10**12
"""The largest number that is part of an ID."""
MAX_LINE_BYTES = 4 * 1024 * 1024
"""The child writes 20,000 entries at most, and few lines have more than 500."""
MAX_ENTRIES = 25_000
MAX_REFUSED_LINES = 10_000
"""Then it is no journal of ours: nothing more is read."""
MAX_IDS = 200_000
MAX_PER_ID = 20
"""Leases, and unbroken parts of its sequence, that are kept of an ID."""
MAX_KEPT = 500_000
"""Of all IDs of a worker together, about 100 MB."""
MAX_CLASSES = 51
MAX_NAME_CHARS = 200
MAX_LISTED = 100
"""Examples in a report, of each kind."""
CLOCK_SECONDS = 1.0
"""Two hosts' clocks may differ by so much: leases that overlap less are none that overlap."""

Span = tuple[int, int]
"""First and last number."""
Summary = dict[str, Any]
"""JSON. `ids` has `[number, leases, [[from, to, class], …], [[first n, last n], …], resumed]` for each ID;
`classes` has names, `until` is the time of the last line; the rest are counts."""

Lease = list[Any]
"""From, to (None while it lasts), class."""


@dataclass(slots=True)
class _Id:
    number: int
    leases: int = 0
    kept: list[Lease] = field(default_factory=list)
    current: list[Lease] = field(default_factory=list)
    """Those of `kept`, or not kept, that have not ended; more than one if there are duplicates."""
    ended: float = 0.0
    parts: list[list[int]] = field(default_factory=list)
    """Sequence numbers without a gap: first and last."""
    resumed: int = 0


class Reader:
    """Of one worker, also when several processes are that worker one after the other. Times are UTC epoch seconds."""

    def __init__(self, since: float) -> None:
        """`since`: nothing can have happened earlier."""
        self.refused = 0
        """Lines and entries that were not what they should be."""
        self.missing = 0
        """Lines that never came."""
        self.is_closed = False
        """Whether the last line said that it was the last one."""
        self._since = since
        self._until = since
        self._seq = 0
        self._refused_lines = 0
        self._unlisted = self._unlisted_before = 0
        self._left_out = self._hidden = 0
        self._kept = 0
        self._ids: dict[int, _Id] = {}
        self._in_use: dict[int, _Id] = {}
        """Those with a lease that has not ended."""
        self._classes: dict[str, int] = {}
        self._said_classes: list[int] = []
        """The present process's indexes of classes, as ours."""

    def feed(self, lines: Iterable[str], until: float) -> None:
        """`until`: nothing can have happened later."""
        for line in lines:
            if self._refused_lines < MAX_REFUSED_LINES and not self._line(parse(line), until):
                self._refused_lines += 1
                self.refused += 1

    def summary(self) -> Summary:
        """What is known by now; leases that have no end last until the last line."""
        return {
            "until": self._until,
            "classes": list(self._classes),
            "refused": self.refused,
            "missing": self.missing,
            "unlisted": self._unlisted_before + self._unlisted,
            "left_out": self._left_out,
            "hidden_duplicates": self._hidden,
            "ids": [self._row(number, one) for number, one in sorted(self._ids.items())],
        }

    def _row(self, number: int, one: _Id) -> list[Any]:
        leases = [[begun, max(begun, self._until) if ended is None else ended, kind] for begun, ended, kind in one.kept]
        return [number, one.leases, leases, [list(part) for part in one.parts], one.resumed]

    def _line(self, document: Mapping[str, Any], until: float) -> bool:
        seq, t = whole(document.get("seq")), measure(document.get("t"), MAX_TIME)
        if seq is None or t is None or not self._since <= t <= until:
            return False
        if document.get("start") is True:
            self._begin_anew()
        if seq <= self._seq:
            return False
        self.missing += seq - self._seq - 1
        self._seq = seq
        self._until = max(self._until, t)
        self.is_closed = document.get("end") is True
        self._unlisted = max(self._unlisted, whole(document.get("unlisted")) or 0)
        self._take(document)
        return True

    def _begin_anew(self) -> None:
        """Another process: users of the one before have ended, at the latest when its last line was written."""
        for one in self._in_use.values():
            for lease in one.current:
                _close(one, lease, max(lease[0], self._until))
            one.current = []
        self._in_use = {}
        self._seq = 0
        self._said_classes = []
        self._unlisted_before += self._unlisted
        self._unlisted = 0

    def _take(self, document: Mapping[str, Any]) -> None:
        for name in self._list(document, "classes_new"):
            self._said_classes.append(self._class(name))
        for entry in self._list(document, "resumed"):
            self.refused += not self._resume(entry)
        for entry in self._list(document, "leases"):
            self.refused += not self._lease(entry)
        for entry in self._list(document, "sequences"):
            self.refused += not self._sequence(entry)

    def _list(self, document: Mapping[str, Any], key: str) -> list[Any]:
        found = document.get(key, [])
        if not isinstance(found, list):
            self.refused += 1
            return []
        self.refused += max(0, len(found) - MAX_ENTRIES)
        return found[:MAX_ENTRIES]

    def _class(self, name: object) -> int:
        """Our index of a class; the last one stands for all that are too many, and for what is no name."""
        known = text(name, MAX_NAME_CHARS) if isinstance(name, str) else ""
        if known not in self._classes and len(self._classes) >= MAX_CLASSES:
            return MAX_CLASSES - 1
        return self._classes.setdefault(known, len(self._classes))

    def _id(self, number: object) -> _Id | None:
        if not (known := whole(number, MAX_NUMBER)):
            return None
        if known not in self._ids:
            if len(self._ids) >= MAX_IDS:
                return None
            self._ids[known] = _Id(known)
        return self._ids[known]

    def _lease(self, entry: object) -> bool:
        match entry:
            case [number, begun, ended, kind]:
                since, to = measure(begun, MAX_TIME), measure(ended, MAX_TIME)
            case _:
                return False
        if since is None or since < self._since or (to is None) != (ended is None) or (to is not None and to < since):
            return False
        if (one := self._id(number)) is None:
            return False
        known = whole(kind, len(self._said_classes) - 1) if self._said_classes else None
        lease = [since, to, None if known is None else self._said_classes[known]]
        began = next((other for other in one.current if other[0] == since), None)
        if began is not None and to is not None:
            _close(one, began, to)
            one.current.remove(began)
        else:
            self._open(one, lease)
        if one.current:
            self._in_use[one.number] = one
        else:
            self._in_use.pop(one.number, None)
        return True

    def _open(self, one: _Id, lease: Lease) -> None:
        one.leases += 1
        overlaps = bool(one.current) or lease[0] < one.ended
        if self._has_room(one.kept):
            one.kept.append(lease)
        else:
            self._hidden += overlaps
        if lease[1] is not None:
            one.ended = max(one.ended, lease[1])
        elif len(one.current) < MAX_PER_ID:
            one.current.append(lease)

    def _sequence(self, entry: object) -> bool:
        match entry:
            case [number, said_first, said_last]:
                first, last = whole(said_first), whole(said_last)
            case _:
                return False
        if not first or last is None or first > last or (one := self._id(number)) is None:
            return False
        if one.parts and one.parts[-1][1] + 1 == first:
            one.parts[-1][1] = last
        elif self._has_room(one.parts):
            one.parts.append([first, last])
        return True

    def _resume(self, entry: object) -> bool:
        match entry:
            case [number, said] if (n := whole(said, MAX_COUNT)) and (one := self._id(number)) is not None:
                one.resumed = max(one.resumed, n)
                return True
            case _:
                return False

    def _has_room(self, kept: Sequence[object]) -> bool:
        if len(kept) >= MAX_PER_ID or self._kept >= MAX_KEPT:
            self._left_out += 1
            return False
        self._kept += 1
        return True


def _close(one: _Id, lease: Lease, ended: float) -> None:
    lease[1] = ended
    one.ended = max(one.ended, ended)


@dataclass(slots=True)
class _Use:
    """What all workers did with one ID."""

    leases: list[tuple[float, float, int, str]] = field(default_factory=list)
    """From, to, worker, user class."""
    parts: list[Span] = field(default_factory=list)
    resumed: int = 0


def report(
    summaries: Mapping[int, Summary], blocks: Mapping[int, Span], *, clock_s: float = CLOCK_SECONDS
) -> dict[str, Any]:
    """What the journals of a run prove, as JSON values; keys of both mappings are indexes of workers.

    workers[]    worker, first, last, used, unused (of its own block), borrowed (of another's), out_of_range, leases
    used         IDs that somebody had
    duplicates   {count, listed[{number, workers, classes, from, to}]}: two users had an ID at the same time; of two
                 workers, for more than `clock_s` seconds
    out_of_range {count, listed[{number, worker}]}: IDs in no block of the run
    sequences    {ids, committed, gaps {count, listed[{number, first, last}]}, repeats {…}}: counts are of numbers n
    incomplete   {unlisted, left_out, refused, missing}: what the report knows nothing of; all 0 in a good run
    """
    uses: dict[int, _Use] = {}
    workers = [_worker(worker, summaries.get(worker), blocks, uses) for worker in sorted({*summaries, *blocks})]
    outside = [row for worker in workers for row in worker.pop("outside")]
    duplicates = [found for number, use in sorted(uses.items()) for found in _duplicates(number, use, clock_s)]
    hidden = sum(summary["hidden_duplicates"] for summary in summaries.values())
    return {
        "workers": workers,
        "used": sum(1 for use in uses.values() if use.leases),
        "duplicates": {"count": len(duplicates) + hidden, "listed": duplicates[:MAX_LISTED]},
        "out_of_range": {"count": len(outside), "listed": outside[:MAX_LISTED]},
        "sequences": _sequences(uses),
        "incomplete": {
            key: sum(summary[key] for summary in summaries.values())
            for key in ("unlisted", "left_out", "refused", "missing")
        },
    }


def sequences_of(summaries: Mapping[int, Summary]) -> Iterator[dict[str, int]]:
    """For each ID that counted: number, last (n), committed, gaps and repeats, in the order of numbers."""
    uses: dict[int, _Use] = {}
    for worker, summary in summaries.items():
        _worker(worker, summary, {}, uses)
    for number, use in sorted(uses.items()):
        if use.parts:
            gaps, repeats = _holes(use)
            yield {
                "number": number,
                "last": max(last for _, last in use.parts),
                "committed": _size(use.parts),
                "gaps": _size(gaps),
                "repeats": _size(repeats),
            }


def _worker(worker: int, summary: Summary | None, blocks: Mapping[int, Span], uses: dict[int, _Use]) -> dict[str, Any]:
    """Enters what the worker did in `uses`, and returns its row."""
    first, last = blocks.get(worker, (0, -1))
    spans = sorted(blocks.values())
    used = borrowed = leases = 0
    outside = []
    for number, count, kept, parts, resumed in summary["ids"] if summary else ():
        use = uses.setdefault(number, _Use())
        classes = summary["classes"] if summary else []
        use.leases += [(begun, ended, worker, "" if kind is None else classes[kind]) for begun, ended, kind in kept]
        use.parts += [(start, end) for start, end in parts]
        use.resumed = max(use.resumed, resumed)
        leases += count
        if not count:
            continue
        if first <= number <= last:
            used += 1
        elif _is_in(number, spans):
            borrowed += 1
        else:
            outside.append({"number": number, "worker": worker})
    return {
        "worker": worker,
        "first": first,
        "last": last,
        "used": used,
        "unused": last - first + 1 - used,
        "borrowed": borrowed,
        "out_of_range": len(outside),
        "leases": leases,
        "outside": outside,
    }


def _is_in(number: int, spans: Sequence[Span]) -> bool:
    """`spans`: sorted, and none overlaps another."""
    place = bisect_right(spans, number, key=lambda span: span[0]) - 1
    return place >= 0 and number <= spans[place][1]


def _duplicates(number: int, use: _Use, clock_s: float) -> Iterator[dict[str, Any]]:
    """Each lease that began before another had ended."""
    latest: tuple[float, float, int, str] | None = None
    for lease in sorted(use.leases):
        if latest is not None:
            ended = min(latest[1], lease[1])
            if lease[0] < latest[1] if lease[2] == latest[2] else ended - lease[0] > clock_s:
                yield {
                    "number": number,
                    "workers": [latest[2], lease[2]],
                    "classes": [latest[3], lease[3]],
                    "from": lease[0],
                    "to": ended,
                }
        if latest is None or lease[1] > latest[1]:
            latest = lease


def _sequences(uses: Mapping[int, _Use]) -> dict[str, Any]:
    holes = {number: _holes(use) for number, use in sorted(uses.items()) if use.parts}
    return {
        "ids": len(holes),
        "committed": sum(_size(uses[number].parts) for number in holes),
        "gaps": _found((number, span) for number, (gaps, _) in holes.items() for span in gaps),
        "repeats": _found((number, span) for number, (_, repeats) in holes.items() for span in repeats),
    }


def _holes(use: _Use) -> tuple[list[Span], list[Span]]:
    """Numbers n that nobody committed, and those that came again; what a process resumed at was committed before."""
    gaps, repeats, reached = [], [], 0
    for first, last in sorted(use.parts):
        if first > max(reached, use.resumed) + 1:
            gaps.append((max(reached, use.resumed) + 1, first - 1))
        if first <= reached:
            repeats.append((first, min(last, reached)))
        reached = max(reached, last)
    return gaps, repeats


def _found(spans: Iterable[tuple[int, Span]]) -> dict[str, Any]:
    every = list(spans)
    return {
        "count": _size(span for _, span in every),
        "listed": [{"number": number, "first": first, "last": last} for number, (first, last) in every[:MAX_LISTED]],
    }


def _size(spans: Iterable[Span]) -> int:
    return sum(last - first + 1 for first, last in spans)
