"""Which ID was whose and when, from the journals that `child/journal.py` writes. Pure; see `identity_report.py`.

The files belong to the script, so a line may be anything: what cannot be is left out and counted. What is kept is
bounded; what did not fit is counted as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
"""Of a run, shared out evenly over its workers: twice as many as it can have users."""
MAX_PER_ID = 20
"""Leases, and unbroken parts of its sequence, that are kept of an ID."""
MAX_KEPT = 500_000
"""Of all IDs of a run together, about 100 MB, shared out as they are: whoever looks at the report reads all of it."""
LENT_IDS = 1_000
"""For each worker beyond its share, with five entries each: it may be lent some of others."""
MAX_CLASSES = 51
MAX_NAME_CHARS = 200

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

    def __init__(self, since: float, workers: int = 1) -> None:
        """`since`: nothing can have happened earlier; `workers`: so many has the run."""
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
        self._max_ids = min(MAX_IDS, MAX_IDS // workers + LENT_IDS)
        self._max_kept = min(MAX_KEPT, MAX_KEPT // workers + 5 * LENT_IDS)
        self._ids: dict[int, _Id] = {}
        self._in_use: dict[int, _Id] = {}
        """Those with a lease that has not ended."""
        self._classes: dict[str, int] = {}
        self._said_classes: list[int] = []
        """The present process's indexes of classes, as ours."""

    @property
    def in_use(self) -> int | None:
        """How many IDs users have, by the last line; None as long as no user has asked for one."""
        return len(self._in_use) if self._ids else None

    @classmethod
    def resumed(cls, summary: Summary, since: float, workers: int = 1) -> Reader:
        """One that follows on what another had read. Of what was not read by then nobody knows, so one line at least
        counts as missing. Raises LookupError, TypeError and ValueError for what is no summary of ours."""
        reader = cls(since, workers)
        reader._until = summary["until"]
        reader.refused, reader.missing = summary["refused"], summary["missing"] + 1
        reader._unlisted_before, reader._left_out = summary["unlisted"], summary["left_out"]
        reader._hidden = summary["hidden_duplicates"]
        reader._classes = {name: index for index, name in enumerate(summary["classes"])}
        for number, leases, kept, parts, resumed in summary["ids"]:
            ended = max((lease[1] for lease in kept), default=0.0)
            reader._ids[number] = _Id(number, leases, kept, [], ended, parts, resumed)
            reader._kept += len(kept) + len(parts)
        return reader

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
            if len(self._said_classes) < MAX_CLASSES:
                self._said_classes.append(self._class(name))
            else:
                self.refused += 1
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
            if len(self._ids) >= self._max_ids:
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
        if len(kept) >= MAX_PER_ID or self._kept >= self._max_kept:
            self._left_out += 1
            return False
        self._kept += 1
        return True


def _close(one: _Id, lease: Lease, ended: float) -> None:
    lease[1] = ended
    one.ended = max(one.ended, ended)
