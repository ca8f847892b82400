"""The files of our own collector, as they grow, rotate, break off and are tampered with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.lines import START, end, file, row, second
from workers.command import RunFolder
from workers.exact_source import CLOCK_SECONDS, ExactSource
from workers.launch import make_folders
from workers.samples import Tick
from workers.tail import FileTail

NAMES = [[0, "GET", "/a"]]


class Clocks:
    mono = 100.0
    wall = START + 0.0


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    make_folders(folder)
    return folder


@pytest.fixture
def source(folder: RunFolder, clocks: Clocks) -> Iterator[ExactSource]:
    source = ExactSource(folder, lambda: clocks.mono, lambda: clocks.wall)
    yield source
    source.close()


def part(folder: RunFolder, number: int) -> Path:
    return folder.out / f"samples.{number}.ndjson"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as opened:
        opened.write(data)


def drain(source: ExactSource) -> list[Tick]:
    found: list[Tick] = []
    while True:
        ticks, anything = source.read()
        found += ticks
        if not anything:
            return found


def seconds(ticks: list[Tick]) -> list[int]:
    return [tick.t - START for tick in ticks]


def test_it_waits_for_the_file_and_for_the_rest_of_a_line(source: ExactSource, folder: RunFolder) -> None:
    assert source.read() == ([], False)
    data = file(second(1, [row(0, [5.0])], names=NAMES), second(2))
    for at in range(0, len(data), 100):
        append(part(folder, 1), data[at : at + 100])
        found = [tick for tick in drain(source) if at + 100 < len(data)]
        assert seconds(found) in ([], [1])
    assert source.warnings == {}
    append(part(folder, 1), file(second(3)))
    assert seconds(drain(source)) == [3]


def test_a_file_is_removed_when_it_has_been_read_and_the_next_is_there(source: ExactSource, folder: RunFolder) -> None:
    append(part(folder, 1), file(second(1)))
    assert seconds(drain(source)) == [1]
    assert part(folder, 1).exists()
    append(part(folder, 1), file(second(2)))
    append(part(folder, 2), file(second(3)))
    assert seconds(drain(source)) == [2, 3]
    assert [path.name for path in folder.out.iterdir()] == ["samples.2.ndjson"]
    for number in range(3, 7):
        append(part(folder, number), file(second(number + 1)))
    assert seconds(drain(source)) == [4, 5, 6, 7]
    assert [path.name for path in folder.out.iterdir()] == ["samples.6.ndjson"]
    assert source.warnings == {}


def test_a_file_that_goes_on_just_after_a_look_is_read_to_its_end(
    source: ExactSource, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(part(folder, 1), file(second(1)))
    look = FileTail.read

    def look_and_be_overtaken(self: FileTail) -> bytes:
        data = look(self)
        if not data and not part(folder, 2).exists():
            append(part(folder, 1), file(second(2)))
            append(part(folder, 2), file(second(3)))
        return data

    monkeypatch.setattr(FileTail, "read", look_and_be_overtaken)
    assert seconds([*drain(source), *drain(source)]) == [1, 2, 3]
    assert source.warnings == {}


def test_links_are_not_followed(source: ExactSource, folder: RunFolder, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "samples.1.ndjson").write_bytes(file(second(1)))
    part(folder, 1).symlink_to(treasure / "samples.1.ndjson")
    assert drain(source) == []
    part(folder, 2).write_bytes(file(second(2)))
    drain(source)
    assert (treasure / "samples.1.ndjson").exists()
    folder.out.rename(tmp_path / "gone")
    folder.out.symlink_to(treasure)
    (treasure / "samples.2.ndjson").write_bytes(file(second(3)))
    (treasure / "samples.3.ndjson").write_bytes(file(second(4)))
    drain(source)
    assert len(list(treasure.iterdir())) == 3


def test_a_pipe_does_not_block(source: ExactSource, folder: RunFolder) -> None:
    os.mkfifo(part(folder, 1))
    assert source.read() == ([], False)


def test_what_the_child_counted_is_compared_with_what_arrived(source: ExactSource, folder: RunFolder) -> None:
    lines = second(1, [row(0, [5.0, 6.0])], names=NAMES), end(1, requests=2)
    append(part(folder, 1), file(*lines))
    drain(source)
    assert source.ended and source.warnings == {}


@pytest.mark.parametrize(("requests", "failures"), [(3, 0), (1, 0), (2, 1)])
def test_a_difference_to_what_the_child_counted_is_said(
    source: ExactSource, folder: RunFolder, requests: int, failures: int
) -> None:
    append(part(folder, 1), file(second(1, [row(0, [5.0, 6.0])], names=NAMES), end(1, requests, failures)))
    drain(source)
    assert list(source.warnings) == ["samples_lost"]


def test_a_gap_is_said(source: ExactSource, folder: RunFolder) -> None:
    append(part(folder, 1), file(second(1), second(3)))
    assert seconds(drain(source)) == [1, 3]
    assert list(source.warnings) == ["samples_lost"]


def test_everything_else_is_said_too(source: ExactSource, folder: RunFolder) -> None:
    append(part(folder, 1), file(second(1), second(1), second(2, refused={"time": 1}), second(3, wall=START - 16.0)))
    append(part(folder, 1), file(second(4, [row(1_000, [1.0])])))
    drain(source)
    source.finish(None)
    assert set(source.warnings) == {"bad_rows", "bad_values", "clock_stepped", "too_many_names"}
    assert source.warnings["clock_stepped"] == "The clock of the load generator was set by -20.0 s."


def test_a_clock_that_is_set_here_refuses_nothing(source: ExactSource, folder: RunFolder, clocks: Clocks) -> None:
    for n, wall in enumerate([START - 10_000.0, START + 10_000.0, 0.0], start=1):
        clocks.wall = wall
        append(part(folder, 1), file(second(n)))
        assert seconds(drain(source)) == [n]


def test_the_future_is_refused_until_it_has_come(source: ExactSource, folder: RunFolder, clocks: Clocks) -> None:
    append(part(folder, 1), file(second(1), second(CLOCK_SECONDS + 1)))
    assert seconds(drain(source)) == [1]
    clocks.mono += 1
    append(part(folder, 1), file(second(CLOCK_SECONDS + 1)))
    assert seconds(drain(source)) == [CLOCK_SECONDS + 1]


def test_the_last_line_of_a_killed_child_counts_if_it_is_whole(source: ExactSource, folder: RunFolder) -> None:
    append(part(folder, 1), file(second(1), second(2)).removesuffix(b"\n"))
    assert seconds(drain(source)) == [1]
    assert seconds(source.finish(None)) == [2]
    assert source.warnings == {}


def test_half_a_line_of_a_killed_child_is_no_bad_row(source: ExactSource, folder: RunFolder) -> None:
    append(part(folder, 1), file(second(1), second(2))[:-20])
    assert seconds(drain(source)) == [1]
    assert source.finish(None) == []
    assert source.warnings == {}


def test_totals_and_failures_come_when_they_have_changed(source: ExactSource, folder: RunFolder) -> None:
    assert source.totals() is None and source.failures() is None
    rows = [row(0, [5.0, 6.0], failures=1)]
    append(part(folder, 1), file(second(1, rows, names=NAMES, errors_new=[[0, "GET", "/a", "x"]], errors=[[0, 1]])))
    drain(source)
    totals, failures = source.totals(), source.failures()
    assert totals is not None and (totals[0].requests, [entry.name for entry in totals[1]]) == (2, ["/a"])
    assert failures is not None and [(failure.index, failure.occurrences) for failure in failures] == [(0, 1)]
    append(part(folder, 1), file(second(2)))
    drain(source)
    assert source.totals() is None and source.failures() is None
    final = source.collected()
    assert final is not None
    assert (final.source, final.total, final.endpoints, final.failures) == ("collected", *totals, failures)


def test_samples_wait_for_the_table_that_has_their_error(source: ExactSource, folder: RunFolder) -> None:
    sample = {"error": 0, "t": START + 1, "method": "GET", "url": "/", "body": "no"}
    append(folder.failed, b"".join(json.dumps(sample | {"error": n}).encode() + b"\n" for n in (0, 1)))
    assert source.samples() == ([], True)
    rows = [row(0, [5.0], failures=1)]
    append(part(folder, 1), file(second(1, rows, names=NAMES, errors_new=[[0, "GET", "/a", "x"]], errors=[[0, 1]])))
    drain(source)
    assert source.samples() == ([], False)
    source.failures()
    samples, _ = source.samples()
    assert [found.error for found in samples] == [0]
    assert source.samples() == ([], False)
