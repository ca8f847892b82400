"""The runner process: its rows, its signs of life, and what it survives."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.utils import timezone
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from apps.core.queue import AllowedJob, pool_queue, ring
from apps.pools.models import Runner, WorkerHost, WorkerPool
from apps.pools.runner import RunnerWorker, beat, register
from tests.redis import Server, no_redis, redis_server, redis_url  # noqa: F401 # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool")]
Make = Callable[..., RunnerWorker]


@pytest.fixture
def runner() -> Runner:
    return register(pool_name="local", host_name="host", name="host-1")


@pytest.fixture
def worker(redis_url: str, runner: Runner) -> Make:  # noqa: F811
    def make(
        tidy: Callable[[], object] = list, *, stop_on_term: bool = False, alive: Path | None = None
    ) -> RunnerWorker:
        queue = pool_queue("local")
        options: dict[str, Any] = {
            "connection": queue.connection,
            "job_class": AllowedJob,
            "serializer": JSONSerializer,
        }
        return RunnerWorker(queue, runner=runner, stop_on_term=stop_on_term, tidy=tidy, alive=alive, **options)

    return make


def silent() -> None:
    Runner.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))


def test_it_registers_once_however_often_it_starts(runner: Runner, pool: WorkerPool) -> None:
    Runner.objects.update(draining=True)
    silent()
    again = register(pool_name="local", host_name="host", name="host-1")
    assert (again.pk, again.pid, again.draining, again.is_online) == (runner.pk, os.getpid(), False, True)
    host = WorkerHost.objects.get()
    assert host.pool == pool and set(host.versions) == {"python", "locust"} and host.cores >= 1


def test_it_needs_its_pool() -> None:
    with pytest.raises(WorkerPool.DoesNotExist):
        register(pool_name="nowhere", host_name="host", name="host-1")
    with pytest.raises(CommandError, match="nowhere"):
        call_command("runner", pool="nowhere")


def test_a_beat_is_a_sign_of_life(runner: Runner) -> None:
    silent()
    beat(runner.pk, draining=True)
    runner.refresh_from_db()
    assert runner.is_online and runner.draining


def test_every_heartbeat_touches_the_file_for_health_checks_whatever_the_database_says(
    worker: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr("apps.pools.runner.beat", away)
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (0, 0))
    worker(alive=file).heartbeat()
    assert file.stat().st_mtime > 0
    file.unlink()
    tmp_path.rmdir()
    worker(alive=file).heartbeat()  # nor does it fall when the file cannot be touched


@pytest.mark.parametrize("command", ["runner", "keeper"])
def test_a_file_for_health_checks_that_cannot_be_made_is_told_at_the_start(command: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="missing"):
        call_command(command, alive=tmp_path / "missing" / "alive")


def test_every_heartbeat_reaches_the_database_and_tidying_is_seldom(runner: Runner, worker: Make) -> None:
    tidied: list[int] = []
    made = worker(lambda: tidied.append(1))
    for _ in range(3):
        silent()
        made.heartbeat()
        runner.refresh_from_db()
        assert runner.is_online
    assert tidied == [1]


@pytest.mark.parametrize("trouble", [RecursionError, OSError, ValueError])
def test_no_runner_leaves_because_of_what_a_script_left_behind(worker: Make, trouble: type[Exception]) -> None:
    def tidy() -> None:
        raise trouble

    worker(tidy).heartbeat()
    assert Runner.objects.get().is_online


@pytest.mark.parametrize("error", [OperationalError("the database is away"), OSError("disk full")])
def test_it_lives_on_when_it_cannot_look_after_its_host(
    worker: Make, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "close_all", lambda: None)  # the test's own transaction is in there

    def fail() -> None:
        raise error

    made = worker(fail)
    made.heartbeat()
    assert made.connection.exists(made.key)


def test_redis_may_leave_while_a_run_goes_on(
    worker: Make,
    redis_server: Server,  # noqa: F811
) -> None:
    made = worker()
    made.register_birth()
    ring(made.queues[0], run_id="some-id", attempt=1)
    job = made.queues[0].fetch_job("run-some-id-1")
    assert job is not None
    made.prepare_execution(job)
    redis_server.stop()
    made.maintain_heartbeats(job)
    made.set_current_job_working_time(5.0)
    made._shutdown_requested_date = timezone.now()
    made.set_shutdown_requested_date()
    redis_server.start()
    made.set_current_job_working_time(5.0)
    assert made.connection.hget(made.key, "current_job_working_time") == b"5.0"


@pytest.mark.parametrize("what", ["the record", "all"])
def test_the_end_of_a_job_can_be_read_after_redis_forgot_its_beginning(worker: Make, what: str) -> None:
    made = worker()
    made.register_birth()
    ring(made.queues[0], run_id="some-id", attempt=1)
    job = made.queues[0].fetch_job("run-some-id-1")
    assert job is not None
    execution = made.prepare_execution(job)
    if what == "all":
        made.connection.flushdb()
    else:
        made.connection.delete(execution.key)
    made.maintain_heartbeats(job)
    (kept,) = job.get_executions()
    assert (kept.id, kept.worker_name) == (execution.id, made.name)
    assert 0 < made.connection.ttl(execution.key) <= made.get_heartbeat_ttl(job)


def test_signals_reach_the_thread_that_waits_for_the_run(worker: Make) -> None:
    made = worker()
    mask, before = signal.pthread_sigmask(signal.SIG_BLOCK, []), threading.enumerate()
    made.subscribe()
    try:
        (thread,) = [found.native_id for found in threading.enumerate() if found not in before]
        assert thread is not None
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
        assert blocked_signals(thread) >= {signal.SIGALRM, signal.SIGTERM, signal.SIGINT}
    finally:
        made.unsubscribe()


def blocked_signals(thread: int) -> set[int]:
    status = Path(f"/proc/self/task/{thread}/status").read_text()
    mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk"))
    return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}


@pytest.mark.parametrize(("stop_on_term", "expected"), [(False, [2]), (True, [1, 2])])
def test_the_first_sigterm_drains_and_the_second_ends_the_run(
    worker: Make, monkeypatch: pytest.MonkeyPatch, stop_on_term: bool, expected: list[int]
) -> None:
    sent: list[tuple[int, int]] = []
    told: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made = worker(stop_on_term=stop_on_term)
    made._horse_pid = 12_345
    made.set_state(WorkerStatus.BUSY)
    try:
        for count, hear in enumerate([made.request_stop, made.request_force_stop], start=1):
            before = len(sent)
            hear(signal.SIGTERM, None)
            told += [count] * (len(sent) - before)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert told == expected
    assert set(sent) == {(12_345, signal.SIGTERM)}
    assert made._stop_requested


@pytest.mark.usefixtures("no_redis")
def test_the_command_says_that_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    with pytest.raises(CommandError, match="Redis does not answer"):
        call_command("runner", pool="local", host="host")


def test_it_takes_a_run_that_is_gone_without_ado(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr("workers.jobs.execute_run", done.append)
    made = worker()
    ring(made.queues[0], run_id="some-id", attempt=1)
    job = made.queues[0].fetch_job("run-some-id-1")
    assert job is not None
    job.perform()
    assert done == ["some-id"]


NONSENSE: dict[str, dict[str, Any]] = {
    "no time": {"created_at": "nonsense"},
    "no text": {"description": b"\xff\xfe", "origin": b"\xff"},
    "no number": {"timeout": "x"},
    "a pickle": {"data": b"\x80\x04\x95"},
    "no list": {"data": b"{}", "meta": b"\xff"},
    "a stranger's": {"data": b'["os.system", null, ["true"], {}]'},
}


def test_nonsense_in_the_queue_costs_no_runner(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.pools.runner.MALFORMED_SECONDS", 0)
    queue = pool_queue("local")
    for name, fields in NONSENSE.items():
        whole: dict[Any, Any] = {"created_at": "2026-01-01T00:00:00.000000Z", "origin": queue.name, "status": "queued"}
        queue.connection.hset(f"rq:job:{name}", mapping=whole | {"timeout": "-1", "data": b"[]"} | fields)
        queue.connection.rpush(queue.key, name)
    queue.connection.set("rq:job:text", "no hash")
    queue.connection.rpush(queue.key, "text", b"\xff\xfe", "gone", "")
    ring(queue, run_id="garbage", attempt=1)
    runner = worker()
    runner.work(burst=True, logging_level="CRITICAL")
    runner.run_maintenance_tasks()
    assert queue.job_ids == []
    assert runner.successful_job_count == 0
