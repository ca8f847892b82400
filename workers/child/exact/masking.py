"""Takes secrets out of what is kept of a failing request. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"
MIN_SECRET_CHARS = 4

WORDS = "token|secret|password|passwd|pwd|key|session|auth|cookie|credential|signature"
HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"}
"""And all headers with one of `WORDS` in their name."""

_SECRET_NAME = re.compile(WORDS, re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/?#@\s\"']*(?:@[^/?#@\s\"']*)*@")
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)(\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_FIELD = re.compile(r"(?<![\w.\[\]%-])([\w.\[\]%-]++)=([^&;#\s\"'<>]++)")
"""`name=value` of a query or a form."""
_MEMBER = re.compile(r'(?<!\\)(\\*+")([^"\\]*+)\1\s*+:')
"""The name of a member of a JSON object, also of one that stands in a string."""
_VALUE = re.compile(
    r'\s*+(?:"(?:[^"\\]|\\.)*+"?|\\+"[^"\\]*+(?:\\+")?|\[[^\]]*+\]?|\{[^}]*+\}?|[^\s,}\]"]++)', re.DOTALL
)
"""What follows it, whole or cut off in its middle. Nothing in here goes back: an answer may be made to be slow."""


class Masking:
    """Also masks the given values wherever they stand, as they are and as URLs and JSON spell them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {
            spelling
            for secret in secrets
            if len(secret) >= MIN_SECRET_CHARS
            for spelling in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), _json(secret))
        }
        longest_first = sorted(spellings, key=len, reverse=True)
        self.longest = max(map(len, spellings), default=0)
        self._prefixes = longest_first
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str, max_chars: int) -> str:
        """At most so many characters of it, none of which is part of a secret."""
        room = max_chars + self.longest
        cut = self._values(text[:room])
        if len(text) > room:
            cut = self._without_half(cut)
        return self.fields(cut)[:max_chars]

    def fields(self, text: str) -> str:
        text = _USERINFO.sub(f"{MASK}@", text)
        text = _CREDENTIALS.sub(rf"\1\2{MASK}", text)
        return _FIELD.sub(_masked_field, _masked_members(text))

    def headers(self, headers: Mapping[str, str], max_headers: int, max_chars: int) -> dict[str, str]:
        return {
            self._values(name)[:max_chars]: MASK if is_secret(name) else self.text(value, max_chars)
            for name, value in list(headers.items())[:max_headers]
        }

    def _values(self, text: str) -> str:
        return self._known.sub(MASK, text) if self._known else text

    def _without_half(self, text: str) -> str:
        """Without the beginning of a secret at its very end, where the text was cut."""
        for secret in self._prefixes:
            for length in range(min(len(secret) - 1, len(text)), MIN_SECRET_CHARS - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length]
        return text


def is_secret(name: str) -> bool:
    return name.lower() in HEADERS or bool(_SECRET_NAME.search(name))


def _masked_field(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if is_secret(found[1]) else found[0]


def _masked_members(text: str) -> str:
    parts, done = [], 0
    for found in _MEMBER.finditer(text):
        if found.start() < done or not is_secret(found[2]):
            continue
        value = _VALUE.match(text, found.end())
        if value:
            parts += [text[done : found.end()], f"{found[1]}{MASK}{found[1]}"]
            done = value.end()
    return "".join([*parts, text[done:]])


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]
