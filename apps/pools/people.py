"""Teams and projects as somebody chooses them who opens a pool: a few of very many."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core.ids import is_uuid
from apps.teams.models import Project, Team

FOUND_SHOWN = 20
MOST_WORDS = 5
MOST_CHARS = 100
PLACES = {
    "teams": ("name", "slug"),
    "projects": ("name", "slug", "team__name", "team__slug"),
}
"""Where words are looked for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A team or a project."""

    pk: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """The first few that fit, by name."""

    choices: list[Choice]
    has_more: bool


def find(kind: str, text: str) -> Found:
    """Those of `kind`, a key of PLACES, in whose names all words of the text are; one query."""
    words = text.replace("\x00", " ")[:MOST_CHARS].split()[:MOST_WORDS]
    rows = _rows(kind)
    for word in words:
        fits = Q()
        for place in PLACES[kind]:
            fits |= Q(**{f"{place}__icontains": word})
        rows = rows.filter(fits)
    choices = _choices(rows[: FOUND_SHOWN + 1])
    return Found(choices[:FOUND_SHOWN], len(choices) > FOUND_SHOWN)


def chosen(kind: str, pks: Iterable[Any]) -> list[Choice]:
    """Those with these ids, which may be anything that was sent; one query."""
    known: Collection[str] = [text for pk in pks if is_uuid(text := str(pk))]
    return _choices(_rows(kind).filter(pk__in=known)) if known else []


def _rows(kind: str) -> QuerySet[Any]:
    if kind == "teams":
        return Team.objects.order_by("name", "pk")
    return Project.objects.select_related("team").order_by("team__name", "name", "pk")


def _choices(rows: Iterable[Any]) -> list[Choice]:
    return [Choice(row.pk, text_of(row)) for row in rows]


def text_of(row: Team | Project) -> str:
    """Projects are told apart by their teams."""
    return f"{row.team.name} / {row.name}" if isinstance(row, Project) else row.name
