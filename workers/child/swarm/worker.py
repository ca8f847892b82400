"""A process that makes load, and tells the master of it."""

import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

import gevent
import gevent.event
import locust
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from .leavers import Leavers

logger = logging.getLogger(__name__)

SILENT_SECONDS = 3.5
ORPHANED_SECONDS = 60.0
"""Without a word of the master; a worker then ends by itself. Its supervisor, which can ask others, is faster."""

ANSWER_SECONDS = 5.0

Spans = list[tuple[int, int]]


class Worker(WorkerRunner):
    """Stands for Locust's own; made by `Environment.create_worker_runner`."""

    name = ""
    tell: Callable[..., None]
    on_begin: Callable[[Spans], None]
    """Hears which numbers are this process's."""

    def __init__(self, environment: Any, master_host: str, master_port: int) -> None:
        self._users_wanted: dict[str, Any] | None = None
        self._news = gevent.event.Event()
        self._number = 0
        self._heard_at: float | None = None
        self._asked: gevent.event.AsyncResult[Spans] | None = None
        super().__init__(environment, master_host, master_port)
        self._leavers = Leavers(self)
        self.greenlet.spawn(self._follow)

    @property
    def client_id(self) -> str:
        """Locust makes one up; ours says who we are."""
        return self.name

    @client_id.setter
    def client_id(self, made_up: str) -> None:
        pass

    def handle_message(self, msg: Message) -> None:
        self._heard_at = time.monotonic()
        match msg.type:
            case "ack":
                if not self.connection_event.is_set():
                    self.on_begin(_spans(msg.data))
                super().handle_message(msg)
            case "hatchery_users":
                if msg.data["number"] > self._number:
                    self._number = msg.data["number"]
                    self._users_wanted = msg.data
                    self._news.set()
            case "hatchery_ids":
                self._take_ids(_spans(msg.data))
            case "hatchery_who":
                self.client.send(Message("client_ready", locust.__version__, self.client_id))
            case "quit":
                self.tell("dismissed")
                super().handle_message(msg)
            case "spawn" | "locustfile" | "update_user_class" | "stop":
                pass  # nothing that our master says
            case _:
                super().handle_message(msg)

    def ask_for_ids(self, count: int) -> Spans:
        """More numbers, as far as the master has some to lend. One asks at a time."""
        self._asked = gevent.event.AsyncResult()
        self.client.send(Message("hatchery_take", {"count": count}, self.client_id))
        try:
            spans: Spans = self._asked.get(timeout=ANSWER_SECONDS)
            return spans
        except gevent.Timeout:
            return []
        finally:
            self._asked = None

    def _take_ids(self, spans: Spans) -> None:
        if self._asked is None:
            self.give_ids_back(spans)  # nobody waits for it any more
        else:
            self._asked.set(spans)

    def give_ids_back(self, spans: Spans) -> None:
        self.client.send(Message("hatchery_give_back", {"spans": spans}, self.client_id))

    def _follow(self) -> None:
        """Have the users that were asked for last. One change is done before the next begins: Locust would break off
        the one before, and lose count of those who are about to leave."""
        while True:
            self._news.wait()
            self._news.clear()
            job = self._users_wanted
            if job is not None:
                self._begin(job)
                self.client.send(Message("spawning", None, self.client_id))
                self.worker_state = STATE_SPAWNING
                self.spawning_greenlet = self.greenlet.spawn(self._change_users, job["user_classes_count"])
                self._leavers.settle(self.spawning_greenlet)
                self._report(job["number"])

    def _begin(self, job: dict[str, Any]) -> None:
        self.environment.host = job["host"]
        self.environment.stop_timeout = job["stop_timeout"] or 0.0
        if self.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            return
        self.stats.clear_all()
        self.exceptions = {}
        self.cpu_warning_emitted = False
        self.worker_cpu_warning_emitted = False
        self.environment._filter_tasks_by_tags()
        self.environment.events.test_start.fire(environment=self.environment)

    def _change_users(self, wanted: dict[str, int]) -> None:
        self.target_user_classes_count = wanted
        self.target_user_count = sum(wanted.values())
        for user_class in self.user_classes:
            if self.environment.host:
                user_class.host = self.environment.host
        now = self.user_classes_count
        self.spawn_users({name: count - now[name] for name, count in wanted.items() if count > now[name]})
        self.stop_users({name: now[name] - count for name, count in wanted.items() if count < now[name]})

    def _report(self, number: int) -> None:
        self.worker_state = STATE_RUNNING
        self.update_state(STATE_RUNNING)
        data = {"number": number, "user_classes_count": self.user_classes_count, "user_count": self.user_count}
        self.client.send(Message("spawning_complete", data, self.client_id))

    def heartbeat_timeout_checker(self) -> NoReturn:
        """Locust asks the wall clock, which may be set."""
        silent = False
        while True:
            gevent.sleep(0.5)
            if self._heard_at is None:
                continue
            age = time.monotonic() - self._heard_at
            if (age > SILENT_SECONDS) != silent:
                silent = not silent
                self.tell("master_silent" if silent else "master_heard", age_s=round(age, 1))
            if age > ORPHANED_SECONDS:
                logger.error("The master has not been heard of for %d seconds", age)
                self.quit()

    def logs_reporter(self) -> None:
        """Our log is read where it is written."""

    def quit(self) -> None:
        """As the master's `quit` message, with a last report; also for a signal."""
        self.stop()
        self._send_stats()
        self.greenlet.kill(block=True)


def _spans(data: dict[str, Any]) -> Spans:
    return [(int(first), int(last)) for first, last in data["spans"]]
