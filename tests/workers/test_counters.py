"""Sequence numbers outlive the process that counted."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers.child.counters import SLOT_BYTES, Counters

COUNT = """
import os, signal, sys
from pathlib import Path
from workers.child.counters import Counters
counters = Counters(Path(sys.argv[1]), 10)
for n in range(1, 12_346):
    counters[3] = n
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    killed = subprocess.run([sys.executable, "-c", COUNT, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    counters = Counters(path, 10)
    assert [counters[position] for position in (2, 3, 4)] == [0, 12_345, 0]
    assert path.stat().st_size == 10 * SLOT_BYTES


def test_two_processes_of_one_worker_do_not_shrink_the_file(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    Counters(path, 10)[9] = 7
    Counters(path, 5)[4] = 1
    assert Counters(path, 10)[9] == 7


@pytest.mark.parametrize("position", [-1, 10, 10**12])
def test_what_has_no_slot_is_counted_in_memory(tmp_path: Path, position: int) -> None:
    counters = Counters(tmp_path / "counters", 10)
    counters[position] = 5
    assert counters[position] == 5
    assert Counters(tmp_path / "counters", 10)[position] == 0


def test_without_a_file_it_counts_in_memory() -> None:
    counters = Counters(None, 10)
    counters[3] = 5
    assert counters[3] == 5 and counters[4] == 0


def test_a_full_disk_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING):
        counters = Counters(tmp_path / "counters", 10)
    counters[3] = 5
    assert counters[3] == 5
    assert "would not survive a new start" in caplog.text


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "counters").symlink_to(tmp_path / "elsewhere")
    Counters(tmp_path / "counters", 10)[3] = 5
    assert not (tmp_path / "elsewhere").exists()
