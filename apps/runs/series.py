"""Answers "these endpoints, these metrics, this window, at most so many points" by merging. Pure.

A percentile of a point is that of all requests in its step, whichever tier they were read from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.core.clock import utc
from apps.runs import frames
from apps.runs.blocks import TOTAL
from apps.runs.frames import Axis, Cells, Floats, Frame, Ints
from workers.sketch import SHARES

DEFAULT_POINTS = 600
MAX_POINTS = 5_000
GAP_STEPS = 3
"""Silence longer than this many steps is drawn as a gap; Locust's own clock drift skips a second now and then."""
MOST_ROWS = 1_500
"""Rows that a dozen endpoints are read of without a thought."""
COARSER_AT_MOST = 4
"""So many times the step that was asked for."""
DECIMALS = 3

Line = int | tuple[int, ...] | None
"""One endpoint, several taken together, or all of them."""


@dataclass(frozen=True, slots=True)
class Window:
    """`from_t` and `to_t` in UTC epoch seconds, both included; None for the run's own ends."""

    from_t: int | None = None
    to_t: int | None = None
    points: int = DEFAULT_POINTS


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one tier with `first <= t < after`."""

    tier: int
    first: int
    after: int


COUNTS = frozenset({"rps", "failures_per_s", "requests", "failures", "bytes"})
"""Metrics that are 0, not unknown, where an endpoint was idle."""
LATENCIES = ("avg_ms", "min_ms", "max_ms", *SHARES)
CELL_NAMES = ("rps", "failures_per_s", "requests", "failures", "bytes", *LATENCIES)
USERS = "users"
PLAIN = ("requests", "failures", "bytes", "min_ms", "max_ms")
RUN_METRICS = (USERS, *(name for name in frames.HEALTH if name != "open_files"))
"""Known for the whole run only, not by endpoint: every line has the same."""
WHOLE_NUMBERS = frozenset({"requests", "failures", "bytes", USERS, "target_users", "in_flight", "rss_bytes"})
BANDS = frozenset({"rps", "failures_per_s", USERS, *LATENCIES})
ALIASES = {name: f"{name}_ms" for name in ("avg", "min", "max", "p50", "p90", "p95", "p99", "p999")}


def metric_names() -> list[str]:
    """All that may be asked for."""
    return [*CELL_NAMES, *RUN_METRICS, *ALIASES]


def named(line: Line) -> int | str | None:
    """What a line is called on the wire: null, `4`, or `"1+4+7"`."""
    return "+".join(map(str, line)) if isinstance(line, tuple) else line


def members(line: Line) -> tuple[int, ...]:
    """The endpoints of the blocks that a line is made of."""
    if line is None:
        return (TOTAL,)
    return line if isinstance(line, tuple) else (line,)


def endpoints_of(lines: Sequence[Line]) -> set[int]:
    """All that have to be read for these lines."""
    return {endpoint for line in lines for endpoint in members(line)}


# --- which rows ---------------------------------------------------------------------------------------------------


def step_for(span_s: int, points: int, tiers: Sequence[int]) -> int:
    """A step that a tier divides and that needs at most `points` rows, wherever the first one begins.

    The smallest such one; but where that means reading more than MOST_ROWS, the next tier's own, unless it is far too
    coarse: its rows are read in a fraction of the time.
    """
    if span_s <= points and tiers[0] == 1:
        return 1
    step = math.ceil(span_s / max(1, points - 1))
    tier = tier_for(step, tiers)
    coarser = next((size for size in tiers if tier < size <= COARSER_AT_MOST * step), None)
    return coarser if coarser and span_s / tier > MOST_ROWS else math.ceil(step / tier) * tier


def tier_for(step_s: int, tiers: Sequence[int]) -> int:
    """The coarsest tier that is fine enough; the finest when none is."""
    return max((size for size in tiers if size <= step_s), default=tiers[0])


def band_tier(span_s: int, step_s: int, lines: int, tiers: Sequence[int], *, most_cells: int) -> int:
    """The finest tier whose points under each point can be looked at in reasonable time."""
    tier = tier_for(step_s, tiers)
    return next((size for size in tiers if size < tier and lines * span_s / size <= most_cells), tier)


def pieces(first: int, last: int, tiers: Sequence[int], *, rolled_until: int) -> list[Piece]:
    """The seconds `first` to `last`, both included, from as few rows as possible: coarse ones in the middle, finer ones
    at the edges. Where the finest tier is gone, whole rows of what there is. What begins at `rolled_until` or later is
    in no coarse tier yet.
    """
    finest = tiers[0]
    first = first // finest * finest
    after = (last // finest + 1) * finest
    return list(_pieces(first, after, sorted(tiers, reverse=True), rolled_until))


def _pieces(first: int, after: int, coarse_to_fine: Sequence[int], rolled_until: int) -> Iterator[Piece]:
    if first >= after:
        return
    tier, finer = coarse_to_fine[0], coarse_to_fine[1:]
    if not finer:
        yield Piece(tier, first, after)
        return
    begin = -(-first // tier) * tier
    end = min(after, rolled_until) // tier * tier
    if begin >= end:
        yield from _pieces(first, after, finer, rolled_until)
        return
    yield from _pieces(first, begin, finer, rolled_until)
    yield Piece(tier, begin, end)
    yield from _pieces(end, after, finer, rolled_until)


# --- the answer ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The points of an answer, gaps among them."""

    step_s: int
    t: Ints
    axis: Axis
    """The rows, which are points but for the gaps."""
    points: Ints
    """For each row which point it is."""

    def rows_at(self, t: Ints) -> Ints:
        """The rows that begin at these seconds."""
        return np.searchsorted(self.axis.t, t)

    @property
    def covered(self) -> Floats:
        """Seconds each row stands for: the step, but beside the ends and gaps only what was measured."""
        between = np.diff(self.points) == 1
        inside = np.concatenate([[False], between]) & np.concatenate([between, [False]])
        measured = np.clip(self.axis.seconds, 1, self.step_s)
        return np.where(inside, float(self.step_s), measured)

    def listed(self, name: str, rows: Ints, values: Floats, idle: float = np.nan) -> list[float | int | None]:
        """A list a point long: the values at their rows, `idle` at the other rows, None at gaps and for NaN."""
        found = np.full(len(self.t), np.nan)
        found[self.points] = idle
        found[self.points[rows]] = values
        return _listed(name, found)


def answer(
    frame: Frame, step_s: int, *, lines: Sequence[Line], metrics: Sequence[str], fine: Frame | None = None
) -> dict[str, Any]:
    """The wire form: `{"from", "to", "step_s", "t": […], "series": [{"endpoint", metric: […]}, …]}`.

    `t` holds epoch seconds; every list is as long as `t`, with None where nothing is known. With `fine`, the same time
    in rows as fine or finer, there are `<metric>_low` and `<metric>_high` too: the extremes of what lies under a point.
    """
    grid = grid_of(frame, step_s)
    times = grid.t.tolist()
    names = {metric: ALIASES.get(metric, metric) for metric in metrics}
    series: list[dict[str, Any]] = [{"endpoint": named(line)} for line in lines]
    _tell_of_run(series, names, grid, with_band=fine is not None)
    _tell_of_lines(series, names, grid, frames.in_time(of_lines(frame.cells, lines), frame.axis, step_s))
    if fine is not None and step_s > 1:
        _tell_bands(series, names, grid, of_lines(fine.cells, lines), fine.axis)
    ends = {"from": utc(times[0]) if times else None, "to": utc(times[-1]) if times else None}
    return {**ends, "step_s": step_s, "t": times, "series": series}


def grid_of(frame: Frame, step_s: int) -> Grid:
    """Its rows in steps, with a mark of a gap wherever nothing was measured for longer than GAP_STEPS."""
    axis = frames.in_steps(frame.axis, step_s)
    gaps = np.flatnonzero(np.diff(axis.t) > GAP_STEPS * step_s) + 1
    rows = np.arange(len(axis))
    times = np.insert(axis.t, gaps, axis.t[gaps - 1] + step_s)
    return Grid(step_s, times, axis, rows + np.searchsorted(gaps, rows, side="right"))


def of_lines(cells: Cells, lines: Sequence[Line]) -> Cells:
    """The cells of each line, merged by row; `endpoint` becomes the number of the line."""
    owners = [(member, number) for number, line in enumerate(lines) for member in members(line)]
    numbers: list[Ints] = []
    places: list[Ints] = []
    while owners:  # once, as long as no endpoint is in two lines
        owner_of, rest = np.full(TOTAL + 1, -1), []
        for member, number in owners:
            if owner_of[member] < 0:
                owner_of[member] = number
            else:
                rest.append((member, number))
        owner = owner_of[cells.endpoint]
        places.append(np.flatnonzero(owner >= 0))
        numbers.append(owner[places[-1]])
        owners = rest
    found = cells
    if len(places) != 1 or len(places[0]) != len(cells):
        found = cells.taken(np.concatenate([*places, np.zeros(0, np.int64)]))
    number_of = np.concatenate([*numbers, np.zeros(0, np.int64)])
    found = Cells(number_of, found.t, found.columns, found.sketches)
    if all(len(members(line)) == 1 for line in lines):
        return found
    keys, size = frames.keys_of(found.endpoint, found.t)
    return frames.grouped(found, keys, size, extent="across")


def figures(cells: Cells, names: Iterable[str], seconds: Floats) -> dict[str, Floats]:
    """Some of CELL_NAMES for each cell, which stands for so many seconds."""
    columns, wanted = cells.columns, set(names)
    found = cells.percentiles({name: share for name, share in SHARES.items() if name in wanted})
    with np.errstate(invalid="ignore", divide="ignore"):
        if "avg_ms" in wanted:
            found["avg_ms"] = columns["sum_ms"] / (columns["requests"] - columns["untimed"])
        rates = {"rps": "requests", "failures_per_s": "failures"}
        found |= {name: columns[of] / seconds for name, of in rates.items() if name in wanted}
    return found | {name: columns[name] for name in PLAIN if name in wanted}


def _tell_of_run(series: list[dict[str, Any]], names: Mapping[str, str], grid: Grid, *, with_band: bool) -> None:
    every = np.arange(len(grid.axis))
    for metric, name in names.items():
        if name not in RUN_METRICS:
            continue
        values = grid.axis.users if name == USERS else grid.axis.health[name]
        told = {metric: grid.listed(name, every, values)}
        if name == USERS and with_band and grid.step_s > 1:
            told[f"{metric}_low"] = grid.listed(name, every, grid.axis.users_low)
            told[f"{metric}_high"] = told[metric]
        for line in series:
            line.update(told)


def _tell_of_lines(series: list[dict[str, Any]], names: Mapping[str, str], grid: Grid, cells: Cells) -> None:
    rows = grid.rows_at(cells.t)
    found = figures(cells, names.values(), grid.covered[rows])
    for number, line in enumerate(series):
        mine = np.flatnonzero(cells.endpoint == number)
        for metric, name in names.items():
            if name in found:
                line[metric] = grid.listed(name, rows[mine], found[name][mine], 0.0 if name in COUNTS else np.nan)


def _tell_bands(series: list[dict[str, Any]], names: Mapping[str, str], grid: Grid, fine: Cells, axis: Axis) -> None:
    wanted = [name for name in names.values() if name in BANDS and name != USERS]
    steps = frames.in_time(fine, axis, grid.step_s)
    seconds = axis.seconds[np.searchsorted(axis.t, fine.t)]
    extremes = _latency_extremes(fine, grid.step_s, figures(fine, set(wanted) & set(LATENCIES), seconds))
    extremes["rps"] = (steps.columns["requests_low"], steps.columns["requests_high"])
    extremes["failures_per_s"] = _failure_extremes(fine, axis, grid.step_s, steps)
    rows = grid.rows_at(steps.t)
    for number, line in enumerate(series):
        mine = np.flatnonzero(steps.endpoint == number)
        for metric, name in names.items():
            if name in wanted:
                idle = 0.0 if name in COUNTS else np.nan
                for end, values in zip(("low", "high"), extremes[name], strict=True):
                    line[f"{metric}_{end}"] = grid.listed(name, rows[mine], values[mine], idle)


def _latency_extremes(fine: Cells, step_s: int, found: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    """In the order of the cells of `in_time`."""
    keys, size = frames.keys_of(fine.endpoint, fine.t // step_s * step_s)
    if size == len(fine):
        return {name: (values, values) for name, values in found.items()}
    return {
        name: (frames.lowest(keys, values, size), frames.highest(keys, values, size)) for name, values in found.items()
    }


def _failure_extremes(fine: Cells, axis: Axis, step_s: int, steps: Cells) -> tuple[Floats, Floats]:
    """The least that any second can have had, given the most; exact where the fine rows are seconds."""
    seconds = axis.seconds[np.searchsorted(axis.t, fine.t)]
    least = fine.columns["failures"] - fine.columns["failures_high"] * (seconds - 1)
    keys, size = frames.keys_of(fine.endpoint, fine.t // step_s * step_s)
    lows = np.fmax(0, least if size == len(fine) else frames.lowest(keys, least, size))
    return np.where(steps.columns["requests_low"] == 0, 0, lows), steps.columns["failures_high"]


def _listed(name: str, values: Floats) -> list[float | int | None]:
    known = ~np.isnan(values)
    if name in WHOLE_NUMBERS:
        plain: list[Any] = np.where(known, values, 0).astype(np.int64).tolist()
    else:
        plain = np.round(values, DECIMALS).tolist()
    if not known.all():
        for place in np.flatnonzero(~known).tolist():
            plain[place] = None
    return plain
