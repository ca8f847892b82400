"""Requests that have begun and not ended, of HttpUser and FastHttpUser."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession


class InFlight:
    """Knows when each request under way began; the earliest comes first."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._numbers = itertools.count()

    def watch(self) -> None:
        """Wrap what sends.

        With `requests` that method also reads the answer. FastHttp reads it in `request`, unless it is streamed; what
        a script does with a response that it catches is not part of either.
        """
        for session, method in ((HttpSession, "_send_request_safe_mode"), (FastHttpSession, "request")):
            setattr(session, method, self.wrapped(getattr(session, method)))

    def wrapped(self, send: Callable[..., Any]) -> Callable[..., Any]:
        began, numbers, now = self._began, self._numbers, time.monotonic

        @functools.wraps(send)
        def watched(*args: Any, **kwargs: Any) -> Any:
            number = next(numbers)
            began[number] = now()
            try:
                return send(*args, **kwargs)
            finally:  # also when its user is killed
                del began[number]

        return watched

    def measure(self) -> dict[str, object]:
        """The keys `in_flight oldest_ms` of a line."""
        oldest = next(iter(self._began.values()), None)
        age = None if oldest is None else round((time.monotonic() - oldest) * 1000, 1)
        return {"in_flight": len(self._began), "oldest_ms": age}
