"""Values out of files that a script may have written: text, counts and measures, each within bounds. Pure."""

from __future__ import annotations

MAX_COUNT = 10**15
MAX_ERROR_CHARS = 2_000
MAX_TIME = 4_000_000_000
"""Year 2096: later is no time at which something was seen, and at some point none that a database can keep."""


def text(value: object, max_chars: int) -> str:
    """Text that any database and page can hold: no NUL, no half of a surrogate pair. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not text")
    return value[:max_chars].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def count(value: object) -> int:
    """A whole number from 0 on, also when it is written as text. Raises ValueError."""
    if isinstance(value, str) and len(value) <= 16 and value.isascii() and value.isdigit():
        value = int(value)
    found = whole(value)
    if found is None:
        raise ValueError("not a count")
    return found


def whole(value: object, most: int = MAX_COUNT) -> int | None:
    """A whole number from 0 to `most`; `None` for anything else, text and truth values too."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def measure(value: object, most: float = MAX_COUNT) -> float | None:
    """A finite number from 0 to `most`, also when it is written as text; `None` for anything else."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None
