"""Removing what a script left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.folders import remove_tree

DEEPER_THAN_PYTHON = 1_500
DIG = f"""
import os
for _ in range({DEEPER_THAN_PYTHON}):
    os.mkdir("d"); os.chdir("d")
open("file", "w").close()
"""


def test_it_removes_folders_deeper_than_a_path_can_be_long(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "tmp").mkdir(parents=True)
    subprocess.run([sys.executable, "-c", DIG], cwd=folder / "tmp", check=True)
    assert remove_tree(folder)
    assert list(tmp_path.iterdir()) == []


def test_it_removes_links_pipes_and_locked_folders_and_nothing_beyond(tmp_path: Path) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    (folder / "locked" / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (folder / "link").symlink_to(outside)
    (folder / "locked" / "inner" / "link").symlink_to(outside / "kept")
    os.mkfifo(folder / "pipe")
    (folder / "locked" / "inner").chmod(0)
    (folder / "locked").chmod(0)
    assert remove_tree(folder)
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.parametrize("kind", ["missing", "file", "link"])
def test_it_touches_no_more_than_a_folder(tmp_path: Path, kind: str) -> None:
    outside, path = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    if kind == "file":
        path.write_text("")
    if kind == "link":
        path.symlink_to(outside)
    assert remove_tree(path) is (kind == "missing")
    assert outside.is_dir()
