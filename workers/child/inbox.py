"""A file in which the supervisor leaves what it wants now. Imports nothing of Locust's."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

MAX_FILE_BYTES = 64 * 1024


class Numbered(Protocol):
    @property
    def revision(self) -> int:
        """Goes up with each change."""


T = TypeVar("T", bound=Numbered)


class Inbox(Generic[T]):
    """`parse` makes something of a JSON value; raises ValueError, TypeError or KeyError for what is nothing."""

    def __init__(self, path: Path, parse: Callable[[Any], T]) -> None:
        self._path = path
        self._parse = parse
        self._seen: tuple[int, int, int] | None = None
        self._revision = 0

    def read(self) -> T | None:
        """What is newer than all before; None when there is nothing. Costs one look at the folder."""
        try:
            found = self._path.stat()
            signature = (found.st_ino, found.st_mtime_ns, found.st_size)
            if signature == self._seen or found.st_size > MAX_FILE_BYTES or not stat.S_ISREG(found.st_mode):
                return None
            news = self._parse(json.loads(self._path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        self._seen = signature
        if news.revision <= self._revision:
            return None
        self._revision = news.revision
        return news
