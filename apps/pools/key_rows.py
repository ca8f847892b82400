"""What the pages show of join keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from apps.core.clock import db_now
from apps.pools.models import JoinKey, WorkerPool

OPEN_SHOWN = 10

STATES = {
    "open": ("check", "verdict-passed", gettext_lazy("Open")),
    "used": ("server", "", gettext_lazy("Used")),
    "revoked": ("x", "", gettext_lazy("Revoked")),
    "expired": ("clock", "", gettext_lazy("Expired")),
}
"""Icon, class and word of each."""


@dataclass(frozen=True, slots=True)
class Key:
    """A join key, and what has become of it."""

    key: JoinKey
    state: str

    @property
    def icon(self) -> str:
        return STATES[self.state][0]

    @property
    def tone(self) -> str:
        return STATES[self.state][1]

    @property
    def word(self) -> str:
        return str(STATES[self.state][2])


def keys(rows: Iterable[JoinKey]) -> list[Key]:
    """As they are now, by the database's clock."""
    now = db_now()
    return [Key(row, row.state(now)) for row in rows]


def open_keys(pool: WorkerPool) -> list[Key]:
    """Those that would still let a machine in: the newest few."""
    rows = pool.join_keys.filter(used_at=None, revoked_at=None, expires_at__gt=db_now())
    return [Key(row, "open") for row in rows[:OPEN_SHOWN]]
