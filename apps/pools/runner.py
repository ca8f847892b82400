"""The runner process: an RQ worker that reports to the database and hands a stop on to the run it holds."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import redis
from django.db import DatabaseError, connections
from django.utils import timezone
from rq import Queue, Worker
from rq.exceptions import DeserializationError
from rq.job import Job

from apps.core.alive import sign
from apps.pools.models import Runner, WorkerHost, WorkerPool

HEARTBEAT_SECONDS = 5
TIDY_SECONDS = 30.0
DEQUEUE_MARGIN_SECONDS = 15
"""RQ waits for a job this much less than the worker's time to live; the wait is what paces our heartbeat."""


MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    DeserializationError,
    redis.ResponseError,
)
"""What RQ raises for entries that are no jobs."""
MALFORMED_SECONDS = 0.2
"""Between two of them, so that a heap does not keep a core busy."""


class RunnerWorker(Worker):
    """Takes one run at a time.

    SIGTERM drains: the present run goes on to its end and nothing new is taken. With `stop_on_term`, or at the second
    SIGTERM, the run is asked to end in good order (`deploy`) instead of being killed.
    """

    def __init__(
        self,
        queue: Queue,
        *,
        runner: Runner,
        stop_on_term: bool,
        tidy: Callable[[], object],
        alive: Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            [queue],
            name=f"{runner.name}.{os.getpid()}",
            worker_ttl=HEARTBEAT_SECONDS + DEQUEUE_MARGIN_SECONDS,
            job_monitoring_interval=HEARTBEAT_SECONDS,
            **kwargs,
        )
        self._runner_id = runner.pk
        self._stop_on_term = stop_on_term
        self._tidy = tidy
        self._alive = alive
        self._tidied_at = float("-inf")

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Also the runner's sign of life in the database, and the time to tidy up after runs that were killed."""
        if not self._is_horse:
            sign(self._alive)
            self._look_after_host()
        super().heartbeat(timeout, pipeline)

    def _look_after_host(self) -> None:
        try:
            beat(self._runner_id, draining=self._stop_requested)
            if time.monotonic() - self._tidied_at > TIDY_SECONDS:
                self._tidied_at = time.monotonic()
                self._tidy_up()
        except DatabaseError as error:
            self.log.warning("the database is away (%s); the runner waits for it", error)
            connections.close_all()

    def _tidy_up(self) -> None:
        """What a script left behind must never keep a runner from its work, whatever is wrong with it."""
        try:
            self._tidy()
        except DatabaseError:
            raise
        except Exception:
            self.log.warning("folders of killed runs are left for the next time", exc_info=True)

    def subscribe(self) -> None:
        """RQ's thread for commands must not get our signals.

        After the host was asleep, or we were stopped and go on, Linux gives a signal to any thread that takes it. An
        alarm or a request to stop would then not wake the thread that waits for the run: no heartbeat until it ends.
        """
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            super().subscribe()  # type: ignore[no-untyped-call]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    # While a run goes on, its runner must not leave because the doorbell is away. --------------------------------

    def maintain_heartbeats(self, job: Job) -> None:
        """A record that expired while the host was asleep, or went with Redis, is written anew.

        RQ would write the heartbeat alone, and not be able to read that when the job ends.
        """
        with self._forgiving():
            if self.execution is not None and not self.connection.hexists(self.execution.key, "created_at"):
                self.execution.save(self.get_heartbeat_ttl(job))
            super().maintain_heartbeats(job)

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Any = None) -> None:
        with self._forgiving():
            super().set_current_job_working_time(current_job_working_time, pipeline)

    def set_shutdown_requested_date(self) -> None:
        with self._forgiving():
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            self.log.warning("Redis is away (%s); the run goes on", error)

    # --------------------------------------------------------------------------------------------------------------

    # Whoever writes to Redis may write nonsense: it costs nobody a runner. -----------------------------------------

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
            except MALFORMED as error:
                self._drop(error)

    def execute_job(self, job: Job, queue: Queue) -> None:
        try:
            super().execute_job(job, queue)
        except MALFORMED:
            if os.getpid() != self.pid:
                raise  # the work-horse, which must not become a second worker
            self.log.warning("the queue held a job that nobody can carry out", exc_info=True)
            self._see_off_horse()

    def run_maintenance_tasks(self) -> None:
        try:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except MALFORMED:
            self.log.warning("the queue holds jobs that cannot be cleaned up", exc_info=True)
            self.last_cleaned_at = timezone.now()  # type: ignore[assignment] # RQ leaves it untyped

    def _drop(self, error: Exception) -> None:
        """RQ has moved it to a list of its own, where it would meet it again."""
        self.log.warning("the queue held something that is no job: %r", error)
        job_id, queue = getattr(error, "job_id", None), getattr(error, "queue", None)
        if job_id is not None and queue is not None:
            queue.intermediate_queue.remove(job_id)
        time.sleep(MALFORMED_SECONDS)

    def _see_off_horse(self) -> None:
        """One run at a time, also when nobody could watch it to its end."""
        with suppress(ChildProcessError):
            while self._horse_pid and os.waitpid(self._horse_pid, os.WNOHANG) == (0, 0):
                self._look_after_host()
                time.sleep(HEARTBEAT_SECONDS)
        self._horse_pid = 0

    # --------------------------------------------------------------------------------------------------------------

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """A database connection must not be shared by two processes."""
        connections.close_all()
        super().fork_work_horse(job, queue)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        if self._stop_on_term:
            self._end_run()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        self._end_run()

    def _end_run(self) -> None:
        """Ask the work-horse; it stops Locust gracefully and files what there is."""
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)


def register(*, pool_name: str, host_name: str, name: str) -> Runner:
    """Make or renew the rows of this host and this runner. Raises WorkerPool.DoesNotExist."""
    pool = WorkerPool.objects.get(name=pool_name)
    host, _ = WorkerHost.objects.update_or_create(
        name=host_name, defaults={"pool": pool, "versions": versions(), "cores": os.cpu_count() or 1}
    )
    now = timezone.now()
    fresh = {"host": host, "pid": os.getpid(), "started_at": now, "last_seen_at": now, "draining": False}
    runner, _ = Runner.objects.update_or_create(name=name, defaults=fresh)
    return runner


def beat(runner_id: Any, *, draining: bool) -> None:
    """Say that this runner lives."""
    Runner.objects.filter(pk=runner_id).update(last_seen_at=timezone.now(), draining=draining)


def versions() -> dict[str, str]:
    """What this host runs. Read from package metadata: Locust must not be imported here."""
    return {"python": platform.python_version(), "locust": version("locust")}
