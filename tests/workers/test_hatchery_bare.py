"""The module in real Locust processes: beside a locustfile under bare `locust`, and as the launcher brings it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.workers.conftest import Runs, Target
from workers.child import hatchery
from workers.inspection import inspect

pytestmark = pytest.mark.engine

UPLOADS = """
from locust import HttpUser, constant, task

from hatchery import data_row, sequence, user_id


class Uploader(HttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        row = data_row("users.csv", self, mode="per_user")
        self.client.get(f"/login/{user_id(self)}/{row['name']}", name="/login")

    @task
    def upload(self):
        with sequence(self) as n:
            self.client.get(f"/upload/{user_id(self)}/{n}", name="/upload").raise_for_status()
"""
SECONDS = 3


class Bare:
    """`locust` as on a laptop, in a folder with the module and a data file of 20 rows."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self._target = folder, target
        shutil.copy(hatchery.__file__, folder / "hatchery.py")
        (folder / "locustfile.py").write_text(UPLOADS)
        (folder / "users.csv").write_text("name\n" + "".join(f"name{row}\n" for row in range(1, 21)))
        target.counts.clear()

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", "locust", "--headless", "--only-summary", *arguments],
            cwd=self.folder,
            env={**kept, "HOME": str(self.folder), "PYTHONUTF8": "1", **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def load(self, users: int) -> list[str]:
        return ["--host", self._target.url, "-u", str(users), "-r", str(users), "-t", f"{SECONDS}s"]

    def sequences(self) -> dict[str, list[int]]:
        """By ID what was uploaded; nothing twice."""
        found = defaultdict(list)
        for path, count in self._target.counts.items():
            if path.startswith("/upload/"):
                assert count == 1, path
                found[path.split("/")[2]].append(int(path.split("/")[3]))
        return {uid: sorted(uploaded) for uid, uploaded in found.items()}

    def logins(self) -> set[tuple[str, str]]:
        paths = [path.split("/") for path in self._target.counts if path.startswith("/login/")]
        return {(uid, name) for _, _, uid, name in paths}


@pytest.fixture
def bare(tmp_path: Path, target: Target) -> Bare:
    return Bare(tmp_path, target)


def said(process: subprocess.Popen[str]) -> str:
    log = process.communicate(timeout=60)[1]
    assert process.returncode == 0, log
    return log


def check(bare: Bare, ids: list[str]) -> None:
    sequences = bare.sequences()
    assert sorted(sequences) == sorted(ids)
    assert all(uploaded == list(range(1, len(uploaded) + 1)) for uploaded in sequences.values())
    assert max(map(len, sequences.values())) >= 2
    assert bare.logins() == {(uid, f"name{int(uid[-2:])}") for uid in ids}


def test_bare_locust_gives_each_user_an_id_a_sequence_and_a_row(bare: Bare) -> None:
    log = said(bare.start(*bare.load(20), ID_PREFIX="test_", ID_WIDTH="5"))
    check(bare, [f"test_{number:05d}" for number in range(1, 21)])
    assert "Traceback" not in log


def test_a_folder_may_be_all_there_is_to_run(bare: Bare) -> None:
    """Locust then takes each file in it for a locustfile, the module too."""
    log = said(bare.start("-f", ".", *bare.load(2)))
    check(bare, ["1", "2"])
    assert "Traceback" not in log


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_workers_of_a_bare_master_have_the_ids_of_their_offset(bare: Bare) -> None:
    port = str(free_port())
    master = bare.start(
        "--master",
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        port,
        "--expect-workers",
        "2",
        *bare.load(20),
    )
    at = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    workers = [bare.start(*at, WORKER_OFFSET=offset, WORKER_COUNT="10") for offset in ("0", "10")]
    log = "".join(said(process) for process in (master, *workers))
    check(bare, [f"{number:02d}".lstrip("0") for number in range(1, 21)])
    assert "Traceback" not in log and "WORKER_OFFSET" not in log


def test_a_worker_may_have_the_module_from_its_master(bare: Bare) -> None:
    """Which sends single files, and no folders."""
    port, elsewhere = str(free_port()), bare.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(bare.folder / "users.csv", elsewhere)
    at = ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1"]
    master = bare.start("-f", "locustfile.py,hatchery.py", "--master", *at, *bare.load(3))
    bare.folder = elsewhere
    at = ["-f", "-", "--worker", "--master-host", "127.0.0.1", "--master-port", port]
    worker = bare.start(*at, WORKER_OFFSET="10", TMPDIR=str(elsewhere))
    log = said(master) + said(worker)
    check(bare, ["11", "12", "13"])
    assert "Traceback" not in log


def test_a_worker_without_an_offset_warns(bare: Bare) -> None:
    port = str(free_port())
    master = bare.start(
        "--master",
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        port,
        "--expect-workers",
        "1",
        *bare.load(2),
    )
    worker = bare.start("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    said(master)
    assert said(worker).count("WORKER_OFFSET is not set") == 1


def test_a_single_user_in_a_debugger_has_an_id(bare: Bare) -> None:
    script = bare.folder / "locustfile.py"
    script.write_text(
        UPLOADS
        + """
        self.environment.done = True
        raise SystemExit

if __name__ == "__main__":
    from locust import run_single_user
    Uploader.host = HOST
    run_single_user(Uploader)
""".replace("HOST", repr(bare._target.url))
    )
    subprocess.run([sys.executable, str(script)], cwd=bare.folder, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert bare.sequences() == {"1": [1]}


def test_a_run_of_ours_has_the_module_and_a_copy_beside_the_script_does_not_matter(run: Runs, target: Target) -> None:
    script = UPLOADS.replace("row = data_row", "return\n        row = data_row")
    ran = run("open('hatchery.py', 'w').write('raise ImportError')\n" + script, users=3)
    uploads = {path for path in target.counts if path.startswith("/upload/")}
    assert {f"/upload/{number}/{n}" for number in (1, 2, 3) for n in (1, 2)} <= uploads
    assert not ran.sink.exceptions


def test_an_inspection_has_the_module() -> None:
    found = inspect(UPLOADS)
    assert not found.problems
    assert [kind.name for kind in found.user_classes] == ["Uploader"]
