"""A pool's IDs as a bar: who owns what, what is leased, what is free; and the same as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.pools import drawing, usage
from apps.pools.allocation import Span
from apps.pools.drawing import Place
from apps.pools.models import WorkerHost, WorkerPool
from apps.pools.space import Segment, space
from apps.pools.usage import Viewer

MOST_PIECES = 1000
"""More could not be told apart: then one piece is drawn for each owner."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the bar; `text` says all about it."""

    place: Place
    state: str
    """As of a Segment; `mixed`: leased in part."""
    shade: int
    """0 or 1, so that neighbours can be told apart."""
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """The name of an owner under its piece."""

    place: Place
    text: str
    is_wide: bool


@dataclass(slots=True)
class Holder:
    """A run, and how many IDs it has of an owner. Without `run_id` and `label` it is another team's."""

    run_id: UUID | None
    label: str
    ids: int


@dataclass(slots=True)
class Owner:
    """IDs in a row that belong to one host, or to none."""

    host: WorkerHost | None
    span: Span
    first: str
    last: str
    leased: int = 0
    holders: list[Holder] = field(default_factory=list)

    @property
    def ids(self) -> int:
        return self.span.size

    @property
    def free(self) -> int:
        return self.span.size - self.leased


@dataclass(frozen=True, slots=True)
class Bar:
    """`pieces` and `labels` are drawn, `owners` is the table; all empty for a pool without IDs."""

    pieces: list[Piece]
    labels: list[Label]
    owners: list[Owner]
    leased: int
    free: int
    unowned: int


def bar(pool: WorkerPool, viewer: Viewer) -> Bar:
    """Three queries."""
    found = space(pool)
    seen = usage.visible_runs(pool, {part.run_id for part in found.segments if part.run_id}, viewer)
    groups = [list(parts) for _host, parts in groupby(found.segments, key=lambda part: part.host)]
    owners = [_owner(pool, parts, seen, viewer) for parts in groups]
    leased = sum(owner.leased for owner in owners)
    unowned = sum(owner.free for owner in owners if owner.host is None)
    whole = found.span or Span(1, 1)
    return Bar(
        pieces=_pieces(pool, groups, owners, whole, seen, viewer),
        labels=[label for owner in owners if (label := _label(owner, whole))],
        owners=owners,
        leased=leased,
        free=sum(owner.free for owner in owners) - unowned,
        unowned=unowned,
    )


def _owner(pool: WorkerPool, parts: Sequence[Segment], seen: frozenset[UUID], viewer: Viewer) -> Owner:
    span = Span(parts[0].first, parts[-1].last)
    owner = Owner(parts[0].host, span, pool.id_text(span.first), pool.id_text(span.last))
    holders: dict[UUID | None, Holder] = {}
    for part in parts:
        if part.state == "leased":
            size = part.last - part.first + 1
            owner.leased += size
            run_id = part.run_id if part.run_id in seen else None
            label = part.run_label if run_id or viewer.is_admin else ""
            # Those of other teams are one: how many there are is theirs, too.
            key = part.run_id if label else None
            holders.setdefault(key, Holder(run_id, label, 0)).ids += size
    owner.holders = list(holders.values())
    return owner


def _pieces(
    pool: WorkerPool,
    groups: Sequence[Sequence[Segment]],
    owners: Iterable[Owner],
    whole: Span,
    seen: frozenset[UUID],
    viewer: Viewer,
) -> list[Piece]:
    if sum(map(len, groups)) > MOST_PIECES:
        return [_whole_piece(owner, place % 2, whole) for place, owner in enumerate(owners)]
    return [
        _piece(pool, part, place % 2, whole, part.run_label if part.run_id in seen or viewer.is_admin else "")
        for place, parts in enumerate(groups)
        for part in parts
    ]


def _piece(pool: WorkerPool, part: Segment, shade: int, whole: Span, run: str) -> Piece:
    span = Span(part.first, part.last)
    words = [_range(pool.id_text(part.first), pool.id_text(part.last), span.size), _owned_by(part.host)]
    match part.state:
        case "leased":
            words.append(_("leased by %(run)s") % {"run": run or _("another team's run")})
        case "free":
            words.append(_("free"))
    return Piece(drawing.place(span, whole), part.state, shade, " · ".join(words))


def _whole_piece(owner: Owner, shade: int, whole: Span) -> Piece:
    state = "mixed" if 0 < owner.leased < owner.ids else "leased" if owner.leased else "free"
    words = [_range(owner.first, owner.last, owner.ids), _owned_by(owner.host)]
    if owner.host is None and not owner.leased:
        state = "unowned"
    else:
        words.append(_("%(leased)s leased") % {"leased": f"{owner.leased:,}"})
    return Piece(drawing.place(owner.span, whole), state, shade, " · ".join(words))


def _range(first: str, last: str, size: int) -> str:
    span = first if size == 1 else f"{first} – {last}"
    return f"{span} ({ngettext('%(ids)s ID', '%(ids)s IDs', size) % {'ids': f'{size:,}'}})"


def _owned_by(host: WorkerHost | None) -> str:
    return str(host) if host else _("no host's")


def _label(owner: Owner, whole: Span) -> Label | None:
    if owner.host is None:
        return None
    place = drawing.place(owner.span, whole)
    text = drawing.label(owner.host.name, place.width)
    return Label(place, text, place.width >= drawing.WIDE_PERCENT) if text else None
