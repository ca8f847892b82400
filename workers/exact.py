"""Turns the lines of our own collector in the child (`child/exact`) into ticks. Pure.

The files belong to the script, so a line may be anything. What can be put right is put right, what cannot is left out;
both are counted in `Reader.refused`, and no line raises. Requests count most: one of an index that nobody named is one
of `OTHER`, and one whose time is none counts without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.exact_requests import Requests, by_endpoint
from workers.exact_values import MAX_PER_SECOND, counts_of, health_of, parse
from workers.samples import MAX_CLASSES, MAX_ENDPOINTS, MAX_ERRORS, MAX_NAME_CHARS, OTHER, SampleRow, Tick
from workers.totals import AGGREGATED, Error, Key, Sum
from workers.values import MAX_ERROR_CHARS, MAX_TIME, measure, text, whole

MAX_LINE_BYTES = 12 * 1024 * 1024
"""The child takes 5.4 MiB for as many requests as it lists, and up to 6 for 1,000 new endpoints and 1,000 new errors,
unless their texts are not ASCII."""
MAX_REFUSED_LINES = 10_000
"""Then it is no collector of ours that writes: nothing more is read."""
CLOCK_STEP_SECONDS = 2.0

OTHER_KEY: Key = ("", OTHER)


@dataclass(frozen=True, slots=True)
class Closing:
    """The child's last line: what it counted in all, and the number of its last second."""

    seq: int
    requests: int
    failures: int


class Reader:
    """`feed` gives the ticks of lines; times are UTC epoch seconds.

    A second is where the child's monotonic clock puts it, counted from the first line: a clock that is set moves
    nothing. `since`, and `until` of each `feed`, keep a made-up file from being a hundred thousand ticks.
    """

    def __init__(self, since: int) -> None:
        self.refused = 0
        """Lines, entries and values that were not what they should be."""
        self.missing = 0
        """Seconds whose line never came."""
        self.nonsense = 0
        """Events that the child could make no sense of, all in all."""
        self.overflowed = False
        self.stepped_s = 0.0
        """By how much somebody set the clock; the first time of more than `CLOCK_STEP_SECONDS`."""
        self.closing: Closing | None = None
        self.errors: dict[int, Error] = {}
        self._since = since
        self._names: dict[int, Key] = {MAX_ENDPOINTS: OTHER_KEY}
        self._refused_lines = 0
        self._first_second: int | None = None
        self._seq = 0
        self._ticks = 0
        self._clock_offset: float | None = None

    def feed(self, lines: Iterable[str], until: int) -> list[Tick]:
        return [tick for line in lines if (tick := self._line(line, until)) is not None]

    def _line(self, line: str, until: int) -> Tick | None:
        if self._refused_lines >= MAX_REFUSED_LINES:
            return None
        document = parse(line)
        if self.closing is None and document.get("end") is True:
            self._close(document)
            return None
        t = self._second(document, until) if self.closing is None else None
        if t is None:
            self._refused_lines += 1
            self.refused += 1
            return None
        self._announce(document)
        self._look_at_clock(document)
        self.nonsense = max(self.nonsense, sum(counts_of(document.get("refused")).values()))
        return self._tick(t, document)

    def _second(self, document: Mapping[str, Any], until: int) -> int | None:
        """When the line's second was; None for a second time, a time that has gone by, and one that was made up."""
        seq, said = whole(document.get("seq")), whole(document.get("t"))
        if seq is None or said is None or not self._seq < seq <= until - self._since:
            return None
        first = said - seq if self._first_second is None else self._first_second
        if not self._since <= first + seq <= until:
            return None
        if said != first + seq:
            self.refused += 1
        self.missing += seq - self._seq - 1
        self._first_second, self._seq = first, seq
        return first + seq

    def _tick(self, t: int, document: Mapping[str, Any]) -> Tick:
        total, rows = Sum(), self._rows(document)
        for row in rows:
            total.add(row)
        users = self._users(document.get("users", {}))
        self._ticks += 1
        return Tick(
            seq=self._ticks,
            t=t,
            users=sum(users.values()),
            total=total.row("", AGGREGATED),
            rows=rows,
            health=health_of(document),
            classes=users,
            errors=self._errors(document),
        )

    def _rows(self, document: Mapping[str, Any]) -> tuple[SampleRow, ...]:
        found, refused = by_endpoint(document)
        self.refused += refused
        sums: dict[Key, Sum] = {}
        rows: dict[Key, SampleRow] = {}
        for index, requests in found.items():
            row = _row(*self._key(index), requests)
            if (key := (row.method, row.name)) not in rows:
                rows[key] = row
            else:  # two indexes of one name, or names that nobody announced
                if key not in sums:
                    sums[key] = Sum()
                    sums[key].add(rows[key])
                sums[key].add(row)
        return tuple(sums[key].row(*key) if key in sums else row for key, row in rows.items())

    def _key(self, index: int) -> Key:
        if index not in self._names:
            self.refused += 1
            return OTHER_KEY
        if self._names[index] == OTHER_KEY:
            self.overflowed = True
        return self._names[index]

    def _announce(self, document: Mapping[str, Any]) -> None:
        for entry in self._list(document, "names", MAX_ENDPOINTS + 1):
            match entry:
                case [int(index), str(method), str(name)] if whole(index, MAX_ENDPOINTS) is not None:
                    self._name(index, (text(method, MAX_NAME_CHARS), text(name, MAX_NAME_CHARS)))
                case _:
                    self.refused += 1
        for entry in self._list(document, "errors_new", MAX_ERRORS + 1):
            match entry:
                case [int(index), str(method), str(name), str(said)] if whole(index, MAX_ERRORS) is not None:
                    error = Error(text(method, MAX_NAME_CHARS), text(name, MAX_NAME_CHARS), text(said, MAX_ERROR_CHARS))
                    self.refused += self.errors.setdefault(index, error) != error
                case _:
                    self.refused += 1

    def _name(self, index: int, key: Key) -> None:
        """What an index stands for never changes, and there are no more endpoints than a run may have."""
        if index not in self._names and key != OTHER_KEY:
            named = sum(known != OTHER_KEY for known in self._names.values())
            key = key if named < MAX_ENDPOINTS else OTHER_KEY
        self.refused += self._names.setdefault(index, key) != key

    def _errors(self, document: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
        found: dict[int, int] = {}
        for entry in self._list(document, "errors", MAX_ERRORS + 1):
            match entry:
                case [int(index), int(count)] if index in self.errors and whole(count, MAX_PER_SECOND):
                    found[index] = min(found.get(index, 0) + count, MAX_PER_SECOND)
                case _:
                    self.refused += 1
        return tuple(found.items())

    def _list(self, document: Mapping[str, Any], key: str, most: int) -> list[Any]:
        """The first `most` entries; the child writes no more."""
        found = document.get(key, [])
        if not isinstance(found, list):
            self.refused += 1
            return []
        self.refused += max(0, len(found) - most)
        return found[:most]

    def _users(self, said: object) -> dict[str, int]:
        """By class; those of classes beyond `MAX_CLASSES` together, as `OTHER`."""
        found = counts_of(said)
        self.refused += len(said) - len(found) if isinstance(said, dict) else 1
        if sum(found.values()) > MAX_PER_SECOND:
            self.refused += 1
            return {}
        classes = list(found.items())
        rest = sum(count for _, count in classes[MAX_CLASSES - 1 :])
        return found if len(found) <= MAX_CLASSES else {**dict(classes[: MAX_CLASSES - 1]), OTHER: rest}

    def _look_at_clock(self, document: Mapping[str, Any]) -> None:
        """The clock of the day against the monotonic one, both read at one moment: late lines are no step."""
        wall, mono = measure(document.get("wall"), MAX_TIME), measure(document.get("mono"))
        if wall is None or mono is None:
            return
        if self._clock_offset is None:
            self._clock_offset = wall - mono
        step = wall - mono - self._clock_offset
        if abs(step) > CLOCK_STEP_SECONDS and not self.stepped_s:
            self.stepped_s = step

    def _close(self, document: Mapping[str, Any]) -> None:
        seq, requests = whole(document.get("seq")), whole(document.get("requests"))
        failures = whole(document.get("failures"))
        if seq is None or requests is None or failures is None:
            self.refused += 1
            self._refused_lines += 1
            return
        self.nonsense = max(self.nonsense, sum(counts_of(document.get("refused")).values()))
        self.closing = Closing(seq, requests, failures)


def _row(method: str, name: str, of: Requests) -> SampleRow:
    return Sum(of.count, of.failures, of.sum_ms, of.bytes, of.min_ms, of.max_ms, of.sketch).row(method, name)
