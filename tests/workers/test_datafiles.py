"""The part of a data file that each worker gets."""

from __future__ import annotations

import csv
import io
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.datafiles import BINARY, BOM, CSV, JSON_LINES, MAX_ROW_BYTES, BadRow, RowTooLong, place, write_part
from workers.spec import DataFileSpec

CELL = st.text(st.sampled_from('ab ,;"\n\réß漢\u2028\x85\x0b\0'), max_size=6)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])
TOTAL = st.integers(1, 9)


def parts(content: bytes, kind: str, rows: int, total: int) -> list[bytes]:
    """What each worker gets."""
    return [part(content, kind, rows, index, total) for index in range(total)]


def part(content: bytes, kind: str, rows: int, index: int, total: int) -> bytes:
    """What one worker gets."""
    target = io.BytesIO()
    write_part(io.BytesIO(content), target, kind, rows, index, total)
    return target.getvalue()


def read(content: bytes) -> list[list[str]]:
    """The table as a script reads it."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def written(cell: str, is_quoted: bool) -> str:
    """A cell as programs write it: in quotes where it must be, or always."""
    if is_quoted or cell.startswith('"') or any(char in cell for char in ",\r\n"):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, list[list[str]]]:
    """A CSV with quotes, commas and line ends in its cells, and its rows."""
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=12))
    line_end, is_quoted = draw(LINE_ENDS), draw(st.booleans())
    header = [f"column {n}" for n in range(width)]
    lines = [",".join(written(cell, is_quoted) for cell in row) + line_end for row in [header, *rows]]
    content = "".join(lines).encode()
    has_last_end, has_bom = draw(st.booleans()), draw(st.booleans())
    if rows and not has_last_end:
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    return (BOM if has_bom else b"") + content, rows


@given(tables(), TOTAL)
def test_parts_of_a_table_are_disjoint_complete_and_in_order(table: tuple[bytes, list[list[str]]], total: int) -> None:
    content, rows = table
    found = [read(part) for part in parts(content, CSV, len(rows), total)]
    header = read(content)[0]
    assert [part[0] for part in found] == [header] * total
    assert [row for part in found for row in part[1:]] == rows
    bounds = [i * len(rows) // total for i in range(total + 1)]
    assert [len(part) - 1 for part in found] == [b - a for a, b in itertools.pairwise(bounds)]


@given(tables(), TOTAL)
def test_every_byte_of_a_table_is_in_one_part_as_it_was(table: tuple[bytes, list[list[str]]], total: int) -> None:
    content, rows = table
    head = part(content, CSV, len(rows), 0, 100)  # of so many workers, the first has no row
    bodies = [one.removeprefix(head) for one in parts(content, CSV, len(rows), total)]
    assert head + b"".join(bodies) == content


@given(st.lists(st.dictionaries(CELL, CELL), max_size=12), LINE_ENDS, TOTAL)
def test_parts_of_json_lines_are_disjoint_complete_and_in_order(
    rows: list[dict[str, str]], line_end: str, total: int
) -> None:
    content = "".join(json.dumps(row, ensure_ascii=False) + line_end for row in rows).encode()
    found = parts(content, JSON_LINES, len(rows), total)
    assert b"".join(found) == content
    assert [part.count(b"\n") for part in found] == [
        (i + 1) * len(rows) // total - i * len(rows) // total for i in range(total)
    ]


def test_five_hundred_rows_over_three_workers_begin_at_0_166_and_333() -> None:
    content = b"".join(b'{"n": %d}\n' % n for n in range(500))
    firsts = [json.loads(part.split(b"\n", 1)[0])["n"] for part in parts(content, JSON_LINES, 500, 3)]
    assert firsts == [0, 166, 333]


def test_more_workers_than_rows_leave_some_with_the_header_alone() -> None:
    assert parts(b"id\n1\n2\n", CSV, 2, 3) == [b"id\n", b"id\n1\n", b"id\n2\n"]


def test_blank_lines_are_no_rows_and_stay_where_they_are() -> None:
    content = b"\n{}\n\n \n{}\n\n"
    assert parts(content, JSON_LINES, 2, 2) == [b"\n{}\n\n \n", b"{}\n\n"]
    assert parts(b"id\n\n1\n\n2\n", CSV, 2, 2) == [b"id\n\n1\n\n", b"id\n2\n"]


def test_a_binary_file_is_copied_whole_for_everybody() -> None:
    assert parts(b"\0\n\xff", BINARY, 0, 2) == [b"\0\n\xff"] * 2


@pytest.mark.parametrize(
    ("distribution", "expected"), [("split", b"id\n2\n"), ("shared", b"id\n1\n2\n"), ("per_user", b"id\n1\n2\n")]
)
def test_only_a_file_that_is_split_is_cut(distribution: str, expected: bytes) -> None:
    spec = DataFileSpec("ids.csv", "", 7, CSV, 2, distribution, "recycle")
    target = io.BytesIO()
    place(io.BytesIO(b"id\n1\n2\n"), target, spec, 1, 2)
    assert target.getvalue() == expected


def test_a_row_without_end_is_not_read_into_memory() -> None:
    for content in (b"id\n" + b"x" * (MAX_ROW_BYTES + 1), b'id\n"' + b"\n" * MAX_ROW_BYTES):
        with pytest.raises(RowTooLong, match="line 2"):
            parts(content, CSV, 2, 2)


def test_a_table_that_is_broken_is_said_to_be() -> None:
    with pytest.raises(BadRow, match="line 3"):
        parts(b'id\n1\n"2', CSV, 2, 2)
    with pytest.raises(ValueError, match="has 1 rows"):
        parts(b"id\n1\n", CSV, 4, 2)
    with pytest.raises(ValueError, match="no part 2 of 2"):
        write_part(io.BytesIO(), io.BytesIO(), CSV, 0, 2, 2)
