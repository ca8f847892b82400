"""The demo target, driven over real sockets as a separate process, the way `make up` runs it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.core import demo_target

SCRIPT = Path(demo_target.__file__)
START_SECONDS = 20.0


class Server:
    """A running target and a keep-alive connection to it."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.log = folder / "requests.jsonl"
        port_file = folder / "port"
        command = [sys.executable, str(SCRIPT), "--log", str(self.log), "--port-file", str(port_file)]
        self.process = subprocess.Popen([*command, "--seed", str(seed)])
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self.connections: list[http.client.HTTPConnection] = []
        self.connection = self.connect()

    def connect(self, timeout: float = 10) -> http.client.HTTPConnection:
        self.connections.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout))
        return self.connections[-1]

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        sent = None if body is None else json.dumps(body)
        self.connection.request(method, path, sent, headers or {})
        response = self.connection.getresponse()
        return response.status, response.read()

    def counts(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = json.loads(self.ask("GET", "/_control/counts")[1])
        return counts

    def stop(self) -> int:
        for connection in self.connections:
            connection.close()
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("method", "path", "status", "low_ms", "high_ms"),
    [
        ("GET", "/api/products", 200, 2, 60),
        ("GET", "/api/products/7", 200, 29, 120),
        ("POST", "/api/cart", 201, 29, 120),
        ("POST", "/api/checkout", 201, 149, 500),
        ("GET", "/ok/any/thing", 200, 0, 50),
        ("GET", "/status/418", 418, 0, 50),
        ("GET", "/status/204", 204, 0, 50),
        ("GET", "/delay/80", 200, 79, 160),
        ("GET", "/nothing", 404, 0, 50),
        ("GET", "/api/cart", 405, 0, 50),
    ],
)
def test_it_answers_in_the_time_of_the_endpoint(
    server: Server, method: str, path: str, status: int, low_ms: float, high_ms: float
) -> None:
    started = time.monotonic()
    assert server.ask(method, path)[0] == status
    # The upper bound is loose: it tells endpoints apart, it does not measure the machine.
    assert low_ms <= (time.monotonic() - started) * 1000 <= high_ms + 500


def test_it_sends_as_many_bytes_as_asked(server: Server) -> None:
    assert len(server.ask("GET", "/bytes/300000")[1]) == 300_000


def test_it_echoes_and_keeps_the_connection(server: Server) -> None:
    for number in range(3):
        body = server.ask("POST", f"/echo?n={number}", {"n": number}, {"X-User": "test_00001"})[1]
        echoed = json.loads(body)
        assert echoed["target"] == f"/echo?n={number}"
        assert echoed["headers"]["x-user"] == "test_00001"
        assert json.loads(echoed["body"]) == {"n": number}


def test_it_counts_a_large_upload_without_keeping_it(server: Server) -> None:
    server.connection.request("POST", "/echo", b"y" * 1_000_000)
    echoed = json.loads(server.connection.getresponse().read())
    assert echoed["body_bytes"] == 1_000_000
    assert len(echoed["body"]) == demo_target.KEPT_BODY_BYTES


def test_it_drops_the_connection_on_close(server: Server) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        server.ask("GET", "/close")
    server.connection.close()
    assert server.counts()["GET /close"] == {"requests": 1, "failures": 1, "aborted": 0}


def test_it_counts_by_actual_path_and_resets(server: Server) -> None:
    for path in ("/status/200?a=1", "/status/200?a=2", "/status/500"):
        server.ask("GET", path)
    counts = server.counts()
    assert counts["GET /status/200"] == {"requests": 2, "failures": 0, "aborted": 0}
    assert counts["total"] == {"requests": 3, "failures": 1, "aborted": 0}
    assert server.ask("POST", "/_control/reset")[0] == 204
    assert server.counts()["total"]["requests"] == 0


def test_it_hangs_until_resumed(server: Server) -> None:
    server.ask("POST", "/_control/hang", {"seconds": 60})
    waiting = server.connect()
    waiting.request("GET", "/api/products")
    time.sleep(0.3)
    assert server.counts()["total"]["requests"] == 0
    server.ask("POST", "/_control/resume")
    assert waiting.getresponse().status == 200
    assert server.counts()["GET /api/products"]["requests"] == 1


def test_a_hang_ends_by_itself(server: Server) -> None:
    server.ask("POST", "/_control/hang", {"seconds": 0.4})
    started = time.monotonic()
    assert server.ask("GET", "/ok")[0] == 200
    assert time.monotonic() - started > 0.3


def test_a_client_that_left_is_not_counted_as_answered(server: Server) -> None:
    leaving = server.connect()
    leaving.request("GET", "/delay/300")
    leaving.close()
    time.sleep(0.6)
    assert server.counts()["GET /delay/300"] == {"requests": 0, "failures": 0, "aborted": 1}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"seconds": "x"}', b"{"])
def test_a_hang_without_a_number_is_refused(server: Server, body: bytes) -> None:
    server.connection.request("POST", "/_control/hang", body)
    assert server.connection.getresponse().status == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * demo_target.HEAD_LIMIT_BYTES + b"\r\n\r\n", b"431"),
    ],
)
def test_it_refuses_what_it_cannot_parse(server: Server, sent: bytes, status: bytes) -> None:
    connection = server.connect()
    connection.connect()
    connection.sock.sendall(sent)
    assert connection.sock.recv(4096).split()[1] == status
    connection.close()
    assert server.ask("GET", "/ok")[0] == 200


def test_it_answers_pipelined_requests_in_order(server: Server) -> None:
    connection = server.connect()
    connection.connect()
    connection.sock.sendall(b"".join(b"GET /status/%d HTTP/1.1\r\n\r\n" % code for code in (201, 404, 503)))
    received = b""
    while received.count(b"HTTP/1.1") < 3:
        received += connection.sock.recv(4096)
    assert [part.split()[0] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"201", b"404", b"503"]
    connection.close()


def test_it_logs_a_line_per_request_and_writes_the_last_ones_when_it_stops(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.ask("GET", "/status/503?a=1", headers={"X-User": "test_00001", "Cookie": "secret"})
    server.ask("GET", "/_control/counts")
    assert server.stop() == 0
    (line,) = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/status/503?a=1", 503)
    assert line["headers"] == {"x-user": "test_00001"}
    assert line["t"].endswith("Z") and line["ms"] >= 0 and line["monotonic"] > 0


def test_it_keeps_two_bounded_log_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_target, "LOG_LIMIT_BYTES", 1000)
    log = demo_target.RequestLog(tmp_path / "log")
    for _ in range(50):
        log.add(demo_target.Request("GET", "/", {}, time.monotonic(), 0), 200)
        log.flush()
    log.file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    assert all(path.stat().st_size < 1400 for path in tmp_path.iterdir())


def test_counts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_target, "COUNTED_PATHS", 3)
    counts = demo_target.Counts()
    for number in range(10):
        counts.add(demo_target.Request("GET", f"/{number}", {}, 0.0, 0), 200)
    assert counts.by_path[demo_target.OTHER_PATHS]["requests"] == 7
    assert counts.total["requests"] == 10


def recommendations(seed: int) -> list[tuple[int, float]]:
    shop = demo_target.Shop(seed)
    request = demo_target.Request("GET", "/api/recommendations", {}, 0.0, 0)
    return [(reply.status, reply.delay) for reply in (shop.reply(request) for _ in range(2000))]


def test_the_same_seed_gives_the_same_latencies_and_failures() -> None:
    assert recommendations(7) == recommendations(7)
    assert recommendations(7) != recommendations(8)
    failures = sum(status == 500 for status, _ in recommendations(7))
    assert 60 <= failures <= 140  # 5 % of 2,000, give or take four standard deviations


def test_a_busy_port_is_one_sentence(server: Server) -> None:
    second = subprocess.run(
        [sys.executable, str(SCRIPT), "--port", str(server.port)], capture_output=True, text=True, timeout=20
    )
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"The demo target cannot listen on 127.0.0.1:{server.port}: Address already in use."
    ]


def test_ctrl_c_stops_it_without_a_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, str(SCRIPT)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "demo target on" in process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 0
