"""The processes a runner forks: real ones, with functions that are easy to look at."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from apps.core.queue import EXECUTE_RUN, EXECUTE_WORKERS, Ring
from apps.core.supervise.stack import BASE_DIR
from apps.pools.holders import HEARD, Holder, Holders, unsignalled
from tests.e2e.stack import wait_for

RUN = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"

# From Python 3.12 on; the threads are those of the test runner.
pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")


@pytest.fixture
def holders() -> Iterator[Holders]:
    made = Holders(worker="host-1.123", let_go=list)
    yield made
    made.tell(signal.SIGKILL)
    wait_for(lambda: gone(made), 5, "all holders are gone")


def left(holders: Holders) -> int:
    holders.reap()
    return len(holders)


def gone(holders: Holders) -> bool:
    return left(holders) == 0


def ring(function: Callable[..., object], run_id: str = RUN, name: str = EXECUTE_RUN) -> Ring:
    return Ring(name, function, (run_id,))


def forever(run_id: str) -> None:
    time.sleep(60)


def nothing(run_id: str) -> None:
    """What a ring for a run that is gone comes to."""


def started(holders: Holders, function: Callable[..., object], **fields: str) -> Holder:
    before = {holder.pid for holder in holders}
    holders.start(ring(function, **fields))
    return next(holder for holder in holders if holder.pid not in before)


def test_it_goes_on_while_holders_work_and_sees_them_off(holders: Holders) -> None:
    began = time.monotonic()
    for run_id, name in [(RUN, EXECUTE_RUN), (OTHER, EXECUTE_RUN), (OTHER, EXECUTE_WORKERS)]:
        started(holders, forever, run_id=run_id, name=name)
    holders.reap()
    assert time.monotonic() - began < 2
    assert (len(holders), holders.count(EXECUTE_RUN), holders.count(EXECUTE_WORKERS)) == (3, 2, 1)
    assert holders.run_ids() == {RUN, OTHER}
    first, *_others = holders
    os.kill(first.pid, signal.SIGKILL)
    wait_for(holders.reap, 5, "the dead one is seen off, and has failed")
    assert len(holders) == 2 and not holders.reap()
    assert not psutil.pid_exists(first.pid)


def test_a_holder_is_told_who_it_is_and_what_to_do(holders: Holders, tmp_path: Path) -> None:
    def tell(run_id: str) -> None:
        (tmp_path / "who").write_text(f"{os.environ['RQ_WORKER_ID']} {run_id} {os.getpgrp() == os.getpid()}")

    started(holders, tell)
    failed = False
    while holders:
        failed = holders.reap() or failed
    assert not failed
    assert (tmp_path / "who").read_text() == f"host-1.123 {RUN} True"
    assert "RQ_WORKER_ID" not in os.environ


def test_connections_are_let_go_of_before_the_fork(tmp_path: Path) -> None:
    let_go: list[int] = []
    made = Holders(worker="host-1.123", let_go=lambda: let_go.append(os.getpid()))

    def tell(run_id: str) -> None:
        (tmp_path / "seen").write_text(str(let_go))

    made.start(ring(tell))
    wait_for(lambda: gone(made), 5, "it has ended")
    assert (tmp_path / "seen").read_text() == str([os.getpid()])


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGTERM, True), (signal.SIGINT, False)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_means_to_a_holder_what_it_meant_to_a_work_horse(
    holders: Holders, number: signal.Signals, ends: bool
) -> None:
    """Ctrl-C is for the runner. SIGTERM ends it until its function has a handler."""
    heard: list[int] = []
    before = {one: signal.signal(one, lambda one, _frame: heard.append(one)) for one in HEARD}
    try:
        holder = started(holders, forever)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    wait_for(lambda: os.getpgid(holder.pid) == holder.pid, 5, "it is on its own")
    time.sleep(0.1)
    holders.tell(number)
    time.sleep(0.3)
    holders.reap()
    assert (len(holders) == 0) is ends
    assert heard == []


def test_a_function_may_hear_sigterm_itself(holders: Holders, tmp_path: Path) -> None:
    def leave(run_id: str) -> None:
        told: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
        (tmp_path / "ready").touch()
        while not told:
            time.sleep(0.01)
        (tmp_path / "left").touch()

    started(holders, leave)
    wait_for((tmp_path / "ready").exists, 5, "it listens")
    holders.tell(signal.SIGTERM)
    wait_for(lambda: gone(holders), 5, "it has ended")
    assert (tmp_path / "left").exists()


def test_an_end_that_is_not_well_is_named(holders: Holders, caplog: pytest.LogCaptureFixture) -> None:
    def fail(run_id: str) -> None:
        logging.disable()
        raise OSError("disk full")

    failing, killed = started(holders, fail), started(holders, forever)
    os.kill(killed.pid, signal.SIGKILL)
    started(holders, nothing)
    wait_for(lambda: gone(holders), 5, "all have ended")
    what = f"that carried out {EXECUTE_RUN} {RUN}"
    assert {record.getMessage() for record in caplog.records} == {
        f"the process {failing.pid} {what} ended with exit code 1",
        f"the process {killed.pid} {what} was ended by signal 9",
    }


@pytest.mark.parametrize("trouble", [SystemExit(0), KeyboardInterrupt(), RecursionError()])
def test_nothing_that_a_function_raises_makes_a_second_runner(
    holders: Holders, trouble: BaseException, tmp_path: Path
) -> None:
    def fail(run_id: str) -> None:
        logging.disable()
        raise trouble

    main = os.getpid()
    started(holders, fail)
    if os.getpid() != main:
        (tmp_path / "second").touch()
    wait_for(lambda: gone(holders), 5, "it has ended")
    assert not (tmp_path / "second").exists()


def test_one_that_somebody_else_saw_off_is_forgotten(holders: Holders) -> None:
    holder = started(holders, nothing)
    os.waitpid(holder.pid, 0)
    holders.reap()
    assert not holders


def test_signals_wait_while_it_must_not_be_disturbed() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with unsignalled():
            signal.raise_signal(signal.SIGTERM)  # to this thread, as to the only one of a runner
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


KILLED_RUNNER = """
import os, signal, time
from pathlib import Path
from apps.pools.holders import Holders
from apps.core.queue import Ring

def work(file):
    for _ in range(20):
        time.sleep(0.1)
        Path(file).write_text(str(os.getpid()))
    Path(file).with_suffix(".done").touch()

holders = Holders(worker="host-1.1", let_go=list)
holders.start(Ring("work", work, (os.environ["HOLDER_FILE"],)))
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for something that only Linux has")
def test_a_holder_outlives_a_runner_that_is_killed(tmp_path: Path) -> None:
    """Also one that the kernel would kill with its own parent, as in `make up`."""
    file = tmp_path / "alive"
    dying_with_us = "import ctypes, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    command = [sys.executable, "-c", dying_with_us + KILLED_RUNNER]
    environment = {**os.environ, "HOLDER_FILE": str(file), "PYTHONPATH": str(BASE_DIR)}
    runner = subprocess.Popen(command, env=environment, cwd=BASE_DIR)
    wait_for(file.exists, 20, "the holder works")
    runner.kill()
    runner.wait()
    wait_for(file.with_suffix(".done").exists, 10, "the holder came to its end")
