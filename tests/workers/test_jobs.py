"""What RQ calls, with real Locust: a run from the queue to its end, and what is left behind."""

from __future__ import annotations

import csv
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.core.files.storage import storages
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

from apps.runs import notify, services, tiers
from apps.runs.lease import RENEW_SECONDS, Lease
from apps.runs.models import Artifact, Run
from apps.runs.states import State
from apps.teams.actors import Actor
from tests.factories import RunFactory, ScenarioFactory, ScenarioVersionFactory
from tests.runs.makers import held, row_of
from tests.workers.conftest import LOCUSTFILE, Target, of_run
from workers import jobs
from workers.jobs import ALONE_SECONDS, Control, execute_run, sweep
from workers.outcome import Order
from workers.spec import Steering


@pytest.fixture
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.RUNS_DIR.mkdir()
    return tmp_path / "runs"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a runner's holder has it."""
    monkeypatch.setenv("RQ_WORKER_ID", "host-1.123")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


pytestmark = pytest.mark.usefixtures("runner")


def queued(target: Target, locustfile: str = LOCUSTFILE, **load: Any) -> Run:
    target.counts.clear()
    scenario = ScenarioFactory.create()
    version = ScenarioVersionFactory.create(scenario=scenario, locustfile=locustfile)
    wanted = {"users": 2, "spawn_rate": 10, "run_time_s": 3, "host": target.url} | load
    return RunFactory.create(scenario=scenario, version=version, **wanted)


def carried_out(run: Run) -> Run:
    execute_run(str(run.pk))
    run.refresh_from_db()
    assert of_run(str(run.pk)) == []
    return run


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_carries_a_run_from_the_queue_to_its_end(target: Target, folders: Path) -> None:
    run = carried_out(queued(target))
    assert (run.state, run.reason, run.verdict, run.verdict_reasons) == (State.FINISHED, "run_time_over", "none", [])
    assert run.reconciliation["difference"] == 0 and run.reconciliation["endpoints"] == []
    assert run.totals["requests"] == run.reconciliation["collected"] == target.counts.total()
    assert (run.runner, run.peak_users, run.current_users, run.lease_until) == ("host-1", 2, 0, None)
    assert run.started_at and run.finished_at and run.diagnosis == {}
    states = run.events.filter(kind="state").values_list("data__state", flat=True)
    assert list(states) == ["claimed", "starting", "running", "finished"]
    assert set(run.artifacts.values_list("name", flat=True)) >= {"report.html", "stats.csv", "locust.log"}
    assert {row.seconds for row in tiers.read(run.pk, 1)} == {1} and tiers.read(run.pk, 60)
    with storages["artifacts"].open(run.artifacts.get(name="stats_history.csv").path, "r") as history:
        last = list(csv.DictReader(history))[-1]
    assert (last["Name"], last["Total Request Count"]) == ("Aggregated", str(run.totals["requests"]))
    assert list(folders.iterdir()) == []
    execute_run(str(run.pk))  # a doorbell may ring twice
    assert run.events.filter(kind="state").count() == 4
    assert Run.objects.get().fence == 1


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_says_why_a_script_cannot_start(target: Target, folders: Path) -> None:
    run = carried_out(queued(target, "x = 1\nimport nowhere\n"))
    assert (run.state, run.reason, run.verdict) == (State.FAILED, "locustfile_error", "none")
    assert (run.diagnosis["code"], run.diagnosis["line"]) == ("import_error", 2)
    assert list(folders.iterdir()) == []


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_rings_over_one_line(target: Target, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[object] = []
    send = notify._send

    def heard(run_id: UUID) -> None:
        lines.append(getattr(notify._held, "runner", None))
        send(run_id)

    monkeypatch.setattr(notify, "_send", heard)
    carried_out(queued(target, "x = 1\nimport nowhere\n"))
    first, *others = lines
    assert first is None  # of the claim, which comes before
    assert len(others) >= 2 and others[0] is not None and set(others) == {others[0]}


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_fails_a_run_without_a_request(target: Target, folders: Path) -> None:
    idle = "from locust import User, task\n\nclass Idle(User):\n    @task\n    def rest(self):\n        pass\n"
    run = carried_out(queued(target, idle + "    wait_time = lambda self: 0.5\n", run_time_s=2))
    assert (run.state, run.reason) == (State.FAILED, "no_requests")


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_stops_when_somebody_wants_it(target: Target, folders: Path, tess: Any) -> None:

    run = queued(target, run_time_s=60)

    def stop() -> None:
        try:
            while target.counts.total() < 5:
                time.sleep(0.05)
            services.stop(run=run, by=Actor(user=tess))
        finally:
            connection.close()

    stopper = Thread(target=stop)
    stopper.start()
    run = carried_out(run)
    stopper.join()
    assert (run.state, run.reason, run.stopped_by) == (State.STOPPED, "stop_requested", "user:tess")
    assert run.reconciliation["difference"] == 0


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_declared_lost_is_left_and_its_files_are_kept(target: Target, folders: Path) -> None:
    run = queued(target, run_time_s=60)

    def lose() -> None:
        try:
            while not Run.objects.filter(pk=run.pk, last_seq__gt=0).exists():
                time.sleep(0.05)
            Run.objects.filter(pk=run.pk).update(state=State.LOST, reason="host_lost", finished_at=timezone.now())
        finally:
            connection.close()

    loser = Thread(target=lose)
    loser.start()
    run = carried_out(run)
    loser.join()
    assert (run.state, run.reason) == (State.LOST, "host_lost")
    assert sweep() == 1
    assert run.artifacts.filter(name="stats_history.csv").exists()
    assert list(folders.iterdir()) == []


# --- without Locust -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wish", "reason"), [("stop_requested_at", "stop_requested"), ("abort_requested_at", "abort_requested")]
)
def test_it_does_not_start_what_is_not_wanted(folders: Path, wish: str, reason: str) -> None:
    run = RunFactory.create(**{wish: timezone.now()})
    execute_run(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.STOPPED, reason)


@pytest.mark.django_db
def test_it_refuses_a_load_beyond_the_limits(folders: Path) -> None:
    run = RunFactory.create(users=2_000_000_000)
    execute_run(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.FAILED, "refused")
    assert run.diagnosis["message"].startswith("Users must be")


@pytest.mark.django_db
def test_it_says_so_when_it_is_our_own_fault(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFactory.create()
    monkeypatch.setattr(jobs, "supervise", _fail)
    execute_run(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.FAILED, "runner_error")


def _fail(*_args: Any, **_options: Any) -> None:
    raise OSError("no process could be started")


@pytest.mark.django_db
def test_the_end_is_written_again_until_the_database_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FINAL_WRITE_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "connection", _Closable())
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("the database is away")

    jobs._persistently(write)
    assert len(tries) == 3

    def never() -> None:
        raise OperationalError("the database is away")

    with pytest.raises(DatabaseError):
        jobs._persistently(never)


class _Closable:
    """A test's connection must stay open: its transaction is the test's."""

    def close(self) -> None:
        """Not really."""


# --- control ------------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.django_db
def test_it_hands_on_wishes_and_the_runners_own_leave() -> None:
    lease = held()
    control = Control(lease, Clock())
    assert control.orders() is Order.GO
    control.leave(signal.SIGTERM, None)
    assert control.orders() is Order.DRAIN
    Run.objects.update(abort_requested_at=timezone.now())
    assert control.orders() is Order.ABORT
    Run.objects.update(fence=9)
    assert control.orders() is Order.FENCED


@pytest.mark.django_db
def test_it_hands_on_what_is_wanted_of_the_test() -> None:
    control = Control(held(), Clock())
    assert control.steering() is None
    control.orders()
    assert control.steering() is None
    Run.objects.update(steering_revision=1, wanted_users=7)
    assert control.steering() is None  # nobody has asked since
    control.orders()
    assert control.steering() == Steering(1, Run.objects.get().run_time_s, 7)


@pytest.mark.django_db
def test_it_renews_when_it_is_time() -> None:
    lease, clock = held(), Clock()
    control = Control(lease, clock)
    long_ago = timezone.now() - timedelta(hours=1)
    Run.objects.update(lease_until=long_ago)
    clock.now += RENEW_SECONDS - 0.1
    control.orders()
    assert row_of(lease).lease_until == long_ago
    clock.now += 0.1
    control.orders()
    assert row_of(lease).lease_until != long_ago


@pytest.mark.django_db
def test_it_forgives_a_database_that_is_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    control = Control(held(), clock)
    monkeypatch.setattr(jobs, "connection", _Closable())
    with monkeypatch.context() as patch:
        for name in ("renew", "wishes"):
            patch.setattr(Lease, name, _away)
        for _ in range(3):
            clock.now += ALONE_SECONDS / 3
            with pytest.raises(DatabaseError):
                control.orders()
        clock.now += 1
        assert control.orders() is Order.FENCED
    assert control.orders() is Order.GO
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "wishes", _away)
        with pytest.raises(DatabaseError):
            control.orders()


def _away(lease: Lease) -> Order:
    raise OperationalError("the database is away")


# --- what a killed runner leaves ----------------------------------------------------------------------------------


def leave_folder(folders: Path, run: Run, fence: int) -> Path:
    path = folders / f"{run.pk}.{fence}"
    (path / "out").mkdir(parents=True)
    (path / "out" / "locust.log").write_text("the last words\n")
    (path / "out" / "locust_stats.csv").symlink_to("/etc/passwd")
    return path


@pytest.mark.django_db
def test_a_run_that_is_in_hand_keeps_its_folder(folders: Path) -> None:
    """It may be over already, while its history is being written."""
    run = RunFactory.create(state=State.FINISHED, fence=2)
    path = leave_folder(folders, run, 2)
    assert sweep(held={str(run.pk)}) == 0
    assert path.exists()
    assert sweep() == 1


@pytest.mark.django_db
def test_it_keeps_the_files_of_a_lost_run(folders: Path) -> None:
    run = RunFactory.create(state=State.LOST, fence=2)
    path = leave_folder(folders, run, 2)
    older = leave_folder(folders, run, 1)
    assert sweep() == 2
    kept = Artifact.objects.get()
    assert kept.name == "locust.log"
    with storages["artifacts"].open(kept.path) as stored:
        assert stored.read() == b"the last words\n"
    assert not path.exists() and not older.exists()
    assert sweep() == 0


@pytest.mark.django_db
def test_it_leaves_the_folder_of_a_run_that_goes_on(folders: Path) -> None:
    path = leave_folder(folders, RunFactory.create(state=State.RUNNING, fence=1), 1)
    assert sweep() == 0 and path.exists()


@pytest.mark.django_db
def test_it_removes_the_folder_of_a_run_that_is_gone(folders: Path) -> None:
    run = RunFactory.create(fence=1)
    path = leave_folder(folders, run, 1)
    run.delete()
    assert sweep() == 1 and not path.exists()


@pytest.mark.django_db
def test_it_leaves_what_is_not_a_runs(folders: Path) -> None:
    (folders / "notes.txt").write_text("not ours")
    (folders / f"{os.getpid()}.d").mkdir()
    assert sweep() == 0
    assert len(list(folders.iterdir())) == 2
