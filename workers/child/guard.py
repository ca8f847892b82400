"""A tiny process above Locust which sees to it that nothing survives.

The supervisor holds the write end of a pipe and this process the read end. When the supervisor closes it, or dies in
any way, the guard kills everything that descends from it: also daemons that left the process group, because orphans
become its children. It is a process of its own, not a thread in Locust, since a script may block Python or kill itself.
"""

import os
import select
import signal
import time
from pathlib import Path

from . import linux

FORWARDED = (signal.SIGINT, signal.SIGTERM)
POLL_MILLISECONDS = 1_000
KILL_PAUSE_SECONDS = 0.005


def split(liveness: int, *kept: int) -> None:
    """Fork. Returns in the child, which goes on as Locust; the parent becomes the guard and never returns.

    Descriptors in `kept` stay open in the guard until nothing is left below it.
    """
    linux.adopt_orphans()
    guard = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child:
        os._exit(watch(child, liveness))
    for descriptor in (liveness, *kept):
        os.close(descriptor)
    os.setpgid(0, 0)
    linux.die_with_parent()
    if os.getppid() != guard:
        os._exit(1)
    linux.reset_signals()


def watch(child: int, liveness: int) -> int:
    """Forward signals until the child ended or the supervisor is gone. Returns the child's exit code."""
    wake = _wake_on_signals()
    poller = select.poll()
    poller.register(liveness, select.POLLIN)
    poller.register(wake, select.POLLIN)
    status: int | None = None
    while status is None:
        ready = [descriptor for descriptor, _ in poller.poll(POLL_MILLISECONDS)]
        if liveness in ready:
            status = signal.SIGKILL
        elif wake in ready:
            for number in set(os.read(wake, 512)) & set(FORWARDED):
                os.kill(child, number)
        if status is None:
            status = _reap(child)
    kill_descendants()
    return _leave(status)


def kill_descendants() -> None:
    """Kill until there is no child left; children of the killed become ours and are met in the next round."""
    while True:
        for pid in _descendants(os.getpid()):
            _kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(KILL_PAUSE_SECONDS)


def _wake_on_signals() -> int:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    return read


def _reap(child: int) -> int | None:
    """Collect ended children; the wait status of `child` once it ended."""
    result = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return result
            if pid == child:
                result = status
    except ChildProcessError:
        return signal.SIGKILL if result is None else result


def _leave(status: int) -> int:
    """The exit code to end with; a child that died of a signal takes the guard along by the same signal."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 1


def _descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent …": the name may hold anything, also brackets.
            parents[int(process.parent.name)] = int(process.read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found: set[int] = set()
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found
        found |= level
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
