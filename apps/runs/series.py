"""Answers "these endpoints, these metrics, this window, at most so many points" from stored rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.clock import utc
from apps.runs import blocks, tiers
from apps.runs.blocks import TOTAL, Cell, Row
from apps.runs.models import Run

DEFAULT_POINTS = 600
MAX_POINTS = 5_000
GAP_STEPS = 3
"""Silence longer than this many steps is drawn as a gap; Locust's own clock drift skips a second now and then."""

Value = float | int | None


@dataclass(frozen=True, slots=True)
class Window:
    """`from_t` and `to_t` in UTC epoch seconds, both included; None for the run's own ends."""

    from_t: int | None = None
    to_t: int | None = None
    points: int = DEFAULT_POINTS


def _rate(cell: Cell, seconds: float) -> Value:
    return cell.requests / seconds


def _failure_rate(cell: Cell, seconds: float) -> Value:
    return cell.failures / seconds


def _plain(name: str) -> Callable[[Cell, float], Value]:
    def read(cell: Cell, seconds: float) -> Value:
        value: Value = getattr(cell, name)
        return value

    return read


METRICS: dict[str, Callable[[Cell, float], Value]] = {
    "rps": _rate,
    "failures_per_s": _failure_rate,
    **{name: _plain(name) for name in ("requests", "failures", "bytes", "avg_ms", *blocks.LATENCIES)},
}
"""Each reads one figure off a cell that covers so many seconds."""
ALIASES = {name: f"{name}_ms" for name in ("avg", "min", "max", "p50", "p90", "p95", "p99", "p999")}
USERS = "users"
"""Known for the whole run only, not by endpoint."""
COUNTS = frozenset({"rps", "failures_per_s", "requests", "failures", "bytes"})
"""Metrics that are 0, not unknown, where an endpoint was idle."""


def metric_names() -> list[str]:
    """All that may be asked for."""
    return [*METRICS, USERS, *ALIASES]


def load(run: Run, window: Window) -> tuple[list[Row], int]:
    """The rows of a window at a step that gives at most `window.points`, and that step in seconds."""
    ends = _ends(run, window)
    if ends is None:
        return [], 1
    first, last = ends
    step = _step(last - first + 1, window.points)
    tier = _tier(step)
    # Whole steps: a row that begins before the window may reach into it.
    first = first // step * step
    rows = tiers.read(run.pk, tier, from_t=first, to_t=last)
    if tier > 1:
        fresh = tiers.read(run.pk, 1, from_t=max(first, tiers.rolled_until(run.pk)), to_t=last)
        rows += blocks.roll_up(fresh, tier)
    return (blocks.roll_up(rows, step) if step > tier else rows), step


def answer(run: Run, window: Window, *, endpoints: Sequence[int | None], metrics: Sequence[str]) -> dict[str, Any]:
    """The wire form: `{"from", "to", "step_s", "t": […], "series": [{"endpoint", metric: […]}, …]}`.

    `t` holds epoch seconds; every list is as long as `t`, with None where nothing is known. Endpoint None is all.
    """
    rows, step = load(run, window)
    marks: list[Row | None] = _with_gaps(rows, step)
    times = [row.t if row else 0 for row in marks]
    for place, row in enumerate(marks):
        if row is None:
            times[place] = times[place - 1] + step
    seconds = _covered(marks, step)
    cells = [{cell.endpoint: cell for cell in row.cells} if row else {} for row in marks]
    series = [_one(marks, cells, seconds, endpoint, metrics) for endpoint in endpoints]
    return {
        "from": utc(times[0]) if times else None,
        "to": utc(times[-1]) if times else None,
        "step_s": step,
        "t": times,
        "series": series,
    }


def _one(
    marks: list[Row | None],
    cells_by_row: list[dict[int, Cell]],
    seconds: list[float],
    endpoint: int | None,
    metrics: Sequence[str],
) -> dict[str, Any]:
    index = TOTAL if endpoint is None else endpoint
    cells = [by_endpoint.get(index) for by_endpoint in cells_by_row]
    columns: dict[str, Any] = {"endpoint": endpoint}
    for metric in metrics:
        if metric == USERS:
            columns[metric] = [row.users if row else None for row in marks]
        else:
            idle = 0 if metric in COUNTS else None
            columns[metric] = [
                (_round(METRICS[ALIASES.get(metric, metric)](cell, covered)) if cell else (idle if row else None))
                for row, cell, covered in zip(marks, cells, seconds, strict=True)
            ]
    return columns


def _covered(marks: list[Row | None], step: int) -> list[float]:
    """Seconds each row stands for: the step, but beside the run's ends and gaps only what was measured."""
    neighbours = zip([None, *marks], marks, [*marks[1:], None], strict=False)
    return [
        float(min(step, max(1, row.seconds)) if row and (before is None or after is None) else step)
        for before, row, after in neighbours
    ]


def _with_gaps(rows: list[Row], step: int) -> list[Row | None]:
    marks: list[Row | None] = []
    before: Row | None = None
    for row in rows:
        if before is not None and row.t - before.t > GAP_STEPS * step:
            marks.append(None)
        marks.append(row)
        before = row
    return marks


def _ends(run: Run, window: Window) -> tuple[int, int] | None:
    """The part of the window in which there is anything; None when there is nothing."""
    stored = tiers.span(run.pk)
    if stored is None or run.last_tick_at is None:
        return None
    # Not what was stored since `run` was read: ticks after its `last_seq` are the next message's.
    newest = min(stored[1], int(run.last_tick_at.timestamp()))
    first = stored[0] if window.from_t is None else max(stored[0], window.from_t)
    last = newest if window.to_t is None else min(newest, window.to_t)
    return (first, last) if first <= last else None


def _step(span_s: int, points: int) -> int:
    """The smallest step that a tier divides and that needs at most `points` rows, wherever the first one begins."""
    if span_s <= points:
        return 1
    step = math.ceil(span_s / max(1, points - 1))
    tier = _tier(step)
    return math.ceil(step / tier) * tier


def _tier(step: int) -> int:
    return max(size for size in tiers.TIERS if size <= step)


def _round(value: Value) -> Value:
    return round(value, 3) if isinstance(value, float) else value
