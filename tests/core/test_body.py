"""How much anybody may send, through the whole ASGI application."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from apps.core.body import MAX_BODY_BYTES
from portal.asgi import application

PIECE = b"a" * 1024 * 1024

pytestmark = pytest.mark.asyncio


async def sent(path: str, *, length: int | None) -> tuple[int, bytes, int]:
    """Status and body of the answer to a body without end, and how many pieces of it were taken."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    taken, answers = 0, list[MutableMapping[str, Any]]()

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    await application(scope, receive, send)
    return answers[0]["status"], b"".join(answer.get("body", b"") for answer in answers), taken


@pytest.mark.parametrize("path", ["/accounts/login/", "/nowhere", "/api/v1/runs/"])
async def test_a_body_without_end_is_not_taken(path: str) -> None:
    status, _body, taken = await sent(path, length=None)
    assert status == 413
    assert taken == MAX_BODY_BYTES // len(PIECE) + 1


async def test_one_that_says_how_long_it_is_is_not_taken_at_all() -> None:
    status, body, taken = await sent("/api/v1/runs/", length=10**12)
    assert (status, taken) == (413, 0)
    assert json.loads(body)["code"] == "too_large"
    status, body, taken = await sent("/", length=10**12)
    assert (status, taken) == (413, 0) and b"too large" in body
