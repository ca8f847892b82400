"""How the load generator does: lateness of its loop, CPU, memory, open files, users."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING

LAG_SECONDS = 0.1
"""How often the loop is asked whether it is in time."""
FILES_SECONDS = 5
MAX_CLASSES = 100
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Health:
    """Measures since its last `measure`."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._worst_lag = 0.0
        self._cpu = time.process_time()
        self._at = time.monotonic()
        self._files: int | None = None
        self._files_at = -float("inf")

    def watch_loop(self) -> None:
        """Runs for ever, as a greenlet."""
        while True:
            began = time.monotonic()
            gevent.sleep(LAG_SECONDS)
            self.note_lag(time.monotonic() - began - LAG_SECONDS)

    def note_lag(self, seconds: float) -> None:
        self._worst_lag = max(self._worst_lag, seconds)

    def measure(self) -> dict[str, object]:
        """The keys `users target lag_ms cpu rss fds` of a line."""
        now, cpu = time.monotonic(), time.process_time()
        share = (cpu - self._cpu) / (now - self._at) if now > self._at else 0.0
        self._cpu, self._at = cpu, now
        lag, self._worst_lag = self._worst_lag, 0.0
        if now >= self._files_at + FILES_SECONDS:
            self._files, self._files_at = _open_files(), now
        runner = self._environment.runner
        return {
            "users": users_by_class(runner),
            "target": wanted_users(runner),
            "lag_ms": round(lag * 1000, 3),
            "cpu": round(share * 100, 1),
            "rss": _resident_bytes(),
            "fds": self._files,
        }


def users_by_class(runner: Any) -> dict[str, int]:
    """Running users. Not `runner.user_classes_count`, which costs three times as much."""
    if runner is None:
        return {}
    counts = {user_class.__name__: 0 for user_class in runner.user_classes[:MAX_CLASSES]}
    running = Counter(type(greenlet.args[0]).__name__ for greenlet in runner.user_greenlets if greenlet.args)
    return {name: running[name] for name in counts}


def wanted_users(runner: Any) -> int:
    """Locust does not forget how many it wanted when the test ends."""
    is_over = runner is None or runner.state in {STATE_STOPPING, STATE_STOPPED, STATE_CLEANUP}
    return 0 if is_over else int(runner.target_user_count)


def _resident_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - Path objects for thousands of sockets are slow
    except OSError:
        return None
