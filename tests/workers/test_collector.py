"""What a run leaves behind may be anything, and as much as the disk takes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.workers.conftest import Memory
from workers import collector, csv_source
from workers.collector import Collector
from workers.command import RunFolder
from workers.csv_source import CsvSource
from workers.launch import make_folders
from workers.spool import Spool


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    make_folders(folder)
    return folder


def test_it_does_not_read_for_ever_at_the_end(folder: RunFolder) -> None:
    folder.events.write_bytes(b"\n" * (20 * 1024 * 1024))
    seconds = itertools.count()
    collecting = Collector(CsvSource(folder), folder, Spool(Memory(), lambda: 0.0), lambda: float(next(seconds)))
    assert collecting.finish() is None
    assert "left_unread" in collecting.warnings
    assert next(seconds) < 2 * collector.DRAIN_SECONDS + 10
    collecting.close()


def test_a_history_of_the_past_and_the_future_is_refused(folder: RunFolder) -> None:
    now = 1_800_000_000
    header = "Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count\n"
    made_up = "".join(f"{t},1,,Aggregated,{t - now + 90_000},0\n" for t in range(now - 80_000, now + 80_000))
    folder.history.write_text(header + made_up)
    source = CsvSource(folder, lambda: float(now))
    collecting = Collector(source, folder, Spool(Memory(), lambda: 0.0), lambda: 0.0)
    collecting.finish()
    assert collecting.ticks == 2 * csv_source.CLOCK_SECONDS + 1
    assert "bad_rows" in collecting.warnings
    collecting.close()
