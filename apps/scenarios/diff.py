"""What changed between two scripts, line by line. Pure: text in, rows out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a unified diff. `kind`: `same`, `added`, `removed`, or `gap` (equal lines left out)."""

    kind: str
    old_number: int | None = None
    new_number: int | None = None
    text: str = ""


def unified(old: str, new: str, *, context: int = CONTEXT_LINES) -> list[Row]:
    """The changed lines with `context` equal lines around them; empty when nothing changed."""
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    rows: list[Row] = []
    for group in matcher.get_grouped_opcodes(context):
        if group[0][1] > 0 or group[0][3] > 0:
            rows.append(Row("gap"))
        for tag, *spans in group:
            rows.extend(_rows(tag, before, after, *spans))
    if rows and _end_is_cut(rows, len(before), len(after)):
        rows.append(Row("gap"))
    return rows


def counts(rows: list[Row]) -> tuple[int, int]:
    """Lines added and removed."""
    return sum(row.kind == "added" for row in rows), sum(row.kind == "removed" for row in rows)


def _rows(
    tag: str, before: list[str], after: list[str], old_from: int, old_to: int, new_from: int, new_to: int
) -> Iterator[Row]:
    if tag == "equal":
        for offset, text in enumerate(before[old_from:old_to]):
            yield Row("same", old_from + offset + 1, new_from + offset + 1, text)
        return
    for offset, text in enumerate(before[old_from:old_to]):
        yield Row("removed", old_from + offset + 1, None, text)
    for offset, text in enumerate(after[new_from:new_to]):
        yield Row("added", None, new_from + offset + 1, text)


def _end_is_cut(rows: list[Row], old_lines: int, new_lines: int) -> bool:
    last_old = max((row.old_number or 0 for row in rows), default=0)
    last_new = max((row.new_number or 0 for row in rows), default=0)
    return last_old < old_lines and last_new < new_lines
