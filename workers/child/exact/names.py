"""The names of a run: bounded in number and length. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .values import clean, is_text

MAX_SEEN = 10_000
"""Spellings that are remembered; when there are more, all are forgotten and looked up again."""
MAX_GOOD_CHARS = 10_000
"""A longer name is no name of a request, and said to be nonsense; what is over the limit of a run is only cut."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    index: int
    method: str
    name: str


class Names:
    """Gives each method and name its index, in order of appearance."""

    def __init__(self, max_endpoints: int, max_chars: int, other: str) -> None:
        self.other = Endpoint(max_endpoints, "", other)
        self.endpoints: list[Endpoint] = []
        self.overflowed: str | None = None
        """The first name for which there was no room."""
        self.group: Callable[[str], str] | None = None
        self.seen: dict[tuple[str, str], Endpoint] = {}
        """What is found by a spelling of a script."""
        self._max_endpoints = max_endpoints
        self._max_chars = max_chars
        self._by_name: dict[tuple[str, str], Endpoint] = {}

    def find(self, name: object, method: object) -> tuple[Endpoint, bool]:
        """The endpoint, and whether both were text that can be shown."""
        spelled = (_spelling(name, self._max_chars), _spelling(method, self._max_chars))
        endpoint = self.seen.get(spelled)
        if endpoint is not None:
            return endpoint, _is_good(name, spelled[0]) and _is_good(method, spelled[1])
        endpoint = self._enter(*spelled)
        if not (_is_good(name, spelled[0]) and _is_good(method, spelled[1])):
            return endpoint, False
        if len(self.seen) >= MAX_SEEN:
            self.seen.clear()
        self.seen[spelled] = endpoint
        return endpoint, True

    def _enter(self, spelled_name: str, spelled_method: str) -> Endpoint:
        name, method = clean(spelled_name, self._max_chars), clean(spelled_method, self._max_chars)
        if self.group:
            name = self.group(name)
        known = self._by_name.get((name, method))
        if known:
            return known
        if len(self.endpoints) >= self._max_endpoints:
            self._overflow(name)
            return self.other
        endpoint = Endpoint(len(self.endpoints), method, name)
        self.endpoints.append(endpoint)
        self._by_name[name, method] = endpoint
        return endpoint

    def _overflow(self, name: str) -> None:
        if self.overflowed is None:
            self.overflowed = name
            self.endpoints.append(self.other)


def best_group(names: Iterable[str], group: Callable[[str], str]) -> tuple[str, str, int] | None:
    """The group that takes in the most names: one of them, what it would be called, how many. None if none has two."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in dict.fromkeys(names):
        grouped = group(name)
        if grouped != name:
            counts[grouped] += 1
            examples.setdefault(grouped, name)
    found = counts.most_common(1)
    return (examples[found[0][0]], *found[0]) if found and found[0][1] > 1 else None


def _is_good(value: object, spelled: str) -> bool:
    """An enum's member or another kind of text will do; half of a surrogate pair will not, nor a novel."""
    try:
        spelled.encode()
        return is_text(value) and str.__len__(value) <= MAX_GOOD_CHARS  # type: ignore[arg-type]
    except UnicodeError:
        return False


def _spelling(value: object, max_chars: int) -> str:
    """Plain text, cut before anything is kept of it."""
    return value[:max_chars] if type(value) is str else clean(value, max_chars)
