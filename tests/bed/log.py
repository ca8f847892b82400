"""What the target's log proves: each ID logged in once, by nobody else at the same time, its uploads without a gap.

Each `assert_…` names the first offenders when it fails.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SHOWN = 10
VALUE_CHARS = 200
LOGIN, UPLOAD, LOGOUT = "/login", "/upload", "/logout"


class Entry(NamedTuple):
    """One request as the target saw it; the log has them in the order in which they arrived."""

    mono: float
    """Seconds of the target's monotonic clock."""
    utc: float
    """Seconds since the epoch by the target's clock."""
    peer: str
    """Address of the host it came from."""
    connection: int
    session: str
    """Number that the login gave; empty before a login."""
    worker: str
    """The script's header X-Worker, empty without one."""
    method: str
    path: str
    id: str
    n: int | None
    status: int


class Stay(NamedTuple):
    """An ID in the hands of one session: from its first request to its last, in monotonic seconds."""

    id: str
    peer: str
    session: str
    first: float
    last: float


def line(entry: Entry) -> str:
    """As it stands in the file. Text of a script cannot break it up."""
    return "\t".join(_cell(value) for value in entry) + "\n"


def parsed(text: str) -> Entry:
    """The other way round. Raises ValueError."""
    mono, utc, peer, connection, session, worker, method, path, user, n, status = text.rstrip("\n").split("\t")
    number = int(n) if n else None
    where = float(mono), float(utc), peer, int(connection), session, worker
    return Entry(*where, method, path, user, number, int(status))


class Log:
    """All requests of a test."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)

    @classmethod
    def read(cls, path: Path, skip: int = 0) -> Log:
        """Complete lines after the first `skip` bytes: a last one that is being written is left for the next time."""
        with path.open("rb") as file:
            file.seek(skip)
            lines = file.read().decode("utf-8").split("\n")[:-1]
        return cls(parsed(text) for text in lines)

    def __len__(self) -> int:
        return len(self.entries)

    def logins_by_id(self) -> dict[str, list[Entry]]:
        return self._by_id(LOGIN)

    def ids_by_worker(self) -> dict[str, set[str]]:
        """The IDs that logged in, by the worker's index as the script sent it."""
        return self._logged_in(lambda entry: entry.worker)

    def ids_by_peer(self) -> dict[str, set[str]]:
        """The IDs that logged in, by the address of the host."""
        return self._logged_in(lambda entry: entry.peer)

    def sequences(self) -> dict[str, list[int]]:
        """What each ID uploaded, in the order of arrival; -1 stands for an upload without a number."""
        return {
            user: [-1 if entry.n is None else entry.n for entry in entries]
            for user, entries in self._by_id(UPLOAD).items()
        }

    def sequence(self, user: str) -> list[int]:
        return self.sequences().get(user, [])

    def stays(self) -> list[Stay]:
        """Who held which ID when, in order of time."""
        found: dict[tuple[str, str, str], Stay] = {}
        for entry in self.entries:
            if not entry.id:
                continue
            holder = entry.session or f"connection {entry.connection}"
            key = entry.id, entry.peer, holder
            known = found.get(key)
            first, last = (known.first, known.last) if known else (entry.mono, entry.mono)
            found[key] = Stay(*key, min(first, entry.mono), max(last, entry.mono))
        return sorted(found.values(), key=lambda stay: (stay.id, stay.first))

    # --- proofs ---------------------------------------------------------------------------------------------------

    def assert_each_once(self, prefix: str, first: int, last: int, *, width: int = 5) -> None:
        """Exactly the IDs `first` to `last` logged in, each of them once."""
        counts = Counter({user: len(entries) for user, entries in self.logins_by_id().items()})
        wanted = [f"{prefix}{number:0{width}}" for number in range(first, last + 1)]
        absent = [f"{user} never logged in" for user in wanted if not counts[user]]
        often = [f"{user} logged in {count} times" for user, count in sorted(counts.items()) if count > 1]
        strange = [f"{user} should not be there" for user in sorted(set(counts) - set(wanted))]
        assert_none([*often, *strange, *absent], f"{prefix}{first:0{width}} … {last:0{width}} each once")

    def assert_no_overlap(self) -> None:
        """No ID was in the hands of two sessions at once, on one host or on two."""
        by_id: dict[str, list[Stay]] = defaultdict(list)
        for stay in self.stays():
            by_id[stay.id].append(stay)
        assert_none([text for stays in by_id.values() for text in overlaps(stays)], "no ID used twice at once")

    def assert_no_gap(self, ids: Iterable[str] | None = None, *, allow_repeats_for: Collection[str] = ()) -> None:
        """Each ID (all that uploaded, unless named) uploaded 1, 2, 3 … in this order.

        `allow_repeats_for`: IDs that may have sent a number again, such as after an upload whose answer was lost.
        """
        known = self.sequences()
        wanted = known if ids is None else {user: known.get(user, []) for user in ids}
        wrong = [
            f"{user}: {complaint}"
            for user, numbers in sorted(wanted.items())
            if (complaint := complaint_of(numbers, may_repeat=user in allow_repeats_for))
        ]
        assert_none(wrong, "uploads 1, 2, 3 … of each ID")

    # --------------------------------------------------------------------------------------------------------------

    def _by_id(self, path: str) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.path == path:
                found[entry.id].append(entry)
        return dict(found)

    def _logged_in(self, key: Callable[[Entry], str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for entry in self.entries:
            if entry.path == LOGIN:
                found[key(entry)].add(entry.id)
        return dict(found)


def gaps(numbers: Sequence[int]) -> list[int]:
    """What is missing from 1 to the highest."""
    return sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))


def repeats(numbers: Sequence[int]) -> list[int]:
    """What is there more than once."""
    return sorted(number for number, count in Counter(numbers).items() if count > 1)


def complaint_of(numbers: Sequence[int], *, may_repeat: bool) -> str:
    """Empty for 1, 2, 3 …, with a number again right after itself where it may be."""
    if not numbers:
        return "nothing uploaded"
    if missing := gaps(numbers):
        return f"without {_first(missing)}"
    again = repeats(numbers)
    if again and not may_repeat:
        return f"again {_first(again)}"
    if any(later < earlier for earlier, later in pairwise(numbers)) or numbers[0] != 1:
        return f"out of order: {_first(numbers)}"
    return ""


def overlaps(stays: Sequence[Stay]) -> list[str]:
    """`stays`: of one ID, in the order in which they began."""
    found = []
    latest: Stay | None = None
    for stay in stays:
        if latest and stay.first <= latest.last:
            both = f"session {latest.session} on {latest.peer} and session {stay.session} on {stay.peer}"
            found.append(f"{stay.id}: {both}, for {min(stay.last, latest.last) - stay.first:.3f} s")
        if latest is None or stay.last > latest.last:
            latest = stay
    return found


def assert_none(offenders: Sequence[str], wanted: str) -> None:
    more = f"\n  … and {len(offenders) - SHOWN} more" if len(offenders) > SHOWN else ""
    assert not offenders, f"not {wanted}:\n  " + "\n  ".join(offenders[:SHOWN]) + more


def _first(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:SHOWN])) + (" …" if len(numbers) > SHOWN else "")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else "".join(char if char.isprintable() else "�" for char in str(value)[:VALUE_CHARS])
