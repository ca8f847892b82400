"""Small pictures of pools and hosts. Pure: figures in, coordinates out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from apps.pools.allocation import Span

# --- the last ten minutes of a host -----------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN = 72, 40, 2
"""Of the box that a line is drawn in, whose numbers are whole: a page has very many of them."""
WINDOW_SECONDS = 600
BUCKETS = 24
GAP_SECONDS = 40
"""Without a report for so long, nothing was known: the line has a gap."""
CPU, MEMORY, RECEIVED, SENT = 1, 2, 3, 4
"""Columns of `WorkerHost.recent`."""


@dataclass(frozen=True, slots=True)
class Spark:
    """A line for an SVG path, in a box of WIDTH × HEIGHT."""

    path: str
    first: float
    last: float
    highest: float


def spark(recent: Sequence[Any], columns: Sequence[int], *, full: float | None) -> Spark | None:
    """The sum of these columns over the ten minutes before the newest sample; None with fewer than two samples.

    `full` is the top of the picture; None: the highest value is.
    """
    points = _points(recent, columns)
    if len(points) < 2:
        return None
    end, values = points[-1][0], [value for _at, value in points]
    top = max(full or 0.0, *values) or 1.0
    buckets = _buckets(points, end)
    return Spark(_path(buckets, end, top), values[0], values[-1], max(values))


def _points(recent: Sequence[Any], columns: Sequence[int]) -> list[tuple[float, float]]:
    """Time and value, in order, of the samples that can be read."""
    rows = [row for row in recent if isinstance(row, (list, tuple)) and len(row) > max(columns)]
    found = [(number(row[0]), [number(row[column]) for column in columns]) for row in rows]
    points = sorted(
        (at, sum(value or 0.0 for value in values)) for at, values in found if at is not None and None not in values
    )
    return [point for point in points if point[0] > points[-1][0] - WINDOW_SECONDS]


def _buckets(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Means of equal parts of the window: more would not be seen."""
    parts: dict[int, list[tuple[float, float]]] = {}
    for at, value in points:
        parts.setdefault(int((end - at) * BUCKETS / WINDOW_SECONDS), []).append((at, value))
    return sorted((_mean(at for at, _ in part), _mean(value for _, value in part)) for part in parts.values())


def _path(points: Sequence[tuple[float, float]], end: float, top: float) -> str:
    """Each point by its distance from the one before, which is shorter than where it is."""

    def place(at: float, value: float) -> tuple[int, int]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (1 - (end - at) / WINDOW_SECONDS)
        y = MARGIN + (HEIGHT - 2 * MARGIN) * (1 - max(0.0, value) / top)
        return round(x), round(y)

    x, y = place(*points[0])
    parts = [f"M{x} {y}l"]
    for (before, _value), point in pairwise(points):
        (old_x, old_y), (x, y) = (x, y), place(*point)
        parts.append(f"{x - old_x} {y - old_y} " if point[0] - before <= GAP_SECONDS else f"M{x} {y}l")
    return "".join(parts).replace("lM", "M").rstrip("l ").replace(" M", "M").replace(" -", "-")


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def number(value: Any) -> float | None:
    """`value` if it is a finite number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


# --- what is shown already --------------------------------------------------------------------------------------------

TOKEN_BYTES = 4
"""A page compares a few hundred with the ones of a moment ago."""


def token(text: str) -> str:
    """Stands for a text, so that it need not be sent to who has it."""
    return hashlib.blake2b(text.encode(), digest_size=TOKEN_BYTES).hexdigest()


# --- the IDs of a pool ------------------------------------------------------------------------------------------------

LEAST_PERCENT = 0.1
"""So wide is even a single ID of many: at a width of 1000 pixels, one."""
LABEL_PERCENT = 7.0
CHARS_A_PERCENT = 1.6
"""Of a label, where the bar is as wide as on a desk."""
WIDE_PERCENT = 24.0
"""A piece with room for its label on a telephone, too."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span lies in the bar, in percent of it."""

    x: float
    width: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 3)


def place(span: Span, whole: Span) -> Place:
    """Of a span inside of the whole."""
    width = max(LEAST_PERCENT, 100 * span.size / whole.size)
    x = min(100 * (span.first - whole.first) / whole.size, 100 - width)
    return Place(round(x, 3), round(width, 3))


def label(text: str, width: float) -> str:
    """As much of the text as fits under a piece of `width` percent; none where nothing would be said."""
    if width < LABEL_PERCENT:
        return ""
    chars = int(width * CHARS_A_PERCENT)
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
