"""What changed between two scripts, line by line. Pure: text in, rows out."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, takewhile
from typing import Any

CONTEXT_LINES = 3
MAX_STEPS = 5_000_000
"""About a second of comparing. What takes longer, such as thousands of equal lines with changes between them, is shown
as taken out and put in whole; to compare it would take hours, and hold up everybody's pages for as long."""
MAX_ROWS = 10_000
"""Rows of one page; then it breaks off."""

Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a unified diff. `kind`: `same`, `added`, `removed`, or `gap` (equal lines left out)."""

    kind: str
    old_number: int | None = None
    new_number: int | None = None
    text: str = ""


def unified(old: str, new: str, *, context: int = CONTEXT_LINES) -> list[Row]:
    """The changed lines with `context` equal lines around them; empty when nothing changed. At most `MAX_ROWS`."""
    before, after = old.splitlines(), new.splitlines()
    rows: list[Row] = []
    for group in _Grouped(_opcodes(before, after)).get_grouped_opcodes(context):
        if group[0][1] > 0 or group[0][3] > 0:
            rows.append(Row("gap"))
        for tag, *spans in group:
            rows.extend(islice(_rows(tag, before, after, *spans), MAX_ROWS))
        if len(rows) >= MAX_ROWS:
            return [*rows[: MAX_ROWS - 1], Row("gap")]
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


def _opcodes(before: Sequence[str], after: Sequence[str]) -> list[Opcode]:
    """As difflib has them. Most changes are in one place: what is equal before and after it costs nothing."""
    head = _common(zip(before, after, strict=False))
    old, new = before[head:], after[head:]
    tail = _common(zip(reversed(old), reversed(new), strict=False))
    old, new = old[: len(old) - tail], new[: len(new) - tail]
    try:
        middle = _Bounded(old, new).get_opcodes()
    except _TooMuch:
        middle = [("replace", 0, len(old), 0, len(new))]
    return [
        *_equal(0, 0, head),
        *((tag, head + i1, head + i2, head + j1, head + j2) for tag, i1, i2, j1, j2 in middle),
        *_equal(head + len(old), head + len(new), tail),
    ]


def _common(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _equal(old_from: int, new_from: int, lines: int) -> list[Opcode]:
    return [("equal", old_from, old_from + lines, new_from, new_from + lines)] if lines else []


class _TooMuch(Exception):
    pass


class _Bounded(difflib.SequenceMatcher[str]):
    """Raises _TooMuch instead of taking more than `MAX_STEPS`."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(a=old, b=new, autojunk=False)
        times = Counter(new)
        self._steps_before = [0, *accumulate(1 + times[line] for line in old)]
        self._left = MAX_STEPS

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        end = -1 if ahi is None else ahi
        self._left -= self._steps_before[end] - self._steps_before[alo]
        if self._left < 0:
            raise _TooMuch
        return super().find_longest_match(alo, ahi, blo, bhi)


class _Grouped(difflib.SequenceMatcher[str]):
    """Only for its grouping of opcodes that are known already."""

    def __init__(self, opcodes: list[Opcode]) -> None:
        super().__init__()
        self._opcodes = opcodes

    def get_opcodes(self) -> Any:
        return list(self._opcodes)
