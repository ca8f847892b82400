"""A target whose latencies are known: it serves a distribution, and logs every request with its own clock.

One asyncio process without dependencies, run as a plain file:

    python tests/e2e/known_target.py --port-file port --seed 1

Behaviours: /constant (20 ms; 5 % of the answers are 500) · /bimodal (10 ms or 200 ms, 80:20) · /lognormal (median
40 ms, sigma 0.5) · /step (20 ms, and 110 ms from the moment of the plan) · /freeze (15 ms) · /ok (at once, not logged)
Control: POST /_control/plan {"step_at": utc, "freeze": [from, until]} · GET /_control/log · GET /_control/jitter

During a freeze nothing is answered, on any of the five: what is open or arrives waits until its end. Each behaviour
draws from a generator of its own, so the nth request to it always takes the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

CONSTANT_MS = 20.0
FAILED_SHARE = 0.05
BIMODAL_MS = (10.0, 200.0)
SLOW_SHARE = 0.2
MEDIAN_MS, SIGMA = 40.0, 0.5
STEP_MS = (20.0, 110.0)
FREEZE_MS = 15.0
BEHAVIOURS = ("/constant", "/bimodal", "/lognormal", "/step", "/freeze")

PROBE_SECONDS = 0.01
BODY = b"x" * 64
LOGGED = ("path", "id", "status", "intended_ms", "actual_ms", "mono", "utc")
"""Columns of the log. `mono` and `utc`: seconds at which the answer, in one piece, was given to the kernel."""

Row = tuple[str, str, int, float, float, float, float]


class Plan:
    """When what changes, in seconds of the loop's monotonic clock."""

    step_at = float("inf")
    freeze = (float("inf"), float("inf"))

    def set(self, asked: dict[str, object]) -> None:
        """`step_at` and `freeze` in UTC epoch seconds; what is not named stays."""
        behind = time.time() - time.monotonic()
        if "step_at" in asked:
            self.step_at = float(str(asked["step_at"])) - behind
        match asked.get("freeze"):
            case [begin, end]:
                self.freeze = (float(str(begin)) - behind, float(str(end)) - behind)

    def frozen_until(self, now: float) -> float | None:
        begin, end = self.freeze
        return end if begin <= now < end else None


class Known:
    """What to answer, and the log of what was answered."""

    def __init__(self, seed: int) -> None:
        self.plan = Plan()
        self.rows: list[Row] = []
        self.late_ms: list[float] = []
        """By how much an idle timer came late, every 10 ms: the jitter of this process on this machine."""
        chance = {path: random.Random(f"{seed} {path}") for path in BEHAVIOURS}
        self.draws: dict[str, Callable[[float], tuple[float, int]]] = {
            "/constant": lambda now: (CONSTANT_MS, 500 if chance["/constant"].random() < FAILED_SHARE else 200),
            "/bimodal": lambda now: (BIMODAL_MS[chance["/bimodal"].random() < SLOW_SHARE], 200),
            "/lognormal": lambda now: (MEDIAN_MS * chance["/lognormal"].lognormvariate(0, SIGMA), 200),
            "/step": lambda now: (STEP_MS[now >= self.plan.step_at], 200),
            "/freeze": lambda now: (FREEZE_MS, 200),
        }

    def control(self, path: str, body: bytes) -> object:
        if path == "/_control/plan":
            self.plan.set(json.loads(body))
            return {}
        if path == "/_control/log":
            return {"columns": LOGGED, "rows": self.rows}
        return {"late_ms": self.late_ms}

    def probe(self, due: float) -> None:
        """Call oneself every 10 ms, and note how late that was."""
        loop = asyncio.get_running_loop()
        self.late_ms.append((loop.time() - due) * 1000)
        loop.call_at(loop.time() + PROBE_SECONDS, self.probe, loop.time() + PROBE_SECONDS)


class Connection(asyncio.Protocol):
    """One keep-alive connection; a client sends its next request when it has the answer to the last one."""

    transport: asyncio.Transport

    def __init__(self, known: Known) -> None:
        self.known = known
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        started = self.loop.time()
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        length = _content_length(head)
        if end and len(rest) >= length:
            self.buffer = b""
            self.begin(head.split(b" ", 2)[1].decode("latin-1"), rest, started)

    def begin(self, target: str, body: bytes, started: float) -> None:
        path, _, number = target.partition("?")
        if path in self.known.draws:
            ms, status = self.known.draws[path](started)
            self.loop.call_at(started + ms / 1000, self.finish, path, number, status, ms, started)
        elif path.startswith("/_control/"):
            self.send(200, json.dumps(self.known.control(path, body)).encode())
        else:
            self.send(200 if path == "/ok" else 404, BODY)

    def finish(self, path: str, number: str, status: int, ms: float, started: float) -> None:
        if until := self.known.plan.frozen_until(self.loop.time()):
            self.loop.call_at(until, self.finish, path, number, status, ms, started)
            return
        if self.transport.is_closing():
            status = 0  # the client has gone: nothing was served
        # Before: the client may have it all before this process goes on.
        done, utc = self.loop.time(), time.time()
        self.send(status or 200, BODY)
        self.known.rows.append((path, number, status, ms, (done - started) * 1000, done, utc))

    def send(self, status: int, body: bytes) -> None:
        self.transport.write(b"HTTP/1.1 %d -\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int, port_file: Path, seed: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    known = Known(seed)
    server = await loop.create_server(lambda: Connection(known), "127.0.0.1", port, backlog=1024)
    known.probe(loop.time())
    written = port_file.with_name(port_file.name + ".new")
    written.write_text(f"{server.sockets[0].getsockname()[1]}\n")
    written.replace(port_file)  # a reader sees no file, or all of it
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a known distribution of latencies.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--port-file", type=Path, required=True, help="file to write the port into once it listens")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.port_file, options.seed))


if __name__ == "__main__":
    main()
