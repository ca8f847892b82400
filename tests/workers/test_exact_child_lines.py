"""How lines reach the disk, also one that is full."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from workers.child.exact import lines
from workers.child.exact.lines import CHUNK_ENTRIES, Lines, spell, spell_small


class Disk:
    """Takes so many bytes, then it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self.writes = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, file: int, data: bytes) -> int:
        self.writes += 1
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        written = self._write(file, data[: self.room])
        self.room -= written
        return written


def read(folder: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir())).splitlines(keepends=True)


def entries(count: int) -> list[tuple[int, str]]:
    return [(index, "é\n") for index in range(count)]


@pytest.mark.parametrize("count", [0, 1, CHUNK_ENTRIES, CHUNK_ENTRIES + 1, 1_000])
def test_a_line_is_json_and_made_with_pauses(count: int) -> None:
    pauses: list[int] = []
    lists = {"names": entries(count), "errors": entries(1)}
    line = spell({"seq": 1}, b"AAAA", lists, lambda: pauses.append(1))
    assert line.isascii() and line.endswith(b"}\n") and line.count(b"\n") == 1
    assert json.loads(line) == {
        "seq": 1,
        "requests": "AAAA",
        "names": [[index, "é\n"] for index in range(count)],
        "errors": [[0, "é\n"]],
    }
    assert len(pauses) == max(0, count - 1) // CHUNK_ENTRIES


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_no_line(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        spell({"seq": 1, "lag_ms": value}, b"", {}, lambda: None)


def test_a_line_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, 10**9)
    Lines(str(tmp_path / "s")).append(spell({}, b"A" * 1_000_000, {"names": entries(1_000)}, lambda: None))
    assert disk.writes == 1


def test_it_goes_on_to_the_next_file(tmp_path: Path) -> None:
    out = Lines(str(tmp_path / "samples"), rotate_bytes=25)
    for number in range(6):
        out.append(b"line %d....\n" % number)
    assert {path.name: path.read_bytes().count(b"\n") for path in tmp_path.iterdir()} == {
        "samples.1.ndjson": 3,
        "samples.2.ndjson": 3,
    }
    assert len(read(tmp_path)) == 6


@pytest.mark.parametrize("room", range(40))
def test_a_full_disk_tears_no_line_and_doubles_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    disk = Disk(monkeypatch, room)
    out = Lines(str(tmp_path / "samples"), rotate_bytes=18)
    written = [spell_small({"seq": number}) for number in range(4)]
    for line in written[:3]:
        out.append(line)
    disk.room += 3
    out.flush()
    disk.room = 10_000
    out.append(written[3])
    assert read(tmp_path) == written
    assert all(path.read_bytes().endswith(b"\n") for path in tmp_path.iterdir())


def test_what_waits_for_the_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, 0)
    out = Lines(str(tmp_path / "samples"))
    monkeypatch.setattr(lines, "MAX_WAITING_BYTES", 100)
    fullness = [out.is_full]
    out.append(b"x" * 101)
    fullness.append(out.is_full)
    disk.room = 10_000
    out.flush()
    assert [*fullness, out.is_full] == [False, True, False]


def test_a_folder_that_is_not_there_is_no_exception(tmp_path: Path) -> None:
    out = Lines(str(tmp_path / "later" / "samples"))
    out.append(b"1\n")
    (tmp_path / "later").mkdir()
    out.append(b"2\n")
    assert read(tmp_path / "later") == [b"1\n", b"2\n"]


def test_a_script_may_close_the_file(tmp_path: Path) -> None:
    out = Lines(str(tmp_path / "samples"))
    out.append(b"1\n")
    assert out._file is not None
    os.close(out._file)
    out.append(b"2\n")
    out.append(b"3\n")
    assert read(tmp_path) == [b"1\n", b"2\n", b"3\n"]


def test_it_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"mine\n")
    (tmp_path / "samples.1.ndjson").symlink_to(tmp_path / "other")
    Lines(str(tmp_path / "samples")).append(b"1\n")
    assert (tmp_path / "other").read_bytes() == b"mine\n"
