"""One Locust process with everything it starts: begin, signal, measure, and end without leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

GUARD_EXIT_SECONDS = 2.0
STRAYS_SECONDS = 5.0
POLL_SECONDS = 0.01

_guards: set[int] = set()
"""Guards of this process that are alive: never strays of another run."""
_starting = threading.Lock()
"""Held while a guard exists that is not in `_guards` yet; inspections run in threads of a web process."""


class Usage(NamedTuple):
    """Processor time in seconds since the start, and resident memory in bytes, of all processes of a run."""

    cpu_seconds: float
    rss_bytes: int


class LocustProcess:
    """Started by the constructor. Between us and Locust stands a guard (`child/guard.py`) that passes signals on.

    The guard kills everything below it as soon as our end of the liveness pipe closes: when we say so, or die.
    Should a script kill its guard, its orphans come to us if `sandbox.protect_supervisor()` was called before; so
    whoever starts a child in a new session by other means beside a LocustProcess would lose it for an orphan.
    Exit codes are Locust's own; a negative one is the signal that ended it.

    `kept` are descriptors of ours that the guard keeps open as long as it lives, and Locust never gets.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path, log: Path, kept: Sequence[int] = ()
    ) -> None:
        self._children_before = set(_child_pids())
        read, self._liveness = os.pipe()  # neither end survives an exec, but for `pass_fds`
        try:
            with log.open("ab") as output, _starting:
                self._popen = subprocess.Popen(
                    argv,
                    env={**env, "HATCHERY_GUARD_FDS": " ".join(map(str, (read, *kept)))},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(read, *kept),
                )
                _guards.add(self._popen.pid)
        except BaseException:
            os.close(self._liveness)
            raise
        finally:
            os.close(read)
        self.pid = self._popen.pid
        self._ended = False

    def poll(self) -> int | None:
        """The exit code once Locust and all that it started are gone, else `None`."""
        code = self._popen.poll()
        if code is not None:
            self._end()
        return code

    def interrupt(self) -> None:
        self._signal(signal.SIGINT)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of it at once. Returns when nothing is left; safe to call at any time and again."""
        self._close_liveness()
        try:
            self._popen.wait(GUARD_EXIT_SECONDS)
        except subprocess.TimeoutExpired:  # a script may have stopped its guard
            self._popen.kill()
            self._popen.wait()
        self._end()

    def usage(self) -> Usage:
        cpu, rss = 0.0, 0
        for process in self._descendants():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    cpu += times.user + times.system
                    rss += process.memory_info().rss
            except psutil.Error:
                continue
        return Usage(cpu, rss)

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []

    def _signal(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def _close_liveness(self) -> None:
        if self._liveness >= 0:
            os.close(self._liveness)
            self._liveness = -1

    def _end(self) -> None:
        if not self._ended:
            self._close_liveness()
            self._kill_strays()
            _guards.discard(self.pid)
            self._ended = True

    def _kill_strays(self) -> None:
        """Only a script that killed its guard leaves any: in sessions of their own or in the guard's, never in ours."""
        deadline = time.monotonic() + STRAYS_SECONDS
        while strays := self._strays():
            for pid in strays:
                _kill_and_reap(pid)
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of a run cannot be killed: {sorted(strays)}")
            time.sleep(POLL_SECONDS)

    def _strays(self) -> set[int]:
        with _starting:
            known = self._children_before | _guards
            children = [pid for pid in _child_pids() if pid not in known]
        ours = {None, os.getsid(0)}
        return {pid for pid in children if _session(pid) not in ours} | _members(self.pid)


def _child_pids() -> list[int]:
    return [process.pid for process in psutil.Process().children()]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _members(session: int) -> set[int]:
    return {pid for pid in psutil.pids() if pid != session and _session(pid) == session}


def _kill_and_reap(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        pass
