"""Nothing of a run survives, whoever dies first."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.workers.conftest import LOCUSTFILE, Target, of_run
from workers.command import RunFolder, launcher
from workers.launch import make_folders
from workers.process import LocustProcess

pytestmark = pytest.mark.engine

GONE_SECONDS = 3.0
KILLS = 15
SUPERVISE = """
import sys
from collections.abc import Sequence
from pathlib import Path
from tests.workers.conftest import Memory, Orders
from workers.command import RunFolder
from workers.spec import RunSpec
from workers.supervisor import supervise

locustfile, host, run_id, folder = sys.argv[1:]
spec = RunSpec(run_id=run_id, locustfile=locustfile, users=1, spawn_rate=1, run_time_s=60, host=host)
supervise(spec, RunFolder(Path(folder)), sink=Memory(), control=Orders(Memory()))
"""
DAEMON = """
import subprocess, sys
code = "import os; os.fork() and os._exit(0); os.setsid(); os.execv('/bin/sleep', ['sleep', '86400'])"
subprocess.run([sys.executable, "-c", code])
"""
BUSY = """
from locust import events

@events.test_start.add_listener
def _(**kwargs):
    while True: pass
"""


@pytest.mark.parametrize("number", range(KILLS))
def test_nothing_survives_a_supervisor_that_is_killed(number: int, target: Target, tmp_path: Path) -> None:
    script = LOCUSTFILE + (DAEMON, BUSY, "")[number % 3]
    arguments = [script, target.url, tmp_path.name, str(tmp_path / "run")]
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISE, *arguments], cwd=Path(__file__).parents[2])
    try:
        wait_until(lambda: bool(of_run(tmp_path.name)), 20)
        time.sleep(random.Random(number).uniform(0, 1.5))
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_until(lambda: not of_run(tmp_path.name), GONE_SECONDS)


def test_exit_codes_are_the_childs_own(tmp_path: Path) -> None:
    assert ended(start(tmp_path / "a", "import os; os._exit(7)")) == 7
    assert ended(start(tmp_path / "b", "import os; os.kill(os.getpid(), 15)")) == -signal.SIGTERM


def test_signals_reach_the_script(tmp_path: Path) -> None:
    script = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(5))\nopen('up', 'w')\nsignal.pause()"
    process = start(tmp_path, "import os\n" + script)
    wait_until((tmp_path / "script" / "up").exists, 10)
    process.terminate()
    assert ended(process) == 5


def test_kill_works_on_a_script_that_stopped_its_guard(tmp_path: Path) -> None:
    process = start(
        tmp_path, "import os, signal, time\nos.kill(os.getppid(), signal.SIGSTOP)\nopen('up', 'w')\ntime.sleep(99)"
    )
    wait_until((tmp_path / "script" / "up").exists, 10)
    process.kill()
    process.kill()
    assert of_run("inspected") == []


def test_a_script_gets_no_descriptor_of_ours(tmp_path: Path) -> None:
    tell = "import os\nfor n in os.listdir('/proc/self/fd'):\n"
    tell += "    try: print('FD', os.readlink('/proc/self/fd/' + n), flush=True)\n    except OSError: pass\nos._exit(0)"
    with Path(__file__).open() as secret:
        os.set_inheritable(secret.fileno(), True)
        assert ended(start(tmp_path, tell, kept=(secret.fileno(),))) == 0
    log = RunFolder(tmp_path).log
    opened = {line.split()[1] for line in log.read_text().splitlines() if line.startswith("FD")}
    assert {"/dev/null", str(log)} <= opened
    assert not [name for name in opened if name.startswith("pipe:") or name == __file__]


def start(path: Path, script: str, *, kept: Sequence[int] = ()) -> LocustProcess:
    """A child that only imports `script`."""
    folder = RunFolder(path)
    make_folders(folder)
    folder.locustfile.write_text(script)
    config = {
        "mode": "inspection",
        "limits": {},
        "locustfile": str(folder.locustfile),
        "tell_at": time.monotonic() + 60,
    }
    folder.launch.write_text(json.dumps(config))
    env = {"PATH": os.defpath, "HATCHERY_RUN_ID": "inspected"}
    return LocustProcess(launcher(folder), env, cwd=folder.script, log=folder.log, kept=kept)


def ended(process: LocustProcess) -> int:
    wait_until(lambda: process.poll() is not None, 20)
    code = process.poll()
    assert code is not None
    return code


def wait_until(condition: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.02)
