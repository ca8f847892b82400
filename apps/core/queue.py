"""The doorbell: RQ with JSON payloads and jobs that can only be ours. Redis holds no truth; losing it loses no run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

EXECUTE_RUN = "workers.jobs.execute_run"
ALLOWED = frozenset({EXECUTE_RUN})
"""A payload carries an import path, so whoever can write to Redis could name `os.system`."""
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""A page must not hang because a host is gone."""
KEEP_SECONDS = 600
"""How long RQ remembers a job that ended; only for an admin who looks."""


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


def pool_queue(pool_name: str) -> Queue:
    """The queue that the runners of a pool listen on."""
    return Queue(f"pool-{pool_name}", connection=_connection(), job_class=AllowedJob, serializer=JSONSerializer)


def _connection() -> Redis:
    """Made here because django-rq drops the timeouts of a queue with a URL. RQ lengthens them for its workers."""
    url = str(settings.RQ_QUEUES["default"]["URL"])
    return Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)


def ring(queue: Queue, *, run_id: str, attempt: int) -> None:
    """Ask for a runner. Raises redis.RedisError when Redis is away: the keeper rings again."""
    queue.enqueue_call(
        EXECUTE_RUN,
        args=(run_id,),
        job_id=_job_id(run_id, attempt),
        timeout=-1,
        result_ttl=0,
        failure_ttl=KEEP_SECONDS,
    )


def is_ringing(queue: Queue, *, run_id: str, attempt: int) -> bool:
    """Whether that ring still waits to be heard. Raises redis.RedisError.

    Asked of the queue and not of the job: one that a runner took and died with is "queued" in no queue.
    """
    return queue.get_job_position(_job_id(run_id, attempt)) is not None


def _job_id(run_id: str, attempt: int) -> str:
    return f"run-{run_id}-{attempt}"
