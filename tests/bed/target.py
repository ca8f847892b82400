"""A target whose log is the proof: who did what under which ID, as the target saw it.

One asyncio process, with the demo target's HTTP:

    python -m tests.bed.target --host 10.77.0.12 --port 80 --log target.tsv

    POST /login {"id"}         begins a session; its number comes as a cookie
    POST /upload {"id", "n"}   n counts what this ID has uploaded: 1, 2, 3 …
    POST /logout {"id"}        ends the session
    GET /

Each request becomes one line, `tests.bed.log.Entry` with tabs between. The header X-Worker is the index of the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import time
from pathlib import Path
from typing import TextIO

from apps.core.demo_target import Connection, Reply, Request, Shop, Target, json_reply
from tests.bed.log import Entry, line

BACKLOG = 4096
OK = Reply()
NOT_FOUND = Reply(404, b"not found")
NO_JSON = json_reply({"error": 'send {"id": "…"}'}, status=400)
KNOWN = {("GET", "/"), ("POST", "/login"), ("POST", "/upload"), ("POST", "/logout")}


class Visitor(Target):
    """What one connection talks to."""

    sessions = itertools.count(1)
    connections = itertools.count(1)

    def __init__(self, shop: Shop, ledger: TextIO) -> None:
        super().__init__(shop)
        self.ledger = ledger
        self.connection = next(self.connections)
        self.peer = ""

    def reply(self, request: Request) -> Reply:
        """The line is written before the answer is sent: what nobody heard an answer to has happened, too."""
        said, session = said_in(request), session_of(request)
        reply = reply_to(request, said)
        if reply is OK and request.path == "/login":
            session = str(next(self.sessions))
            reply = Reply(cookie=f"session={session}; Path=/")
        number = said.get("n") if said else None
        self.ledger.write(
            line(
                Entry(
                    time.monotonic(),
                    time.time(),
                    self.peer,
                    self.connection,
                    session,
                    request.headers.get("x-worker", ""),
                    request.method,
                    request.path,
                    str(said.get("id", "")) if said else "",
                    number if type(number) is int else None,
                    reply.status,
                )
            )
        )
        return reply


class Visit(Connection):
    """A connection whose target knows where it comes from."""

    target: Visitor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.target.peer = transport.get_extra_info("peername")[0]


def reply_to(request: Request, said: dict[str, object] | None) -> Reply:
    if (request.method, request.path) not in KNOWN:
        return NOT_FOUND
    return OK if said is not None or request.method == "GET" else NO_JSON


def said_in(request: Request) -> dict[str, object] | None:
    """The JSON object in the body, if one is there."""
    try:
        said = json.loads(request.body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def session_of(request: Request) -> str:
    _, _, rest = request.headers.get("cookie", "").partition("session=")
    return rest.partition(";")[0]


async def serve(host: str, port: int, path: Path) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    shop = Shop(seed=1)
    with path.open("a", encoding="utf-8", buffering=1) as ledger:  # each line at once
        server = await loop.create_server(lambda: Visit(Visitor(shop, ledger)), host, port, backlog=BACKLOG)
        print(f"target on http://{host}:{port}", flush=True)
        await stop.wait()
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A target whose log is the proof.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.log))


if __name__ == "__main__":
    main()
