"""From stored blocks to answers: which tier, which blocks, and of them only what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.clock import utc
from apps.core.errors import Conflict
from apps.runs import codec, frames, heatmap, phases, series, summary, tiers
from apps.runs.blocks import TOTAL
from apps.runs.codec import Block
from apps.runs.frames import Cells, Frame
from apps.runs.models import Run, SampleBlock
from apps.runs.phases import Level, Phase
from apps.runs.series import Line, Piece, Window
from apps.runs.states import State
from apps.runs.summary import Part, Tally
from apps.scenarios.models import Collector
from workers.sketch import SHARES

MOST_BAND_CELLS = 6_000
"""Cells of one endpoint each that are looked at for a band: more would take longer than a person waits."""
MOST_FINE_ROWS = 7_200
"""Rows in which the number of users changed that are looked at one by one: two hours of seconds."""

UNPACKING_THREADS = min(4, os.cpu_count() or 1)
MOST_ALONE = 4
"""Blocks that are not worth a second thread."""

T = TypeVar("T")
R = TypeVar("R")


class Found(NamedTuple):
    """A stored block."""

    worker: int
    """Index of the Locust process that measured it."""
    block: Block


Range = tuple[int, int]
"""The first second, and the first one after."""


class Reader:
    """The stored figures of one run, as of the moment in which `run` was read."""

    def __init__(self, run: Run, worker: int | None = None) -> None:
        """Of one worker only, when there is an index of one."""
        self.run = run
        self.worker = worker
        self.tiers = [step for step in tiers.TIERS if step >= self.run.finest_step_s > 0]
        self._loaded: dict[int, list[Found]] = {}
        self._rolled_until: int | None = None

    def ends(self, window: Window) -> tuple[int, int] | None:
        """The first and the last second of the window in which there is anything; None when there is nothing."""
        stored = tiers.span(self.run.pk) if self.tiers else None
        if stored is None or self.run.last_tick_at is None:
            return None
        # Not what was stored since `run` was read: ticks after its `last_seq` are the next message's.
        newest = min(stored[1], int(self.run.last_tick_at.timestamp()))
        first = stored[0] if window.from_t is None else max(stored[0], window.from_t)
        last = newest if window.to_t is None else min(newest, window.to_t)
        return (first, last) if first <= last else None

    @property
    def rolled_until(self) -> int:
        """From this second on there is only the finest tier."""
        if self._rolled_until is None:
            self._rolled_until = tiers.rolled_until(self.run.pk)
        return self._rolled_until

    def frame(
        self, tier: int, first: int, after: int, *, endpoints: Collection[int], with_sketches: bool = True
    ) -> Frame:
        """The rows of a tier with `first <= t < after`, those included that are not rolled up yet."""
        finest = self.tiers[0]
        if tier == finest:
            return self._stored(tier, first, after, endpoints, with_sketches)
        rolled = self._stored(tier, first, min(after, self.rolled_until), endpoints, with_sketches)
        fresh = self._stored(finest, max(first, self.rolled_until), after, endpoints, with_sketches)
        return frames.joined([part for part in (rolled, frames.rolled_up(fresh, tier)) if len(part.axis)], tier)

    def pieces(self, first: int, last: int) -> list[Piece]:
        """The seconds from `first` to `last` from few rows: of the coarsest tier, and of the finest at the edges.

        Those between would take fewer, but a block of theirs holds half an hour, and one of seconds a minute.
        """
        return series.pieces(first, last, sorted({self.tiers[0], self.tiers[-1]}), rolled_until=self.rolled_until)

    def tally(self, first: int, last: int, endpoints: Collection[int] | None) -> Tally:
        """What these endpoints (None: all) did in the seconds from `first` to `last`."""
        found = [
            (one, Part(one.block, piece.tier, piece.first, piece.after))
            for piece in self.pieces(first, last)
            for one in self.blocks(piece.tier, piece.first, piece.after)
        ]
        counted = _each(lambda one: summary.count(one[1], endpoints), found, (one.block for one, _ in found))
        by_worker: dict[int, list[Tally]] = {}
        for (one, _part), tally in zip(found, counted, strict=True):
            by_worker.setdefault(one.worker, []).append(tally)
        return summary.across([summary.in_time(tallies) for tallies in by_worker.values()])

    def load(self, pieces: Iterable[Piece]) -> None:
        """Read the blocks of all these at once, to be found in memory from now on."""
        ranges: dict[int, list[Range]] = {}
        for piece in pieces:
            ranges.setdefault(piece.tier, []).append((piece.first, piece.after))
        self._loaded |= {tier: self._read(tier, wanted) for tier, wanted in ranges.items()}

    def blocks(self, tier: int, first: int, after: int) -> list[Found]:
        """Those that have rows with `first <= t < after`, by worker and in order."""
        if first >= after:
            return []
        known = self._loaded.get(tier)
        if known is None:
            return self._read(tier, [(first, after)])
        return [one for one in known if _touches(one.block, first, after)]

    def _stored(self, tier: int, first: int, after: int, endpoints: Collection[int], with_sketches: bool) -> Frame:
        def unpacked(found: Found) -> tuple[int, Frame]:
            part = frames.of_block(
                found.block, tier, endpoints=endpoints, first=first, after=after, with_sketches=with_sketches
            )
            return found.worker, part

        by_worker: dict[int, list[Frame]] = {}
        stored = self.blocks(tier, first, after)
        for worker, part in _each(unpacked, stored, (one.block for one in stored)):
            by_worker.setdefault(worker, []).append(part)
        sources = [frames.joined(parts, tier) for parts in by_worker.values()]
        return frames.merged(sources) if sources else frames.empty(tier)

    def _read(self, tier: int, ranges: Sequence[Range]) -> list[Found]:
        inside = Q()
        for first, after in _together(ranges):
            inside |= Q(first_t__lt=after, last_t__gte=first)
        found = SampleBlock.objects.filter(inside, run_id=self.run.pk, step_s=tier).order_by("worker", "first_seq")
        if self.worker is not None:
            found = found.filter(worker=self.worker)
        return [Found(worker, codec.open_block(bytes(data))) for worker, data in found.values_list("worker", "data")]


# --- answers ------------------------------------------------------------------------------------------------------


def figures(
    run: Run,
    window: Window,
    *,
    lines: Sequence[Line],
    metrics: Sequence[str],
    band: bool = False,
    worker: int | None = None,
) -> dict[str, Any]:
    """Figures over time in the form of `series.answer`; with an index, of that worker, in the steps of the run."""
    reader = Reader(run, worker)
    ends = reader.ends(window)
    if ends is None:
        return series.answer(frames.empty(1), 1, lines=lines, metrics=metrics)
    first, last = ends
    step = series.step_for(last - first + 1, window.points, reader.tiers)
    tier = series.tier_for(step, reader.tiers)
    first = first // step * step  # whole steps: a row that begins before the window may reach into it
    endpoints = series.endpoints_of(lines)
    with_sketches = any(series.ALIASES.get(name, name) in SHARES for name in metrics)
    frame = reader.frame(tier, first, last + 1, endpoints=endpoints, with_sketches=with_sketches)
    fine = None
    if band and step > 1:
        span = last + 1 - first
        finer = series.band_tier(span, step, len(endpoints), reader.tiers, most_cells=MOST_BAND_CELLS)
        fine = frame
        if finer != tier:
            fine = reader.frame(finer, first, last + 1, endpoints=endpoints, with_sketches=with_sketches)
    return series.answer(frame, step, lines=lines, metrics=metrics, fine=fine)


def tally(run: Run, window: Window, *, endpoints: Collection[int] | None = None) -> Tally:
    """Every number of a window. Where its finest seconds are gone, its ends are those of the rows that there are."""
    reader = Reader(run)
    ends = reader.ends(window)
    if ends is None:
        return summary.NOTHING
    return reader.tally(*ends, endpoints)


def heatmap_of(run: Run, window: Window, *, line: Line, rows: int) -> dict[str, Any]:
    """In the form of `heatmap.heatmap`, at most `window.points` columns. Raises Conflict."""
    reader = Reader(run)
    ends = reader.ends(window)
    if ends is None:
        _require_exact(run, frames.empty(1).cells)
        return heatmap.heatmap(frames.empty(1), 1, line=line, rows=rows)
    first, last = ends
    step = series.step_for(last - first + 1, window.points, reader.tiers)
    tier = series.tier_for(step, reader.tiers)
    frame = reader.frame(tier, first // step * step, last + 1, endpoints=series.members(line))
    _require_exact(run, frame.cells)
    return heatmap.heatmap(frame, step, line=line, rows=rows)


def distribution_of(run: Run, window: Window, *, line: Line, bins: int) -> dict[str, Any]:
    """In the form of `heatmap.distribution`. Raises Conflict."""
    members = series.members(line)
    found = summary.together(tally(run, window, endpoints=members), members)
    _require_exact(run, found.cells)
    return heatmap.distribution(found, bins=bins)


def _require_exact(run: Run, cells: Cells) -> None:
    """Raises Conflict for a run of which only percentiles are known."""
    if run.collector != Collector.EXACT or cells.sketches is None:
        raise Conflict(
            _("This run was measured by Locust's CSV files, which have percentiles but no distribution of times."),
            code="not_exact",
        )


def phases_of(run: Run) -> list[dict[str, Any]]:
    """Ramp-up, steady, ramp-down and pauses, in order of time, each with its totals."""
    reader = Reader(run)
    ends = reader.ends(Window())
    if ends is None or run.started_at is None:
        return []
    found = _phases(run, _levels(reader, *ends))
    reader.load(piece for phase in found for piece in reader.pieces(phase.from_t, phase.to_t))
    return [_phase(phase, reader.tally(phase.from_t, phase.to_t, {TOTAL})) for phase in found]


def _phases(run: Run, levels: Sequence[Level]) -> list[Phase]:
    if run.own_shape or run.started_at is None:
        return phases.measured(levels)
    plan = [phases.Stage(stage["duration"], stage["users"]) for stage in run.stages]
    steered = run.events.filter(kind="control").order_by("at", "id").values_list("at", "data")
    return phases.planned(
        plan or [phases.Stage(run.run_time_s, run.users)],
        phases.changes((at.timestamp(), data) for at, data in steered),
        levels,
        started=run.started_at.timestamp(),
        is_ending=run.is_over or run.state == State.STOPPING,
    )


def _levels(reader: Reader, first: int, last: int) -> list[Level]:
    """Users over time: in coarse rows where they stayed the same, in fine ones where they changed."""
    coarse = [level for piece in reader.pieces(first, last) for level in _users(reader, piece)]
    moving = [level for level in coarse if level.low != level.high]
    seconds = sum(level.seconds for level in moving)
    tier = next((tier for tier in reader.tiers if seconds / tier <= MOST_FINE_ROWS), None)
    wanted = [Piece(tier, level.t, level.end) for level in moving if tier is not None and level.seconds > tier]
    if not wanted:
        return coarse
    reader.load(wanted)
    fine = {piece.first: _users(reader, piece) for piece in wanted}
    return [one for level in coarse for one in (fine.get(level.t) or [level])]


def _users(reader: Reader, piece: Piece) -> list[Level]:
    axis = reader.frame(piece.tier, piece.first, piece.after, endpoints=()).axis
    targets = axis.health["target_users"].tolist()
    return [
        Level(t, piece.tier, int(low), int(high), None if target != target else int(target))
        for t, low, high, target in zip(
            axis.t.tolist(), axis.users_low.tolist(), axis.users.tolist(), targets, strict=True
        )
    ]


def _phase(phase: Phase, found: Tally) -> dict[str, Any]:
    return {
        "kind": phase.kind.value,
        "stage": phase.stage,
        "label": phase.label,
        "from": utc(phase.from_t),
        "to": utc(phase.to_t),
        "users": phase.users,
        "totals": summary.totals(found).get(TOTAL) or summary.no_totals(),
    }


def _each(do: Callable[[T], R], of: Sequence[T], blocks: Iterable[Block]) -> list[R]:
    """In order; several at a time where unpacking takes so long that a thread may leave others their turn."""
    if sum(block.compression == codec.LZMA for block in blocks) < MOST_ALONE:
        return [do(one) for one in of]
    with ThreadPoolExecutor(UNPACKING_THREADS) as threads:
        return list(threads.map(do, of))


def _touches(block: Block, first: int, after: int) -> bool:
    times = block.rows["t"]
    return bool(len(times)) and times[0] < after and times[-1] >= first


def _together(ranges: Iterable[Range]) -> list[Range]:
    """The same seconds in as few ranges as possible."""
    found: list[Range] = []
    for first, after in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(after, found[-1][1]))
        else:
            found.append((first, after))
    return found
