"""The hosts of the bed are what they seem to be, and a run on one of them is what its target saw."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bed.hosts import TARGET_PORT, WEB_PORT, Bed
from tests.bed.machine import NAMESPACES, Missing, ip
from tests.bed.network import Host, Network
from tests.bed.servers import REDIS_PORT
from tests.e2e.stack import wait_for

SOON_SECONDS = 1.0
AHEAD_S = 20
SLACK_SECONDS = 3.0

# The time of three clocks, a wait with a limit, and the same again in a process without any environment.
CLOCKS = """
import json, queue, subprocess, sys, time
from gevent import monkey
monkey.patch_all()
begin = time.monotonic()
time.sleep(0.2)
slept = time.monotonic() - begin
begin = time.monotonic()
try:
    queue.Queue().get(timeout=0.2)
except queue.Empty:
    waited = time.monotonic() - begin
print(json.dumps({"utc": time.time(), "mono": time.monotonic(), "slept": slept, "waited": waited}), flush=True)
if "again" in sys.argv:
    subprocess.run([sys.executable, "-c", sys.argv[1]], env={})
"""

QUESTION = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1').fetchone()[0])"

UPLOADS = """
import itertools, os
from locust import HttpUser, constant, task

ids = itertools.count(1)

class Uploader(HttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        self.id, self.n = f"test_{next(ids):05}", 0
        self.client.headers["X-Worker"] = "0"
        self.client.post("/login", json={"id": self.id})

    @task
    def upload(self):
        self.n += 1
        self.client.post("/upload", json={"id": self.id, "n": self.n})

    def on_stop(self):
        self.client.post("/logout", json={"id": self.id})
"""


def listener(host: Host, port: int = 8080) -> subprocess.Popen[bytes]:
    """A server there, when it listens."""
    server = host.run([sys.executable, "-m", "http.server", "--directory", host.folder, str(port)])
    wait_for(lambda: reaches(host, host.address, port), 10, f"{host.name} listens")
    return server


def reaches(host: Host, address: str, port: int = 8080) -> bool:
    try:
        host.connect(address, port, seconds=0.3).close()
    except OSError:
        return False
    return True


# --- hosts --------------------------------------------------------------------------------------------------------


def test_hosts_reach_each_other_and_nothing_of_this_machine(network: Network) -> None:
    alpha, beta = network.add("alpha"), network.add("beta")
    listener(beta)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        assert reaches(alpha, beta.address)
        assert not reaches(alpha, "127.0.0.1", port), "the machine's own loopback"
    with pytest.raises(RuntimeError, match="unreachable"):
        ip("-n", alpha.namespace, "route", "get", "192.0.2.1")


@pytest.mark.parametrize("how", ["cut", "silence"])
def test_a_host_without_network_is_gone_and_back_within_a_second(network: Network, how: str) -> None:
    alpha, beta = network.add("alpha"), network.add("beta")
    listener(beta)
    listener(alpha)
    assert reaches(alpha, beta.address)
    getattr(beta, how)()
    assert not reaches(alpha, beta.address)
    assert not reaches(beta, alpha.address)
    beta.mend()
    wait_for(lambda: reaches(alpha, beta.address), SOON_SECONDS, "beta is back")


def test_an_open_connection_survives_a_cable_that_was_pulled_for_a_moment(network: Network) -> None:
    alpha, beta = network.add("alpha"), network.add("beta")
    listener(beta)
    with alpha.connect(beta.address, 8080) as connection:
        beta.cut()
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.3)
        beta.mend()
        assert connection.recv(100).startswith(b"HTTP/1.0 200")


def test_a_host_can_be_far_away(network: Network) -> None:
    alpha, beta = network.add("alpha"), network.add("beta")
    listener(beta)
    try:
        beta.delay(30)
    except Missing as missing:
        pytest.skip(str(missing))
    begin = time.monotonic()
    beta.delay(30)
    alpha.connect(beta.address, 8080).close()
    assert time.monotonic() - begin >= 0.06


def test_a_wrong_clock_is_wrong_in_every_process_and_only_the_clock(network: Network) -> None:
    host = network.add("late", clock_offset_s=AHEAD_S)
    said = host.read([sys.executable, "-c", CLOCKS, CLOCKS, "again"], env={})
    told = [json.loads(line) for line in said.splitlines()]
    assert len(told) == 2
    for clocks in told:
        assert clocks["utc"] - AHEAD_S == pytest.approx(time.time(), abs=SLACK_SECONDS)
        assert clocks["mono"] == pytest.approx(time.monotonic(), abs=SLACK_SECONDS)
        assert clocks["slept"] == pytest.approx(0.2, abs=0.15)
        assert clocks["waited"] == pytest.approx(0.2, abs=0.15)
    assert not Path("/etc/ld.so.preload").exists(), "nobody else's clock is wrong"


def test_power_off_ends_what_a_process_has_hidden_too(network: Network) -> None:
    alpha = network.add("alpha")
    alpha.run(["setsid", "sh", "-c", "setsid sleep 1000 & setsid sleep 1000"])
    wait_for(lambda: len(alpha.pids()) >= 3, 5, "they run")
    alpha.power_off()
    assert alpha.pids() == []


def test_what_a_killed_test_left_goes_when_the_next_begins(network: Network) -> None:
    code = (
        "import os, signal; from tests.bed.network import Network; network = Network().__enter__();"
        "network.add('alpha').run(['setsid', 'sleep', '1000']); print(network.name, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    name = killed.stdout.strip()
    assert len(list(NAMESPACES.glob(f"{name}-*"))) == 2
    with Network() as other:
        assert not list(NAMESPACES.glob(f"{name}-*"))
        assert not (other.folder.parent / name).exists()
        assert list(NAMESPACES.glob(f"{network.name}-*")), "it is in use"


# --- the portal on them -------------------------------------------------------------------------------------------


def test_the_servers_want_a_password_and_every_host_reaches_them(bed: Bed) -> None:
    late = bed.add_host("late", clock_offset_s=AHEAD_S)
    assert late.read([sys.executable, "-c", QUESTION], env=bed.env("late")).strip() == "1"
    with bed["alpha"].connect(bed.portal.address, REDIS_PORT) as redis:
        redis.sendall(b"PING\r\n")
        assert redis.recv(100).startswith(b"-NOAUTH")
    stranger = bed.env("alpha") | {"DATABASE_URL": bed.database.url.replace("hatchery:", "hatchery:x")}
    with pytest.raises(AssertionError, match="password authentication failed"):
        bed["alpha"].read([sys.executable, "-c", QUESTION], env=stranger)


def test_a_run_on_another_host_ends_and_the_target_saw_each_of_its_requests(bed: Bed) -> None:
    bed.start_runner("alpha")
    scenario = bed.scenario(UPLOADS, host=bed.target_url, users=4, spawn_rate=4, run_time="4s")
    run = bed.over(bed.start(scenario))
    assert (run["state"], run["verdict"]) == ("finished", "none"), run
    log = bed.log()
    assert len(log) == run["totals"]["requests"] > 50
    assert run["reconciliation"]["difference"] == 0
    assert set(log.ids_by_peer()) == {bed["alpha"].address}
    assert set(log.ids_by_worker()) == {"0"}
    assert len(log.stays()) == 4, "each user's requests are those of one session"
    log.assert_each_once("test_", 1, 4)
    log.assert_no_overlap()
    log.assert_no_gap()


def test_the_target_keeps_up_and_loses_nothing(bed: Bed) -> None:
    """A burst is answered, and each line is there when its answer is."""
    count = 2000
    request = b'POST /upload HTTP/1.1\r\nHost: target\r\nContent-Length: 24\r\n\r\n{"id": "test_1", "n": 1}'
    with bed["beta"].connect(bed.target.address, TARGET_PORT) as connection:
        connection.sendall(request * count)
        got = b""
        while got.count(b"HTTP/1.1 200") < count:
            got += connection.recv(1 << 20)
    log = bed.log()
    assert len(log) == count
    assert log.sequence("test_1") == [1] * count


def test_a_host_that_is_cut_off_does_not_keep_the_bed_from_the_next_test(bed: Bed) -> None:
    bed["alpha"].silence()
    assert not reaches(bed["alpha"], bed.portal.address, WEB_PORT)
    bed.clear()
    assert reaches(bed["alpha"], bed.portal.address, WEB_PORT)
    assert bed.api("GET", "/api/v1/runs/").status == 200
