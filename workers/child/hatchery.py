"""IDs, sequence numbers and data rows for the simulated users of a Locust script.

    from hatchery import data_row, sequence, user_id

One file that needs nothing but Locust, on Python 3.9 or newer: the portal brings it along, and for bare `locust` it is
copied beside the locustfile. So it stays one, long as it is: a single file can be saved out of a browser, and given to
workers by their master. `docs/ids-and-data.md` has examples that can be pasted.
"""

from __future__ import annotations

import csv
import heapq
import itertools
import json
import logging
import os
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Backend", "DataFileError", "UserId", "data_row", "sequence", "use", "user_id"]

logger = logging.getLogger("hatchery")

PATIENCE_SECONDS = 5.0
"""A user who has waited so long for an ID waits for something that somebody has to be told of."""
RETRY_SECONDS = 1.0
"""Between two questions for more IDs, while users wait."""
PAUSE_LINES = 5_000
"""Lines of a data file between two pauses in which other users go on: about 2 ms."""
PAUSE_SECONDS = 0.001
MODES = ("split", "shared", "per_user")
ENDS = ("recycle", "stop")
MAX_DIGITS = 12
MAX_CELL_CHARS = 1_000_000
"""As long as the portal takes a row to be."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class UserId(str):
    """The ID of a simulated user as text (`test_00001`); `number` is its number (1)."""

    __slots__ = ("number",)
    number: int

    def __new__(cls, text: str, number: int) -> UserId:
        made = super().__new__(cls, text)
        made.number = number
        return made

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        return str(self), self.number


class DataFileError(ValueError):
    """A data file that is missing, or is not what it should be; names the file, and the line where there is one."""


class Backend:
    """What stands behind this module. This one serves bare `locust`; the portal puts its own in its place.

    No method but `take` and `give_back` may wait, and none may raise.
    """

    def __init__(self) -> None:
        self._committed: dict[int, int] = {}

    def numbers(self) -> Iterator[int]:
        """This worker's own numbers, lowest first; asked once. Raises ValueError for settings that make no sense."""
        first = _setting("WORKER_OFFSET", 0) + 1
        if not os.environ.get("WORKER_COUNT"):
            return itertools.count(first)
        return iter(range(first, first + _setting("WORKER_COUNT", 0)))

    def position(self, number: int) -> int:
        """The place of a number among all of the run, from 0."""
        return number - 1

    def take(self, count: int) -> list[int]:
        """Up to `count` numbers more, for as long as this worker needs them."""
        return []

    def give_back(self, numbers: list[int]) -> None:
        """Those of `take` that nobody needs any more."""

    def committed(self, number: int) -> int:
        """The last sequence number that was committed for an ID, 0 for none."""
        return self._committed.get(number, 0)

    def commit(self, number: int, n: int) -> None:
        self._committed[number] = n

    def file_use(self, name: str) -> tuple[str, str] | None:
        """Mode and end of a data file; None leaves both to the script."""
        return None

    def report(self, kind: str, **facts: Any) -> None:
        """`lease` (number, user_class), `release` (number), `sequence` (number, n), as they happen."""


def use(backend: Backend) -> None:
    """Put `backend` in the place of the one for bare Locust; before the first user asks for anything."""
    global _desk, _files
    _desk, _files = _Desk(backend), _Files()


def user_id(user: Any = None) -> UserId:
    """The ID of `user` (a User or a TaskSet; left out: the user whose code this is), the same until the user ends.

    When all IDs are taken it waits for one. Raises RuntimeError when it cannot tell which user is meant, and for one
    that has not begun or has ended.
    """
    return _here()[0].user_id(user)


@contextmanager
def sequence(user: Any = None) -> Iterator[int]:
    """`with sequence(self) as n`: 1, 2, 3 … for each ID.

    n counts as used when the block ends without an exception; after one, the same n comes again. Raises RuntimeError as
    `user_id` does, and when a block of the same user has not ended yet.
    """
    desk = _here()[0]
    lease, uid = desk.lease(user)
    if lease.is_counting:
        raise RuntimeError(f"A block with the sequence of {uid} has not ended yet; a user can be in one at a time.")
    lease.is_counting = True
    n = desk.backend.committed(uid.number) + 1
    try:
        yield n
    finally:
        lease.is_counting = False
    if not lease.is_over:  # else the ID may be somebody else's by now
        desk.backend.commit(uid.number, n)
        desk.backend.report("sequence", number=uid.number, n=n)


def data_row(name: str, user: Any = None, *, mode: str = "split", at_end: str = "recycle") -> Any:
    """A row of the data file `name`: a dict of text for CSV with a header, whatever stands there for JSON lines.

    `mode`: "split" (the next row of this worker's part), "shared" (the next of all rows, in each worker) or "per_user"
    (the row that belongs to the user's ID, always the same). `at_end`: "recycle" begins anew, "stop" ends the user who
    asked. What the portal knows of the file comes before both. Raises DataFileError, and RuntimeError as `user_id`.
    """
    desk, files = _here()
    known = desk.backend.file_use(name)
    mode, at_end = known or (mode, at_end)
    if mode not in MODES or at_end not in ENDS:
        raise ValueError(f"mode is one of {', '.join(MODES)}, and at_end one of {', '.join(ENDS)}.")
    # What the portal hands out split is this worker's part already.
    table = files.table(name, mode, cut=mode == "split" and known is None)
    if mode == "per_user":
        place = table.place_of(desk.backend.position(desk.user_id(user).number), at_end)
    else:
        place = table.next_place(at_end)
    if place is None:
        from locust.exception import StopUser

        raise StopUser(f"{name}: there is no row left")
    return table.rows[place]


class _Lease:
    """What a user has from its first question until its greenlet has ended: an ID, or a place among those who wait."""

    def __init__(self, user_class: str) -> None:
        from gevent.event import Event

        self.user_class = user_class
        self.uid: UserId | None = None
        self.is_over = False
        self.is_counting = False
        self.settled = Event()


class _Desk:
    """Hands numbers to users, and takes them back. A number that is free while somebody waits does not exist."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._prefix, self._width = os.environ.get("ID_PREFIX", ""), _setting("ID_WIDTH", 1)
        self._fresh = backend.numbers()
        self._free: list[int] = []
        """A heap of own numbers that were used before; all of them lower than the fresh ones."""
        self._borrowed: set[int] = set()
        self._homeward: list[int] = []
        self._leases: dict[Any, _Lease] = {}
        """By greenlet."""
        self._waiting: OrderedDict[Any, _Lease] = OrderedDict()
        self._is_asking = self._has_warned = self._has_failed = False

    def user_id(self, user: Any) -> UserId:
        return self.lease(user)[1]

    def lease(self, user: Any) -> tuple[_Lease, UserId]:
        """Waits until there is a number. No other function of this class does."""
        key, user = _find(user)
        lease = self._leases.get(key) or self._begin(key, user)
        if lease.uid is None and not lease.settled.wait(PATIENCE_SECONDS):
            self._warn()
            lease.settled.wait()
        if lease.uid is None:
            raise RuntimeError("The user ended before there was an ID for it.")
        return lease, lease.uid

    def _begin(self, key: Any, user: Any) -> _Lease:
        if not self._leases:
            _look_at(user)
        lease = self._leases[key] = _Lease(type(user).__name__)
        if hasattr(key, "link"):
            key.link(self._end)  # however it ends
        number = heapq.heappop(self._free) if self._free else next(self._fresh, None)
        if number is not None:
            self._grant(lease, number)
        else:
            self._waiting[key] = lease
            self._ask()
        return lease

    def _grant(self, lease: _Lease, number: int) -> None:
        lease.uid = UserId(f"{self._prefix}{number:0{self._width}d}", number)
        lease.settled.set()
        self.backend.report("lease", number=number, user_class=lease.user_class)

    def _end(self, key: Any) -> None:
        """Called by gevent's loop when a user's greenlet has ended."""
        lease = self._leases.pop(key)
        self._waiting.pop(key, None)
        lease.is_over = True
        lease.settled.set()
        if lease.uid is not None:
            self.backend.report("release", number=lease.uid.number)
            self._put(lease.uid.number)

    def _put(self, number: int) -> None:
        """Give a number to who has waited longest, or keep it, or send it back to where it was borrowed."""
        if self._waiting:
            self._grant(self._waiting.popitem(last=False)[1], number)
        elif number in self._borrowed:
            self._send_home(number)
        else:
            heapq.heappush(self._free, number)

    def _ask(self) -> None:
        if not self._is_asking:
            import gevent

            self._is_asking = True
            gevent.spawn(self._borrow)

    def _borrow(self) -> None:
        from gevent import sleep

        try:
            while self._waiting:
                for number in self._take():
                    self._borrowed.add(number)
                    self._put(number)
                if self._waiting:
                    sleep(RETRY_SECONDS)
        finally:
            self._is_asking = False

    def _take(self) -> list[int]:
        try:
            return self.backend.take(len(self._waiting))
        except Exception as error:
            self._complain("More IDs could not be asked for", error)
            return []

    def _send_home(self, number: int) -> None:
        import gevent

        self._borrowed.discard(number)
        self._homeward.append(number)
        if len(self._homeward) == 1:
            gevent.spawn(self._give_back)

    def _give_back(self) -> None:
        numbers, self._homeward = self._homeward, []
        try:
            self.backend.give_back(numbers)
        except Exception as error:
            self._complain("IDs could not be given back", error)

    def _complain(self, text: str, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.error(text, exc_info=error)

    def _warn(self) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        logger.warning(
            "All %d IDs of this worker are in use, and %d of its users wait for one; they go on when others end. "
            "Start fewer users here, or give this worker more IDs: in the portal a larger ID range of its host, with "
            "bare Locust a larger WORKER_COUNT.",
            len(self._leases) - len(self._waiting),
            len(self._waiting),
        )


def _find(user: Any) -> tuple[Any, Any]:
    """What the user's number is bound to, in general its greenlet, and the user."""
    if user is None:
        user = _current()
    elif not hasattr(user, "greenlet") and hasattr(user, "user"):
        user = user.user  # of a TaskSet
    greenlet = getattr(user, "greenlet", None)
    if greenlet is None and getattr(user, "_state", None) is not None:
        return user, user  # run_single_user() makes no greenlet; there is one user then, and no other after it
    if greenlet is None:
        raise RuntimeError(f"{type(user).__name__} is no user that has begun: ask in on_start or in a task.")
    if greenlet.ready():
        raise RuntimeError("The user has ended, and its ID may be somebody else's by now.")
    return greenlet, user


def _current() -> Any:
    from gevent import getcurrent

    greenlet = getcurrent()
    user = next(iter(getattr(greenlet, "args", ())), None)
    if user is None or getattr(user, "greenlet", None) is not greenlet:
        raise RuntimeError("This code is not run by a user itself: say which one is meant, as in user_id(self).")
    return user


def _look_at(user: Any) -> None:
    """Warn of the one mistake that gives the same IDs to users of two processes."""
    runner = getattr(getattr(user, "environment", None), "runner", None)
    if type(runner).__name__ == "WorkerRunner" and "WORKER_OFFSET" not in os.environ:
        logger.warning("WORKER_OFFSET is not set: each worker begins with the same ID. Set it for each worker.")


class _Rows:
    """The rows of a file by their number. In memory are 8 bytes a row, and the names of the columns."""

    def __init__(self, name: str, pause: Callable[[], None] = lambda: None) -> None:
        """Reads all of it once, calling `pause` now and then. Raises DataFileError."""
        csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARS))  # Python's own is 131,072
        self._name = name
        self._is_json = name.lower().endswith((".jsonl", ".ndjson"))
        self._offsets = array("Q")
        self._line = self._at = 0
        try:
            self._file = open(name, "rb")  # noqa: SIM115
        except OSError as error:
            raise DataFileError(f"{name}: {error.strerror}. It is looked for in {os.getcwd()}.") from error  # noqa: PTH109
        try:
            self._read(pause)
        except BaseException:  # also when the user who asked is stopped meanwhile
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, place: int) -> Any:
        start = self._offsets[place]
        self._file.seek(start)
        end = self._offsets[place + 1] if place + 1 < len(self._offsets) else self._at
        text = self._file.read(end - start).decode("utf-8", "replace")
        try:
            return json.loads(text) if self._is_json else self._row(next(csv.reader([text], strict=True)))
        except (ValueError, RecursionError, StopIteration, csv.Error) as error:
            raise self._wrong(error, self._line_at(start)) from error

    def _row(self, cells: list[str]) -> dict[str, str]:
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells, and the header has {len(self._columns)}")
        return {column: cells[place] for place, column in enumerate(self._columns)}

    def _read(self, pause: Callable[[], None]) -> None:
        if self._file.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK:
            self._at = len(BYTE_ORDER_MARK)
        self._file.seek(self._at)
        lines = self._lines(pause)
        self._columns = [] if self._is_json else self._header(lines)
        self._index(lines)
        if not self._offsets:
            raise DataFileError(f"{self._name}: there are no rows in it.")

    def _header(self, lines: Iterator[bytes]) -> list[str]:
        first = next(lines, b"")
        columns = [cell.strip() for cell in self._record(first, lines)]
        if not any(columns):
            raise DataFileError(f"{self._name}, line 1: the first line must name the columns.")
        if not all(columns) or len(set(columns)) < len(columns):
            raise DataFileError(f"{self._name}, line 1: each column needs a name of its own: {', '.join(columns)}.")
        return columns

    def _index(self, lines: Iterator[bytes]) -> None:
        for line in lines:
            start = self._at - len(line)
            if line in (b"\n", b"\r\n") or (self._is_json and line.isspace()):
                continue
            if b'"' in line and not self._is_json:
                self._record(line, lines)  # which may go on in the next lines
            self._offsets.append(start)

    def _record(self, line: bytes, lines: Iterator[bytes]) -> list[str]:
        """The cells of the record that begins with `line`; takes as many of the next lines as belong to it."""
        began = self._line
        texts = (each.decode("utf-8") for each in itertools.chain([line], lines))
        try:
            return next(csv.reader(texts, strict=True), [])
        except csv.Error as error:
            raise self._wrong(error, began) from error

    def _lines(self, pause: Callable[[], None]) -> Iterator[bytes]:
        for line in self._file:
            self._line += 1
            self._at += len(line)
            if not line.isascii():
                self._check(line)
            yield line
            if self._line % PAUSE_LINES == 0:
                pause()

    def _check(self, line: bytes) -> None:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataFileError(
                f"{self._name}, line {self._line}: this is not UTF-8. Save the file as such."
            ) from error

    def _wrong(self, error: Exception, line: int) -> DataFileError:
        return DataFileError(f"{self._name}, line {line}: {error}.")

    def _line_at(self, offset: int) -> int:
        """Counts from the beginning: of use for a message only."""
        self._file.seek(0)
        line = 1
        while (left := offset - self._file.tell()) > 0:
            line += self._file.read(min(left, 65536)).count(b"\n")
        return line


class _Table:
    """Which row comes next."""

    def __init__(self, rows: _Rows, name: str, *, cut: bool) -> None:
        """`cut`: only a part of the rows is this worker's. Raises DataFileError when there is none for it."""
        self.rows = rows
        index, total = (_setting("WORKER_INDEX", 0), _setting("WORKER_TOTAL", 1)) if cut else (0, 1)
        self._first, self._end = (place * len(rows) // max(1, total) for place in (index, index + 1))
        if not self._first < self._end <= len(rows):
            raise DataFileError(f"{name}: of its {len(rows)} rows none is for worker {index} of {total}.")
        self._next = self._first

    def next_place(self, at_end: str) -> int | None:
        """None when all of this worker's have been handed out and it ends there."""
        if self._next == self._end:
            if at_end == "stop":
                return None
            self._next = self._first
        self._next += 1
        return self._next - 1

    def place_of(self, position: int, at_end: str) -> int | None:
        """For a user by its position in the run; None when there are not as many rows and it ends there."""
        return None if position >= self._end and at_end == "stop" else position % self._end


class _Files:
    """The data files that have been asked for."""

    def __init__(self) -> None:
        from gevent.lock import RLock

        self._tables: dict[tuple[str, str], _Table] = {}
        self._opening = RLock()

    def table(self, name: str, mode: str, *, cut: bool) -> _Table:
        """Only who comes first reads the file, while others who want one wait."""
        if (name, mode) not in self._tables:
            with self._opening:
                if (name, mode) not in self._tables:
                    self._tables[name, mode] = _Table(_Rows(name, _pause), name, cut=cut)
        return self._tables[name, mode]


_desk: _Desk | None = None
_files: _Files | None = None


def _here() -> tuple[_Desk, _Files]:
    if _desk is None or _files is None:
        use(Backend())
        return _here()
    return _desk, _files


def _pause() -> None:
    from gevent import sleep

    sleep(PAUSE_SECONDS)


def _setting(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError(f"{name} must be a whole number from 0 on, not {text!r}.")
    return int(text)
