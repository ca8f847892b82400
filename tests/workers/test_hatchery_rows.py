"""Data files as scripts get them, row by row."""

from __future__ import annotations

import ast
import csv
import io
import json
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.child import hatchery
from workers.child.hatchery import PAUSE_LINES, DataFileError, _Rows, _Table

cell = st.text(st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from('",\r\n '), max_size=12)
records = st.lists(st.tuples(cell.filter(lambda text: text.strip() != ""), cell), min_size=1, max_size=12)


def rows_of(path: Path) -> list[object]:
    with closing(_Rows(str(path))) as rows:
        return [rows[place] for place in range(len(rows))]


def file(folder: Path, content: bytes, name: str = "users.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@given(content=records, mark=st.booleans(), end=st.sampled_from(["\r\n", "\n"]), is_cut=st.booleans())
def test_rows_of_csv_are_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[str, str]], mark: bool, end: str, is_cut: bool
) -> None:
    out = io.StringIO(newline="")
    # With the short end of a line, Python leaves bare carriage returns as they are.
    short = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    (short if end == "\n" else csv.writer(out)).writerows([("user", "note"), *content])
    data = (b"\xef\xbb\xbf" if mark else b"") + out.getvalue().encode()
    path = file(tmp_path_factory.mktemp("data"), data.removesuffix(end.encode()) if is_cut else data)
    assert rows_of(path) == [{"user": user, "note": note} for user, note in content]


def test_rows_may_be_read_in_any_order(tmp_path: Path) -> None:
    path = file(tmp_path, b'user,note\n1,"a\nb"\n\n2,\xc3\xa9\n3,"c ""d"""\n')
    with closing(_Rows(str(path))) as rows:
        assert [rows[place]["note"] for place in (2, 0, 1, 0)] == ['c "d"', "a\nb", "é", "a\nb"]


def test_a_quote_inside_a_cell_is_a_letter(tmp_path: Path) -> None:
    assert rows_of(file(tmp_path, b'item\n5" pipe\n6" pipe\n')) == [{"item": '5" pipe'}, {"item": '6" pipe'}]


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.NDJSON"])
def test_rows_of_json_lines_are_what_stands_there(tmp_path: Path, name: str) -> None:
    path = file(tmp_path, b'\xef\xbb\xbf{"id": 1, "tags": ["a", "\\n"]}\r\n\n[2]\n \t\r\n"three"\n ', name)
    assert rows_of(path) == [{"id": 1, "tags": ["a", "\n"]}, [2], "three"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "users.csv, line 1: the first line must name the columns"),
        (b"\xef\xbb\xbf\n", "users.csv, line 1: the first line must name the columns"),
        (b"user,,mail\n1,2,3\n", "users.csv, line 1: each column needs a name of its own: user, , mail"),
        (b"user,user\n1,2\n", "users.csv, line 1: each column needs a name of its own"),
        (b"user,mail\n\n\n", "users.csv: there are no rows in it"),
        (b"user\n1\nJ\xf6rg\n", "users.csv, line 3: this is not UTF-8"),
        ("user\n1\n".encode("utf-16"), "users.csv, line 1: this is not UTF-8"),
        (b'user\n1\n"a\nb"\n"never\nends\n', "users.csv, line 5: unexpected end of data"),
        (b'user\n"1" and more\n', "users.csv, line 2: "),
        (b'user,mail\n"1\n1",a\n2\n', "users.csv, line 4: 1 cells, and the header has 2"),
        (b"user,mail\n1,a,b\n", "users.csv, line 2: 3 cells, and the header has 2"),
        (b'user\n"' + b"x" * 1_200_000 + b'"\n', "users.csv, line 2: field larger than field limit"),
    ],
)
def test_a_csv_that_is_none_is_told_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataFileError) as raised:
        rows_of(file(tmp_path, content))
    assert said in str(raised.value)


def test_a_cell_may_be_longer_than_python_takes_it_to_be(tmp_path: Path) -> None:
    assert rows_of(file(tmp_path, b'user\n"' + b"x" * 200_000 + b'"\n')) == [{"user": "x" * 200_000}]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"a": 1}\n\n{"a"\n', "a.jsonl, line 3: "), (b"\n" + b"[" * 100_000, "a.jsonl, line 2: ")],
)
def test_a_line_that_is_no_json_is_told_with_its_number(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataFileError) as raised:
        rows_of(file(tmp_path, content, "a.jsonl"))
    assert said in str(raised.value)


def test_a_missing_file_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFileError, match=rf"^users\.csv: No such file.*{tmp_path}\.$"):
        _Rows("users.csv")


def test_a_large_file_takes_little_memory_and_lets_others_go_on(tmp_path: Path) -> None:
    lines = 300_000
    path = file(tmp_path, b"user,mail\n" + b"".join(b"%d,user%d@example.com\n" % (n, n) for n in range(lines)))
    pauses: list[int] = []
    tracemalloc.start()
    try:
        rows = _Rows(str(path), lambda: pauses.append(1))
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with closing(rows):
        assert len(rows) == lines and rows[lines - 1]["user"] == str(lines - 1)
    assert used < path.stat().st_size
    assert len(pauses) == (lines + 1) // PAUSE_LINES


@pytest.fixture
def five(tmp_path: Path) -> Iterator[_Rows]:
    with closing(_Rows(str(file(tmp_path, b"n\n0\n1\n2\n3\n4\n")))) as rows:
        yield rows


def test_workers_share_rows_without_rest(five: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_TOTAL", "3")
    parts = []
    for worker in range(3):
        monkeypatch.setenv("WORKER_INDEX", str(worker))
        table = _Table(five, "n.csv", cut=True)
        parts.append(list(iter(partial(table.next_place, "stop"), None)))
    assert parts == [[0], [1, 2], [3, 4]]


def test_rows_of_a_part_come_again_when_they_are_recycled(five: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_TOTAL", "2")
    monkeypatch.setenv("WORKER_INDEX", "1")
    table = _Table(five, "n.csv", cut=True)
    assert [table.next_place("recycle") for _ in range(7)] == [2, 3, 4, 2, 3, 4, 2]


def test_a_shared_file_is_whole_for_each_worker(five: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_TOTAL", "3")
    monkeypatch.setenv("WORKER_INDEX", "2")
    table = _Table(five, "n.csv", cut=False)
    assert [table.next_place("stop") for _ in range(7)] == [0, 1, 2, 3, 4, None, None]


def test_a_row_per_user_is_that_of_its_position(five: _Rows) -> None:
    table = _Table(five, "n.csv", cut=False)
    assert [table.place_of(position, "recycle") for position in (0, 4, 5, 11)] == [0, 4, 0, 1]
    assert [table.place_of(position, "stop") for position in (0, 4, 5)] == [0, 4, None]


@pytest.mark.parametrize(("index", "total"), [("0", "9"), ("3", "3")])
def test_a_worker_without_a_row_is_told(five: _Rows, monkeypatch: pytest.MonkeyPatch, index: str, total: str) -> None:
    monkeypatch.setenv("WORKER_INDEX", index)
    monkeypatch.setenv("WORKER_TOTAL", total)
    with pytest.raises(DataFileError, match=rf"none is for worker {index} of {total}"):
        _Table(five, "n.csv", cut=True)


def test_json_rows_are_read_anew_each_time(tmp_path: Path) -> None:
    """A script may change what it got."""
    with closing(_Rows(str(file(tmp_path, json.dumps({"a": [1]}).encode(), "a.jsonl")))) as rows:
        rows[0]["a"].append(2)
        assert rows[0] == {"a": [1]}


def test_the_module_is_one_file_that_older_pythons_read_too() -> None:
    tree = ast.parse(Path(hatchery.__file__).read_text(), feature_version=(3, 9))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert {str(module).partition(".")[0] for module in modules} <= {*sys.stdlib_module_names, "gevent", "locust"}
