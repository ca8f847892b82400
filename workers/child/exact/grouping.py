"""Ids in the names of requests, made one name for all of them: `/users/123` → `/users/{id}`. Pure.

The rules look at each segment of a path and each value of a query by itself, and leave words, versions (`v2`) and
slugs as they are.
"""

from __future__ import annotations

import re
from itertools import pairwise

MIN_TOKEN_CHARS = 16
MIN_TURNS = 0.3
"""Neighbours of different kind (lower, upper, digit) in a text made by a machine: about half. In words: under a
quarter."""

RULES = (
    (re.compile(r"[+-]?\d+(?:[.,]\d+)*"), "{id}"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "{date}"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE), "{uuid}"),
    (re.compile(r"(?=[^0-9]*[0-9])(?:[0-9a-f]{12,}|[0-9A-F]{12,})"), "{hex}"),
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"), "{ulid}"),
)
"""The first that fits a whole segment names it."""

_NUMBERED = re.compile(r"([A-Za-z]+[-_]?)\d{4,}")
"""`user_00042`, `order-12345`: the word stays."""
_EXTENSION = re.compile(r"(.+)(\.[A-Za-z]{2,5})")
_TOKEN = re.compile(rf"[A-Za-z0-9_.~=%+-]{{{MIN_TOKEN_CHARS},}}")
_WORDS = re.compile(r"[A-Za-z0-9]+")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def grouped(name: str) -> str:
    """The name without what differs from one object to the next; itself when it is no path."""
    if "/" not in name:
        return name
    origin = _AUTHORITY.match(name)
    start = origin.end() if origin else 0
    path, mark, query = name[start:].partition("?")
    path = "/".join(_segment(segment) for segment in path.split("/"))
    return name[:start] + path + mark + "&".join(_pair(pair) for pair in query.split("&"))


def _pair(pair: str) -> str:
    key, mark, value = pair.partition("=")
    return key + mark + _segment(value) if mark else pair


def _segment(text: str) -> str:
    if not any(map(str.isdigit, text)):
        return text
    found = _named(text)
    if found is None and (extension := _EXTENSION.fullmatch(text)):
        stem = _named(extension[1])
        found = None if stem is None else stem + extension[2]
    return text if found is None else found


def _named(text: str) -> str | None:
    for rule, name in RULES:
        if rule.fullmatch(text):
            return name
    if numbered := _NUMBERED.fullmatch(text):
        return numbered[1] + "{id}"
    return "{token}" if _TOKEN.fullmatch(text) and _is_random(text) else None


def _is_random(text: str) -> bool:
    """Whether its letters and digits are mixed as no language has them."""
    pairs = [pair for word in _WORDS.findall(text) for pair in pairwise(word)]
    turns = sum(_kind(first) != _kind(second) for first, second in pairs)
    return bool(pairs) and turns >= MIN_TURNS * len(pairs)


def _kind(char: str) -> int:
    return 0 if char.isdigit() else 1 if char.islower() else 2
