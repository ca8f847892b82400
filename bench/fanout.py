"""The least that any portal with Channels does: one message to a group, and a consumer for each socket to send it on.

`uvicorn bench.fanout:application` serves it; `python -m bench.fanout <bytes> <seconds>` sends a message a second and
prints `seq moment` before each. Nothing is read or written but the channel layer.
"""

# ruff: noqa: E402
from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

GROUP = "bench.fanout"


class Bare(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """Joins the group and hands on what comes."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def told(self, message: dict[str, Any]) -> None:
        await self.send(text_data=message["text"])


application = Bare.as_asgi()


async def tell(size: int, seconds: int) -> None:
    """Messages of `size` bytes, that begin as a tick does."""
    layer = get_channel_layer()
    due = time.monotonic()
    for seq in range(1, seconds + 1):
        head = json.dumps({"type": "tick", "seq": seq}, separators=(",", ":"))
        rest = "".join(random.choices("0123456789.,", k=size - len(head)))
        text = f'{head[:-1]},"rest":"{rest}"}}'
        due += 1
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        print(seq, time.monotonic(), flush=True)
        await layer.group_send(GROUP, {"type": "told", "text": text})


if __name__ == "__main__":
    asyncio.run(tell(int(sys.argv[1]), int(sys.argv[2])))
