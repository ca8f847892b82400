"""The demo shop: a small HTTP server to aim load tests at. For the first run after `make up`, for tests and for bench.

It is one asyncio process without dependencies, and runs as a plain file:

    python apps/core/demo_target.py --port 0 --log requests.jsonl --port-file port

Everything random comes from one generator per endpoint, seeded with `--seed`: the nth request to an endpoint
always takes the same time and has the same fate, whatever happened on other endpoints.

Shop: GET /api/products · GET /api/products/<id> · POST /api/cart · POST /api/checkout · GET /api/recommendations
Tools: /ok[/…] · /status/<code> · /delay/<ms> · /bytes/<n> · /echo · /close
Control: POST /_control/hang {"seconds": n} · POST /_control/resume · GET /_control/counts · POST /_control/reset
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TextIO

HEAD_LIMIT_BYTES = 32 * 1024
KEPT_BODY_BYTES = 64 * 1024  # enough for /echo and the controls; the rest of an upload is counted and dropped
REPLY_LIMIT_BYTES = 10 * 1024 * 1024
DELAY_LIMIT_MS = 600_000
COUNTED_PATHS = 10_000  # more distinct paths are counted together, so that a hostile script cannot fill the memory
OTHER_PATHS = "(other)"

LOG_LIMIT_BYTES = 50 * 1024 * 1024  # then it becomes <name>.1, which replaces the one before
LOG_FLUSH_SECONDS = 0.2
LOG_VALUE_CHARS = 200
LOGGED_HEADERS = ("user-agent",)  # and every x-…

CLIENT_GONE = 499  # nginx's word for "the client closed the connection before it had the answer"
DROPPED = 0  # we closed the connection instead of answering
RECOMMENDATIONS_FAIL = 0.05


@dataclass(slots=True)
class Request:
    method: str
    target: str
    """Path and query as they came."""
    headers: dict[str, str]
    started: float
    """Monotonic seconds at which the head was complete."""
    to_come: int
    """Bytes of the body still to arrive."""
    body: bytes = b""
    body_bytes: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


@dataclass(slots=True)
class Reply:
    status: int = 200
    body: bytes = b"ok"
    type: str = "text/plain"
    delay: float = 0.0
    """Seconds until it is sent."""
    drop: bool = False
    """Close the connection instead of answering."""
    cookie: str = ""
    """`name=value` for the client to send again."""


class BadRequest(Exception):
    """The bytes on the connection are not a request this server can answer."""

    def __init__(self, status: int) -> None:
        self.status = status


def json_reply(value: object, *, status: int = 200, delay: float = 0.0) -> Reply:
    return Reply(status, json.dumps(value).encode(), "application/json", delay)


PRODUCTS = [{"id": number, "name": f"Egg no. {number}", "price": 100 + number} for number in range(1, 21)]


class Shop:
    """What each path answers, and after how long."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generators: dict[str, random.Random] = {}
        self.routes: list[tuple[str, re.Pattern[str], Callable[[Request, str], Reply]]] = [
            ("GET", re.compile(r"/"), self.index),
            ("GET", re.compile(r"/api/products"), self.products),
            ("GET", re.compile(r"/api/products/(\w{1,20})"), self.product),
            ("POST", re.compile(r"/api/cart"), self.cart),
            ("POST", re.compile(r"/api/checkout"), self.checkout),
            ("GET", re.compile(r"/api/recommendations"), self.recommendations),
            ("*", re.compile(r"/ok(?:/.*)?"), lambda request, _: Reply()),
            ("*", re.compile(r"/status/([2-5]\d\d)"), self.status),
            ("*", re.compile(r"/delay/(\d{1,9})"), self.delay),
            ("*", re.compile(r"/bytes/(\d{1,9})"), self.bytes),
            ("*", re.compile(r"/echo"), self.echo),
            ("*", re.compile(r"/close"), lambda request, _: Reply(drop=True)),
        ]

    def reply(self, request: Request) -> Reply:
        status = 404
        for method, pattern, answer in self.routes:
            if match := pattern.fullmatch(request.path):
                if method in ("*", request.method):
                    return answer(request, match[1] if match.groups() else "")
                status = 405
        return json_reply({"error": HTTPStatus(status).phrase}, status=status)

    def seconds(self, endpoint: str, low_ms: float, high_ms: float) -> float:
        """More often near the low end, like real services."""
        return self.generator(endpoint).triangular(low_ms, high_ms, low_ms + (high_ms - low_ms) / 4) / 1000

    def generator(self, endpoint: str) -> random.Random:
        if endpoint not in self.generators:
            self.generators[endpoint] = random.Random(f"{self.seed}:{endpoint}")
        return self.generators[endpoint]

    def index(self, request: Request, _: str) -> Reply:
        return json_reply({"shop": "Hatchery demo shop", "paths": [pattern.pattern for _, pattern, _ in self.routes]})

    def products(self, request: Request, _: str) -> Reply:
        return json_reply(PRODUCTS, delay=self.seconds("products", 3, 7))

    def product(self, request: Request, product: str) -> Reply:
        return json_reply({"id": product, "stock": 7}, delay=self.seconds("product", 30, 60))

    def cart(self, request: Request, _: str) -> Reply:
        return json_reply({"items": 1}, status=201, delay=self.seconds("cart", 30, 60))

    def checkout(self, request: Request, _: str) -> Reply:
        return json_reply({"order": "accepted"}, status=201, delay=self.seconds("checkout", 150, 400))

    def recommendations(self, request: Request, _: str) -> Reply:
        delay = self.seconds("recommendations", 10, 40)
        if self.generator("recommendations").random() < RECOMMENDATIONS_FAIL:
            return json_reply({"error": "recommendations are resting"}, status=500, delay=delay)
        return json_reply(PRODUCTS[:3], delay=delay)

    def status(self, request: Request, code: str) -> Reply:
        return Reply(int(code), b"" if code in ("204", "304") else b"ok")  # these two never have a body

    def delay(self, request: Request, ms: str) -> Reply:
        return Reply(delay=min(int(ms), DELAY_LIMIT_MS) / 1000)

    def bytes(self, request: Request, count: str) -> Reply:
        return Reply(body=b"x" * min(int(count), REPLY_LIMIT_BYTES), type="application/octet-stream")

    def echo(self, request: Request, _: str) -> Reply:
        return json_reply(
            {
                "method": request.method,
                "target": request.target,
                "headers": request.headers,
                "body": request.body.decode("utf-8", "replace"),
                "body_bytes": request.body_bytes,
            }
        )


class RequestLog:
    """One JSON line per request, written a few times a second, at most two files of LOG_LIMIT_BYTES."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.file: TextIO = path.open("a", encoding="utf-8")

    def add(self, request: Request, status: int) -> None:
        now = time.monotonic()
        headers = {
            name: value[:LOG_VALUE_CHARS]
            for name, value in request.headers.items()
            if name in LOGGED_HEADERS or name.startswith("x-")
        }
        entry = {
            "t": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "monotonic": round(now, 6),
            "method": request.method,
            "path": request.target[:LOG_VALUE_CHARS],
            "status": status,
            "ms": round((now - request.started) * 1000, 3),
            "headers": headers,
        }
        self.lines.append(json.dumps(entry) + "\n")

    def flush(self) -> None:
        if not self.lines:
            return
        self.file.writelines(self.lines)
        self.file.flush()
        self.lines.clear()
        if self.file.tell() > LOG_LIMIT_BYTES:
            self.rotate()

    def rotate(self) -> None:
        self.file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self.file = self.path.open("a", encoding="utf-8")


class Counts:
    """Requests by method and actual path, without the query."""

    def __init__(self) -> None:
        self.total = {"requests": 0, "failures": 0, "aborted": 0}
        self.by_path: dict[str, dict[str, int]] = {}

    def add(self, request: Request, status: int) -> None:
        key = f"{request.method} {request.path}"
        if key not in self.by_path and len(self.by_path) >= COUNTED_PATHS:
            key = OTHER_PATHS
        for row in (self.total, self.by_path.setdefault(key, dict.fromkeys(self.total, 0))):
            if status == CLIENT_GONE:
                row["aborted"] += 1  # apart, because a client that stopped counts neither a success nor a failure
            else:
                row["requests"] += 1
                row["failures"] += status == DROPPED or status >= 400

    def as_json(self) -> dict[str, dict[str, int]]:
        return {**self.by_path, "total": self.total}


class Target:
    """What all connections share."""

    def __init__(self, shop: Shop, log: RequestLog | None = None) -> None:
        self.shop = shop
        self.log = log
        self.counts = Counts()
        self.hang_until = 0.0
        self.parked: list[Callable[[], None]] = []

    def reply(self, request: Request) -> Reply:
        if not is_control(request):
            return self.shop.reply(request)
        match request.method, request.path.removeprefix("/_control/"):
            case "POST", "hang":
                return self.hang(request)
            case "POST", "resume":
                return self.resume()
            case "POST", "reset":
                self.counts = Counts()
                return Reply(204, b"")
            case "GET", "counts":
                return json_reply(self.counts.as_json())
            case _:
                return Reply(404, b"no such control")

    def hang(self, request: Request) -> Reply:
        try:
            seconds = float(json.loads(request.body)["seconds"])
        except (ValueError, KeyError, TypeError):
            return json_reply({"error": 'send {"seconds": <number>}'}, status=400)
        self.hang_until = time.monotonic() + seconds
        asyncio.get_running_loop().call_later(seconds, self.wake)
        return Reply(204, b"")

    def resume(self) -> Reply:
        self.hang_until = 0.0
        self.wake()
        return Reply(204, b"")

    def wake(self) -> None:
        if self.hangs():
            return  # the timer of an earlier, shorter hang
        parked, self.parked = self.parked, []
        for go_on in parked:
            go_on()

    def hangs(self) -> bool:
        return time.monotonic() < self.hang_until

    def done(self, request: Request, status: int) -> None:
        if is_control(request):
            return
        self.counts.add(request, status)
        if self.log:
            self.log.add(request, status)


def is_control(request: Request) -> bool:
    return request.target.startswith("/_control/")


class Connection(asyncio.Protocol):
    """One keep-alive connection: its requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, target: Target) -> None:
        self.target = target
        self.buffer = bytearray()
        self.arriving: Request | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.advance()

    def advance(self) -> None:
        """Answer what has arrived completely, until one answer has to wait."""
        try:
            while not self.busy and not self.transport.is_closing() and (request := self.next_request()):
                self.answer(request)
        except BadRequest as bad:
            self.transport.write(rendered(Reply(bad.status, b"bad request"), keep=False))
            self.transport.close()

    def next_request(self) -> Request | None:
        request = self.arriving or parsed_head(self.buffer)
        if request is None:
            return None
        part = bytes(self.buffer[: request.to_come])
        del self.buffer[: len(part)]
        request.to_come -= len(part)
        request.body_bytes += len(part)
        request.body += part[: KEPT_BODY_BYTES - len(request.body)]
        self.arriving = request if request.to_come else None
        return None if request.to_come else request

    def answer(self, request: Request) -> None:
        reply = self.target.reply(request)
        if self.target.hangs() and not is_control(request):
            self.busy = True
            self.target.parked.append(partial(self.finish_late, request, reply))
        elif reply.delay > 0:
            self.busy = True
            asyncio.get_running_loop().call_later(reply.delay, self.finish_after_delay, request, reply)
        else:
            self.finish(request, reply)

    def finish_after_delay(self, request: Request, reply: Reply) -> None:
        if self.target.hangs():
            self.target.parked.append(partial(self.finish_late, request, reply))
        else:
            self.finish_late(request, reply)

    def finish_late(self, request: Request, reply: Reply) -> None:
        self.busy = False
        self.finish(request, reply)
        self.advance()

    def finish(self, request: Request, reply: Reply) -> None:
        if self.transport.is_closing():
            self.target.done(request, CLIENT_GONE)
            return
        if reply.drop:
            self.target.done(request, DROPPED)
            self.transport.abort()
            return
        self.transport.write(rendered(reply, keep=request.keeps_alive, head_only=request.method == "HEAD"))
        self.target.done(request, reply.status)
        if not request.keeps_alive:
            self.transport.close()


def parsed_head(buffer: bytearray) -> Request | None:
    """Cut one complete head off the front of `buffer`; None while there is none. Raises BadRequest."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0 or end > HEAD_LIMIT_BYTES:
        if len(buffer) > HEAD_LIMIT_BYTES:
            raise BadRequest(431)
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return request_of(first, headers)


def request_of(first: str, headers: dict[str, str]) -> Request:
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400)
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if "transfer-encoding" in headers:
        raise BadRequest(411)  # chunked uploads: no client of this server sends them
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400)
    return Request(parts[0], parts[1], headers, time.monotonic(), int(length))


def rendered(reply: Reply, *, keep: bool, head_only: bool = False) -> bytes:
    cookie = f"Set-Cookie: {reply.cookie}\r\n" if reply.cookie else ""
    head = (
        f"HTTP/1.1 {reply.status} {PHRASES.get(reply.status, 'Unknown')}\r\n"
        f"Content-Type: {reply.type}\r\n"
        f"Content-Length: {len(reply.body)}\r\n"
        f"{cookie}"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else reply.body)


PHRASES = {status.value: status.phrase for status in HTTPStatus}


async def flush_forever(log: RequestLog) -> None:
    while True:
        await asyncio.sleep(LOG_FLUSH_SECONDS)
        log.flush()


async def serve(host: str, port: int, *, seed: int, log_path: Path | None, port_file: Path | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    log = RequestLog(log_path) if log_path else None
    target = Target(Shop(seed), log)
    server = await loop.create_server(lambda: Connection(target), host, port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    if port_file:
        written = port_file.with_name(port_file.name + ".new")
        written.write_text(f"{port}\n")
        written.replace(port_file)  # a reader sees no file, or all of it
    print(f"demo target on http://{host}:{port}", flush=True)

    flusher = asyncio.create_task(flush_forever(log)) if log else None
    await stop.wait()
    server.close()
    if log and flusher:
        flusher.cancel()
        log.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="A small HTTP server to aim load tests at.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="file for one JSON line per request")
    parser.add_argument("--port-file", type=Path, help="file to write the port into once it listens")
    options = parser.parse_args()
    try:
        asyncio.run(
            serve(options.host, options.port, seed=options.seed, log_path=options.log, port_file=options.port_file)
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"The demo target cannot listen on {options.host}:{options.port}: {reason}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
