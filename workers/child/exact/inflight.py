"""Requests that have begun and not ended, of HttpUser and FastHttpUser."""

from __future__ import annotations

import functools
import inspect
import itertools
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

NO_CONTEXT: dict[str, object] = {}
"""As Locust's own default; nobody writes into it."""


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
        requests, fast = HttpSession._send_request_safe_mode, FastHttpSession.request
        HttpSession._send_request_safe_mode = self.wrapped(requests)  # type: ignore[method-assign]
        watched = self.wrapped_fast(fast)
        if not _can_be_called_alike(watched, fast):  # another Locust, or a script's own
            watched = self.wrapped(fast)
        FastHttpSession.request = watched  # type: ignore[method-assign]

    def wrapped_fast(self, send: Callable[..., Any]) -> Callable[..., Any]:
        """Around `FastHttpSession.request`, argument by argument: passing on whatever comes costs twice as much."""
        began, numbers, now = self._began, self._numbers, time.monotonic

        @functools.wraps(send)
        def watched(
            self: Any,
            method: Any,
            url: Any,
            name: Any = None,
            data: Any = None,
            catch_response: Any = False,
            stream: Any = False,
            headers: Any = None,
            auth: Any = None,
            json: Any = None,
            allow_redirects: Any = True,
            context: Any = NO_CONTEXT,
            **kwargs: Any,
        ) -> Any:
            number = next(numbers)
            began[number] = now()
            try:
                if kwargs:
                    more = (name, data, catch_response, stream, headers, auth, json, allow_redirects, context)
                    return send(self, method, url, *more, **kwargs)
                return send(
                    self, method, url, name, data, catch_response, stream, headers, auth, json, allow_redirects, context
                )
            finally:  # also when its user is killed
                del began[number]

        return watched

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


def _can_be_called_alike(one: Any, other: Any) -> bool:
    """Whether the same arguments mean the same to both, also those left out; `__signature__` may say anything."""
    return type(one) is type(other) is FunctionType and _parameters(one) == _parameters(other)


def _parameters(function: FunctionType) -> tuple[object, ...]:
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    return (
        code.co_posonlyargcount,
        code.co_argcount,
        code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS),
        code.co_varnames[:count],
        function.__defaults__,
        function.__kwdefaults__,
    )
