"""Runs code that imports Locust in an interpreter of its own: Locust patches the one that imports it."""

from __future__ import annotations

import subprocess
import sys


def said_by(code: str) -> str:
    """What it prints. Fails with its errors when it ends with one."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
