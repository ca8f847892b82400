"""What a host says about itself: how busy it is, what it has, and how its clock goes."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import time
import tomllib
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypedDict, TypeVar

import psutil
from django.conf import settings
from django.db import connection

from workers import sandbox

CLOCK_TRIES = 3
CLOCK_BUDGET_SECONDS = 0.01
"""A database that is far away is asked once or twice: a report must not take longer than 20 ms."""
MOST_ADDRESSES = 16
LOOPBACK = "lo"
INTERFACES = Path("/sys/class/net")
LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
ROUTES = Path("/proc/net/route")

T = TypeVar("T")


class Sandbox(TypedDict):
    """As `workers.sandbox.Level`."""

    level: str
    active: list[str]
    missing: list[str]


class Work(TypedDict):
    """One process of the runner's: which function it carries out, for which run, since when (epoch seconds)."""

    function: str
    run: str
    since: float


class Load(TypedDict):
    """The part that is measured. None: this machine does not say."""

    cpu_percent: float
    """Of all cores together, 0 to 100, since the report before."""
    memory_percent: float
    """Used, of all."""
    memory_bytes: int
    """All there is."""
    load_average: list[float]
    """Of the last 1, 5 and 15 minutes."""
    disk_free_bytes: int | None
    """Of the file system of RUNS_DIR."""
    disk_percent: float | None
    """Used, of all."""
    received_mbit: float
    """Mbit/s through all interfaces but `lo`, since the report before."""
    sent_mbit: float
    link_mbit: int | None
    """Mbit/s of the fastest physical interface that is up."""
    open_files: int | None
    """The limit a process starts with; None: there is none."""
    open_files_hard: int | None
    """The limit up to which it may raise that by itself; None: there is none."""
    local_ports: int | None
    """How many ports the machine has for outgoing connections to one address."""
    addresses: list[str]
    """Its own, without loopback and those of one link only."""
    sandbox: Sandbox


class Report(Load):
    """What `WorkerHost.report` holds."""

    at: float
    """Epoch seconds, by the database's clock."""
    cores: int
    versions: dict[str, str]
    """Of `python`, `locust` and `hatchery`."""
    clock_offset_ms: float
    """By how much this host's clock is ahead of the database's; 0 on SQLite, where there is one clock."""
    round_trip_ms: float
    """Of a question to the database."""
    slots: int
    """How many Locust processes it may run."""
    slots_free: int
    running: list[Work]


class Clock(NamedTuple):
    """The host's clock beside the database's; both in seconds."""

    ahead: float
    round_trip: float


class Gauge:
    """Reads the machine. Keeps what it needs to tell how much happened since it read before."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        psutil.cpu_percent()  # of the time since then
        self._read_at, self._bytes = clock(), _network_bytes()

    def read(self) -> Load:
        """The load since the last call. Takes a few milliseconds."""
        received, sent = self._network()
        memory = psutil.virtual_memory()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        level = sandbox.level()
        disk = _or_none(lambda: shutil.disk_usage(_existing(self._folder)))
        return Load(
            cpu_percent=psutil.cpu_percent(),
            memory_percent=memory.percent,
            memory_bytes=memory.total,
            load_average=[round(value, 2) for value in os.getloadavg()],
            disk_free_bytes=disk.free if disk else None,
            disk_percent=round(100 * disk.used / max(1, disk.total), 1) if disk else None,
            received_mbit=received,
            sent_mbit=sent,
            link_mbit=link_mbit(),
            open_files=None if soft == resource.RLIM_INFINITY else soft,
            open_files_hard=None if hard == resource.RLIM_INFINITY else hard,
            local_ports=_or_none(local_ports),
            addresses=_or_none(addresses) or [],
            sandbox=Sandbox(level=level.letter, active=list(level.active), missing=list(level.missing)),
        )

    def _network(self) -> tuple[float, float]:
        """Received and sent, in Mbit/s."""
        now, counted = self._clock(), _network_bytes()
        seconds = max(now - self._read_at, 1e-3)
        rates = mbit_between(self._bytes, counted, seconds)
        self._read_at, self._bytes = now, counted
        return rates


Counters = dict[str, tuple[int, int]]
"""Bytes received and sent, by interface."""


def mbit_between(before: Counters, after: Counters, seconds: float) -> tuple[float, float]:
    """Mbit/s received and sent. What an interface counted before it came, or was set back, is nobody's traffic."""
    both = [(before[name], after[name]) for name in before.keys() & after.keys()]

    def rate(way: int) -> float:
        return round(sum(max(0, new[way] - old[way]) for old, new in both) * 8 / 1e6 / seconds, 3)

    return rate(0), rate(1)


def compare_clocks() -> Clock:
    """Best of a few by round trip; the answer is taken to be half a round trip old. Raises DatabaseError."""
    connection.ensure_connection()  # its time is no round trip
    asks_the_time = connection.vendor == "postgresql"
    began = time.perf_counter()
    found: list[Clock] = []
    while len(found) < CLOCK_TRIES and (not found or time.perf_counter() - began < CLOCK_BUDGET_SECONDS):
        ours, start = time.time(), time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()" if asks_the_time else "SELECT 1")
            (theirs,) = cursor.fetchone()
        trip = time.perf_counter() - start
        found.append(Clock(ours + trip / 2 - theirs.timestamp() if asks_the_time else 0.0, trip))
    return min(found, key=lambda clock: clock.round_trip)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """What this host runs. Read from package metadata: Locust must not be imported here."""
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["project"]
    return {"python": platform.python_version(), "locust": version("locust"), "hatchery": project["version"]}


def cores() -> int:
    return os.cpu_count() or 1


def link_mbit(interfaces: Path = INTERFACES) -> int | None:
    """Speed of the fastest interface that is up and has a device behind it, unlike a bridge or a container's end."""
    speeds = (_or_none(partial(_speed, path)) for path in _listed(interfaces))
    return max((speed for speed in speeds if speed is not None and speed > 0), default=None)


def local_ports(file: Path = LOCAL_PORTS) -> int:
    """How many ports there are for outgoing connections. Raises OSError, ValueError."""
    first, last = map(int, file.read_text().split())
    return max(0, last - first + 1)


def addresses(routes: Path = ROUTES) -> list[str]:
    """IPv4 before IPv6, and first of the interface that leads out: bridges of containers have the same address on each
    machine, and those that are down none that anybody reaches. None that only this machine or this link knows."""
    families = (socket.AF_INET, socket.AF_INET6)
    ways_out, states = _or_none(partial(_ways_out, routes)) or set(), psutil.net_if_stats()
    known = [
        (families.index(entry.family), name not in ways_out, name in states and not states[name].isup, entry.address)
        for name, found in psutil.net_if_addrs().items()
        for entry in found
        if entry.family in families and not _is_own(entry.address)
    ]
    return [address for *_, address in sorted(known)][:MOST_ADDRESSES]


def _ways_out(routes: Path) -> set[str]:
    """Interfaces with a default route. Raises OSError."""
    rows = (line.split() for line in routes.read_text().splitlines()[1:])
    return {row[0] for row in rows if len(row) > 1 and row[1] == "00000000"}


def _is_own(address: str) -> bool:
    return address.startswith(("127.", "169.254.", "fe80:")) or address == "::1"


def _network_bytes() -> Counters:
    counters = _or_none(lambda: psutil.net_io_counters(pernic=True)) or {}
    return {name: (count.bytes_recv, count.bytes_sent) for name, count in counters.items() if name != LOOPBACK}


def _speed(interface: Path) -> int | None:
    is_physical = (interface / "device").exists()
    is_up = (interface / "operstate").read_text().strip() == "up"
    return int((interface / "speed").read_text()) if is_physical and is_up else None


def _listed(folder: Path) -> Iterable[Path]:
    return _or_none(lambda: sorted(folder.iterdir())) or []


def _existing(folder: Path) -> Path:
    """It, or the nearest above it: the folder of runs is made by the first run."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _or_none(read: Callable[[], T]) -> T | None:
    """What this machine says, if it does."""
    try:
        return read()
    except (OSError, ValueError, psutil.Error):
        return None
