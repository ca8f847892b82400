"""What RQ calls, with real Locust: a run from the queue to its end, and what is left behind."""

from __future__ import annotations

import csv
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import psutil
import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

from apps.pools.models import IdLease, IdRange, Runner, WorkerPool
from apps.runs import notify, services, tiers
from apps.runs.lease import RENEW_SECONDS, Lease
from apps.runs.models import Artifact, Run
from apps.runs.sharing import claim_share
from apps.runs.states import State, WorkerState
from apps.scenarios.models import OnLost
from apps.teams.actors import Actor
from tests.factories import (
    HostFactory,
    RunFactory,
    RunnerFactory,
    RunWorkerFactory,
    ScenarioFactory,
    ScenarioVersionFactory,
)
from tests.runs.makers import held, row_of
from tests.workers.conftest import LOCUSTFILE, Target, of_run
from workers import grip, jobs, share
from workers.jobs import ALONE_SECONDS, Control, execute_run, execute_workers, sweep
from workers.outcome import Order
from workers.share_control import ShareControl
from workers.spec import Steering


@pytest.fixture
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.RUNS_DIR.mkdir()
    return tmp_path / "runs"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """As a runner's holder has it, which was forked from a runner that has told of itself."""
    if request.node.get_closest_marker("django_db"):
        RunnerFactory.create(name="host-1", host__name="host-1", host__slots=4)
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


# --- several workers ----------------------------------------------------------------------------------------------


class Host:
    """The other holders of the runner: in a thread here, and in a process of their own there."""

    def __init__(self, run: Run) -> None:
        self._run, self._folders = run, Path(settings.RUNS_DIR)
        self.failed: list[BaseException] = []
        self.thread = Thread(target=self._own)

    def _own(self) -> None:
        try:
            host = Runner.objects.get().host
            deadline = time.monotonic() + 60
            while (taken := claim_share(self._run.pk, host.pk, runner="host-1")) is None:
                assert time.monotonic() < deadline, "nobody wants workers"
                time.sleep(0.1)
            while not Run.objects.get(pk=self._run.pk).link:
                time.sleep(0.05)
            path = grip.path_of(self._folders, self._run.pk, host.pk)
            with grip.gripped(path) as descriptor:
                assert descriptor is not None
                share.owner_of(taken, ShareControl(taken), clock_offset_s=0.0, grip=descriptor).own()
        except BaseException as error:
            self.failed.append(error)
        finally:
            connection.close()


def carried_out_by_workers(run: Run) -> Run:
    host = Host(run)
    host.thread.start()
    try:
        execute_run(str(run.pk))
    finally:
        host.thread.join()
    assert host.failed == [] and of_run(str(run.pk)) == []
    run.refresh_from_db()
    return run


def pool_with_ids() -> WorkerPool:
    """That of the runner's host."""
    host = Runner.objects.get().host
    WorkerPool.objects.filter(pk=host.pool_id).update(id_prefix="test_", first_id=1, last_id=100)
    pool = WorkerPool.objects.get(pk=host.pool_id)
    IdRange.objects.create(pool=pool, host=host, first=51, last=100)
    return pool


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_leads_a_run_of_several_workers_to_its_end(target: Target, folders: Path) -> None:
    pool = pool_with_ids()
    script = LOCUSTFILE.replace('get("/fail")', 'get("/fail").raise_for_status()')
    run = carried_out_by_workers(queued(target, script, pool=pool, workers=3, users=7, run_time_s=5))
    assert (run.state, run.reason, run.verdict, run.verdict_reasons) == (State.FINISHED, "run_time_over", "none", [])
    assert run.reconciliation["difference"] == 0 and run.totals["requests"] == target.counts.total()
    assert (run.peak_users, run.current_users, run.id_prefix) == (7, 0, "test_")
    (failure,), (raised,) = run.failures.all(), run.exceptions.all()
    assert failure.occurrences == raised.count == target.counts["/fail"]
    workers = list(run.worker_rows.all())
    assert [(row.users, row.offset, row.state, row.starts) for row in workers] == [
        (2, 50, "ended", 1),
        (2, 52, "ended", 1),
        (3, 54, "ended", 1),
    ]
    assert all(row.is_closed and row.ended_at and row.ready_at and row.totals["requests"] for row in workers)
    assert sum(row.totals["requests"] for row in workers) == run.totals["requests"]
    assert not IdLease.objects.filter(ended_at=None).exists() and IdLease.objects.count() == 3
    assert {"worker-1.log", "worker-2.log", "worker-3.log", "report.html"} <= set(
        run.artifacts.values_list("name", flat=True)
    )
    assert [row.cells[0].requests for row in tiers.each_second(run.pk)]
    assert not run.events.filter(kind="warning").exists()
    assert sweep() == 1 and list(folders.iterdir()) == []  # only the lock was left


@pytest.mark.django_db
def test_workers_of_another_host_are_not_taken_whoever_rings(folders: Path) -> None:
    other = HostFactory.create(name="host-2")
    run = RunFactory.create(state=State.RUNNING, workers=2)
    worker = RunWorkerFactory.create(run=run, host=other, state=WorkerState.WANTED)
    execute_workers(str(run.pk), str(other.pk))
    worker.refresh_from_db()
    assert (worker.state, worker.starts, worker.fence) == (WorkerState.WANTED, 0, 0)
    assert list(folders.iterdir()) == []


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_is_started_again_when_the_run_wants_it(target: Target, folders: Path) -> None:
    run = queued(target, workers=2, users=4, run_time_s=12, on_lost=OnLost.REBALANCE)

    def kill() -> None:
        try:
            while Run.objects.get(pk=run.pk).last_seq < 3:
                time.sleep(0.1)
            for process in of_run(str(run.pk)):
                with suppress(psutil.NoSuchProcess):  # a guard ends with what it guards
                    if process.environ().get("WORKER_INDEX") == "1" and "--worker" in process.cmdline():
                        process.kill()
        finally:
            connection.close()

    killer = Thread(target=kill)
    killer.start()
    carried_out_by_workers(run)
    killer.join()
    assert (run.state, run.reason, run.verdict) == (State.FINISHED, "run_time_over", "invalid")
    assert "worker_lost" in run.verdict_reasons and run.peak_users == 4
    assert list(run.worker_rows.values_list("starts", flat=True)) == [1, 2]
    assert run.totals["requests"] == sum(row.cells[0].requests for row in tiers.each_second(run.pk))
    assert [event.data["code"] for event in run.events.filter(kind="warning", data__code="worker_restarted")]


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_it_says_which_worker_could_not_load_the_script(target: Target, folders: Path) -> None:
    script = "import os\nif os.environ.get('WORKER_INDEX') == '1':\n    import nowhere\n" + LOCUSTFILE
    run = carried_out_by_workers(queued(target, script, workers=2))
    assert (run.state, run.reason) == (State.FAILED, "workers_missing")
    assert run.diagnosis["message"].startswith("Worker 2 on ") and "nowhere" in run.diagnosis["message"]
    assert target.counts.total() == 0
    assert sweep() == 1 and list(folders.iterdir()) == []


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


def leave_folder(folders: Path, run: Run, fence: int | str) -> Path:
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
def test_it_leaves_the_folders_of_workers_while_their_run_goes_on(folders: Path) -> None:
    """Those who own them may have been forked from a runner before this one."""
    run = RunFactory.create(state=State.RUNNING, fence=2)
    path, older = leave_folder(folders, run, "2-0-1"), leave_folder(folders, run, "1-0-1")
    assert sweep() == 1
    assert path.exists() and not older.exists()
    Run.objects.update(state=State.FINISHED)
    assert sweep() == 1
    assert not path.exists() and not Artifact.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "stays"), [(State.RUNNING, True), (State.FINISHED, False), (None, False)])
def test_it_removes_files_of_workers_with_their_run(folders: Path, state: State | None, stays: bool) -> None:
    run = RunFactory.create(state=state or State.RUNNING, fence=1)
    files = [grip.path_of(folders, run.pk, "host"), folders / f"{run.pk}.1-sequences"]
    for path in files:
        path.touch()
    if state is None:
        run.delete()
    assert sweep() == (0 if stays else 2)
    assert [path.exists() for path in files] == [stays, stays]


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
