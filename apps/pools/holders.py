"""The processes in which a runner's jobs go on: one each, forked from the runner, and never in its way.

A holder outlives the runner that forked it: a run must go on when its runner is killed, to its own end.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

from apps.core.queue import Ring

log = logging.getLogger(__name__)

HEARD = (signal.SIGTERM, signal.SIGINT)
"""What people send a runner; it answers for its holders."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One forked process and what it is there for; `since` in epoch seconds."""

    pid: int
    ring: Ring
    since: float


class Holders:
    """The holders of one runner.

    `worker` is what they find in RQ_WORKER_ID, as under RQ; `let_go` closes connections that two processes must not
    share, and is called before every fork.
    """

    def __init__(self, *, worker: str, let_go: Callable[[], object]) -> None:
        self._worker = worker
        self._let_go = let_go
        self._held: dict[int, Holder] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Holder]:
        return iter(list(self._held.values()))

    def count(self, name: str) -> int:
        """How many carry out this function."""
        return sum(holder.ring.name == name for holder in self)

    def run_ids(self) -> frozenset[str]:
        """Runs that somebody here has in hand."""
        return frozenset(holder.ring.ids[0] for holder in self)

    def start(self, ring: Ring) -> None:
        """Fork a process that carries this out. Raises OSError when there is none to be had."""
        with unsignalled():  # no handler of ours may run in the child, nor miss it
            self._let_go()
            pid = os.fork()
            if pid == 0:
                _carry_out(ring, self._worker)
            self._held[pid] = Holder(pid, ring, time.time())

    def reap(self) -> bool:
        """See off those that have ended; whether one of them did not end as it should. Never waits."""
        failed = False
        with unsignalled():  # the number of one that was seen off may be another's already
            for holder in self:
                with suppress(ChildProcessError):
                    pid, status = os.waitpid(holder.pid, os.WNOHANG)
                    if pid == 0:
                        continue
                    code = os.waitstatus_to_exitcode(status)
                    _report(holder, code)
                    failed = failed or code != 0
                del self._held[holder.pid]
        return failed

    def tell(self, number: signal.Signals) -> None:
        """Send all of them a signal."""
        for holder in self:
            with suppress(ProcessLookupError):
                os.kill(holder.pid, number)


@contextmanager
def unsignalled() -> Iterator[None]:
    """Handlers of HEARD wait until the end of this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _carry_out(ring: Ring, worker: str) -> NoReturn:
    """The whole life of a holder. SIGTERM ends it at once, until the function has a handler of its own."""
    code = 1
    try:
        os.setpgrp()  # Ctrl-C in a terminal is for the runner
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        os.environ["RQ_WORKER_ID"] = worker
        ring.function(*ring.ids)
        code = 0
    except BaseException:
        log.exception("%s %s failed", ring.name, " ".join(ring.ids))
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # nothing of the runner's is to be wound up here


def _report(holder: Holder, code: int) -> None:
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        what = f"{holder.ring.name} {' '.join(holder.ring.ids)}"
        log.error("the process %d that carried out %s %s", holder.pid, what, how)
