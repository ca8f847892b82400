"""The errors of a run, told apart as Locust's failures table does, and bounded in number. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OTHER_ERROR = "(other errors)"


@dataclass(slots=True)
class Kind:
    index: int
    method: str
    name: str
    text: str
    samples: int = 0


class Errors:
    """Gives each method, name and text its index, in order of appearance; one for all that there is no room for."""

    def __init__(self, max_errors: int, other_name: str) -> None:
        self.kinds: list[Kind] = []
        self._other = Kind(max_errors, "", other_name, OTHER_ERROR)
        self._max_errors = max_errors
        self._by_key: dict[tuple[str, str, str], Kind] = {}

    def find(self, method: str, name: str, text: str) -> Kind:
        kind = self._by_key.get((method, name, text))
        if kind is None and len(self.kinds) < self._max_errors:
            kind = self._by_key[method, name, text] = Kind(len(self.kinds), method, name, text)
            self.kinds.append(kind)
        if kind is not None:
            return kind
        if len(self.kinds) == self._max_errors:
            self.kinds.append(self._other)
        return self._other
