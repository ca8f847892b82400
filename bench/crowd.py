"""A thousand WebSockets in one process, that only look at which second a message is and when it came.

A client library would take longer to read a message than the portal takes to send it, on the same machine; so frames
are read by hand here: the first bytes of each tell what it is.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
import zlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HEAD = re.compile(rb'^\{"type":"(tick|snapshot)","seq":(\d+)')
HEAD_BYTES = 64
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
COMPRESSED = 0x40
AT_ONCE = 25
"""Sockets that are opened at the same time."""
OPEN_SECONDS = 120.0


@dataclass
class Got:
    """What one socket was sent."""

    ticks: list[tuple[int, float]] = field(default_factory=list)
    """Number of the second, and when it came, by the monotonic clock."""
    known: int = 0
    """All seconds up to this one are known, by ticks or a snapshot."""
    gaps: int = 0
    """How often a second was missing, so that a snapshot was asked for."""
    size: int = 0
    """Bytes of the newest tick."""
    closed: bool = False


class Client(asyncio.Protocol):
    """One socket. `ready` is set with the first message, or with the handshake when it `is_bare`."""

    def __init__(self, host: str, path: str, headers: dict[str, str], *, is_bare: bool, compressed: bool) -> None:
        self.got = Got()
        self.ready = asyncio.Event()
        self._host, self._path, self._headers = host, path, headers
        self._is_bare, self._compressed = is_bare, compressed
        self._buffer = bytearray()
        self._is_open = False
        self._inflate = zlib.decompressobj(-15)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        lines = {
            "Host": self._host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **self._headers,
        }  # fmt: skip
        if self._compressed:
            lines["Sec-WebSocket-Extensions"] = "permessage-deflate; client_max_window_bits"
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        transport.write(f"GET {self._path} HTTP/1.1\r\n{head}\r\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.got.closed = True
        self.ready.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                raise RuntimeError(bytes(self._buffer[:200]).decode("latin-1"))
            del self._buffer[: end + 4]
            self._is_open = True
            if self._is_bare:
                self.ready.set()
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Take one whole frame off the buffer."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return False
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return False
        first = buffer[0]
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        match first & 15:
            case 1:
                self._message(payload, compressed=bool(first & COMPRESSED))
            case 9:
                self._send(PONG, payload)
            case 8:
                self.transport.close()
        return True

    def _message(self, payload: bytes, *, compressed: bool) -> None:
        now = time.monotonic()
        if compressed:
            payload = self._inflate.decompress(payload + b"\x00\x00\xff\xff")
        found = HEAD.match(payload[:HEAD_BYTES])
        if found is None:
            return
        seq, got = int(found[2]), self.got
        if found[1] == b"tick":
            if got.known and seq > got.known + 1:
                got.gaps += 1
                self._send(TEXT, b'{"type":"resync"}')
            else:
                got.known = max(got.known, seq)
            got.ticks.append((seq, now))
            got.size = len(payload)
        else:
            got.known = max(got.known, seq)
        self.ready.set()

    def _send(self, opcode: int, payload: bytes) -> None:
        key = os.urandom(4)
        masked = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
        self.transport.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + key + masked)


async def opened(
    url: str, count: int, headers: dict[str, str], *, is_bare: bool = False, compressed: bool = False
) -> list[Client]:
    """So many sockets at this `ws://` address, each of which has had its first message."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    clients: list[Client] = []
    loop = asyncio.get_running_loop()
    turn = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with turn:
            client = Client(parts.netloc, parts.path, headers, is_bare=is_bare, compressed=compressed)
            await loop.create_connection(lambda: client, host, port)
            await client.ready.wait()
            clients.append(client)

    async with asyncio.timeout(OPEN_SECONDS):
        await asyncio.gather(*(one() for _ in range(count)))
    return clients
