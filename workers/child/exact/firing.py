"""Locust's event of a request, when nobody but us listens to it: tells us without two rounds of arguments by name.

Python compares an argument that a function has no name for with each of its names, and makes a dictionary of them:
Locust's `fire` does so, and each of its listeners again. That is 0.6 µs of what a request costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MISSING: Any = object()
LOCUSTS_FIRE = "EventHook.fire"
SAID = (
    "request_type",
    "name",
    "response_time",
    "response_length",
    "exception",
    "context",
    "response",
    "start_time",
    "url",
)
"""What Locust's own clients say of a request."""


class Firing:
    """Stands for the `fire` of one event."""

    def __init__(self, event: Any, listener: Callable[..., None], count: Callable[..., None]) -> None:
        """`count` takes `request_type name response_time response_length exception response url`, in this order."""
        self._event, self._listener, self._count = event, listener, count
        self._locusts = type(event).fire
        self.look()

    def look(self) -> None:
        """Whether a script has put something of its own into Locust's class."""
        self._is_stock = type(self._event).fire is self._locusts

    def fire(
        self,
        *,
        reverse: Any = False,
        request_type: Any = MISSING,
        name: Any = MISSING,
        response_time: Any = MISSING,
        response_length: Any = MISSING,
        exception: Any = MISSING,
        context: Any = MISSING,
        response: Any = MISSING,
        start_time: Any = MISSING,
        url: Any = MISSING,
        **more: Any,
    ) -> None:
        handlers = self._event._handlers
        if self._is_stock and len(handlers) == 1 and handlers[0] is self._listener:
            self._count(request_type, name, response_time, response_length, exception, response, url)
            return
        said = (request_type, name, response_time, response_length, exception, context, response, start_time, url)
        given = {key: value for key, value in zip(SAID, said, strict=True) if value is not MISSING}
        type(self._event).fire(self._event, reverse=reverse, **given, **more)


def take_over(event: Any, listener: Callable[..., None], count: Callable[..., None]) -> Firing | None:
    """None when the event's `fire` is a script's own already, and stays it."""
    if getattr(event.fire, "__qualname__", "") != LOCUSTS_FIRE or "fire" in vars(event):
        return None
    firing = Firing(event, listener, count)
    event.fire = firing.fire
    return firing
