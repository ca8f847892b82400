"""How a known secret value may be spelled, and where it stands in a text. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cached_property, lru_cache
from html.entities import codepoint2name
from typing import NamedTuple

MASK = "***"
HEAD_CHARS = 64
"""A long secret is known by its beginning, wherever the rest of it ends."""
MAX_SPELLED_CHARS = 20
"""Of one character: four bytes, each with its percent sign escaped as well (`%25F0`)."""
MIN_BASE64_CHARS = 6
"""Fewer would be found in any text."""

_PIECE = re.compile(r"[A-Za-z0-9]{1,64}+")
_DELIMITER = re.compile(r"[\s\"'<>]")
_BASE64_WHOLE = re.compile(r"[A-Za-z0-9+/]*+={0,2}")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class Span(NamedTuple):
    start: int
    end: int
    instead: str = MASK


class Value:
    """A secret value, in whatever way its characters are spelled: in URLs, JSON, HTML, or several of them at once."""

    def __init__(self, value: str) -> None:
        self._head, self._rest = value[:HEAD_CHARS], value[HEAD_CHARS:]
        self.anchor = max(_PIECE.findall(self._head), key=len, default="")
        """Letters and digits stand for themselves in all spellings: without these there is nothing to look for."""
        self._base64 = list(_base64_cores(self._head.encode("utf-8", "replace")))

    def spans(self, text: str) -> Iterator[Span]:
        if self.anchor not in text:
            return
        done = 0
        for found in self._pattern.finditer(text):
            if found.start() >= done:
                done = self._end(text, found.end())
                yield Span(found.start(), done)

    def base64_spans(self, text: str) -> Iterator[Span]:
        """With all that is encoded together with it, as in `user:password`."""
        for core in self._base64:
            at = text.find(core)
            while at >= 0:
                before = _NOT_BASE64.search(text[:at][::-1])
                end = matched(_BASE64_WHOLE, text, at)
                yield Span(at - before.start() if before else 0, end)
                at = text.find(core, end)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("".join(map(_spelled, re.findall(r"\\+|[^\\]", self._head, re.DOTALL))))

    def _end(self, text: str, at: int) -> int:
        """Where the rest of a long one ends: its runs of letters and digits follow, with room for spelt characters."""
        done = 0
        for piece in _PIECE.finditer(self._rest):
            if at >= len(text):
                return at
            room = (piece.start() - done) * MAX_SPELLED_CHARS
            found = text.find(piece[0], at, at + room + len(piece[0]))
            if found < 0:
                delimiter = _DELIMITER.search(text, at)
                return delimiter.start() if delimiter else len(text)
            at, done = found + len(piece[0]), piece.end()
        if done == len(self._rest):
            return at
        delimiter = _DELIMITER.search(text, at, at + (len(self._rest) - done) * MAX_SPELLED_CHARS)
        return delimiter.start() if delimiter else min(len(text), at + (len(self._rest) - done) * MAX_SPELLED_CHARS)


def matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


@lru_cache(maxsize=1_024)
def _spelled(char: str) -> str:
    """A pattern for one character, or for a row of backslashes, however it is spelled."""
    if char.isascii() and char.isalnum():
        return char
    if char[0] == "\\":
        return r"(?:(?:\\++u005[cC])+|\\++|(?:%(?:25)*5[cC])+|(?:&#92;)+|(?:&#[xX]5[cC];)+)"
    code = ord(char)
    encoded = char.encode("utf-8", "replace")
    units = char.encode("utf-16-be", "replace").hex()
    escapes = ["".join(rf"\\*+(?<=\\)u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))]
    escapes += [rf"\\*+(?<=\\){_ESCAPES[char]}"] if char in _ESCAPES else []
    named = codepoint2name.get(code)
    spellings = [
        "".join(f"%(?:25)*(?i:{byte:02x})" for byte in encoded),
        *([f"%(?i:{code:02x})"] if 0x80 <= code <= 0xFF else []),
        *([rf"\\*+&(?:amp;)?{named};"] if named else []),
        rf"\\*+&(?:amp;)?#(?:0*{code}|[xX]0*(?i:{code:x}));",
        *escapes,
        *(["\\+"] if char == " " else []),
        *(["\r\n", "%0[dD]%0[aA]"] if char == "\n" else []),
        *([re.escape(encoded.decode("latin-1"))] if code >= 0x80 else []),
        rf"\\*+{re.escape(char)}",
    ]
    return f"(?:{'|'.join(spellings)})"


_ESCAPES = {"\n": r"(?:r\\++)?n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def _base64_cores(value: bytes) -> Iterator[str]:
    """What is in the base64 of any text with this value, for each of the three ways in which it may begin there."""
    for shift in range(3):
        encoded = b64encode(b"\0" * shift + value).decode()
        core = encoded[(shift * 8 + 5) // 6 : (shift + len(value)) * 8 // 6]
        if len(core) >= MIN_BASE64_CHARS:
            yield core
