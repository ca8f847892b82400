"""Where rows live: flushed second by second, packed minute by minute, rolled up into coarser tiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.runs import blocks, codec
from apps.runs.blocks import Row
from apps.runs.models import SampleBlock

TIERS = (1, 10, 60)
"""Seconds a row."""
PACK_SECONDS = {1: 60, 10: 600, 60: 3600}
"""Time span of a packed block of each tier: 60 rows are few enough to read one minute and many enough to compress."""


def append(run_id: UUID, rows: Sequence[Row]) -> None:
    """Store fresh one-second rows as a block of their own."""
    _store(run_id, 1, rows, level=1)


def close_spans(run_id: UUID, *, before_t: int) -> None:
    """Pack and roll up everything older than `before_t` (a multiple of 60). Safe to repeat."""
    with transaction.atomic():
        fresh = _unrolled(run_id, before_t)
        for step in TIERS[1:]:
            if rolled := blocks.roll_up(fresh, step):
                _store(run_id, step, rolled)
        for step in TIERS:
            _pack(run_id, step, before_t // PACK_SECONDS[step] * PACK_SECONDS[step])


def close_all(run_id: UUID) -> None:
    """Pack and roll up a run that is over, its last unfinished minute included. Safe to repeat."""
    stored = span(run_id)
    if stored is None:
        return
    with transaction.atomic():
        close_spans(run_id, before_t=(stored[1] // 60 + 1) * 60)
        for step in TIERS:
            _pack(run_id, step, stored[1] + PACK_SECONDS[step])


def read(run_id: UUID, step_s: int, *, from_t: int | None = None, to_t: int | None = None) -> list[Row]:
    """Rows of one tier with `from_t <= t <= to_t`, in order."""
    found = SampleBlock.objects.filter(run_id=run_id, step_s=step_s).order_by("first_seq")
    if from_t is not None:
        found = found.filter(last_t__gte=from_t)
    if to_t is not None:
        found = found.filter(first_t__lte=to_t)
    rows = _rows(found)
    return [row for row in rows if (from_t is None or row.t >= from_t) and (to_t is None or row.t <= to_t)]


def read_after(run_id: UUID, seq: int) -> list[Row]:
    """One-second rows that came after `seq`, in order."""
    found = SampleBlock.objects.filter(run_id=run_id, step_s=1, last_seq__gt=seq).order_by("first_seq")
    return [row for row in _rows(found) if row.seq > seq]


def rolled_until(run_id: UUID) -> int:
    """The epoch second up to which the coarser tiers are filled; 0 when they are empty."""
    last = SampleBlock.objects.filter(run_id=run_id, step_s=60).order_by("-first_seq").values_list("last_t", flat=True)
    return (last[0] + 60) if last else 0


def span(run_id: UUID) -> tuple[int, int] | None:
    """The first and the newest second stored; None when there is none."""
    seconds = SampleBlock.objects.filter(run_id=run_id, step_s=1)
    first = seconds.order_by("first_seq").values_list("first_t", flat=True).first()
    last = seconds.order_by("-first_seq").values_list("last_t", flat=True).first()
    return None if first is None or last is None else (first, last)


def _unrolled(run_id: UUID, before_t: int) -> list[Row]:
    return read(run_id, 1, from_t=rolled_until(run_id), to_t=before_t - 1)


def _pack(run_id: UUID, step_s: int, before_t: int) -> None:
    """Merge the small blocks of each finished span into one."""
    small = SampleBlock.objects.filter(run_id=run_id, step_s=step_s, last_t__lt=before_t).order_by("first_seq")
    spans: dict[int, list[SampleBlock]] = {}
    for block in small.only("id", "first_t", "first_seq"):
        spans.setdefault(block.first_t // PACK_SECONDS[step_s], []).append(block)
    for group in spans.values():
        if len(group) > 1:
            ids = [block.pk for block in group]
            rows = list(_rows(SampleBlock.objects.filter(pk__in=ids).order_by("first_seq")))
            SampleBlock.objects.filter(pk__in=ids).delete()
            _store(run_id, step_s, rows)


def _rows(found: QuerySet[SampleBlock]) -> Iterator[Row]:
    for data in found.values_list("data", flat=True):
        yield from codec.decode(bytes(data))


def _store(run_id: UUID, step_s: int, rows: Sequence[Row], *, level: int = 6) -> None:
    SampleBlock.objects.create(
        run_id=run_id,
        step_s=step_s,
        first_seq=rows[0].seq,
        last_seq=rows[-1].seq,
        first_t=rows[0].t,
        last_t=rows[-1].t,
        data=codec.encode(rows, level=level),
    )
