"""What a Locust process of ours is: the only one of its run, the master of some, or one of its workers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import locust.env
import locust.runners

from .accounts import Accounts
from .identity import Identity
from .inbox import Inbox
from .ledger import numbers_of, spans_of
from .swarm import link
from .swarm.master import Master, Orders
from .swarm.names import name_of
from .swarm.worker import Worker

STRANGERS_SECONDS = 5.0
"""Strangers are told of so often at most."""
MOST_STRANGERS = 20

Tell = Callable[..., None]
LOCUST_RUNNERS: Any = locust.runners
REPORT_SECONDS = 1.0
"""Where seconds are read from Locust's own files of the master: they get nothing for three seconds otherwise, and then
all of it. A report costs the master as much for one request of a name as for a hundred."""
LOCUST: Any = locust.env
"""Makes runners of the classes that it finds in its own module."""


class Role(Protocol):
    decides: bool
    """How many users there are, and how long the test goes on."""
    has_users: bool

    def await_others(self, runner: Any) -> None:
        """Once the script is loaded: until all are there whom it takes."""

    def look(self, runner: Any) -> None:
        """Several times a second, while the test goes on."""


def of(config: dict[str, Any], tell: Tell, identity: Identity | None) -> Role:
    """Before Locust's `main`, which then uses our classes. `identity`: of a process that has users."""
    swarm = config.get("swarm")
    if swarm is None:
        return Alone()
    if swarm["role"] == "master":
        return MasterRole(swarm, Path(config["orders"]), tell)
    assert identity is not None
    if config["collector"] != "exact":
        LOCUST_RUNNERS.WORKER_REPORT_INTERVAL = REPORT_SECONDS
    return WorkerRole(swarm, tell, identity)


class Alone:
    decides = has_users = True

    def await_others(self, runner: Any) -> None:
        pass

    def look(self, runner: Any) -> None:
        pass


class MasterRole:
    decides, has_users = True, False

    def __init__(self, swarm: dict[str, Any], orders: Path, tell: Tell) -> None:
        self._inbox = Inbox(orders, orders_of)
        ports = None if swarm["ports"] is None else (swarm["ports"][0], swarm["ports"][1])
        link.install(link.Keys(**swarm["keys"]), ports=ports, on_stranger=Strangers(tell).note)
        Master.quotas = {index: users for index, _offset, users in swarm["blocks"]}
        Master.tell = staticmethod(tell)
        Master.ids = Accounts({index: (offset + 1, offset + users) for index, offset, users in swarm["blocks"]})
        LOCUST.MasterRunner = Master

    def await_others(self, runner: Any) -> None:
        runner.await_workers()

    def look(self, runner: Any) -> None:
        if (orders := self._inbox.read()) is not None:
            runner.obey(orders)


class WorkerRole:
    decides, has_users = False, True

    def __init__(self, swarm: dict[str, Any], tell: Tell, identity: Identity) -> None:
        self._identity = identity
        link.install(link.Keys(**swarm["keys"]), ports=None, on_stranger=lambda address: None)
        Worker.name = name_of(swarm["index"], swarm["start"])
        Worker.tell = staticmethod(tell)
        Worker.on_begin = staticmethod(identity.have)
        LOCUST.WorkerRunner = Worker

    def await_others(self, runner: Any) -> None:
        """There is nobody to wait for; but from now on the master can be asked."""
        self._identity.link = _Lending(runner)

    def look(self, runner: Any) -> None:
        pass


class _Lending:
    """Conforms to `identity.Link`."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def take(self, count: int) -> list[int]:
        return numbers_of(self._runner.ask_for_ids(count))

    def give_back(self, numbers: list[int]) -> None:
        self._runner.give_ids_back(spans_of(numbers))


class Strangers:
    """Tells of those who knock, however often they do."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told = 0
        self._told_at = float("-inf")
        self._count = 0

    def note(self, address: str) -> None:
        """`address`: empty for one who was gone before he could be looked at."""
        self._count += 1
        now = time.monotonic()
        if self._told < MOST_STRANGERS and now - self._told_at >= STRANGERS_SECONDS:
            self._told += 1
            self._told_at = now
            self._tell("stranger", address=address, count=self._count)


def orders_of(said: Any) -> Orders:
    """Raises ValueError, TypeError or KeyError for anything that the supervisor would not write."""
    quotas = {int(index): int(users) for index, users in said["quotas"]}
    return Orders(int(said["revision"]), quotas, [int(one) for one in said["gone"]], [int(one) for one in said["lost"]])
