"""What becomes of the Locust workers of one run on one host. Knows Django, like `jobs.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType

from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from apps.runs.lease import RENEW_SECONDS, Fenced
from apps.runs.sharing import Seen, Share
from workers.outcome import Order
from workers.spec import Steering
from workers.supervisor import ORDERS_SECONDS
from workers.swarm import Wish

ALONE_SECONDS = 120.0
"""Without the database for longer than this a host gives its workers up, as `jobs.ALONE_SECONDS`."""
ORPHANED_SECONDS = 60.0
"""Without a word of the master, whatever the database says: Locust's own workers end then as well."""
LEADERLESS_SECONDS = 3.0
"""A master that is silent for so long, of a run whose leader does not renew it, is gone."""
GOODBYE_SECONDS = 3.0
"""For a worker whose master has ended, and which should have ended with it."""


class ShareControl:
    """What becomes of the workers of a share. Asked for each of them, it looks at the database once for all."""

    def __init__(self, share: Share, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._looked_at = float("-inf")
        self._heard_at = self._renewed_at = clock()
        self._seen: Seen | None = None
        self._order = Order.GO
        self._told_to_leave = False
        self.master_silent_since: dict[int, float] = {}
        self.why_ended = ""
        self.dismissed: set[int] = set()
        """Workers whose master has told them that the test is over."""
        self._masterless_since: float | None = None

    def orders(self, index: int) -> Order:
        if self._clock() - self._looked_at >= ORDERS_SECONDS:
            self._looked_at = self._clock()
            self._order = self._look()
        if self._order is Order.GO and self._seen is not None and index in self._seen.given_up:
            self.why_ended = _("The leader of the run had given it up.")
            return Order.ABORT
        return self._order

    def steering(self) -> Steering | None:
        return None if self._seen is None else self._seen.steering

    def leave(self, number: int, frame: FrameType | None) -> None:
        """Handler of SIGTERM: end the workers in good order."""
        self._told_to_leave = True

    @property
    def goes_on(self) -> bool:
        """Whether the run does, as far as we know."""
        is_led = self._seen is not None and not self._seen.is_masterless
        return is_led and self._order is Order.GO and not self._told_to_leave

    def _look(self) -> Order:
        now = self._clock()
        try:
            if now - self._renewed_at >= RENEW_SECONDS:
                self._share.renew()
                self._renewed_at = now
            self._seen = self._share.look()
            self._heard_at = now
            if self._seen.is_over or self._seen.is_aborted:
                self.why_ended = _("The run was over.")
                return Order.ABORT
            if why := self._why_alone(self._seen, now):
                self.why_ended = why
                return Order.ABORT
        except Fenced:
            return Order.FENCED
        except DatabaseError:
            connection.close()
            if now - self._heard_at > ALONE_SECONDS:
                return Order.FENCED
        if self._silent_for(now) > ORPHANED_SECONDS:
            self.why_ended = _("The master was not heard of for a minute.")
            return Order.ABORT
        if self._told_to_leave:
            self.why_ended = _("The runner of its host was shut down.")
            return Order.DRAIN
        return Order.GO

    def _why_alone(self, seen: Seen, now: float) -> str:
        """Why our workers have nobody to lead them any more; empty while they have."""
        if seen.is_masterless:
            self._masterless_since = self._masterless_since or now
            return _("The master had ended.") if now - self._masterless_since > GOODBYE_SECONDS else ""
        if self._silent_for(now) > LEADERLESS_SECONDS and self._share.is_leaderless():
            return _("The master and the leader of the run were gone.")
        return ""

    def _silent_for(self, now: float) -> float:
        """For how long none of our workers has heard its master."""
        since = self.master_silent_since
        return now - max(since.values()) if since else 0.0


@dataclass(slots=True)
class OfOne:
    """Conforms to `workers.outcome.Control`."""

    control: ShareControl
    index: int

    def orders(self) -> Order:
        return self.control.orders(self.index)

    def steering(self) -> Steering | None:
        return self.control.steering()


@dataclass(slots=True)
class Ears:
    """What one worker says of its master. Conforms to `workers.swarm.Swarm`."""

    share: Share
    control: ShareControl
    index: int

    def word(self, kind: str, said: Mapping[str, object]) -> None:
        if kind == "dismissed":
            self.control.dismissed.add(self.index)
        since = self.control.master_silent_since
        if kind == "master_silent":
            since[self.index] = time.monotonic()
        elif kind == "master_heard":
            since.pop(self.index, None)
        else:
            return
        try:
            state = "silent" if kind == "master_silent" else "heard"
            self.share.write(self.index, link={"state": state, "since": round(time.time(), 1)})
        except (DatabaseError, Fenced):
            connection.close()

    def look(self) -> Wish:
        return Wish()

    def end(self) -> None:
        pass
