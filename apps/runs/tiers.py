"""Where rows live: flushed second by second, packed minute by minute, rolled up into coarser tiers.

The finest tier may be gone (`retention.py`); what is asked of a run then is answered from the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Min, QuerySet

from apps.runs import blocks, codec
from apps.runs.blocks import Row
from apps.runs.codec import FAST, LZMA, Packing
from apps.runs.models import SampleBlock

TIERS = (1, 10, 60)
"""Seconds a row."""
PACK_SECONDS = {1: 60, 10: 1800, 60: 3600}
"""Time span of a packed block of each tier: rows few enough to read one block soon, and many enough to compress."""
PACKING = {1: FAST, 10: Packing(LZMA, chunk_bytes=65_536), 60: Packing(LZMA, chunk_bytes=8_192, with_whole=True)}
"""What is kept for long as small as can be, the rest as fast. Of minutes whole days are read, of few endpoints."""
BLOCKS_AT_ONCE = 10
"""Read into memory together."""
SECONDS_AT_ONCE = 300
"""Of all workers, read into memory together."""
ROWS_AT_ONCE = 600
"""Rows of a block that is not packed yet."""


def append(run_id: UUID, rows: Sequence[Row], *, worker: int = 0) -> None:
    """Store fresh one-second rows as a block of their own."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        piece = rows[start : start + ROWS_AT_ONCE]
        _store(run_id, worker, 1, piece, codec.encode(piece, Packing(level=1)))


def close_spans(run_id: UUID, *, before_t: int, worker: int = 0) -> None:
    """Pack and roll up everything older than `before_t` (a multiple of 60). Safe to repeat."""
    with transaction.atomic():
        fresh = read(run_id, 1, from_t=_rolled_until(run_id, worker), to_t=before_t - 1, worker=worker)
        for step in TIERS[1:]:
            span_s = PACK_SECONDS[step]
            for _, group in groupby(blocks.roll_up(fresh, step), key=lambda row: row.t // span_s):
                rows = list(group)
                _store(run_id, worker, step, rows, codec.encode(rows))
        for step in TIERS:
            known = fresh if step == 1 else ()
            _pack(run_id, worker, step, before_t // PACK_SECONDS[step] * PACK_SECONDS[step], known)


def close_all(run_id: UUID) -> None:
    """Pack and roll up a run that is over, its last unfinished minute included. Safe to repeat."""
    for worker in _workers(run_id, 1):
        close_worker(run_id, worker)


def close_worker(run_id: UUID, worker: int) -> None:
    """As `close_all`, what one worker measured."""
    last = _found(run_id, 1, worker).order_by("-first_seq").values_list("last_t", flat=True).first()
    if last is None:
        return
    with transaction.atomic():
        close_spans(run_id, before_t=(last // 60 + 1) * 60, worker=worker)
        for step in TIERS:
            _pack(run_id, worker, step, last + PACK_SECONDS[step])


def read(
    run_id: UUID, step_s: int, *, from_t: int | None = None, to_t: int | None = None, worker: int = 0
) -> list[Row]:
    """Rows of one tier with `from_t <= t <= to_t`, in order."""
    found = _between(run_id, step_s, from_t, to_t, worker)
    return [row for data in _data(found) for row in codec.decode(data) if _is_between(row, from_t, to_t)]


def each(
    run_id: UUID, step_s: int, *, from_t: int | None = None, to_t: int | None = None, worker: int = 0
) -> Iterator[Row]:
    """As `read`, some blocks after the others, for as many rows as there may be; the run must be ours, or over."""
    for data in _few_at_a_time(_between(run_id, step_s, from_t, to_t, worker)):
        yield from (row for row in codec.decode(data) if _is_between(row, from_t, to_t))


def read_after(run_id: UUID, seq: int, *, worker: int = 0) -> list[Row]:
    """One-second rows that came after `seq`, in order."""
    found = _found(run_id, 1, worker).filter(last_seq__gt=seq).order_by("first_seq")
    return [row for row in _rows(found) if row.seq > seq]


def seconds(run_id: UUID, from_t: int, to_t: int) -> list[Row]:
    """One-second rows with `from_t <= t <= to_t` of all workers, those of the same second in one, in order of time."""
    found = SampleBlock.objects.filter(run_id=run_id, step_s=1, last_t__gte=from_t, first_t__lte=to_t)
    rows = [row for row in _rows(found.order_by("first_t", "worker")) if from_t <= row.t <= to_t]
    return _together(rows)


def each_second(run_id: UUID) -> Iterator[Row]:
    """All one-second rows as `seconds` gives them, some minutes after the others; the run must be ours, or over."""
    ends = span(run_id)
    if ends is None:
        return
    for start in range(ends[0], ends[1] + 1, SECONDS_AT_ONCE):
        yield from seconds(run_id, start, min(ends[1], start + SECONDS_AT_ONCE - 1))


def _together(rows: list[Row]) -> list[Row]:
    rows.sort(key=lambda row: row.t)  # stable: the workers of a second stay in order
    return [blocks.across(list(same)) for _, same in groupby(rows, key=lambda row: row.t)]


def request_counts(run_id: UUID) -> dict[int, int]:
    """Requests of the whole run by endpoint, of all workers, without unpacking their sketches."""
    counts: dict[int, int] = {}
    # The coarsest tier holds the same counts as the seconds, and outlives them.
    for data in _data(SampleBlock.objects.filter(run_id=run_id, step_s=TIERS[-1])):
        block = codec.open_block(data)
        for endpoint in block.endpoints():
            chunk = block.chunk_for(endpoint)
            if chunk is not None:
                requests = sum(chunk.scalars["requests"][chunk.slice_of(endpoint)])
                counts[endpoint] = counts.get(endpoint, 0) + requests
    return counts


def rolled_until(run_id: UUID) -> int:
    """The epoch second up to which the coarser tiers have all that there is; 0 when they are empty."""
    newest = {worker: last for worker, _, last in _ends(run_id, 1)}
    rolled = {worker: last + TIERS[-1] for worker, _, last in _ends(run_id, TIERS[-1])}
    if not newest.keys() <= rolled.keys():
        return 0
    # A worker that ended before the others, and whose last minute is in, keeps nothing back.
    behind = [until for worker, until in rolled.items() if newest.get(worker, -1) >= until]
    return min(behind) if behind else max(rolled.values(), default=0)


def _rolled_until(run_id: UUID, worker: int) -> int:
    newest = _found(run_id, TIERS[-1], worker).order_by("-first_seq").values_list("last_t", flat=True).first()
    return 0 if newest is None else newest + TIERS[-1]


def span(run_id: UUID) -> tuple[int, int] | None:
    """The first and the newest second stored, as near as the finest tier left can tell; None when there is none."""
    for step in TIERS:
        ends = _ends(run_id, step)
        if ends:
            return min(first for _, first, _ in ends), max(last for _, _, last in ends) + step - 1
    return None


def is_rolled_up(run_id: UUID) -> bool:
    """Whether the coarser tiers hold every second that the finest one has, so that it may go."""
    for worker, first, last in _ends(run_id, 1):
        coarse = {step: (low, high) for step in TIERS[1:] for at, low, high in _ends(run_id, step) if at == worker}
        for step in TIERS[1:]:
            low, high = coarse.get(step, (first + 1, last))
            if low > first or high + step <= last:
                return False
    return True


def _workers(run_id: UUID, step_s: int) -> list[int]:
    found = SampleBlock.objects.filter(run_id=run_id, step_s=step_s).order_by("worker")
    return list(found.values_list("worker", flat=True).distinct())


def _ends(run_id: UUID, step_s: int) -> list[tuple[int, int, int]]:
    """Of each worker, the first and the last `t` of a tier. One question, whose answer takes longer for longer runs."""
    found = SampleBlock.objects.filter(run_id=run_id, step_s=step_s).order_by("worker").values("worker")
    return list(found.annotate(first=Min("first_t"), last=Max("last_t")).values_list("worker", "first", "last"))


def _pack(run_id: UUID, worker: int, step_s: int, before_t: int, known: Sequence[Row] = ()) -> None:
    """Merge the small blocks of each finished span into one; `known`: rows that were read already."""
    small = _found(run_id, step_s, worker).filter(last_t__lt=before_t).order_by("first_seq")
    spans: dict[int, list[SampleBlock]] = {}
    for block in small.only("id", "first_t", "last_t", "first_seq", "last_seq"):
        spans.setdefault(block.first_t // PACK_SECONDS[step_s], []).append(block)
    for group in spans.values():
        if len(group) > 1:
            found = SampleBlock.objects.filter(pk__in=[block.pk for block in group])
            first, last = group[0], group[-1]
            if known and known[0].seq <= first.first_seq and last.last_seq <= known[-1].seq:
                rows = [row for row in known if first.first_seq <= row.seq <= last.last_seq]
                data = codec.encode(rows, PACKING[step_s])
            else:
                data = codec.join(list(_data(found.order_by("first_seq"))), PACKING[step_s])
            found.delete()
            _create(run_id, worker, step_s, (first.first_seq, last.last_seq), (first.first_t, last.last_t), data)


def _between(run_id: UUID, step_s: int, from_t: int | None, to_t: int | None, worker: int) -> QuerySet[SampleBlock]:
    found = _found(run_id, step_s, worker).order_by("first_seq")
    if from_t is not None:
        found = found.filter(last_t__gte=from_t)
    return found if to_t is None else found.filter(first_t__lte=to_t)


def _is_between(row: Row, from_t: int | None, to_t: int | None) -> bool:
    return (from_t is None or row.t >= from_t) and (to_t is None or row.t <= to_t)


def _found(run_id: UUID, step_s: int, worker: int) -> QuerySet[SampleBlock]:
    return SampleBlock.objects.filter(run_id=run_id, worker=worker, step_s=step_s)


def _rows(found: QuerySet[SampleBlock]) -> Iterator[Row]:
    for data in _data(found):
        yield from codec.decode(data)


def _data(found: QuerySet[SampleBlock]) -> Iterator[bytes]:
    """In one question: a minute that is packed meanwhile is there before or after, never missing."""
    for data in list(found.values_list("data", flat=True)):
        yield bytes(data)


def _few_at_a_time(found: QuerySet[SampleBlock]) -> Iterator[bytes]:
    """For whoever holds the run, since nobody else packs it. No question stays open meanwhile: on SQLite a write under
    an open one, as of a lease that is renewed, finds the database locked as soon as anybody else has written."""
    ids = list(found.values_list("pk", flat=True))
    for start in range(0, len(ids), BLOCKS_AT_ONCE):
        yield from _data(found.filter(pk__in=ids[start : start + BLOCKS_AT_ONCE]))


def _store(run_id: UUID, worker: int, step_s: int, rows: Sequence[Row], data: bytes) -> None:
    _create(run_id, worker, step_s, (rows[0].seq, rows[-1].seq), (rows[0].t, rows[-1].t), data)


def _create(run_id: UUID, worker: int, step_s: int, seqs: tuple[int, int], times: tuple[int, int], data: bytes) -> None:
    SampleBlock.objects.create(
        run_id=run_id,
        worker=worker,
        step_s=step_s,
        first_seq=seqs[0],
        last_seq=seqs[1],
        first_t=times[0],
        last_t=times[1],
        data=data,
    )
