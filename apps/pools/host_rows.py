"""What the pages show of hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.core.ids import is_uuid
from apps.core.templatetags.hatchery import ms
from apps.pools import drawing, usage
from apps.pools.drawing import Spark, number
from apps.pools.models import OFFLINE, HostEvent, Standing, WorkerHost, WorkerPool
from apps.pools.ranges import own_span
from apps.pools.usage import Share, Viewer

CLOCK_OFF_MS = 1000
"""A clock so far off is marked: seconds of its workers would be another's."""
FULL_PERCENT = 90
"""Of CPU or memory: from here on the generator may be what is slow."""
FEW_FILES = 10_000
"""Open files are connections; so few end a large test early."""
LOAD_FIELDS = ("report", "recent", "last_seen_at")
"""What changes at every beat, and what only those cells of a row depend on that are sent again each time."""
COMPARED = ("locust", "hatchery")
"""Versions that must be the same on all hosts of a run."""

STATES = {
    Standing.PENDING.value: ("clock", "state-queued"),
    Standing.ACTIVE.value: ("check", "verdict-passed"),
    Standing.DRAINING.value: ("pause", "state-draining"),
    OFFLINE: ("state-lost", "state-lost"),
}
"""Icon and class of each."""


def state_word(state: str) -> str:
    """`WorkerHost.state` for people."""
    return _("Offline") if state == OFFLINE else str(Standing(state).label)


@dataclass(frozen=True, slots=True)
class Filters:
    """Read from the address: a state, and a label as `name=text`. What is not known there fits nothing."""

    state: str = ""
    label: str = ""

    @property
    def are_set(self) -> bool:
        """Whether hosts are left out."""
        return bool(self.state or self.label)

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """`?state=active&label=zone=a`"""
        return cls(query.get("state", "")[:20], query.get("label", "")[:200])

    def fit(self, host: WorkerHost) -> bool:
        """Whether the host is to be shown."""
        return self.state in ("", host.state) and (not self.label or self.label in labels_of(host))


@dataclass(frozen=True, slots=True)
class Row:
    """A host, and what is said about it beyond its columns."""

    host: WorkerHost
    runs: list[Share] = field(default_factory=list)
    odd_versions: tuple[str, ...] = ()
    """Which of its versions most hosts of the pool do not have."""
    token: str = ""
    """Stands for what the row shows besides its load."""
    is_known: bool = False
    """The page that asks shows that already."""

    @property
    def ref(self) -> str:
        """What stands for it in addresses."""
        return host_ref(self.host)

    @property
    def state_word(self) -> str:
        return state_word(self.host.state)

    @property
    def icon(self) -> str:
        return STATES[self.host.state][0]

    @property
    def tone(self) -> str:
        return STATES[self.host.state][1]

    @property
    def load(self) -> Mapping[str, Any]:
        """Its newest report; empty while nothing is heard of it."""
        return {} if self.host.is_silent else self.host.report

    @property
    def slots_taken(self) -> int:
        return sum(share.workers for share in self.runs)

    @property
    def users(self) -> int:
        return sum(share.users for share in self.runs)

    @property
    def has_more_slots_than_cores(self) -> bool:
        return self.host.slots is not None and self.host.slots > self.host.cores

    @property
    def labels(self) -> list[str]:
        return labels_of(self.host)

    @property
    def ids(self) -> tuple[str, str] | None:
        """First and last of its range."""
        span = own_span(self.host)
        return (self.host.pool.id_text(span.first), self.host.pool.id_text(span.last)) if span else None

    @property
    def clock_ms(self) -> float | None:
        return number(self.load.get("clock_offset_ms"))

    @property
    def clock_text(self) -> str:
        """`2,350 ms behind the database`."""
        if self.clock_ms is None:
            return ""
        words = {"time": ms(abs(self.clock_ms))}
        if self.clock_ms < 0:
            return _("%(time)s behind the database") % words
        return _("%(time)s ahead of the database") % words

    @property
    def is_clock_off(self) -> bool:
        return abs(self.clock_ms or 0.0) > CLOCK_OFF_MS

    @property
    def is_cpu_full(self) -> bool:
        return (number(self.load.get("cpu_percent")) or 0.0) >= FULL_PERCENT

    @property
    def is_memory_full(self) -> bool:
        return (number(self.load.get("memory_percent")) or 0.0) >= FULL_PERCENT

    @property
    def has_few_files(self) -> bool:
        """Also of the limit up to which a process may raise its own."""
        hard = self.load.get("open_files_hard")
        return bool(self.load) and hard is not None and (number(hard) or 0.0) < FEW_FILES

    @property
    def link_mbit(self) -> float | None:
        return self.host.link_mbit or number(self.load.get("link_mbit"))

    @property
    def cpu_spark(self) -> Spark | None:
        return drawing.spark(self.host.recent, [drawing.CPU], full=100)

    @property
    def memory_spark(self) -> Spark | None:
        return drawing.spark(self.host.recent, [drawing.MEMORY], full=100)

    @property
    def network_spark(self) -> Spark | None:
        return drawing.spark(self.host.recent, [drawing.RECEIVED, drawing.SENT], full=None)


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a host's history."""

    at: datetime
    word: str
    """Of its state from then on."""
    sentence: str
    by: str

    @classmethod
    def of(cls, event: HostEvent) -> Event:
        sentence = _(event.text) if event.text else ""
        return cls(event.at, state_word(event.state), sentence, event.by)


def rows(hosts: Sequence[WorkerHost], viewer: Viewer, have: Collection[str] = ()) -> list[Row]:
    """All hosts of a pool, or one of them; one query. Versions are compared among these. `have`: tokens of what is
    shown already."""
    runs, usual = usage.shares(hosts, viewer), _usual_versions(hosts)
    made = [Row(host, runs.get(host.pk, []), _odd(host, usual)) for host in hosts]
    tokens = [_token(row, viewer) for row in made]
    return [replace(row, token=token, is_known=token in have) for row, token in zip(made, tokens, strict=True)]


def _token(row: Row, viewer: Viewer) -> str:
    host, pool = row.host, row.host.pool
    fields = [getattr(host, field.attname) for field in host._meta.concrete_fields if field.name not in LOAD_FIELDS]
    of_pool = [pool.name, pool.id_prefix, pool.id_width, pool.has_ids]
    return drawing.token(repr([fields, of_pool, row.runs, row.odd_versions, row.ids, viewer.is_admin, get_language()]))


def hosts_of(pool: WorkerPool) -> list[WorkerHost]:
    """All of them with what their rows show; one query."""
    hosts = list(pool.hosts.select_related("id_range").order_by("name"))
    for host in hosts:
        host.pool = pool
    return hosts


def host_ref(host: WorkerHost) -> str:
    """Its name, where that can stand in an address, else its id."""
    plain = host.name.replace("-", "").replace("_", "").replace(".", "")
    is_plain = plain.isascii() and plain.isalnum() and not is_uuid(host.name)
    return host.name if is_plain else str(host.pk)


def labels_of(host: WorkerHost) -> list[str]:
    """`["zone=a", …]`"""
    return [f"{name}={text}" if text else name for name, text in sorted(host.labels.items())]


def _usual_versions(hosts: Sequence[WorkerHost]) -> dict[str, str]:
    """What most of the approved have. Of equally many, the newer by its digits."""
    usual = {}
    for name in COMPARED:
        said = Counter(
            str(host.versions[name]) for host in hosts if name in host.versions and host.standing != Standing.PENDING
        )
        if said:
            usual[name] = max(said, key=lambda version: (said[version], _digits(version)))
    return usual


def _digits(version: str) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in version.split(".")]


def _odd(host: WorkerHost, usual: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, version in usual.items() if host.versions.get(name, version) != version)
