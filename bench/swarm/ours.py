"""What belongs to a run of several workers of the portal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from apps.core.supervise.stack import BASE_DIR
from bench.place import holder_of, locusts
from bench.turns import Group
from tests.e2e.stack import Stack


@dataclass(frozen=True)
class Parts:
    """Processes of one run. `leader` looks after the master, `owner` after the workers."""

    master: psutil.Process
    workers: Group
    leader: psutil.Process
    owner: psutil.Process


def parts_of(stack: Stack, run_id: str, workers: int) -> Parts:
    """Of a run whose users are there, on one host."""
    found = locusts(stack, run_id)
    masters = [process for process in found if "--master" in process.cmdline()]
    others = [process for process in found if process not in masters]
    assert (len(masters), len(others)) == (1, workers), f"{len(masters)} masters, {len(others)} workers"
    return Parts(masters[0], others, holder_of(masters[0]), holder_of(others[0]))


@contextmanager
def room(stack: Stack, slots: int) -> Iterator[None]:
    """The portal's host takes so many Locust workers at a time."""
    _set_slots(stack, str(slots))
    try:
        yield
    finally:
        _set_slots(stack)


def _set_slots(stack: Stack, *slots: str) -> None:
    """By its database: over REST only a person may, who is the portal's admin."""
    subprocess.run([sys.executable, "-m", "bench.swarm.slots", *slots], cwd=BASE_DIR, env=stack.env, check=True)
