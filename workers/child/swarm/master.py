"""The process that decides how many users each worker has, and adds up what Locust itself counts."""

import logging
import math
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

import gevent
import gevent.event
import gevent.lock
import locust
from locust.rpc import Message
from locust.runners import (
    HEARTBEAT_INTERVAL,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    WorkerNode,
)

from .dispatch import Dispatch, UserClass
from .names import index_of, start_of

logger = logging.getLogger(__name__)

SILENT_SECONDS = 3.5
"""Without a heartbeat, of which there is one a second. What follows from it is for the supervisor to say."""
ARRIVAL_SECONDS = 5.0
"""For users to come or to leave; those who leave get 3 s, and then their `on_stop`."""
GOODBYE_SECONDS = 10.0
"""For workers to end, beyond the time that users have to finish what they are at."""
LOOK_SECONDS = 0.02

Span = tuple[int, int]
"""First and last number."""
Tell = Callable[..., None]
"""`tell(kind, **data)` writes an event for the supervisor."""


class Orders(NamedTuple):
    """What the supervisor knows of the workers: it sees their processes, and we do not."""

    revision: int
    quotas: Mapping[int, int]
    """The most users of each worker that is to have any."""
    gone: Sequence[int] = ()
    """Those whose process is known to have ended: their IDs are free."""
    lost: Sequence[int] = ()
    """Those that are given up, and may be alive."""


class Ids(Protocol):
    """What the master needs of `accounts.Accounts`."""

    def connect(self, index: int, start: int) -> list[Span]: ...

    def take(self, index: int, count: int) -> list[Span]: ...

    def give_back(self, index: int, spans: Sequence[Span]) -> None: ...

    def settle(self, gone: Sequence[int], lost: Sequence[int]) -> None: ...


FOLDER = re.compile(r'File "[^"\n]*/[0-9a-f-]{36}\.\d+-\d+-\d+/script/')
"""Of a worker in a traceback: without it the same exception is the same on all of them (`share.folder_of`)."""


class Master(MasterRunner):
    """Stands for Locust's own; made by `Environment.create_master_runner`."""

    quotas: Mapping[int, int] = {}
    tell: Tell
    ids: Ids

    def __init__(self, environment: Any, master_bind_host: str, master_bind_port: int) -> None:
        self._dispatch: Dispatch | None = None
        self._heard: dict[int, float] = {}
        self._silent: set[int] = set()
        self._told: dict[int, dict[str, int]] = {}
        self._asked: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._stopping = gevent.lock.RLock()
        self._starting = gevent.lock.RLock()
        self._number = 0
        super().__init__(environment, master_bind_host, master_bind_port)
        self.tell("listening", port=self.server.port)

    # --- who is there ---------------------------------------------------------------------------------------------

    def await_workers(self) -> None:
        """Until each of them is ready; how long that may take is for the supervisor to say."""
        while len(self._ready()) < len(self.quotas):
            gevent.sleep(LOOK_SECONDS)

    def get_worker_index(self, client_id: str) -> int:
        index = index_of(client_id)
        return -1 if index is None else index

    def _ready(self) -> set[int]:
        return {self.get_worker_index(client.id) for client in self.clients.all} - {-1}

    def heartbeat_worker(self) -> NoReturn:
        """Locust takes a silent worker for gone, and starts all users anew a minute later (its own `start`)."""
        while True:
            gevent.sleep(HEARTBEAT_INTERVAL)
            now = time.monotonic()
            silent = {index for index, at in self._heard.items() if now - at > SILENT_SECONDS}
            for index in sorted(silent - self._silent):
                self.tell("worker_silent", index=index)
            for index in sorted(self._silent - silent):
                self.tell("worker_heard", index=index)
            self._silent = silent

    def handle_message(self, client_id: str, msg: Message) -> None:
        index = index_of(client_id)
        if index is None or index not in self.quotas:
            logger.warning("A message of %.100r, who is no worker of this run, is passed over", client_id)
            return
        self._heard[index] = time.monotonic()
        try:
            self._take_in(client_id, index, msg)
        except Exception as error:  # the script has the keys as well: nobody would be heard after it
            logger.warning("The message %.50r of %s is none of ours: %.200r", msg.type, client_id, error)

    def _take_in(self, client_id: str, index: int, msg: Message) -> None:
        match msg.type:
            case "client_ready":
                self._welcome(client_id, index, msg)
            case "quit" | "client_stopped":
                self._part(client_id, index)
            case "spawning":
                self._set_state(client_id, STATE_SPAWNING)
            case "spawning_complete":
                self._arrived(client_id, index, msg)
            case "heartbeat":
                self._beat(client_id, msg)
            case "hatchery_take":
                spans = self.ids.take(index, int(msg.data["count"]))
                self.server.send_to_client(Message("hatchery_ids", {"spans": spans}, client_id))
            case "hatchery_give_back":
                self.ids.give_back(index, [(int(first), int(last)) for first, last in msg.data["spans"]])
            case "logs":
                pass  # each worker's log is read where it is written
            case _:
                super().handle_message(client_id, msg)

    def log_exception(self, node_id: str, msg: str, formatted_tb: str) -> None:
        super().log_exception(node_id, msg, FOLDER.sub('File "', formatted_tb))

    def _welcome(self, client_id: str, index: int, msg: Message) -> None:
        is_new = client_id not in self.clients
        if msg.data != locust.__version__:
            self.tell("other_version", index=index, locust=str(msg.data)[:50])
        if is_new:
            for other in [other for other in self.clients if self.get_worker_index(other) == index]:
                del self.clients[other]  # the process before this one
        # Asks again when the answer is late: then it gets the same.
        self.send_message(
            "ack", client_id=client_id, data={"index": index, "spans": self.ids.connect(index, start_of(client_id))}
        )
        if not is_new:
            return
        self.clients[client_id] = WorkerNode(client_id)
        self.environment.events.worker_connect.fire(client_id=client_id)
        self.tell("worker_ready", index=index, start=start_of(client_id))
        self._told.pop(index, None)
        if self.state in (STATE_RUNNING, STATE_SPAWNING):
            self._tell_users()

    def _part(self, client_id: str, index: int) -> None:
        if client_id not in self.clients:
            return
        del self.clients[client_id]
        self._heard.pop(index, None)
        self.tell("worker_left", index=index, start=start_of(client_id))
        if not len(self.clients) and self.state in (STATE_RUNNING, STATE_SPAWNING):
            gevent.spawn(self.quit)

    def _arrived(self, client_id: str, index: int, msg: Message) -> None:
        self._set_state(client_id, STATE_RUNNING)
        if client_id in self.clients:
            self.clients[client_id].user_classes_count = msg.data["user_classes_count"]
            self._done[index] = msg.data["number"]

    def _set_state(self, client_id: str, state: str) -> None:
        if client_id in self.clients:
            self.clients[client_id].state = state

    def _beat(self, client_id: str, msg: Message) -> None:
        client = self.clients.get(client_id)
        if client is None:
            # It was taken for gone, or we know it no more: it says who it is once more.
            self.server.send_to_client(Message("hatchery_who", None, client_id))
            return
        client.state = msg.data["state"]
        client.cpu_usage = msg.data["current_cpu_usage"]
        client.memory_usage = msg.data.get("current_memory_usage", 0)
        self.environment.events.heartbeat_sent.fire(client_id=client_id, timestamp=time.time())
        self.server.send_to_client(Message("heartbeat", None, client_id))

    # --- how many users each has ----------------------------------------------------------------------------------

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: Collection[Any] | None = None
    ) -> None:
        """Go to so many users, `spawn_rate` a second; returns when they are there, or after ARRIVAL_SECONDS."""
        with self._starting:
            self.spawning_completed = False
            self.target_user_count, self.spawn_rate = user_count, spawn_rate
            if self.state not in (STATE_RUNNING, STATE_SPAWNING):
                self._begin()
            if self.state in (STATE_STOPPING, STATE_STOPPED):
                return
            self.update_state(STATE_SPAWNING)
            dispatch = self._dispatcher()
            dispatch.restrict(None if user_classes is None else [one.__name__ for one in user_classes])
            for users, pause in steps(dispatch.users, user_count, spawn_rate):
                dispatch.go(users)
                self._tell_users()
                gevent.sleep(pause)
            self.target_user_classes_count = dispatch.by_class()
            self._await_users()
            self._report_arrival(dispatch.users)

    def obey(self, orders: Orders) -> None:
        """Other workers, or more users on some, from now on."""
        self.ids.settle(orders.gone, orders.lost)
        if self._dispatch is None or self.state not in (STATE_RUNNING, STATE_SPAWNING):
            self.quotas = {**self.quotas, **orders.quotas}
            return
        self._dispatch.change(orders.quotas)
        self.quotas = {**self.quotas, **orders.quotas}  # who is lost may come back, and is then told to leave
        self._tell_users()

    def _begin(self) -> None:
        self.stats.clear_all()
        self.exceptions = {}
        self.environment._filter_tasks_by_tags()
        self.environment.events.test_start.fire(environment=self.environment)
        if self.environment.shape_class:
            self.environment.shape_class.reset_time()

    def _dispatcher(self) -> Dispatch:
        """Made with the first users: by then the script has had its say about weights."""
        if self._dispatch is None:
            classes = [UserClass(one.__name__, one.weight, one.fixed_count) for one in self.user_classes]
            self._dispatch = Dispatch(self.quotas, classes)
        return self._dispatch

    def _tell_users(self) -> None:
        """Tell each worker what it shall have, unless it knows."""
        assert self._dispatch is not None
        counts = self._dispatch.counts()
        for client in self.clients.all:
            index = self.get_worker_index(client.id)
            wanted = counts.get(index) or dict.fromkeys(self._dispatch.by_class(), 0)
            if self._told.get(index) == wanted:
                continue
            self._number += 1
            self._told[index], self._asked[index] = wanted, self._number
            job = {
                "number": self._number,
                "user_classes_count": wanted,
                "host": self.environment.host,
                "stop_timeout": self.environment.stop_timeout,
            }
            self.server.send_to_client(Message("hatchery_users", job, client.id))

    def _await_users(self) -> None:
        """Until all who can be heard have done what they were told."""
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < deadline and self.state not in (STATE_STOPPING, STATE_STOPPED):
            if all(self._done.get(index, 0) >= self._asked.get(index, 0) for index in self._audible()):
                return
            gevent.sleep(LOOK_SECONDS)

    def _report_arrival(self, users: int) -> None:
        if self.state in (STATE_STOPPING, STATE_STOPPED):
            return
        self.environment.events.spawning_complete.fire(user_count=users)
        self.send_message("spawning_complete", data={"user_count": users})
        self.spawning_completed = True

    # --- the end --------------------------------------------------------------------------------------------------

    def stop(self, send_stop_to_client: bool = True) -> None:
        """End the users of all workers, and wait until each has said its last word: Locust would wait half a second."""
        with self._stopping:
            if self.state in (STATE_INIT, STATE_STOPPED, STATE_STOPPING):
                return
            self.environment.events.test_stopping.fire(environment=self.environment)
            self.final_user_classes_count = {**self.reported_user_classes_count}
            self.update_state(STATE_STOPPING)
            if self.shape_greenlet is not None and self.shape_greenlet is not gevent.getcurrent():
                self.shape_greenlet.kill(block=True)
                self.shape_greenlet = None
                self.shape_last_tick = None
            self.tell("dismissing")
            self._dismiss()
            self.environment.events.test_stop.fire(environment=self.environment)
            self.update_state(STATE_STOPPED)

    def quit(self) -> None:
        self.stop()
        self._dismiss()
        self.greenlet.kill(block=True)

    def _dismiss(self) -> None:
        for client in list(self.clients.all):
            self.server.send_to_client(Message("quit", None, client.id))
        deadline = time.monotonic() + (self.environment.stop_timeout or 0.0) + GOODBYE_SECONDS
        while self._audible() and time.monotonic() < deadline:
            gevent.sleep(LOOK_SECONDS)

    def _audible(self) -> set[int]:
        return self._ready() - self._silent

    def check_stopped(self) -> None:
        """Locust's own takes a test without workers for one that has ended."""


def steps(now: int, then: int, rate: float) -> Iterator[tuple[int, float]]:
    """Users after each step of a ramp, and the pause behind it in seconds, as Locust makes them: whole users, at most
    `rate` a second; at least one pair, with no pause behind the last."""
    size = max(1, math.floor(rate))
    while abs(then - now) > size:
        now += size if then > now else -size
        yield now, size / rate
    yield then, 0.0
