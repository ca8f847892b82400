"""Locust's event of a request, while nobody but us listens to it: told without two rounds of arguments by name.

Python compares an argument that a function has no name for with each name that it has, and makes a dictionary of them:
Locust's `fire` does so, and each of its listeners again. That is 0.6 µs of what a request costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locust.event import EventHook

from .intake import MISSING, Intake

STOCK = EventHook.fire
"""Taken before there is a script, which may put its own there."""


class Firing:
    """Stands for the `fire` of one event; leaves it to Locust's, for good, as soon as somebody else listens."""

    def __init__(self, event: Any, listener: Callable[..., None], count: Callable[..., None]) -> None:
        self._event, self._listener, self._count = event, listener, count

    def fire(
        self,
        *,
        reverse: Any = MISSING,
        request_type: Any = MISSING,
        name: Any = MISSING,
        context: Any = MISSING,
        response: Any = MISSING,
        exception: Any = MISSING,
        start_time: Any = MISSING,
        url: Any = MISSING,
        response_length: Any = MISSING,
        response_time: Any = MISSING,
        **more: Any,
    ) -> None:
        """All that Locust's own clients say has a name, in the order in which FastHttp says it."""
        event = self._event
        handlers = event._handlers
        if len(handlers) == 1 and handlers[0] is self._listener and type(event).fire is STOCK:
            self._count(request_type, name, response_time, response_length, exception, response, url)
            return
        self._leave()
        said = {
            "reverse": reverse,
            "request_type": request_type,
            "name": name,
            "context": context,
            "response": response,
            "exception": exception,
            "start_time": start_time,
            "url": url,
            "response_length": response_length,
            "response_time": response_time,
        }
        given = {key: value for key, value in said.items() if value is not MISSING}
        type(event).fire(event, **given, **more)

    def _leave(self) -> None:
        if vars(self._event).get("fire") == self.fire:
            del self._event.fire


def take_over(environment: Any) -> None:
    """If nobody but us listens to requests, and nobody else fires them."""
    event = environment.events.request
    if type(event).fire is not STOCK or "fire" in vars(event) or len(event._handlers) != 1:
        return
    (listener,) = event._handlers
    intake = getattr(listener, "__self__", None)
    if isinstance(intake, Intake):
        event.fire = Firing(event, listener, intake.count).fire
