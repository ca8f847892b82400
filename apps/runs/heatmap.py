"""How response times lay: over time, and in a whole window. Pure.

All requests are counted, in whole buckets of the sketches, so that nothing has to be guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.core.clock import utc, utc_or_none
from apps.runs import frames, series, summary
from apps.runs.blocks import TOTAL
from apps.runs.frames import Floats, Frame, Ints, Sketches
from apps.runs.series import Line
from apps.runs.summary import Tally
from workers.sketch import upper_ms

DEFAULT_COLUMNS = 300
DEFAULT_ROWS = 48
DEFAULT_BINS = 60
MAX_COLUMNS = 1_500
MAX_ROWS = 200
DECIMALS = 4


def heatmap(frame: Frame, step_s: int, *, line: Line, rows: int) -> dict[str, Any]:
    """`{"from", "to", "step_s", "t": […], "edges_ms": […], "counts": [[…] or null a column]}`.

    At most `rows` of equal height on a logarithmic axis, from the fastest to the slowest request that there was.
    """
    grid = series.grid_of(frame, step_s)
    cells = frames.in_time(series.of_lines(frame.cells, [line]), frame.axis, step_s)
    sketches = _known(cells.sketches)
    edges = _edges(sketches, rows)
    table = sketches.table(grid.rows_at(cells.t), len(grid.axis), low=int(edges[0]), width=_width(edges))
    counts = _by_edges(table, edges).astype(np.int64).tolist()
    columns: list[list[int] | None] = [None] * len(grid.t)
    for row, point in enumerate(grid.points.tolist()):
        columns[point] = counts[row]
    times = grid.t.tolist()
    return {
        "from": utc(times[0]) if times else None,
        "to": utc(times[-1]) if times else None,
        "step_s": step_s,
        "t": times,
        "edges_ms": _in_ms(edges),
        "counts": columns,
    }


def distribution(found: Tally, *, bins: int) -> dict[str, Any]:
    """`{"from", "to", "edges_ms": […], "counts": […], "totals"}` of a tally whose endpoints are taken together."""
    sketches = _known(found.cells.sketches)
    edges = _edges(sketches, bins)
    groups = np.zeros(len(found.cells), np.int64)
    table = sketches.table(groups, 1, low=int(edges[0]), width=_width(edges))
    return {
        "from": utc_or_none(found.first_t),
        "to": utc_or_none(found.last_t),
        "edges_ms": _in_ms(edges),
        "counts": _by_edges(table, edges).astype(np.int64)[0].tolist(),
        "totals": summary.totals(found).get(TOTAL) or summary.no_totals(),
    }


def _known(sketches: Sketches | None) -> Sketches:
    if sketches is None:
        raise ValueError("percentiles alone have no distribution")
    kept = sketches.counts > 0
    if kept.all():
        return sketches
    cell_of = np.repeat(np.arange(len(sketches.pairs)), sketches.pairs)[kept]
    pairs = np.bincount(cell_of, minlength=len(sketches.pairs))
    return Sketches(pairs, sketches.buckets[kept], sketches.counts[kept], sketches.in_order)


def _edges(sketches: Sketches, most: int) -> Ints:
    """The first bucket of each group of buckets, at most `most` groups, and the first bucket after them.

    One edge alone when there is no request: then there is no group.
    """
    if not len(sketches.buckets):
        return np.array([0])
    low, high = int(sketches.buckets.min()), int(sketches.buckets.max())
    size = -(-(high - low + 1) // most)
    groups = -(-(high - low + 1) // size)
    return low + size * np.arange(groups + 1)


def _width(edges: Ints) -> int:
    return int(edges[-1] - edges[0])


def _by_edges(table: Floats, edges: Ints) -> Floats:
    if not table.shape[1]:
        return np.zeros((len(table), len(edges) - 1))
    found: Floats = np.add.reduceat(table, edges[:-1] - edges[0], axis=1)
    return found


def _in_ms(edges: Ints) -> list[float]:
    """Lower boundaries of the groups, and the upper one of the last; none without a group.

    What is faster than the least is from 0 on.
    """
    if len(edges) < 2:
        return []
    return [round(upper_ms(bucket - 1), DECIMALS) if bucket else 0.0 for bucket in edges.tolist()]
