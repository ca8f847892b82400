"""Keeps some failing requests as examples: the first of each error, without secrets."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from locust.contrib.fasthttp import FastResponse
from requests import Response

from .errors import Kind
from .masking import OVERLAP_CHARS, Masking
from .values import clean

SAMPLES_PER_ERROR = 20
MAX_SAMPLES = 2_000
SPENT_A_SECOND = 0.004
"""One takes half a millisecond, two at most: users wait for the one that is being written."""
MAX_LINE_BYTES = 16_000
MAX_BODY_CHARS = 4_096
MAX_URL_CHARS = 2_000
MAX_HEADERS = 50
MAX_HEADER_CHARS = 500
UTF8_BYTES = 4
PARTS = ("body", "response_headers", "request_headers", "url")


class Failed:
    """`take` is called for each failing request and only notes what there is; `write` does the work, later."""

    def __init__(self, path: str, secrets: Iterable[str]) -> None:
        self._path = path
        self._masking = Masking(secrets)
        self._noted: deque[dict[str, Any]] = deque()
        self._taken = 0

    def take(self, kind: Kind, method: str, request: Mapping[str, Any]) -> None:
        if kind.samples >= SAMPLES_PER_ERROR or self._taken >= MAX_SAMPLES:
            return
        kind.samples += 1
        self._taken += 1
        try:
            self._noted.append({"error": kind.index, "t": time.time(), "method": method, **_facts(request)})
        except Exception:
            return  # a response of the script's own making

    def write(
        self, pause: Callable[[], None], most: int | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """A line for each that was noted: so many, or as many as may be written in a second of the load."""
        left = SPENT_A_SECOND
        for _ in range(len(self._noted) if most is None else min(most, len(self._noted))):
            began = clock()
            self._write_one()
            left -= clock() - began
            pause()
            if most is None and left <= 0:
                return

    def _write_one(self) -> None:
        """What a full disk does not take is lost: it is only an example."""
        try:
            line = _spell(self._masked(self._noted.popleft()))
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except Exception:  # noqa: S110 - an example is no reason to end the load
            pass

    def _masked(self, note: dict[str, Any]) -> dict[str, Any]:
        masking = self._masking
        return {
            **note,
            "url": masking.text(note["url"], MAX_URL_CHARS),
            "request_headers": masking.headers(note["request_headers"], MAX_HEADERS, MAX_HEADER_CHARS),
            "response_headers": masking.headers(note["response_headers"], MAX_HEADERS, MAX_HEADER_CHARS),
            "body": masking.text(note["body"].decode("utf-8", "replace"), MAX_BODY_CHARS),
        }


def _facts(request: Mapping[str, Any]) -> dict[str, Any]:
    response = request.get("response")
    facts: dict[str, Any] = {"status": None, "request_headers": {}, "response_headers": {}, "body": b""}
    url, body = request.get("url"), None
    if isinstance(response, (Response, FastResponse)):
        sent = response.request
        facts["status"] = _status(response)
        facts["request_headers"] = _headers(sent)
        facts["response_headers"] = _headers(response)
        body = _read_body(response)
        url = getattr(sent, "url", None) or url
    length = None if body is None else len(body)
    if body is None:
        body, length = b"", _announced(facts["response_headers"])
    return {
        **facts,
        "url": clean(url, MAX_URL_CHARS + OVERLAP_CHARS) if url else "",
        "response_ms": request.get("response_ms"),
        "body": body[: (MAX_BODY_CHARS + OVERLAP_CHARS) * UTF8_BYTES],
        "body_bytes": length,
    }


def _status(response: Any) -> int | None:
    """None when there was no answer, which both clients call 0."""
    status = response.status_code
    return status if isinstance(status, int) and status else None


def _headers(message: Any) -> dict[str, str]:
    headers = getattr(message, "headers", None)
    if headers is None:
        return {}
    items = list(headers.items())[:MAX_HEADERS]
    return {
        clean(_plain(name), MAX_HEADER_CHARS): clean(_plain(value), MAX_HEADER_CHARS + OVERLAP_CHARS)
        for name, value in items
    }


def _plain(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _read_body(response: Any) -> bytes | None:
    """What the script, or its client, has read of the answer. Never reads: a stream may last for ever."""
    attribute = "_content" if isinstance(response, Response) else "_cached_content"
    body = getattr(response, attribute, None)  # False, or missing, while nobody has asked for it
    return body if isinstance(body, bytes) else None


def _announced(headers: Mapping[str, str]) -> int | None:
    said = next((value for name, value in headers.items() if name.lower() == "content-length"), "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else None


def _spell(sample: dict[str, Any]) -> bytes:
    """One line; of what is too long for it the longest part loses half, and again until it fits."""
    while True:
        line = (json.dumps(sample) + "\n").encode("ascii")
        if len(line) <= MAX_LINE_BYTES:
            return line
        longest = max(PARTS, key=lambda part: len(json.dumps(sample[part])))
        value = sample[longest]
        kept = len(value) // 2
        sample = {**sample, longest: dict(list(value.items())[:kept]) if isinstance(value, dict) else value[:kept]}
