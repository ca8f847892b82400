"""What may come out of Redis: our own jobs, as JSON, and nothing else."""

from __future__ import annotations

import json
import signal
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeout
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from apps.core.queue import (
    EXECUTE_RUN,
    EXECUTE_WORKERS,
    AllowedJob,
    ForbiddenJob,
    answer,
    connect_impatiently,
    host_queue,
    is_host_ringing,
    is_ringing,
    pool_queue,
    ring,
    ring_host,
)
from tests.redis import Server, redis_server, redis_url  # noqa: F401 # fixtures

RUN, HOST = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"


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


def test_a_host_has_a_bell_of_its_own(redis_url: str) -> None:  # noqa: F811
    queue = host_queue(HOST)
    ring_host(queue, run_id=RUN, host_id=HOST)
    assert queue.job_ids == [f"workers-{RUN}-{HOST}-1"]
    raw = queue.connection.hget(f"rq:job:workers-{RUN}-{HOST}-1", "data")
    assert isinstance(raw, bytes)
    assert json.loads(zlib.decompress(raw)) == [EXECUTE_WORKERS, None, [RUN, HOST], {}]
    assert is_host_ringing(queue, run_id=RUN, host_id=HOST)
    assert not is_host_ringing(queue, run_id=RUN, host_id=HOST, attempt=2)
    assert pool_queue("local").job_ids == []


def test_a_ring_is_answered_once(queue: Queue) -> None:
    ring(queue, run_id=RUN, attempt=1)
    taken = queue.connection.lpop(queue.key)
    assert isinstance(taken, bytes)
    heard = answer(queue.connection, taken)
    assert (heard.name, heard.function.__name__, heard.ids) == (EXECUTE_RUN, "execute_run", (RUN,))
    assert queue.connection.keys("rq:job:*") == []
    with pytest.raises(NoSuchJobError):
        answer(queue.connection, taken)


OTHER_SPELLINGS = [RUN.upper().replace("7000", "7ABC"), RUN.replace("-", ""), f"{{{RUN}}}", f"urn:uuid:{RUN}"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["some-id"],
        [RUN, "/etc/passwd"],
        [RUN, HOST],
        [1],
        [None],
        [[RUN]],
        "text",
        {"a": 1},
        *([one] for one in OTHER_SPELLINGS),
    ],
)
def test_a_ring_carries_ids_and_nothing_else(queue: Queue, arguments: Any) -> None:
    data = zlib.compress(json.dumps([EXECUTE_RUN, None, arguments, {}]).encode())
    fields: dict[Any, Any] = {"data": data, "origin": queue.name, "created_at": "2026-01-01T00:00:00.000000Z"}
    queue.connection.hset("rq:job:bad", mapping=fields)
    with pytest.raises(ForbiddenJob):
        answer(queue.connection, b"bad")
    assert not queue.connection.exists("rq:job:bad")


def test_a_record_is_read_no_further_than_it_may_be_ours(queue: Queue) -> None:
    bomb = zlib.compress(b"[" * 50_000_000, 9)
    for data in (bomb, b"[" * 1_000_000):
        queue.connection.hset("rq:job:bad", "data", data)
        with pytest.raises(ForbiddenJob, match="more than any"):
            answer(queue.connection, b"bad")
    asked = zlib.compress(json.dumps([EXECUTE_RUN, None, [RUN], {}]).encode())
    odd: dict[Any, Any] = {"data": asked, "result": b"[" * 10_000, "status": "none", "timeout": "x", "created_at": "?"}
    queue.connection.hset("rq:job:bad", mapping=odd)
    assert answer(queue.connection, b"bad").ids == (RUN,)


def test_whoever_holds_runs_does_not_try_twice(
    redis_url: str,  # noqa: F811
    redis_server: Server,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apps.core.queue.ANSWER_SECONDS", 0.3)
    impatient = connect_impatiently()
    impatient.ping()
    assert redis_server.process is not None
    redis_server.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(RedisTimeout):
            impatient.ping()
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - began < 0.6


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
