"""What whoever supervises the master of a run is told of its workers, and what he may say of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workers.diagnosis import Diagnosis
from workers.outcome import Reason

WORDS = frozenset({
    "listening",
    "worker_ready",
    "worker_left",
    "worker_silent",
    "worker_heard",
    "other_version",
    "stranger",
    "dismissed",
    "dismissing",
    "master_silent",
    "master_heard",
})  # fmt: skip
"""Kinds of events of a child that are about other processes; see `child/swarm`."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a master is told of its workers; the newest holds."""

    revision: int
    """From 1; goes up with each change."""
    quotas: Mapping[int, int]
    """The most users of each worker that is to have any, by index."""
    gone: tuple[int, ...] = ()
    """Those whose processes have ended: their IDs are free."""
    lost: tuple[int, ...] = ()
    """Those that are given up, and may be alive: their IDs are not."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`orders`: the newest, or None. `end`: why the test has to end now, if it has to; `diagnosis` explains it."""

    orders: Orders | None = None
    end: Reason | None = None
    diagnosis: Diagnosis | None = None


class Swarm(Protocol):
    """Knows the other processes of a run. No method may raise."""

    def word(self, kind: str, said: Mapping[str, Any]) -> None:
        """An event of `WORDS`; `said` is what the child wrote, which is as trustworthy as its script."""

    def look(self) -> Wish:
        """Asked about every 0.5 s."""

    def end(self) -> None:
        """The process is gone, whatever became of it."""


class NoSwarm:
    """Of a process that is alone."""

    def word(self, kind: str, said: Mapping[str, Any]) -> None:
        pass

    def look(self) -> Wish:
        return Wish()

    def end(self) -> None:
        pass
