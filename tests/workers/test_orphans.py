"""What becomes of the workers of an owner that has died on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.files.storage import storages

from apps.core.clock import db_now
from apps.runs import sharing
from apps.runs.lease import Lease
from apps.runs.models import Artifact, Run, RunEvent, RunWorker
from apps.runs.sharing import MAX_STARTS, Share
from apps.runs.states import State, WorkerState
from apps.scenarios.models import OnLost
from tests.redis import no_redis  # noqa: F401 # a fixture
from tests.runs.makers import held, row_of, shared
from workers import grip
from workers.orphans import take_over
from workers.share import folder_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_redis")]
WHY = "The process that looked after it was ended."


@pytest.fixture
def runs(tmp_path: Path, settings: Any) -> Path:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.RUNS_DIR.mkdir()
    return tmp_path / "runs"


@pytest.fixture
def lease() -> Lease:
    return held(workers=3, on_lost=OnLost.REBALANCE)


@pytest.fixture
def share(runs: Path, lease: Lease) -> Share:
    """Workers that have come, and whose owner is dead: its lock is nobody's."""
    share = shared(lease, 0, 1)
    RunWorker.objects.update(ready_at=db_now(), state=WorkerState.READY)
    grip.path_of(runs, lease.run_id, share.host_id).touch()
    for index in share.indexes:
        folder = folder_of(row_of(lease), worker(index))
        folder.out.mkdir(parents=True)
        folder.log.write_text(f"last words of {index}\n")
    return share


def worker(index: int) -> RunWorker:
    return RunWorker.objects.get(index=index)


def told(run_id: UUID) -> list[tuple[str, int, str]]:
    events = RunEvent.objects.filter(run_id=run_id, kind="warning").order_by("id")
    return [(event.data["code"], event.data["worker"], event.text) for event in events]


def folders(runs: Path) -> list[str]:
    return [path.name for path in runs.iterdir() if path.is_dir()]


def test_they_are_offered_to_the_next_owner(share: Share, runs: Path) -> None:
    take_over(share.host_id)
    rows = [(row.state, row.reason, row.starts, row.ended_at) for row in (worker(0), worker(1))]
    assert rows == [(WorkerState.WANTED, WHY, 1, None)] * 2
    names = [f"Worker {number} on {worker(0).host_name}" for number in (1, 2)]
    assert told(share.run_id) == [
        ("worker_restarted", index, f"{name} is started again: {WHY}") for index, name in enumerate(names)
    ]
    assert [row.rings for row in (worker(0), worker(1))] == [1, 1]
    assert folders(runs) == []
    logs = {artifact.name: artifact.path for artifact in Artifact.objects.all()}
    assert sorted(logs) == ["worker-1.log", "worker-2.log"]
    with storages["artifacts"].open(logs["worker-2.log"]) as stored:
        assert stored.read() == b"last words of 1\n"
    assert sharing.claim_share(share.run_id, share.host_id, runner="host-1") == Share(
        share.run_id, share.host_id, 3, (0, 1)
    )


@pytest.mark.parametrize(
    ("fields", "run_fields"),
    [
        ({}, {"on_lost": OnLost.DEGRADE}),
        ({}, {"on_lost": OnLost.END}),
        ({}, {"state": State.LOST}),
        ({"ready_at": None}, {}),
        ({"starts": MAX_STARTS}, {}),
    ],
)
def test_they_end_when_nobody_is_to_start_them_again(
    share: Share, runs: Path, fields: dict[str, Any], run_fields: dict[str, Any]
) -> None:
    RunWorker.objects.update(**fields)
    Run.objects.update(**run_fields)
    take_over(share.host_id)
    for row in (worker(0), worker(1)):
        assert (row.state, row.reason, row.is_closed, row.rings) == (WorkerState.ENDED, WHY, True, 0)
        assert row.ended_at is not None
    assert told(share.run_id) == []


def test_an_owner_that_lives_is_left_alone(share: Share, runs: Path) -> None:
    with grip.gripped(grip.path_of(runs, share.run_id, share.host_id)):
        take_over(share.host_id)
    share.renew()
    assert worker(0).state == WorkerState.READY and len(folders(runs)) == 2


def test_an_owner_of_whom_nothing_is_known_here_is_left_alone(share: Share, runs: Path) -> None:
    """Its runner may have other folders."""
    grip.path_of(runs, share.run_id, share.host_id).unlink()
    take_over(share.host_id)
    share.renew()
    assert not grip.path_of(runs, share.run_id, share.host_id).exists()


def test_those_of_other_hosts_are_left_alone(share: Share, lease: Lease) -> None:
    other = shared(lease, 2)
    take_over(share.host_id)
    other.renew()


def test_the_next_process_has_a_log_of_its_own(share: Share, runs: Path) -> None:
    RunWorker.objects.update(starts=2)
    folder = folder_of(Run.objects.get(), worker(0))
    folder.out.mkdir(parents=True)
    folder.log.write_text("again\n")
    take_over(share.host_id)
    assert [artifact.name for artifact in Artifact.objects.all()] == ["worker-1.2.log"]
