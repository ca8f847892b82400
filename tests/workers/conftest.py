"""A real Locust against a small server of our own; no Django in here."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from workers.command import RunFolder
from workers.identity import Summary
from workers.samples import EndpointTotals, ExceptionRow, FailureRow, FailureSample, Tick
from workers.spec import RunSpec, Steering
from workers.supervisor import Order, Outcome, Patience, supervise

LOCUSTFILE = """
from locust import HttpUser, constant, task

class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task
    def browse(self):
        self.client.get("/browse")

    @task
    def fail(self):
        self.client.get("/fail")
"""


class Target(ThreadingHTTPServer):
    """Counts what it answered by path: /fail is 500, /hang waits until the end, anything else is fine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A load generator that hangs up is no news."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Target

    def do_GET(self) -> None:
        if self.path == "/hang":
            self.server.closing.wait()
            return
        self.server.counts[self.path] += 1
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Quiet."""


@dataclass
class Memory:
    """A sink that remembers."""

    events: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    got: list[Tick] = field(default_factory=list)
    failures: Sequence[FailureRow] = ()
    exceptions: Sequence[ExceptionRow] = ()
    samples: list[FailureSample] = field(default_factory=list)
    running: Sequence[EndpointTotals] = ()
    lines: list[str] = field(default_factory=list)
    usage: list[tuple[float, int]] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    ids_in_use: list[int | None] = field(default_factory=list)

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        self.events.append((kind, data))

    def ticks(self, ticks: Sequence[Tick]) -> None:
        self.got.extend(ticks)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        self.failures, self.exceptions = failures, exceptions

    def failure_samples(self, samples: Sequence[FailureSample]) -> None:
        self.samples.extend(samples)

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        self.running = endpoints

    def log(self, lines: Sequence[str]) -> None:
        self.lines.extend(lines)

    def identity(self, summary: Summary) -> None:
        self.summaries.append(summary)

    def generator(self, cpu_percent: float, rss_bytes: int, ids_in_use: int | None) -> None:
        self.usage.append((cpu_percent, rss_bytes))
        self.ids_in_use.append(ids_in_use)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def requests(self) -> Counter[str]:
        """Collected requests by name."""
        return sum((Counter({row.name: row.requests}) for tick in self.got for row in tick.rows), Counter())


class Orders:
    """Gives `order` once `when(sink)` holds, plus `after_s`; GO before that."""

    def __init__(
        self, sink: Memory, order: Order = Order.GO, *, when: str = "first_request", after_s: float = 0
    ) -> None:
        self._sink, self._order, self._when, self._after_s = sink, order, when, after_s
        self._since: float | None = None

    def orders(self) -> Order:
        if self._since is None and self._when in self._sink.kinds:
            self._since = time.monotonic()
        due = self._since is not None and time.monotonic() >= self._since + self._after_s
        return self._order if due else Order.GO

    def steering(self) -> Steering | None:
        return None


@dataclass
class Ran:
    outcome: Outcome
    sink: Memory
    folder: RunFolder
    seconds: float


Runs = Callable[..., Ran]


def carry_out(target: Target, path: Path, locustfile: str = LOCUSTFILE, **options: Any) -> Ran:
    """One real run. Options: fields of RunSpec, and `order`, `when`, `after_s`, `sink`, `control`, `patience`."""
    sink = options.pop("sink", None) or Memory()
    order = options.pop("order", Order.GO)
    when, after_s = options.pop("when", "first_request"), options.pop("after_s", 0.0)
    control = options.pop("control", None) or Orders(sink, order, when=when, after_s=after_s)
    patience = options.pop("patience", Patience())
    fields: dict[str, Any] = {
        "run_id": f"{path.name}-{os.getpid()}",
        "users": 2,
        "spawn_rate": 10,
        "run_time_s": 2,
        "host": target.url,
        "collector": "csv",
    }
    folder = RunFolder(path / "run")
    began = time.monotonic()
    spec = RunSpec(locustfile=locustfile, **(fields | options))
    outcome = supervise(spec, folder, sink=sink, control=control, patience=patience)
    assert of_run(fields["run_id"]) == []
    return Ran(outcome, sink, folder, time.monotonic() - began)


def of_run(run_id: str) -> list[psutil.Process]:
    """Processes that carry a run's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HATCHERY_RUN_ID") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    server = Target()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(target: Target, tmp_path: Path) -> Runs:
    target.counts.clear()
    return lambda *args, **options: carry_out(target, tmp_path, *args, **options)
