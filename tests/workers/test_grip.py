"""A lock tells whether anything is left of the workers of a run, whatever became of their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.stack import wait_for
from tests.workers.conftest import of_run
from tests.workers.test_process import start
from workers.grip import gripped, path_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return path_of(tmp_path / "runs", "run", "host")


def is_free(path: Path) -> bool:
    with gripped(path) as descriptor:
        return descriptor is not None


def test_one_has_it_at_a_time(path: Path) -> None:
    with gripped(path) as descriptor:
        assert descriptor is not None and not is_free(path)
    assert is_free(path)


def test_who_is_patient_gets_it_when_it_is_let_go(path: Path) -> None:
    holder = holding(path, seconds=1.0)
    try:
        began = time.monotonic()
        with gripped(path, patience_s=0.2) as descriptor:
            assert descriptor is None and 0.2 <= time.monotonic() - began < 0.9
        with gripped(path, patience_s=30) as descriptor:
            assert descriptor is not None
    finally:
        holder.wait(10)


def test_a_file_that_nobody_made_is_not_made_to_look(path: Path) -> None:
    with pytest.raises(FileNotFoundError), gripped(path, is_new=False):
        pass
    assert not path.exists()


@pytest.mark.engine
def test_a_guard_has_it_until_nothing_is_left_below_it(path: Path, tmp_path: Path) -> None:
    script = "import subprocess, time\nsubprocess.Popen(['sleep', '99'])\nopen('up', 'w')\ntime.sleep(99)"
    with gripped(path) as descriptor:
        assert descriptor is not None
        process = start(tmp_path, script, kept=(descriptor,))
    wait_for((tmp_path / "script" / "up").exists, 20, "the script runs")
    assert not is_free(path)  # although we have let go
    os.kill(process.pid, signal.SIGSTOP)
    process._close_liveness()  # as when its supervisor dies
    time.sleep(0.3)
    assert not is_free(path) and of_run("inspected")
    os.kill(process.pid, signal.SIGCONT)
    wait_for(lambda: is_free(path), 10, "the guard is gone")
    assert of_run("inspected") == []
    process.kill()


def holding(path: Path, *, seconds: float) -> subprocess.Popen[str]:
    """A process that has it for so long."""
    code = "import sys, time\nfrom pathlib import Path\nfrom workers.grip import gripped\n"
    code += "with gripped(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(float(sys.argv[2]))"
    argv = [sys.executable, "-c", code, str(path), str(seconds)]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
    return holder
