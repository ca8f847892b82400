"""Who on this machine has the workers of a run in hand: a lock on a file, which ends with all that have it open.

The process that owns the workers has it, and so have their guards (`child/guard.py`), which go last. So when somebody
else gets it, none of these workers is left, however their owner ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


def path_of(runs: Path, run_id: object, host_id: object) -> Path:
    """Its file, which is there until its run is over."""
    return runs / f"{run_id}.grip-{host_id}"


@contextmanager
def gripped(path: Path, *, patience_s: float = 0.0, is_new: bool = True) -> Iterator[int | None]:
    """The descriptor of the lock; None when another has it and does not let go in time.

    Raises OSError when the file cannot be opened: FileNotFoundError when it is not there and may not be made
    (`is_new`).
    """
    if is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if is_new else 0), 0o600)
    try:
        yield descriptor if _get(descriptor, time.monotonic() + patience_s) else None
    finally:
        os.close(descriptor)


def _get(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True
