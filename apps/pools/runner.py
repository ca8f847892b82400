"""The runner process of a host: it hears the bell, forks a process for each job, and goes on listening."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import redis
from django.db import Error, connections
from rq import Queue, Worker
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker_registration import clean_worker_registry, unregister

from apps.core.alive import sign
from apps.core.queue import (
    ANSWER_SECONDS,
    EXECUTE_RUN,
    AllowedJob,
    ForbiddenJob,
    Ring,
    answer,
    connect_impatiently,
    host_queue,
    pool_queue,
)
from apps.pools.holders import HEARD, Holders, unsignalled
from apps.pools.models import Runner, Standing, WorkerHost
from apps.pools.pulse import Pulse
from apps.pools.telemetry import Work

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
PENDING_SECONDS = 1.5
"""Between two looks for somebody's approval, which should take effect within two seconds."""
LISTEN_SECONDS = 1
"""At the bell, before it looks up again: the longest it takes to hear SIGTERM with nothing in hand."""
PAUSE_SECONDS = 0.2
TIDY_SECONDS = 30.0
TWICE_SECONDS = 1.0
"""A second signal within this is the first one again, as `docker compose kill` and a terminal together send it."""
REGISTERED_SECONDS = 30
SPARE_LEADERS = 2
"""So many more runs than it has slots a host may lead whose Locust is elsewhere."""
SPARE_HOLDERS = 4
"""Above twice the slots: room for all of these, and for those that have ended and are not seen off."""

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    DeserializationError,
    ForbiddenJob,
    redis.ResponseError,
)
"""What comes of entries that are no jobs of ours."""
MALFORMED_SECONDS = 0.2
"""Between two of them, so that a heap does not keep a core busy."""


class RunnerWorker(Worker):
    """An RQ worker to whoever looks into Redis. The loop is ours: RQ's does one job at a time, and leaves with Redis.

    Its host's queue comes before its pool's. Popping from several, a job is lost when the runner dies before it has
    forked: the keeper rings again, for a run is owned in the database and nowhere else.

    There is no thread for RQ's commands: nobody stops a run through Redis, and signals reach the only thread there is.

    SIGTERM drains: what it holds goes on to its end and nothing new is taken. With `stop_on_term`, or at a second
    SIGTERM, its holders are asked to end their runs in good order (`deploy`).
    """

    def __init__(
        self,
        runner: Runner,
        *,
        stop_on_term: bool,
        tidy: Callable[[Collection[str]], object],
        alive: Path | None = None,
    ) -> None:
        """`tidy` is called now and then, with the ids of the runs that are in hand. Raises redis.RedisError."""
        connection = connect_impatiently()
        self._host_queue = host_queue(runner.host_id, connection)
        self._pool_queue = pool_queue(runner.host.pool_id, connection)
        super().__init__(
            [self._host_queue, self._pool_queue],
            name=f"{runner.name}.{os.getpid()}",
            connection=connection,
            worker_ttl=REGISTERED_SECONDS,
            job_class=AllowedJob,
            serializer=JSONSerializer,
        )
        self._stop_on_term = stop_on_term
        self._tidy = tidy
        self._alive = alive
        self._pulse = Pulse(runner)
        self._holders = Holders(worker=self.name, let_go=self._let_go)
        self._host: WorkerHost | None = None
        """As the database last had it; None while the database is away."""
        self._is_removed = self._misses_redis = False
        self._told_at: float | None = None
        self._beat_at = self._look_at = self._tidy_at = float("-inf")

    @property
    def connection_timeout(self) -> int:
        """Of Redis; RQ's own is longer than our heart takes between two beats."""
        return int(ANSWER_SECONDS)

    @property
    def is_leaving(self) -> bool:
        """Takes nothing new."""
        return self._told_at is not None or self._is_removed

    def serve(self) -> None:
        """Take jobs until told to leave, and see all holders off. Raises redis.RedisError if it cannot begin."""
        self._introduce()
        for number in HEARD:
            signal.signal(number, self.hear)
        while self._holders or not self.is_leaving:
            self.turn()
        with self._forgiving():
            self.register_death()  # type: ignore[no-untyped-call]

    def turn(self) -> None:
        """Once around: beat if it is time, see off who has ended, and take a job if there is room for one."""
        self.look_after_host()
        if self._holders.reap():
            self._tidy_at = float("-inf")
        queues = self.open_queues()
        if not queues:
            time.sleep(PAUSE_SECONDS)
        elif (ring := self._listen(queues)) is not None:
            self._hold(ring)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handler of SIGTERM and SIGINT."""
        now = time.monotonic()
        is_first = self._told_at is None
        if self._told_at is None:
            self._told_at = now
            self._beat_at = float("-inf")  # the pages should show it now
        if self._stop_on_term if is_first else now - self._told_at >= TWICE_SECONDS:
            self._holders.tell(signal.SIGTERM)

    # --- the host -------------------------------------------------------------------------------------------------

    def look_after_host(self) -> None:
        """Say that we live, tidy up, and learn what people decided about the host; each when it is time."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at, self._look_at = now + HEARTBEAT_SECONDS, now + PENDING_SECONDS
            sign(self._alive)
            self._ask_database(self._beat)
            with self._forgiving():
                self._tell_redis()
        elif now >= self._look_at and self._host is not None and self._host.standing == Standing.PENDING:
            self._look_at = now + PENDING_SECONDS
            self._ask_database(self._pulse.look)
        if now >= self._tidy_at and self._host is not None:
            self._tidy_at = now + TIDY_SECONDS
            self._tidy_up()

    def _ask_database(self, ask: Callable[[], WorkerHost | None]) -> None:
        try:
            self._host = host = ask()
            self._is_removed = host is None
            if host is not None:
                self._follow(host)
            else:
                log.warning("this host was removed from the portal; the runner leaves when nothing is in hand")
        except Error as error:
            log.warning("the database is away (%s); the runner waits for it", error)
            self._host = None
            connections.close_all()

    def _follow(self, host: WorkerHost) -> None:
        """Listen to the bell of the pool that the host is in: somebody may have moved it."""
        queue = pool_queue(host.pool_id, self.connection)
        if queue == self._pool_queue:
            return
        log.info("this host is in the pool %s now", host.pool)
        with self._forgiving():
            unregister(self)  # where the old queue's workers are listed
        self._pool_queue = queue
        self.queues = [self._host_queue, queue]
        with self._forgiving():
            self._introduce()

    def _beat(self) -> WorkerHost | None:
        running = [Work(function=it.ring.name, run=it.ring.ids[0], since=it.since) for it in self._holders]
        return self._pulse.beat(draining=self.is_leaving, running=running)

    def _tidy_up(self) -> None:
        """What a script left behind must never keep a runner from its work, whatever is wrong with it."""
        try:
            self._tidy(self._holders.run_ids())
        except Exception:
            log.warning("folders of killed runs are left for the next time", exc_info=True)
            connections.close_all()

    # --- the bell -------------------------------------------------------------------------------------------------

    def open_queues(self) -> Sequence[Queue]:
        """Where it listens now; none while it may not take anything, or has no room.

        The database decides whether a run has room. This only keeps a host that is full from asking it in vain: a run
        in hand has as many slots as it was given here, none if it is led from here and its Locust is elsewhere, and
        one until that is known. Those that are led from here leave room for a process for each slot: a host that does
        not hear its own bell would keep others' runs from their workers.
        """
        host = self._host
        if host is None or host.standing != Standing.ACTIVE or self.is_leaving:
            return ()
        if len(self._holders) >= 2 * host.slot_count + SPARE_HOLDERS:
            return ()
        has_slots = self._pulse.slots_of(self._holders.run_ids()) < host.slot_count
        if has_slots and self._holders.count(EXECUTE_RUN) < host.slot_count + SPARE_LEADERS:
            return self._host_queue, self._pool_queue
        return (self._host_queue,)

    def _listen(self, queues: Sequence[Queue]) -> Ring | None:
        ring = None
        with self._forgiving():
            found = self.connection.blpop([queue.key for queue in queues], LISTEN_SECONDS)
            ring = self._answer(*found) if found else None
        if self._misses_redis:
            time.sleep(LISTEN_SECONDS)
        return ring

    def _answer(self, queue_key: bytes, job_id: bytes) -> Ring | None:
        """None for what is no job of ours: whoever writes to Redis may write nonsense, and it costs nobody a runner."""
        if self.is_leaving:  # since we began to listen
            self.connection.lpush(queue_key, job_id)
            return None
        try:
            return answer(self.connection, job_id)
        except NoSuchJobError:
            return None
        except MALFORMED as error:
            log.warning("the queue held something that is no job: %r", error)
            time.sleep(MALFORMED_SECONDS)
            return None

    def _hold(self, ring: Ring) -> None:
        with unsignalled():
            if self.is_leaving:  # just now; the keeper rings for somebody else
                return
            try:
                self._holders.start(ring)
            except OSError as error:
                log.error("%s %s must wait: %s", ring.name, " ".join(ring.ids), error)

    def _let_go(self) -> None:
        """Of connections that must not be shared by two processes. They come back when they are needed."""
        connections.close_all()
        self.connection.connection_pool.disconnect()

    # --- RQ -------------------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        # A killed one of our name and number, as in a container that was restarted. The database says it is gone.
        self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]
        for queue in self.queues:
            clean_worker_registry(queue)

    def _tell_redis(self) -> None:
        if not self.connection.exists(self.key):  # a Redis that came back empty
            self._introduce()
        self.set_state(WorkerStatus.BUSY if self._holders else WorkerStatus.IDLE)
        self.heartbeat()

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Nobody must leave because the doorbell is away. Said once."""
        try:
            yield
            self._misses_redis = False
        except redis.RedisError as error:
            if not self._misses_redis:
                log.warning("Redis is away (%s); what is in hand goes on", error)
            self._misses_redis = True
