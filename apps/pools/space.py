"""Who has which of a pool's IDs, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from apps.pools import leases
from apps.pools.allocation import Span
from apps.pools.models import IdLease, IdRange, WorkerHost, WorkerPool

Owned = TypeVar("Owned", IdRange, IdLease)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a pool's IDs, all of the same owner and in the same state."""

    first: int
    last: int
    host: WorkerHost | None
    state: str
    """`leased`; `free`: owned by a host and not in use; `unowned`."""
    run_id: UUID | None = None
    run_label: str = ""


@dataclass(frozen=True, slots=True)
class Space:
    """A pool's IDs: all of them, and in order who has what. Both empty without IDs."""

    span: Span | None
    segments: tuple[Segment, ...] = ()


def space(pool: WorkerPool) -> Space:
    """The pool's IDs and who has what, in two queries. Neighbours of the same owner and state are one segment."""
    if pool.first_id is None or pool.last_id is None:
        return Space(None)
    span = Span(pool.first_id, pool.last_id)
    owned = list(pool.ranges.select_related("host").defer("host__report", "host__recent"))
    leased = list(leases.alive(pool))
    segments: list[Segment] = []
    for part, row in _cut(span, owned):
        for piece, lease in _cut(part, leased):
            _add(segments, piece, row.host if row else None, lease)
    return Space(span, tuple(segments))


def _cut(span: Span, rows: Sequence[Owned]) -> list[tuple[Span, Owned | None]]:
    """The span in pieces, each with the row that has it. The rows are in order and apart."""
    pieces: list[tuple[Span, Owned | None]] = []
    at = span.first
    for row in rows:
        piece = Span(max(at, row.first), min(row.last, span.last))
        if piece.size <= 0:
            continue
        if at < piece.first:
            pieces.append((Span(at, piece.first - 1), None))
        pieces.append((piece, row))
        at = piece.last + 1
    if at <= span.last:
        pieces.append((Span(at, span.last), None))
    return pieces


def _add(segments: list[Segment], piece: Span, host: WorkerHost | None, lease: IdLease | None) -> None:
    state = "leased" if lease else "free" if host else "unowned"
    run_id, run_label = (lease.run_id, lease.run_label) if lease else (None, "")
    segment = Segment(piece.first, piece.last, host, state, run_id, run_label)
    if segments and replace(segments[-1], first=segment.first, last=segment.last) == segment:
        segments[-1] = replace(segments[-1], last=segment.last)
    else:
        segments.append(segment)
