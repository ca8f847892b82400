"""How much anybody may send in one request, before anything else is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from apps.core.pages import TooMuch, bad_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Far more than any form or API takes; those refuse what is too much for them with a better sentence."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much one request may send, and what is said to one that sends more."""

    bytes: int
    sentence: str = ""
    """Empty: the one about forms."""


class BodyLimit:
    """Refuses a request whose body is longer, with 413. `room` knows those that may send more than all others.

    Django writes a whole body into the folder for temporary files before it looks at the first header, whoever sends
    it: without a limit here a stranger fills the disk.
    """

    def __init__(
        self, inner: App, room: Callable[[Message], Awaitable[Room | None]] | None = None, limit: int = MAX_BODY_BYTES
    ) -> None:
        self.inner = inner
        self.room = room
        self.limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        room = (await self.room(scope) if self.room else None) or Room(self.limit)
        if _announced(scope) > room.bytes:
            await _refuse(scope, send, room)
            return
        received, answered = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # As if the client had gone: Django then drops what it has kept so far.
            return message if received <= room.bytes else {"type": "http.disconnect"}

        async def noticed(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        await self.inner(scope, counted, noticed)
        if received > room.bytes and not answered:
            await _refuse(scope, send, room)


def _announced(scope: Message) -> int:
    """What the client says the length is. The server has refused a header that is no number."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit() and len(value) < 20), default=0)


async def _refuse(scope: Message, send: Send, room: Room) -> None:
    request = HttpRequest()
    request.path = scope["path"]
    response = bad_request(request, TooMuch(room.sentence) if room.sentence else RequestDataTooBig())
    # The rest of the body is not read, so the connection cannot be used again.
    headers = [(b"content-type", response["Content-Type"].encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
