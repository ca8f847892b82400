"""What may come out of Redis: our own jobs, as JSON, and nothing else."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer

from apps.core.queue import EXECUTE_RUN, AllowedJob, ForbiddenJob, is_ringing, pool_queue, ring
from tests.redis import redis_server, redis_url  # noqa: F401 # fixtures


@pytest.fixture
def queue(redis_url: str) -> Queue:  # noqa: F811
    return pool_queue("local")


def planted(queue: Queue, function: str, instance: Any = None) -> AllowedJob:
    """A job as somebody would write it who can write to Redis."""
    data = JSONSerializer.dumps((function, instance, ["touch /tmp/owned"], {}))
    queue.connection.hset("rq:job:bad", mapping={"data": zlib.compress(data), "origin": queue.name})
    job = queue.fetch_job("bad")
    assert isinstance(job, AllowedJob)
    return job


def test_it_carries_the_id_as_json(queue: Queue) -> None:
    ring(queue, run_id="some-id", attempt=3)
    assert queue.job_ids == ["run-some-id-3"]
    raw = queue.connection.hget("rq:job:run-some-id-3", "data")
    assert isinstance(raw, bytes)
    assert json.loads(zlib.decompress(raw)) == [EXECUTE_RUN, None, ["some-id"], {}]
    job = queue.fetch_job("run-some-id-3")
    assert job is not None and job.timeout == -1 and job.retries_left is None
    assert job.func.__name__ == "execute_run"


def test_it_knows_a_ring_that_still_waits(queue: Queue) -> None:
    assert not is_ringing(queue, run_id="some-id", attempt=1)
    ring(queue, run_id="some-id", attempt=1)
    assert is_ringing(queue, run_id="some-id", attempt=1)
    assert not is_ringing(queue, run_id="some-id", attempt=2)
    queue.connection.lpop(queue.key)
    assert not is_ringing(queue, run_id="some-id", attempt=1)


@pytest.mark.parametrize(
    ("function", "instance"),
    [
        ("os.system", None),
        ("subprocess.run", None),
        ("workers.jobs.sweep", None),
        ("", None),
        (EXECUTE_RUN, "an instance"),
        (EXECUTE_RUN, {"a": 1}),
        ("strip", "text"),
    ],
)
def test_it_runs_nothing_that_is_not_on_the_list(queue: Queue, function: str, instance: Any) -> None:
    job = planted(queue, function, instance)
    with pytest.raises(ForbiddenJob):
        _ = job.func
    with pytest.raises(ForbiddenJob):
        job.perform()


def test_it_calls_nobody_back(queue: Queue, tmp_path: Path) -> None:
    ring(queue, run_id="some-id", attempt=1)
    planted: dict[Any, Any] = {f"{kind}_callback_name": "os.system" for kind in ("success", "failure", "stopped")}
    planted["webhooks"] = json.dumps([{"url": "http://127.0.0.1:9/", "statuses": ["finished"]}])
    queue.connection.hset("rq:job:run-some-id-1", mapping=planted)
    job = queue.fetch_job("run-some-id-1")
    assert job is not None
    assert [job.success_callback, job.failure_callback, job.stopped_callback] == [None, None, None]
    job.send_webhooks("finished")


def test_it_does_not_unpickle(queue: Queue) -> None:
    import pickle  # what an attacker would send

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("unpickled",))

    queue.connection.hset("rq:job:bad", mapping={"data": zlib.compress(pickle.dumps(Bomb()))})
    job = Job.fetch("bad", connection=queue.connection, serializer=JSONSerializer)
    with pytest.raises(DeserializationError):
        _ = job.func_name
