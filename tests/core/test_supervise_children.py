"""The supervisor with real stand-in processes: what it restarts, what it prints, and that nothing outlives it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from apps.core.supervise import children

SCRIPT = Path(__file__).with_name("supervised.py")
ROOT = Path(children.__file__).resolve().parents[3]
WAIT_SECONDS = 15.0

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
ORPHANING = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], start_new_session=True);"
    "print('parent', flush=True); time.sleep(600)"
)
WORDY = "import sys, time; sys.stdout.write('one\\ntwo \\x1b[2J red\\nrest'); sys.stdout.flush(); time.sleep(600)"


class Held:
    """A running supervisor and what it printed so far."""

    def __init__(self, folder: Path, *specs: tuple[str, str, bool]) -> None:
        self.output = folder / "output"
        described = json.dumps([[name, [sys.executable, "-c", code], last] for name, code, last in specs])
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), described],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=folder,
            )
        self.seen: dict[int, psutil.Process] = {}

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def wait_for_lines(self, line: str, count: int = 1) -> None:
        until(lambda: self.lines().count(line) >= count, f"{count} x {line!r} in {self.lines()}")

    def look(self) -> list[psutil.Process]:
        """All processes below the supervisor now; remembered for `nothing_is_left`."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.seen |= {process.pid: process for process in below}
        return below

    def nothing_is_left(self) -> bool:
        return not any(is_alive(process) for process in self.seen.values())

    def clean(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self.look()
        self.process.kill()
        self.process.wait()
        for process in self.seen.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


Hold = Callable[..., Held]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    held: list[Held] = []

    def start(*specs: tuple[str, str, bool]) -> Held:
        held.append(Held(tmp_path, *specs))
        return held[-1]

    yield start
    for each in held:
        each.clean()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_children(hold: Hold, number: signal.Signals) -> None:
    held = hold(("a", SLEEP, False), ("b", SLEEP, False))
    held.wait_for_lines("a        | here")
    held.wait_for_lines("b        | here")
    assert len(held.look()) == 2
    held.process.send_signal(number)
    assert held.process.wait(WAIT_SECONDS) == 0
    assert held.nothing_is_left()


def test_it_kills_a_child_that_does_not_stop_within_ten_seconds(hold: Hold) -> None:
    held = hold(("stubborn", STUBBORN, False))
    held.wait_for_lines("stubborn | here")
    held.look()
    started = time.monotonic()
    held.process.terminate()
    held.process.wait(WAIT_SECONDS)
    assert time.monotonic() - started < 10
    assert held.nothing_is_left()
    assert "stubborn did not stop in time and is killed." in held.lines()


def test_what_others_use_stops_after_them(hold: Hold) -> None:
    slow = (
        f"import signal, time, sys; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(3))); {SLEEP}"
    )
    held = hold(("store", SLEEP, True), ("user", slow, False))
    held.wait_for_lines("user     | here")
    held.wait_for_lines("store    | here")
    store = next(process for process in held.look() if slow not in process.cmdline())
    held.process.terminate()
    time.sleep(0.3)
    assert is_alive(store)
    assert held.process.wait(WAIT_SECONDS) == 0
    assert held.nothing_is_left()


def test_it_restarts_a_child_that_dies_and_says_so(hold: Hold) -> None:
    held = hold(("web", SLEEP, False))
    held.wait_for_lines("web      | here")
    (child,) = held.look()
    child.kill()
    held.wait_for_lines("web      | here", count=2)
    assert "web was ended by SIGKILL. It starts again in 0.1 s." in held.lines()


def test_it_waits_longer_before_each_restart(hold: Hold) -> None:
    held = hold(("broken", "raise SystemExit(7)", False))
    held.wait_for_lines("broken ended with exit code 7. It starts again in 0.4 s.")
    told = [line for line in held.lines() if line.startswith("broken ended")]
    assert [line.split(" in ")[1] for line in told[:3]] == ["0.1 s.", "0.2 s.", "0.4 s."]


def test_a_command_that_is_not_there_is_said_and_tried_again(hold: Hold, tmp_path: Path) -> None:
    held = Held(tmp_path)
    held.clean()
    described = json.dumps([["ghost", ["/no/such/program"], False]])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), described], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(2)]
    process.terminate()
    assert process.wait(WAIT_SECONDS) == 0
    process.stdout.close()
    assert "ghost cannot be started: No such file or directory. It starts again in 0.1 s." in seen


def test_children_die_with_a_supervisor_that_is_killed(hold: Hold) -> None:
    held = hold(("a", SLEEP, False), ("stubborn", STUBBORN, True))
    held.wait_for_lines("a        | here")
    held.wait_for_lines("stubborn | here")
    held.look()
    held.process.kill()
    held.process.wait()
    until(held.nothing_is_left, "children gone")


def test_processes_a_child_left_behind_are_killed_at_the_end(hold: Hold) -> None:
    held = hold(("runner", ORPHANING, False))
    held.wait_for_lines("runner   | here")
    parent = min(held.look(), key=lambda process: process.create_time())
    parent.kill()
    held.wait_for_lines("runner   | parent", count=2)
    held.wait_for_lines("runner   | here", count=2)
    assert len(held.look()) >= 3  # the new parent, its child, and the adopted orphan
    held.process.terminate()
    held.process.wait(WAIT_SECONDS)
    assert held.nothing_is_left()


def test_it_prefixes_each_line_and_lets_no_terminal_code_through(hold: Hold) -> None:
    held = hold(("web", WORDY, False))
    held.wait_for_lines("web      | one")
    held.wait_for_lines("web      | two �[2J red")
    held.process.terminate()
    held.process.wait(WAIT_SECONDS)
    assert "web      | rest" in held.lines()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "ended"),
        (3, "ended with exit code 3"),
        (-9, "was ended by SIGKILL"),
        (-63, "was ended by signal 63"),
    ],
)
def test_ending(code: int, told: str) -> None:
    assert children.ending(code) == told
