"""Lets the load go on in the middle of something long."""

from __future__ import annotations

import gevent

ROUND_SECONDS = 0.001


def pause() -> None:
    """Let gevent's loop go round: answers that have come are read, and pauses that are over end.

    `gevent.sleep(0)` does not: it lets those go first that are ready already, and for up to 5 ms comes back before the
    loop looks at a socket.
    """
    gevent.sleep(ROUND_SECONDS)


def no_pause() -> None:
    """Where there is nobody left to let go first."""
