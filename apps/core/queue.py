"""The doorbell: RQ with JSON payloads and jobs that can only be ours. Redis holds no truth; losing it loses no run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from apps.core.ids import is_uuid

EXECUTE_RUN = "workers.jobs.execute_run"
EXECUTE_WORKERS = "workers.jobs.execute_workers"
ALLOWED = {EXECUTE_RUN: 1, EXECUTE_WORKERS: 2}
"""A payload carries an import path, so whoever can write to Redis could name `os.system`. With how many ids each is."""
MAX_JOB_BYTES = 4096
"""Of a job's record, packed; ours have 200. Unpacked it may be a thousand times as much."""
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""A page must not hang because a host is gone."""


class ForbiddenJob(Exception):
    """A job asked for something that is not on the list."""


class AllowedJob(Job):
    """Runs listed functions only, as plain functions, without callbacks, webhooks or retries."""

    @property
    def func(self) -> Callable[..., Any]:
        if self.func_name not in ALLOWED or self.instance is not None:
            raise ForbiddenJob(f"{self.func_name!r} is not a job of Hatchery")
        function: Callable[..., Any] = super().func
        return function

    @property
    def success_callback(self) -> None:
        return None

    @property
    def failure_callback(self) -> None:
        return None

    @property
    def stopped_callback(self) -> None:
        return None

    def send_webhooks(self, *args: Any, **kwargs: Any) -> None:
        """None: an address in a payload would be fetched from inside."""


class Ring(NamedTuple):
    """What one ring of the bell asks for."""

    name: str
    """Of the function, one of ALLOWED."""
    function: Callable[..., object]
    ids: tuple[str, ...]
    """Its arguments; the first is the run's."""


# --- who listens where --------------------------------------------------------------------------------------------


def pool_queue(pool_id: UUID | str, connection: Redis | None = None) -> Queue:
    """The queue that the runners of a pool listen on. By its id: a pool that gets another name keeps its bell."""
    return _queue(f"pool-{pool_id}", connection)


def host_queue(host_id: UUID | str, connection: Redis | None = None) -> Queue:
    """The queue that only this host's runner listens on."""
    return _queue(f"host-{host_id}", connection)


def connect(**options: Any) -> Redis:
    """Made here because django-rq drops the timeouts of a queue with a URL. RQ lengthens them for its workers."""
    url = str(settings.RQ_QUEUES["default"]["URL"])
    return Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS, **options)


def connect_impatiently() -> Redis:
    """For one who has other things to do than to try again, and who must not pop twice for one answer."""
    return connect(retry=Retry(NoBackoff(), 0))


def _queue(name: str, connection: Redis | None) -> Queue:
    return Queue(name, connection=connection or connect(), job_class=AllowedJob, serializer=JSONSerializer)


# --- ringing ------------------------------------------------------------------------------------------------------


def ring(queue: Queue, *, run_id: str, attempt: int) -> None:
    """Ask for a runner. Raises redis.RedisError when Redis is away: the keeper rings again."""
    _ring(queue, EXECUTE_RUN, (run_id,), _run_job_id(run_id, attempt))


def is_ringing(queue: Queue, *, run_id: str, attempt: int) -> bool:
    """Whether that ring still waits to be heard. Raises redis.RedisError.

    Asked of the queue and not of the job: one that a runner took and died with is "queued" in no queue.
    """
    return queue.get_job_position(_run_job_id(run_id, attempt)) is not None


def ring_host(queue: Queue, *, run_id: str, host_id: str, attempt: int = 1) -> None:
    """Ask a host for its Locust workers of a run. Raises redis.RedisError."""
    _ring(queue, EXECUTE_WORKERS, (run_id, host_id), _workers_job_id(run_id, host_id, attempt))


def is_host_ringing(queue: Queue, *, run_id: str, host_id: str, attempt: int = 1) -> bool:
    """Whether the host has not come to that ring yet. Raises redis.RedisError."""
    return queue.get_job_position(_workers_job_id(run_id, host_id, attempt)) is not None


def _ring(queue: Queue, function: str, ids: tuple[str, ...], job_id: str) -> None:
    queue.enqueue_call(function, args=ids, job_id=job_id, timeout=-1, result_ttl=0)


def _run_job_id(run_id: str, attempt: int) -> str:
    return f"run-{run_id}-{attempt}"


def _workers_job_id(run_id: str, host_id: str, attempt: int) -> str:
    return f"workers-{run_id}-{host_id}-{attempt}"


# --- answering ----------------------------------------------------------------------------------------------------


def answer(connection: Redis, job_id: bytes) -> Ring:
    """What the ring that was taken off a queue asks for. Its record is gone afterwards, whatever it was.

    Raises ForbiddenJob, redis.RedisError, and whatever RQ raises for entries that are no jobs.
    """
    key = AllowedJob.redis_job_namespace_prefix.encode() + job_id
    try:
        job = _read(connection, key, job_id)
        function, ids = job.func, job.args
        if job.kwargs or len(ids) != ALLOWED[str(job.func_name)] or not all(map(_is_id, ids)):
            raise ForbiddenJob(f"{job.func_name} was asked for with something else than its ids")
        return Ring(str(job.func_name), function, tuple(ids))
    finally:
        connection.delete(key)


def _read(connection: Redis, key: bytes, job_id: bytes) -> AllowedJob:
    """The job, of which no more is read than what it asks for: the rest of a record may be of any size."""
    if connection.hstrlen(key, "data") > MAX_JOB_BYTES:
        raise ForbiddenJob("a job of more than any of ours")
    data = connection.hget(key, "data")
    if data is None:
        raise NoSuchJobError
    job = AllowedJob(job_id.decode("ascii"), connection=connection, serializer=JSONSerializer)
    job.restore({b"data": data})
    return job


def _is_id(value: object) -> bool:
    """Spelt as we spell it: the names of files and locks are made of it."""
    return isinstance(value, str) and is_uuid(value) and str(UUID(value)) == value
