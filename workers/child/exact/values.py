"""What a script may hand to `events.request`, made into values that can be counted. Pure; nothing in here raises."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

MAX_MS = 24 * 3600 * 1000.0
"""Longer than a day is no response time."""
MAX_BYTES = 10**12
"""A thousand of them in a second are still a number that the supervisor takes."""
MAX_ERROR_CHARS = 2_000
UNPRINTABLE = "(unprintable)"

_ADDRESS = "object at 0x"


def time_of(value: object) -> float | None:
    """Milliseconds, or None when this is no response time."""
    number = _number(value)
    return number if number is not None and 0.0 <= number <= MAX_MS else None


def size_of(value: object) -> int | None:
    """Bytes, or None when this is no length."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= MAX_BYTES else None


def clean(text: object, max_chars: int) -> str:
    """A name as text that UTF-8 can carry, without NUL, and of bounded length."""
    try:
        plain = _bounded(str(text), max_chars)
    except Exception:
        plain = UNPRINTABLE
    if not is_text(text):
        plain = _without_address(plain)
    return _encodable(plain.replace("\0", "\ufffd"))[:max_chars]


def is_text(value: object) -> bool:
    """Whatever it says of itself: `isinstance` asks it for its `__class__`, which may raise."""
    return issubclass(type(value), str)


def is_failure(exception: object) -> bool:
    """As Locust has it: whatever is true. A value that will not say whether it is true is no failure."""
    try:
        return bool(exception)
    except Exception:
        return False


def error_text(error: object) -> str:
    """The text by which Locust tells errors apart (`StatsError.parse_error`), bounded, and without raising."""
    try:
        text = _bounded(str(error) if isinstance(error, str) else repr(error), 2 * MAX_ERROR_CHARS)
    except Exception:
        text = f"{_class_name(error)}{UNPRINTABLE}"
    return _encodable(_without_address(text))[:MAX_ERROR_CHARS]


def _class_name(value: object) -> str:
    """As `type` has it: a metaclass may say anything."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def _bounded(text: str, max_chars: int) -> str:
    """Plain text, whatever kind of text a script has made."""
    return str.__getitem__(text, slice(max_chars))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _without_address(text: str) -> str:
    found = text.find(_ADDRESS)
    if found < 0:
        return text
    start = found + len(_ADDRESS) - 2
    end = text.find(">", start)
    return text if end < 0 else text.replace(text[start:end], "0x....")


def _number(value: object) -> float | None:
    if type(value) is bool or not issubclass(type(value), (int, float, Decimal, Fraction)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except Exception:
        return None
    return number if type(number) is float and math.isfinite(number) else None
