"""The first rows of a data file, as text to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice

from apps.scenarios import data_store
from apps.scenarios.data_check import parse_object
from apps.scenarios.models import DataFileVersion, DataKind
from workers.datafiles import Record, records

ROWS = 20
CELL_CHARS = 200


@dataclass(frozen=True, slots=True)
class Preview:
    """A small table. Cells are hostile text, cut after CELL_CHARS with an ellipsis at the end."""

    columns: list[str]
    rows: list[list[str]]


def preview(version: DataFileVersion) -> Preview:
    """The first rows; none of a binary file. Raises Missing."""
    if version.kind == DataKind.BINARY:
        return Preview([], [])
    columns = [str(name) for name in version.columns]
    with data_store.open_content(version.path) as source:
        found = (record for record in records(source, version.kind) if not record.is_blank)
        start = 1 if version.kind == DataKind.CSV else 0
        rows = [_cells(record, version.kind, columns) for record in islice(found, start, start + ROWS)]
    return Preview([_cut(name) for name in columns], rows)


def _cells(record: Record, kind: str, columns: list[str]) -> list[str]:
    if kind == DataKind.CSV:
        return [_cut(cell.encode("latin-1").decode(errors="replace")) for cell in record.cells]
    row = parse_object(record.raw.decode(errors="replace")) or {}
    return [_cut(_text(row[name])) if name in row else "" for name in columns]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    """Short, and without halves of characters that JSON can write and UTF-8 cannot."""
    text = text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"
    return text.encode("utf-8", "replace").decode()
