"""What stands behind the script's module in a run of ours: IDs, journal and counters together, with real users."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.workers.test_hatchery_module import PREPARE
from workers.identity import Reader
from workers.identity_report import report

BLOCKS = [[501, 504], [101, 103]]


def run(folder: Path, code: str, *, process: int = 1, expected: int = 0) -> list[str]:
    """What `code` prints after a start with the first of `BLOCKS`."""
    config: dict[str, Any] = {
        "spans": [BLOCKS[0]],
        "blocks": BLOCKS,
        "journal": str(folder / f"ids-{process}"),
        "counters": str(folder / "counters"),
        "files": {"users.csv": ["shared", "stop"]},
    }
    begin = f"from workers.child import identity\nown = identity.start({config!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{PREPARE}\n{begin}\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expected, done.stderr
    return done.stdout.splitlines()


def read(folder: Path, processes: int = 1) -> Reader:
    reader = Reader(since=0)
    for process in range(1, processes + 1):
        reader.feed((folder / f"ids-{process}.1.ndjson").read_text().splitlines(), until=4e9)
    assert reader.refused == reader.missing == 0
    return reader


UPLOAD = """
class Uploading(Numbered):
    @task
    def upload(self):
        for _ in range(500):
            with sequence() as n:
                said.append((self.uid.number, n))
            gevent.sleep(0.001)
"""


def test_a_run_proves_who_had_which_id(tmp_path: Path) -> None:
    run(
        tmp_path,
        f"{UPLOAD}\nusers = start(Uploading, 4)\ngevent.sleep(1.5)\nstop(*users[:2])\nown.finish()\nown.finish()",
    )
    reader = read(tmp_path)
    found = report({0: reader.summary()}, {0: (501, 504), 1: (101, 103)})
    assert reader.is_closed
    assert found["workers"][0]["used"] == found["workers"][0]["leases"] == 4
    assert found["duplicates"]["count"] == found["out_of_range"]["count"] == 0
    assert found["sequences"]["gaps"]["count"] == found["sequences"]["repeats"]["count"] == 0
    assert found["sequences"]["ids"] == 4 and found["sequences"]["committed"] > 100


def test_a_killed_worker_goes_on_exactly_when_it_starts_anew(tmp_path: Path) -> None:
    killed = run(
        tmp_path,
        f"{UPLOAD}\nstart(Uploading, 4)\ngevent.sleep(1.3)\nprint(said[-1:], max(n for _, n in said), flush=True)\n"
        "os.kill(os.getpid(), 9)",
        expected=-signal.SIGKILL,
    )
    reached = int(killed[0].rpartition(" ")[2])
    first = json.loads(
        run(
            tmp_path,
            f"{UPLOAD}\nimport json\nstart(Uploading, 4)\ngevent.sleep(0.2)\nprint(json.dumps(said[:4]))\nown.finish()",
            process=2,
        )[0]
    )
    assert [number for number, _ in first] == [501, 502, 503, 504]
    assert {n for _, n in first} <= {reached, reached + 1}
    found = report({0: read(tmp_path, 2).summary()}, {0: (501, 504)})
    assert found["sequences"]["gaps"]["count"] == found["sequences"]["repeats"]["count"] == 0
    assert found["duplicates"]["count"] == 0 and found["workers"][0]["leases"] == 8


def test_an_id_that_was_with_another_worker_of_this_host_goes_on(tmp_path: Path) -> None:
    """Both have one file. What the other one wrote of it in its journal may be lost."""
    assert run(
        tmp_path,
        f"""
        from workers.child.counters import Counters
        {textwrap.indent(UPLOAD, "        ").strip()}
        stop(*start(Uploading))
        reached = said[-1][1]
        Counters({str(tmp_path / "counters")!r}, 7)[0] += 5
        stop(*start(Uploading))
        print(said[reached][1] == reached + 6, said[reached][0])
        own.finish()
        """,
    ) == ["True 501"]
    found = report({0: read(tmp_path).summary()}, {0: (501, 504)})["sequences"]
    assert found["gaps"]["count"] == found["repeats"]["count"] == 0


def test_positions_are_those_of_the_run_in_the_order_of_its_workers(tmp_path: Path) -> None:
    assert run(tmp_path, "print([own.position(number) for number in (501, 504, 101, 103)])") == ["[0, 3, 4, 6]"]


def test_ids_come_from_a_link_that_is_made_later(tmp_path: Path) -> None:
    """And sequences of an ID that was lent have their place as well."""
    assert run(
        tmp_path,
        f"""
        hatchery.RETRY_SECONDS = 0.05
        class Master:
            home = []

            def take(self, count):
                return [102]

            def give_back(self, numbers):
                self.home += numbers
        {textwrap.indent(UPLOAD, "        ").strip()}
        users = start(Sleeper, 4) + start(Uploading)
        print(numbers(users))
        own.link = Master()
        gevent.sleep(0.3)
        print(numbers(users), said[:2])
        stop(*users)
        print(own.link.home, own.committed(102) >= 2)
        own.finish()
        """,
    ) == ["[501, 502, 503, 504]", "[501, 502, 503, 504, 102] [(102, 1), (102, 2)]", "[102] True"]


def test_what_people_chose_for_a_file_counts(tmp_path: Path) -> None:
    assert run(tmp_path, "print(own.file_use('./users.csv'), own.file_use('other.csv'))") == [
        "('shared', 'stop') None",
    ]


def test_a_journal_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "ids-1.1.ndjson").mkdir()
    assert run(tmp_path, "print(numbers(start(count=2)))\nown.finish()") == ["[501, 502]"]


def test_a_fork_of_the_process_writes_nothing(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        start(count=1)
        if os.fork() == 0:
            own.finish()
            os._exit(0)
        os.wait()
        own.finish()
        """,
    )
    assert report({0: read(tmp_path).summary()}, {0: (501, 504)})["used"] == 1
