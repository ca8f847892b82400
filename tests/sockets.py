"""A WebSocket client for tests, in the same process. (Channels' own comes with a server that we do not use.)"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket:
    """`connect` first; `receive` what the consumer sends; `close` last."""

    def __init__(self, app: Any, path: str, headers: Mapping[str, str]) -> None:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
        }
        self.application = ApplicationCommunicator(app, scope)

    async def connect(self) -> int:
        """0, or the code with which the handshake was refused."""
        await self.application.send_input({"type": "websocket.connect"})
        answer = await self.application.receive_output(timeout=5)
        return 0 if answer["type"] == "websocket.accept" else int(answer["code"])

    async def send(self, message: object) -> None:
        await self.application.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def receive(self, seconds: float = 5) -> Any:
        """The next message, within `seconds`; for a close its code as `{"closed": code}`."""
        answer = await self.application.receive_output(timeout=seconds)
        return {"closed": answer.get("code")} if answer["type"] == "websocket.close" else json.loads(answer["text"])

    async def close(self) -> None:
        await self.application.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.application.wait(timeout=5)
