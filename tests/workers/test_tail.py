from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import tail
from workers.tail import CsvRows, FileTail, Lines, clean_text, open_regular, read_bounded

text = st.text(st.characters(codec="utf-8") | st.sampled_from('",\r\n \x00'), max_size=20)
rows = st.lists(st.lists(text, min_size=2, max_size=5), max_size=10)


def written(content: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(content)
    return file.getvalue().encode()


def chunks(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return (data[start:end] for start, end in itertools.pairwise(places))


@given(rows, st.lists(st.integers(0, 10_000)))
def test_csv_rows_survive_any_chunking(content: list[list[str]], cuts: list[int]) -> None:
    reader = CsvRows()
    read = [row for chunk in chunks(written(content), cuts) for row in reader.feed(chunk)]
    assert read == content
    assert not reader.pending and not reader.refused


@given(rows, st.binary(max_size=200), st.lists(st.integers(0, 10_000)))
def test_csv_rows_take_any_bytes(content: list[list[str]], noise: bytes, cuts: list[int]) -> None:
    reader = CsvRows()
    for chunk in chunks(noise + written(content), cuts):
        reader.feed(chunk)


def test_half_a_row_is_held_back() -> None:
    reader = CsvRows()
    assert reader.feed(b"a,b\r\nc,") == [["a", "b"]]
    assert reader.pending
    assert reader.feed(b"d\r\n") == [["c", "d"]]


def test_a_row_that_never_ends_takes_no_memory() -> None:
    reader = CsvRows()
    reader.feed(b'a,"')
    for _ in range(100):
        assert reader.feed(b"x\n" * 10_000) == []
    assert sum(map(len, reader._parts)) == 0
    assert reader.feed(b'"\r\nc,d\r\n') == [["c", "d"]]
    assert reader.refused == 1


def test_many_small_pieces_of_a_row_take_no_memory() -> None:
    reader = CsvRows()
    reader.feed(b'"')
    for _ in range(300_000):
        reader.feed(b"\n")
    assert len(reader._parts) == 0


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)), st.lists(st.integers()))
def test_lines_survive_any_chunking(content: list[str], cuts: list[int]) -> None:
    reader = Lines()
    data = "".join(line + "\n" for line in content).encode()
    assert [line for chunk in chunks(data, cuts) for line in reader.feed(chunk)] == content


def test_a_line_that_never_ends_is_cut() -> None:
    reader = Lines()
    for _ in range(100):
        assert reader.feed(b"x" * 10_000) == []
    assert [len(line) for line in reader.feed(b"\nnext\n")] == [tail.MAX_LINE_BYTES, 4]


def test_the_last_line_needs_no_end() -> None:
    reader = Lines()
    assert reader.feed(b"one\ntwo") == ["one"]
    assert reader.end() == ["two"]
    assert reader.end() == []


def test_a_tail_reads_new_bytes_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    reader = FileTail(path)
    assert reader.read() == b""
    path.write_bytes(b"one")
    assert (reader.read(), reader.read()) == (b"one", b"")
    with path.open("ab") as file:
        file.write(b"two")
    assert (reader.read(1), reader.read(), reader.read()) == (b"t", b"wo", b"")
    path.write_bytes(b"3")
    assert reader.read() == b"3"
    reader.close()


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_hard_link(path: Path) -> None:
    path.with_name("other").write_text("secret")
    path.hardlink_to(path.with_name("other"))


def make_folder_a_link(path: Path) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / path.name).write_text("secret")
    path.parent.rmdir()
    path.parent.symlink_to(elsewhere)


@pytest.mark.parametrize("make", [make_link, make_hard_link, make_folder_a_link, os.mkfifo, Path.mkdir])
def test_only_regular_files_are_read(tmp_path: Path, make: object) -> None:
    path = tmp_path / "run" / "file"
    path.parent.mkdir()
    make(path)  # type: ignore[operator]
    with pytest.raises(OSError):
        open_regular(path)
    assert read_bounded(path, 1_000) is None
    assert FileTail(path).read() == b""
    assert not tail.cut(path, 0)


def test_reading_whole_files_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    assert read_bounded(path, 4) is None


def test_an_overlong_log_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"12345")
    assert not tail.cut(path, 5)
    assert tail.cut(path, 4)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\rb\x00c\x08d\x9be", "abcde"),
        ("tab\there", "tab\there"),
        ("\u202eright to left", "right to left"),
        ("half \ud800", "half "),
        ("x" * 11, "x" * 9 + "…"),
        ("\x1b", ""),
    ],
)
def test_text_is_cleaned(dirty: str, clean: str) -> None:
    assert clean_text(dirty, 10 if dirty.startswith("x") else 100) == clean


@given(st.text())
def test_clean_text_can_always_be_stored(dirty: str) -> None:
    clean = clean_text(dirty, 50)
    assert len(clean) <= 50
    assert "\x1b" not in clean and "\0" not in clean
    clean.encode("utf-8")
