"""The runner process: its signs of life, what it listens to, and what it survives."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, InterfaceError, OperationalError, connections
from django.utils import timezone
from rq import Queue

from apps.core.queue import EXECUTE_RUN, EXECUTE_WORKERS, Ring, host_queue, pool_queue, ring
from apps.pools import hosts
from apps.pools import runner as module
from apps.pools.joining import register
from apps.pools.management.commands.runner import greeting
from apps.pools.models import OFFLINE, Runner, Standing, WorkerHost, WorkerPool
from apps.pools.pulse import RECENT_SAMPLES
from apps.pools.runner import PENDING_SECONDS, RunnerWorker
from apps.pools.telemetry import Gauge, Report
from apps.pools.watch import mark_silent
from apps.runs.states import State
from apps.teams.actors import Actor
from tests.e2e.stack import wait_for
from tests.factories import HostFactory, PoolFactory, RunFactory, RunWorkerFactory
from tests.redis import Server, no_redis, redis_server, redis_url  # noqa: F401 # fixtures

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("pool"),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning"),
]
Make = Callable[..., RunnerWorker]
MACHINE = "a" * 64


def run_id(number: int = 0) -> str:
    return f"01890000-0000-7000-8000-{number:012x}"


def idle(held: Collection[str]) -> None:
    """Nothing to tidy."""


@pytest.fixture
def runner() -> Runner:
    return register("local", "host", "host-1", MACHINE)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns take no time; the test's own transaction outlives every fork."""
    monkeypatch.setattr(module, "LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "MALFORMED_SECONDS", 0)
    monkeypatch.setattr(connections, "close_all", lambda: None)


@pytest.fixture
def worker(redis_url: str, runner: Runner, quick: None) -> Iterator[Make]:  # noqa: F811
    made: list[RunnerWorker] = []

    def make(
        tidy: Callable[[Collection[str]], object] = idle, *, stop_on_term: bool = False, alive: Path | None = None
    ) -> RunnerWorker:
        made.append(RunnerWorker(runner, stop_on_term=stop_on_term, tidy=tidy, alive=alive))
        return made[-1]

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield make
    for number, handler in before.items():
        signal.signal(number, handler)
    for worker in made:
        worker._holders.tell(signal.SIGKILL)
        wait_for(partial(seen_off, worker), 5, "all holders are gone")


def seen_off(worker: RunnerWorker) -> bool:
    worker._holders.reap()
    return not worker._holders


def beat_now(worker: RunnerWorker) -> None:
    worker._beat_at = float("-inf")
    worker.look_after_host()


def silent() -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    Runner.objects.update(last_seen_at=long_ago)
    WorkerHost.objects.update(last_seen_at=long_ago)


def sleep(*ids: str) -> None:
    time.sleep(60)


def hold(worker: RunnerWorker, name: str = EXECUTE_RUN, number: int = 0) -> None:
    worker._holders.start(Ring(name, sleep, (run_id(number),)))


def bell() -> Queue:
    return pool_queue(WorkerPool.objects.get(name="local").pk)


def listens_to(worker: RunnerWorker) -> list[str]:
    return [queue.name for queue in worker.open_queues()]


# --- signs of life ------------------------------------------------------------------------------------------------


def test_a_beat_is_a_sign_of_life(runner: Runner, worker: Make) -> None:
    silent()
    made = worker()
    made.hear(signal.SIGTERM, None)
    made.look_after_host()
    runner.refresh_from_db()
    assert runner.is_online and runner.draining


def test_a_beat_brings_the_hosts_report(worker: Make) -> None:
    made = worker()
    hold(made)
    made.look_after_host()
    host = WorkerHost.objects.get()
    assert set(host.report) == set(get_type_hints(Report))
    assert (host.report["versions"], host.report["cores"]) == (host.versions, host.cores)
    assert (host.report["slots"], host.report["slots_free"]) == (host.slot_count, host.slot_count - 1)
    [work] = host.report["running"]
    assert (work["function"], work["run"]) == (EXECUTE_RUN, run_id()) and work["since"] == pytest.approx(
        time.time(), abs=60
    )
    assert abs(host.report["at"] - time.time()) < 60 and host.report["round_trip_ms"] > 0
    assert host.last_seen_at and host.last_seen_at > timezone.now() - timedelta(seconds=10)


def test_the_last_ten_minutes_are_kept_over_a_restart(runner: Runner, worker: Make) -> None:
    WorkerHost.objects.update(recent=[[n, 1.0, 2.0, 3.0, 4.0] for n in range(RECENT_SAMPLES)])
    runner.host.refresh_from_db()
    made = worker()
    for _ in range(2):
        beat_now(made)
    recent = WorkerHost.objects.get().recent
    assert len(recent) == RECENT_SAMPLES and recent[0][0] == 2
    assert recent[-1][0] == pytest.approx(time.time(), abs=60) and len(recent[-1]) == 5


def test_the_return_of_a_silent_host_is_noted(worker: Make) -> None:
    made = worker()
    silent()
    mark_silent(timezone.now())
    assert WorkerHost.objects.get().state == OFFLINE
    beat_now(made)
    host = WorkerHost.objects.get()
    assert (host.state, host.is_silent) == ("active", False)
    assert list(host.events.order_by("id").values_list("state", flat=True)) == ["active", OFFLINE, "active"]


def test_a_machine_that_cannot_be_read_does_not_pass_for_silent(
    runner: Runner, worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Gauge) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(Gauge, "read", fail)
    silent()
    beat_now(worker())
    runner.refresh_from_db()
    assert runner.is_online
    assert WorkerHost.objects.get().last_seen_at == runner.last_seen_at


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("connection already closed")])
def test_every_beat_touches_the_file_for_health_checks_whatever_the_database_says(
    worker: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Error
) -> None:
    def away(*args: object, **options: object) -> None:
        raise error

    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (0, 0))
    made = worker(alive=file)
    monkeypatch.setattr(made._pulse, "beat", away)
    beat_now(made)
    assert file.stat().st_mtime > 0
    file.unlink()
    tmp_path.rmdir()
    beat_now(made)  # nor does it fall when the file cannot be touched


@pytest.mark.parametrize("command", ["runner", "keeper"])
def test_a_file_for_health_checks_that_cannot_be_made_is_told_at_the_start(command: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="missing"):
        call_command(command, alive=tmp_path / "missing" / "alive")


def test_every_beat_reaches_the_database_and_tidying_is_seldom(runner: Runner, worker: Make) -> None:
    tidied: list[Collection[str]] = []
    made = worker(tidied.append)
    hold(made)
    for _ in range(3):
        silent()
        beat_now(made)
        runner.refresh_from_db()
        assert runner.is_online
    assert tidied == [{run_id()}]


@pytest.mark.parametrize("trouble", [RecursionError, OSError, ValueError, OperationalError])
def test_no_runner_leaves_because_of_what_a_script_left_behind(worker: Make, trouble: type[Exception]) -> None:
    def tidy(held: Collection[str]) -> None:
        raise trouble

    made = worker(tidy)
    beat_now(made)
    assert Runner.objects.get().is_online and listens_to(made)


def test_it_takes_nothing_while_the_database_is_away(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder could not claim its run; it would be gone with its ring."""
    made = worker()
    beat_now(made)
    assert listens_to(made)

    def away(**options: object) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(made._pulse, "beat", away)
        beat_now(made)
        assert listens_to(made) == []
    beat_now(made)
    assert listens_to(made)


# --- what it listens to -------------------------------------------------------------------------------------------


def test_its_hosts_queue_comes_before_its_pools(worker: Make, runner: Runner) -> None:
    made = worker()
    assert listens_to(made) == []  # before it has looked
    beat_now(made)
    assert listens_to(made) == [f"host-{runner.host_id}", f"pool-{runner.host.pool_id}"]


@pytest.mark.parametrize("standing", [Standing.PENDING, Standing.DRAINING])
def test_a_host_that_must_not_take_anything_does_not_listen(worker: Make, standing: str) -> None:
    made = worker()
    WorkerHost.objects.update(standing=standing)
    beat_now(made)
    assert listens_to(made) == []
    ring(bell(), run_id=run_id(), attempt=1)
    made.turn()
    assert bell().job_ids == [f"run-{run_id()}-1"]


def test_approval_takes_effect_within_two_seconds(worker: Make) -> None:
    made = worker()
    WorkerHost.objects.update(standing=Standing.PENDING)
    beat_now(made)
    WorkerHost.objects.update(standing=Standing.ACTIVE)
    made.look_after_host()
    assert listens_to(made) == []
    assert made._look_at - time.monotonic() <= PENDING_SECONDS < 2
    made._look_at = time.monotonic()
    made.look_after_host()
    assert listens_to(made)


def test_it_serves_the_pool_that_its_host_is_moved_to(worker: Make, runner: Runner) -> None:
    made = worker()
    beat_now(made)
    made._introduce()
    lab, old = PoolFactory.create(name="lab"), runner.host.pool_id
    hosts.move(host=runner.host, to=lab, by=Actor(system="test"))
    beat_now(made)
    assert listens_to(made) == [f"host-{runner.host_id}", f"pool-{lab.pk}"]
    listed = {pool: made.connection.smembers(f"rq:workers:pool-{pool}") for pool in (old, lab.pk)}
    assert listed == {old: set(), lab.pk: {made.key.encode()}}
    assert made.connection.hget(made.key, "queues") == f"host-{runner.host_id},pool-{lab.pk}".encode()


def test_a_pool_that_gets_another_name_keeps_its_bell(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.jobs.execute_run", sleep)
    made = worker()
    beat_now(made)
    ring(bell(), run_id=run_id(), attempt=1)
    WorkerPool.objects.filter(name="local").update(name="den")
    made.turn()
    assert made._holders.run_ids() == {run_id()}


def test_a_host_takes_no_more_runs_than_it_has_slots(worker: Make, runner: Runner) -> None:
    WorkerHost.objects.update(slots=2)
    made = worker()
    beat_now(made)
    hold(made, number=1)
    assert len(listens_to(made)) == 2
    hold(made, EXECUTE_WORKERS, number=2)
    assert listens_to(made) == [f"host-{runner.host_id}"]


def test_a_run_has_as_many_slots_as_the_database_gave_it_here(worker: Make, runner: Runner) -> None:
    """One that is led from here while its Locust is elsewhere has none: this host would be idle."""
    WorkerHost.objects.update(slots=2)
    here, elsewhere = WorkerHost.objects.get(), HostFactory.create(name="elsewhere")
    led, owned = RunFactory.create(state=State.RUNNING, workers=2), RunFactory.create(state=State.RUNNING, workers=2)
    for index in range(2):
        RunWorkerFactory.create(run=led, index=index, host=elsewhere)
        RunWorkerFactory.create(run=owned, index=index, host=here)
    made = worker()
    made._holders.start(Ring(EXECUTE_RUN, sleep, (str(led.pk),)))
    made._holders.start(Ring(EXECUTE_RUN, sleep, (run_id(1),)))
    assert made._pulse.slots_of(made._holders.run_ids()) == 2  # nothing is known of them yet
    beat_now(made)
    assert made._pulse.slots_of(made._holders.run_ids()) == 1 and len(listens_to(made)) == 2
    assert WorkerHost.objects.get(pk=here.pk).report["slots_free"] == 1
    made._holders.start(Ring(EXECUTE_WORKERS, sleep, (str(owned.pk), str(here.pk))))
    beat_now(made)
    assert made._pulse.slots_of(made._holders.run_ids()) == 3
    assert listens_to(made) == [f"host-{runner.host_id}"]
    owned.worker_rows.filter(index=1).update(ended_at=timezone.now())
    beat_now(made)
    assert made._pulse.slots_of({str(owned.pk)}) == 1


def test_runs_that_are_led_from_a_host_leave_room_for_its_own_workers(worker: Make, runner: Runner) -> None:
    WorkerHost.objects.update(slots=1)
    elsewhere = HostFactory.create(name="elsewhere")
    made = worker()
    beat_now(made)
    led = 0
    while len(listens_to(made)) == 2:
        run = RunFactory.create(state=State.RUNNING, workers=2)
        RunWorkerFactory.create(run=run, host=elsewhere)
        made._holders.start(Ring(EXECUTE_RUN, sleep, (str(run.pk),)))
        beat_now(made)
        led += 1
    assert led == 3 and listens_to(made) == [f"host-{runner.host_id}"]
    hold(made, EXECUTE_WORKERS, 1)
    assert listens_to(made) == [f"host-{runner.host_id}"]


def test_a_host_that_is_full_does_not_listen(worker: Make) -> None:
    WorkerHost.objects.update(slots=1)
    made = worker()
    beat_now(made)
    for number in range(6):
        assert listens_to(made)
        hold(made, EXECUTE_WORKERS, number)
    assert listens_to(made) == []


def test_a_runner_whose_host_was_removed_leaves_when_nothing_is_in_hand(worker: Make) -> None:
    made = worker()
    hold(made)
    WorkerHost.objects.all().delete()
    beat_now(made)
    assert made.is_leaving and listens_to(made) == []
    made._holders.tell(signal.SIGKILL)
    made.serve()


# --- taking jobs --------------------------------------------------------------------------------------------------


def test_a_job_goes_on_in_a_process_of_its_own(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.jobs.execute_run", sleep)
    queue = bell()
    made = worker()
    began = time.monotonic()
    for number in range(3):
        ring(queue, run_id=run_id(number), attempt=1)
        made.turn()
    assert time.monotonic() - began < 3
    assert {holder.ring.ids[0] for holder in made._holders} == {run_id(number) for number in range(3)}
    assert queue.connection.keys("rq:job:*") == queue.job_ids == []


def test_a_holder_that_has_ended_makes_room(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.jobs.execute_run", lambda _run: None)
    WorkerHost.objects.update(slots=1)
    made = worker()
    for number in range(3):
        ring(bell(), run_id=run_id(number), attempt=1)
    until = time.monotonic() + 10
    while bell().job_ids and time.monotonic() < until:
        made.turn()
    assert bell().job_ids == []


def test_no_process_to_be_had_is_no_reason_to_leave(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    made = worker()
    ring(bell(), run_id=run_id(), attempt=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", fail)
        made.turn()
    assert not made._holders and not made.is_leaving
    made.turn()


def test_no_connection_is_shared_with_a_holder(worker: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Redis that sees a dead runner's line open would go on to hand it jobs."""

    def count(_run: str) -> None:
        lines = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
        (tmp_path / "open").write_text("\n".join(lines))

    closed: list[int] = []
    monkeypatch.setattr(connections, "close_all", lambda: closed.append(os.getpid()))
    made = worker()
    made.connection.ping()
    pooled = {f"socket:[{os.fstat(line._sock.fileno()).st_ino}]" for line in available(made)}
    assert pooled
    made._holders.start(Ring(EXECUTE_RUN, count, (run_id(),)))
    wait_for(lambda: seen_off(made), 5, "it has ended")
    assert not pooled & set((tmp_path / "open").read_text().split("\n"))
    assert closed == [os.getpid()]
    assert made.connection.ping()


def available(worker: RunnerWorker) -> list[Any]:
    return list(worker.connection.connection_pool._available_connections)


NONSENSE: dict[str, dict[str, Any]] = {
    "no_time": {"created_at": "nonsense"},
    "no_text": {"description": b"\xff\xfe", "origin": b"\xff"},
    "no_number": {"timeout": "x"},
    "a_pickle": {"data": b"\x80\x04\x95"},
    "no_list": {"data": b"{}", "meta": b"\xff"},
    "a_strangers": {"data": b'["os.system", null, ["true"], {}]'},
    "no_id": {"data": b'["workers.jobs.execute_run", null, ["true"], {}]'},
    "not there": {},
}


def test_nonsense_in_the_queue_costs_no_runner(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = bell()
    for name, fields in NONSENSE.items():
        whole: dict[Any, Any] = {"created_at": "2026-01-01T00:00:00.000000Z", "origin": queue.name, "status": "queued"}
        queue.connection.hset(f"rq:job:{name}", mapping=whole | {"timeout": "-1", "data": b"[]"} | fields)
        queue.connection.rpush(queue.key, name)
    queue.connection.set("rq:job:text", "no hash")
    queue.connection.rpush(queue.key, "text", b"\xff\xfe", "gone", "")
    monkeypatch.setattr("workers.jobs.execute_run", sleep)
    ring(queue, run_id=run_id(), attempt=1)
    made = worker()
    for _ in range(len(NONSENSE) + 5):
        made.turn()
    assert queue.job_ids == []
    assert len(made._holders) == 1 and not made.is_leaving
    assert queue.connection.keys("rq:job:*") == []


def test_a_queue_that_is_none_costs_no_runner(worker: Make) -> None:
    queue = bell()
    queue.connection.set(queue.key, "no list")
    made = worker()
    made.turn()
    queue.connection.delete(queue.key)
    made.turn()
    assert not made.is_leaving


# --- Redis --------------------------------------------------------------------------------------------------------


def test_redis_may_leave_and_come_back_empty(
    worker: Make,
    redis_server: Server,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.jobs.execute_run", sleep)
    made = worker()
    made._introduce()
    hold(made, number=1)
    redis_server.stop()
    silent()
    for _ in range(2):
        beat_now(made)
        made.turn()
    assert len(made._holders) == 1 and Runner.objects.get().is_online
    redis_server.start()
    beat_now(made)
    assert made.connection.hget(made.key, "state") == b"busy"
    assert made.key.encode() in made.connection.smembers("rq:workers")
    ring(bell(), run_id=run_id(2), attempt=1)
    made.turn()
    assert len(made._holders) == 2


def test_a_redis_that_hangs_does_not_stop_the_heart(
    worker: Make,
    redis_server: Server,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for part in ("apps.core.queue", "apps.pools.runner"):
        monkeypatch.setattr(f"{part}.ANSWER_SECONDS", 0.3)
    made = worker()
    made.turn()
    assert redis_server.process is not None
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        silent()
        began = time.monotonic()
        beat_now(made)
        made.turn()
        assert time.monotonic() - began < 2
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    assert Runner.objects.get().is_online and not made.is_leaving
    made.turn()


def test_it_takes_the_place_of_a_killed_one_with_its_number(worker: Make) -> None:
    """As in a container that was restarted."""
    worker()._introduce()
    again = worker()
    again._introduce()
    assert again.connection.hexists(again.key, "birth")


@pytest.mark.usefixtures("no_redis")
def test_the_command_says_that_redis_is_away(quick: None) -> None:
    with pytest.raises(CommandError, match="Redis does not answer"):
        call_command("runner", pool="local", host="new-here")
    assert not WorkerHost.objects.filter(name="new-here").exists()


@pytest.mark.usefixtures("redis_url")
def test_the_command_says_why_a_host_is_refused(quick: None) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("runner", pool="nowhere")
    with pytest.raises(CommandError, match="join key is not known"):
        call_command("runner", pool="local", host="other", join="htj_guess")


# --- leaving ------------------------------------------------------------------------------------------------------


def test_signals_reach_the_only_thread_there_is(worker: Make) -> None:
    """After the host was asleep, Linux gives a signal to any thread that takes it."""
    before = threading.active_count()
    made = worker()
    made._introduce()
    made.turn()
    assert threading.active_count() == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []).isdisjoint({signal.SIGTERM, signal.SIGINT})


@pytest.mark.parametrize(
    ("stop_on_term", "pauses", "told"),
    [(False, [0], 0), (False, [0, 0.2], 0), (False, [0, 1.1], 1), (True, [0], 1), (True, [0, 0.2], 1)],
)
def test_the_first_sigterm_drains_and_a_later_one_ends_its_runs(
    worker: Make, monkeypatch: pytest.MonkeyPatch, stop_on_term: bool, pauses: list[float], told: int
) -> None:
    sent: list[int] = []
    made = worker(stop_on_term=stop_on_term)
    beat_now(made)
    monkeypatch.setattr(made._holders, "tell", sent.append)
    now = [100.0]
    monkeypatch.setattr("apps.pools.runner.time.monotonic", lambda: now[0])
    for pause in pauses:
        now[0] += pause
        made.hear(signal.SIGTERM, None)
    monkeypatch.undo()
    assert sent == [signal.SIGTERM] * told
    assert made.is_leaving and listens_to(made) == []


def test_it_leaves_when_its_last_holder_has_ended(worker: Make) -> None:
    def leave_in_good_order(_run: str) -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        time.sleep(60)

    made = worker(stop_on_term=True)
    for number in range(2):
        made._holders.start(Ring(EXECUTE_RUN, leave_in_good_order, (run_id(number),)))
    time.sleep(0.3)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    began = time.monotonic()
    made.serve()
    timer.join()
    assert time.monotonic() - began < 5
    assert not made._holders and not made.connection.smembers("rq:workers")


def test_a_ring_that_comes_while_it_leaves_is_for_another(worker: Make) -> None:
    queue = bell()
    ring(queue, run_id=run_id(), attempt=1)
    made = worker()
    taken = queue.connection.lpop(queue.key)
    assert isinstance(taken, bytes)
    made.hear(signal.SIGTERM, None)
    assert made._answer(queue.key.encode(), taken) is None
    assert queue.job_ids == [f"run-{run_id()}-1"]
    assert queue.connection.exists(f"rq:job:run-{run_id()}-1")


def test_its_hosts_bell_is_heard(worker: Make, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.jobs.execute_run", sleep)
    ring(host_queue(runner.host_id), run_id=run_id(1), attempt=1)
    ring(bell(), run_id=run_id(2), attempt=1)
    made = worker()
    made.turn()
    assert made._holders.run_ids() == {run_id(1)}
    made.turn()
    assert made._holders.run_ids() == {run_id(1), run_id(2)}


def test_the_pool_of_this_machine_takes_new_hosts(pool: WorkerPool, runner: Runner) -> None:
    assert pool.takes_new_hosts and runner.host.standing == Standing.ACTIVE


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing.PENDING, "waits until somebody approves it on the page of the pool “lab”"),
        (Standing.ACTIVE, "takes runs of the pool “lab”, 3 processes at a time"),
        (Standing.DRAINING, "is draining: it takes nothing until it is activated"),
    ],
)
def test_it_says_at_its_start_what_it_does(standing: Standing, words: str) -> None:
    host = HostFactory.build(name="a", pool=PoolFactory.build(name="lab"), slots=3, standing=standing)
    assert greeting(host) == f"the host “a” {words}"
