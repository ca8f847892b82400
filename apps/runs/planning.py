"""What a run would ask of the hosts that it would be on: users, traffic, ports, open files. Pure, but for its words.

Estimates are cautious: each user has one connection, and the bytes of both ways go through one way of the link.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.translation import gettext as _

from apps.pools.allocation import Seat

FEW_USERS = 100
"""From here to a pool's own advice a worker is well used."""
SPARE_FILES = 100
"""Open files of a Locust worker besides its users' connections."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one user is expected to send and receive: so many bytes a request, and a request each `seconds`."""

    bytes_per_request: float
    seconds: float

    def mbit(self, users: int) -> float:
        """Mbit/s of so many users."""
        return users * self.bytes_per_request / self.seconds * 8 / 1e6


@dataclass(frozen=True, slots=True)
class Machine:
    """A host's limits; None: it does not say, or (files) there is none."""

    host_id: Hashable
    name: str
    link_mbit: int | None = None
    ports: int | None = None
    """For connections to one address."""
    files: int | None = None
    """Open at once in one process."""
    others: int = 0
    """Users that other runs have on it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Users of a worker beside the advice; all in percent of the bar's length."""

    users: float
    low: float
    good: float
    """How long the advised part is that begins at `low`."""


@dataclass(frozen=True, slots=True)
class PlannedWorker:
    """A Locust worker: its users' IDs are `first` to `last`."""

    index: int
    users: int
    first: str
    last: str
    bar: Bar

    @property
    def number(self) -> int:
        """What people call it: they count from 1."""
        return self.index + 1


@dataclass(frozen=True, slots=True)
class PlannedHost:
    """A host with its workers, in their order. `mbit` is None when nobody said what a request weighs."""

    machine: Machine
    workers: tuple[PlannedWorker, ...]
    mbit: float | None

    @property
    def users(self) -> int:
        """Of this run."""
        return sum(worker.users for worker in self.workers)

    @property
    def most_users(self) -> int:
        """Of its largest worker."""
        return max(worker.users for worker in self.workers)

    @property
    def is_beyond_link(self) -> bool:
        """More is expected than its link carries."""
        return self.mbit is not None and self.machine.link_mbit is not None and self.mbit > self.machine.link_mbit

    @property
    def is_beyond_ports(self) -> bool:
        """More connections than ports, if all runs on it ask the same address."""
        return self.machine.ports is not None and self.users + self.machine.others > self.machine.ports

    @property
    def is_beyond_files(self) -> bool:
        """Its largest worker cannot open so many connections."""
        return self.machine.files is not None and self.most_users + SPARE_FILES > self.machine.files


def lay_out(
    seats: Sequence[Seat],
    machines: Iterable[Machine],
    *,
    advice: int,
    traffic: Traffic | None = None,
    id_text: Callable[[int], str] = str,
) -> tuple[PlannedHost, ...]:
    """The seats by host, in the order of their numbers; `advice` is the most users that a worker should have."""
    known: Mapping[Hashable, Machine] = {machine.host_id: machine for machine in machines}
    length = max([advice * 1.25, *(seat.users for seat in seats)])
    order = {host_id: place for place, host_id in enumerate(dict.fromkeys(seat.host_id for seat in seats))}
    by_host = groupby(sorted(seats, key=lambda seat: (order[seat.host_id], seat.index)), lambda seat: seat.host_id)

    def planned(seat: Seat) -> PlannedWorker:
        first, last = id_text(seat.offset + 1), id_text(seat.offset + seat.users)
        return PlannedWorker(seat.index, seat.users, first, last, _bar(seat.users, advice, length))

    return tuple(_host(known[host_id], tuple(map(planned, own)), traffic) for host_id, own in by_host)


def shortfalls(hosts: Sequence[PlannedHost], *, advice: int) -> list[str]:
    """What is too little, host by host, each with what to do about it. Empty: nothing that is known."""
    return [*_beyond_advice(hosts, advice), *(text for host in hosts for text in _beyond_host(host))]


def _host(machine: Machine, workers: tuple[PlannedWorker, ...], traffic: Traffic | None) -> PlannedHost:
    mbit = traffic.mbit(sum(worker.users for worker in workers)) if traffic else None
    return PlannedHost(machine, workers, mbit)


def _bar(users: int, advice: int, length: float) -> Bar:
    low = min(FEW_USERS, advice)
    return Bar(*(round(100 * value / length, 2) for value in (users, low, advice - low)))


def _beyond_advice(hosts: Sequence[PlannedHost], advice: int) -> Iterable[str]:
    most = max((host.most_users for host in hosts), default=0)
    if most <= advice:
        return
    total = sum(host.users for host in hosts)
    sentence = _(
        "A worker gets %(most)d users; the advice for this pool is at most %(advice)d. Ask for %(enough)d workers, "
        "or watch its CPU: a worker that is too busy measures itself."
    )
    yield sentence % {"most": most, "advice": advice, "enough": math.ceil(total / advice)}


def _beyond_host(host: PlannedHost) -> Iterable[str]:
    machine, values = host.machine, {"host": host.machine.name, "users": host.users}
    if host.is_beyond_link:
        sentence = _(
            "%(host)s: %(mbit)d Mbit/s are expected, and its link has %(link)d. Spread the run over more hosts, "
            "or ask for fewer users."
        )
        yield sentence % {**values, "mbit": math.ceil(host.mbit or 0), "link": machine.link_mbit}
    if host.is_beyond_ports:
        sentence = _(
            "%(host)s: %(users)d users with a connection each, and it has %(ports)d ports for connections to one "
            "address. Spread the run over more hosts, or widen net.ipv4.ip_local_port_range there."
        )
        yield sentence % {**values, "users": host.users + machine.others, "ports": machine.ports}
    if host.is_beyond_files:
        sentence = _(
            "%(host)s: a worker of %(users)d users with a connection each, and it may open %(files)d files. "
            "Ask for more workers, or raise the limit of open files where its runner is started."
        )
        yield sentence % {**values, "users": host.most_users, "files": machine.files}
