"""Finds the values that stand beside a secret name, in all structures we know. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from .spellings import MASK, Span, matched

MAX_INDENT = 40

ROOTS = (
    "token|secret|password|passwd|passphrase|passcode|cookie|credential|signature|session|sessid|apikey|privatekey"
    "|accesskey|csrf|xsrf|authoriz|authoris|authentic"
)
"""They make a name secret wherever they stand in it."""
WORDS = {
    "pass", "pwd", "jwt", "sig", "sid", "sess", "otp", "totp", "pin", "key", "auth", "oauth", "bearer", "pw",
    "passwort", "psk", "mfa", "dsn", "cvv", "cvc",
}  # fmt: skip
"""They do so as words of their own: `userPin` and `user_pin`, but not `pinned`."""

_ROOT = re.compile(ROOTS, re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]++|[A-Z]")
_X_ACCESS = re.compile(r"x[-_]?access", re.IGNORECASE)

_LINE_END = r"(?:\r?\n|\\++r\\++n|\\++n)"
"""Also as JSON spells it."""
_USERINFO = re.compile(r"://([^/?#@\s\"']*(?:@[^/?#@\s\"']*)*)@")
_CREDENTIALS = re.compile(r"[Bb](?i:earer|asic)(?:\s|%20|\+)++([\w.~+/=-]{8,})")
_FIELD_BACKWARDS = re.compile(r"=(?<!==)([ \t]*+)([\w.\[\]%-]++)")
"""`name=` of a query, a form, an attribute; `name = ` of a settings file. Names are looked for from what follows them,
which is rarer than what may be a name: that takes a fifth of the time."""
_SPACED = re.compile(r">?[ \t]*+")
_FIELD_VALUE = re.compile(r"(\\*+[\"'])?+(?(1)|[^&;#\s\"'<>\\]++)")
_MEMBER_BACKWARDS = re.compile(r"([:,>])=?+\s*+([\"'])(\\{0,15}+)([^\"'\n]{1,130}+)\2\3(?:\s*+([\[(]))?+")
"""The name of a member of an object, in either quotes, also of one that stands in a string; the first of a pair."""
_LINE_BACKWARDS = re.compile(r":(?<!//:)[ \t]*+([\w.-]{1,60}+)(?![\w.-])")
_LINE_START_BACKWARDS = re.compile(r"([ \t<>*-]*+)(\n|n\\|)(?(2)|$)")
_BLOCK = re.compile(r"[|>]?[+-]?\d?[ \t]*+(?=\r?\n)")
_TO_LINE_END = re.compile(r"(?:[^\r\n\\]|\\(?![rn]))*+")
_TO_QUOTE = {
    '"': re.compile(r'(?:[^\r\n\\"]|\\[^rn])*+'),
    "'": re.compile(r"(?:[^\r\n\\']|\\[^rn])*+"),
}
_ELEMENT = re.compile(r"(?:<|&lt;|\\u003[cC])(?:[\w-]{1,60}+:)?+([\w.-]{1,60}+)[^<>&\\/]*+(?:>|&gt;|\\u003[eE])")
_TAG = re.compile(r"<[A-Za-z][^<>]*+")
_TAG_NAME = re.compile(r"\b(?:name|key|id|property)\s*+=\s*+[\"']?+([\w.\[\]:-]++)", re.IGNORECASE)
_TAG_VALUE = re.compile(
    r"[vVcC](?:(?<=[vV])alue|(?<=[cC])ontent)\s*+=\s*+(?:\"([^\"]*+)|'([^']*+)|([^\s\"'>]++))", re.IGNORECASE
)
_PART = re.compile(
    rf"name=\\*+\"([^\"\\\r\n]{{1,100}}+)\\*+\"[^\r\n\\]{{0,200}}+(?:{_LINE_END}[^\r\n\\]{{1,200}}+){{0,3}}+{_LINE_END}{{2}}"
)
"""The head of a part of a multipart form."""
_PART_END = re.compile(rf"{_LINE_END}--")
_SPACE = re.compile(r"\s*+")
_BLANKS = re.compile(r"[ \t]*+")
_QUOTE = re.compile(r"\\{0,15}+[\"']")
_SCALAR = re.compile(r"[^\s,}\])\"'\\]++")


@lru_cache(maxsize=4_096)
def is_secret(name: str) -> bool:
    """Whether what has this name is not to be seen; the name may be as JSON or a form spells it."""
    if "\\" in name:
        name = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), name)
    if "%" in name:
        name = unquote(name)
    if _ROOT.search(name) or _X_ACCESS.match(name):
        return True
    words = (word.lower() for word in _WORD.findall(name))
    return any(word in WORDS or word.removesuffix("s") in WORDS for word in words)


def named_spans(text: str) -> list[Span]:
    """Values of secret names, in all structures we know; takes time in proportion to the text."""
    return [
        *(Span(*found.span(1)) for found in _USERINFO.finditer(text)),
        *(Span(*found.span(1)) for found in _CREDENTIALS.finditer(text)),
        *_fields(text, text[::-1]),
        *_members(text, text[::-1]),
        *_lines(text, text[::-1]),
        *(_elements(text) if "<" in text or "&lt;" in text or "\\u003" in text else ()),
        *(_tags(text) if "<" in text else ()),
        *(_parts(text) if 'name="' in text or 'name=\\' in text else ()),
    ]  # fmt: skip


def _backwards(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """What is found in a text that is turned round, from its beginning, and where each ends there."""
    for found in reversed(list(pattern.finditer(text))):
        yield len(text) - found.start(), found


def _fields(text: str, turned: str) -> Iterator[Span]:
    done = 0
    for end, found in _backwards(_FIELD_BACKWARDS, turned):
        name = found[2][::-1]
        if end <= done or not (is_secret(name) or (name == "code" and not found[1])):  # OAuth's `?code=`
            continue
        value = _FIELD_VALUE.match(text, matched(_SPACED, text, end) if found[1] else end)
        if value:
            done = _string_end(text, value.end(), value[1]) if value[1] else value.end()
            yield Span(value.start(), done, f"{value[1] or ''}{MASK}{value[1] or ''}")


def _members(text: str, turned: str) -> Iterator[Span]:
    done = 0
    for end, found in _backwards(_MEMBER_BACKWARDS, turned):
        is_pair = found[1] == ","
        if end <= done or (is_pair and not found[5]) or not is_secret(found[4][::-1]):
            continue
        quotes = found[3] + found[2]
        start, done = _value(text, end, quotes)
        if done > start:
            yield Span(start, done, f"{quotes}{MASK}{quotes}")


def _lines(text: str, turned: str) -> Iterator[Span]:
    """`Name: value`, of headers, YAML, JavaScript and prose."""
    done = 0
    for end, found in _backwards(_LINE_BACKWARDS, turned):
        name, named_at = found[1][::-1], len(text) - found.end()
        if text[named_at - 1 : named_at] == "\\" and name[0] in "nrt":  # a line of a text that JSON spells
            name, named_at = name[1:], named_at + 1
        if end <= done or not is_secret(name):
            continue
        start = matched(_BLANKS, text, end)
        done = _line_end(text, named_at, name.lower(), start)
        if done > start:
            yield Span(start, done)


def _line_end(text: str, named_at: int, name: str, start: int) -> int:
    opener = text[named_at - 1 : named_at]
    if opener in _TO_QUOTE:
        return matched(_TO_QUOTE[opener], text, start)
    indent = _indent(text, named_at)
    if indent is not None:
        block = _BLOCK.match(text, start)
        return matched(_deeper(indent), text, block.end() if block else matched(_TO_LINE_END, text, start))
    if "-" in name or name in ("cookie", "authorization"):
        return matched(_TO_QUOTE['"'], text, start)
    return _value(text, start, '"')[1]


def _indent(text: str, at: int) -> int | None:
    """How far a name stands from the beginning of its line; None if something is before it."""
    found = _LINE_START_BACKWARDS.match(text[max(0, at - MAX_INDENT) : at][::-1])
    if not found or (not found[2] and found.end() < at):
        return None
    return len(found[1])


@lru_cache(maxsize=64)
def _deeper(indent: int) -> re.Pattern[str]:
    return re.compile(rf"(?:\r?\n[ \t]{{{indent + 1},}}+[^\r\n]*+)*+")


def _elements(text: str) -> Iterator[Span]:
    done = 0
    for found in _ELEMENT.finditer(text):
        if found.start() < done or not is_secret(found[1]):
            continue
        close = re.compile(rf"(?:<|&lt;|\\u003[cC])\\?/(?:[\w-]{{1,60}}+:)?+{re.escape(found[1])}\b").search(
            text, found.end()
        )
        done = close.start() if close else len(text)
        if done > found.end():
            yield Span(found.end(), done)


def _tags(text: str) -> Iterator[Span]:
    """`<input name="csrf" value="…">`."""
    for found in _TAG.finditer(text):
        values = list(_TAG_VALUE.finditer(found[0]))
        if values and any(map(is_secret, _TAG_NAME.findall(found[0]))):
            for value in values:
                start, end = value.span(value.lastindex or 0)
                if end > start:
                    yield Span(found.start() + start, found.start() + end)


def _parts(text: str) -> Iterator[Span]:
    done = 0
    for found in _PART.finditer(text):
        if found.start() >= done and is_secret(found[1]):
            end = _PART_END.search(text, found.end())
            done = end.start() if end else len(text)
            yield Span(found.end(), done)


def _value(text: str, at: int, quotes: str) -> tuple[int, int]:
    """From where to where the value goes that follows a name in such quotes, whole or cut off in its middle."""
    at = matched(_SPACE, text, at)
    opener = _QUOTE.match(text, at)
    if opener:
        return at, _string_end(text, opener.end(), opener[0])
    if text[at : at + 1] in ("{", "["):
        return at, _nest_end(text, at, quotes)
    return at, matched(_SCALAR, text, at)


def _string_end(text: str, at: int, quotes: str) -> int:
    return matched(_string_rest(min(len(quotes) - 1, 15), quotes[-1]), text, at)


def _nest_end(text: str, at: int, quotes: str) -> int:
    depth = 0
    for found in _nest(len(quotes) - 1).finditer(text, at):
        if found[1]:
            depth += len(found[1])
        elif found[2]:
            depth -= len(found[2])
            if depth <= 0:
                return found.end() + depth
    return len(text)


@lru_cache(maxsize=64)
def _string_rest(backslashes: int, quote_: str) -> re.Pattern[str]:
    return re.compile(_rest_of_string(backslashes, quote_), re.DOTALL)


@lru_cache(maxsize=32)
def _nest(backslashes: int) -> re.Pattern[str]:
    strings = "|".join(
        rf"(?<!\\)\\{{{backslashes}}}{quote_}(?:{_rest_of_string(backslashes, quote_)})" for quote_ in ('"', "'")
    )
    return re.compile(rf"([\[{{]++)|([\]}}]++)|{strings}", re.DOTALL)


def _rest_of_string(backslashes: int, quote_: str) -> str:
    """Up to the quote that has as many backslashes as the first one; a longer row of them belongs to the string."""
    if not backslashes:
        return rf"(?:[^{quote_}\\]|\\.)*+{quote_}?"
    inner = rf"[^{quote_}\\]++|\\++(?!{quote_})|\\{{{backslashes + 1},}}+{quote_}"
    return rf"(?:{inner})*+(?:\\{{{backslashes}}}{quote_})?"
