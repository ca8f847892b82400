"""A small picture of the last runs: p95 as a line, the share of failures as bars. Pure: figures in, coordinates out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apps.runs.models import Run

RUNS = 20
WIDTH = 120.0
HEIGHT = 28.0
MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One run's failures; `y` is the top."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Trend:
    """`line` is for a polyline, in a box of WIDTH × HEIGHT; its last point is the newest run."""

    line: str
    bars: tuple[Bar, ...]
    p95s: tuple[float, ...]


def of_runs(newest_first: Sequence[Run]) -> Trend | None:
    """The picture of at most RUNS runs that made requests; None with fewer than two."""
    runs = [run for run in newest_first if _p95(run) is not None][:RUNS][::-1]
    if len(runs) < 2:
        return None
    p95s = [_p95(run) or 0.0 for run in runs]
    step = (WIDTH - 2 * MARGIN) / (len(runs) - 1)
    low, high = min(p95s), max(p95s)
    points = [(MARGIN + step * index, _height(p95, low, high)) for index, p95 in enumerate(p95s)]
    bars = [_bar(x, _failed(run), step) for (x, _y), run in zip(points, runs, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Trend(line, tuple(bar for bar in bars if bar), tuple(p95s))


def _height(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - share)


def _bar(x: float, failed: float, step: float) -> Bar | None:
    if failed <= 0:
        return None
    height = round(max(2.0, HEIGHT * math.sqrt(min(1.0, failed))), 1)  # the root, so that one in a hundred is seen
    width = round(min(4.0, step / 2), 1)
    return Bar(round(x - width / 2, 1), round(HEIGHT - height, 1), width, height)


def _p95(run: Run) -> float | None:
    value = run.totals.get("p95_ms")
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _failed(run: Run) -> float:
    requests, failures = run.totals.get("requests") or 0, run.totals.get("failures") or 0
    return failures / requests if requests else 0.0
