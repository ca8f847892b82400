"""A portal, hosts for runners and a target, each in a network namespace of its own."""

from __future__ import annotations

import functools
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.core.supervise import stack
from tests.bed.log import Log
from tests.bed.network import Host, Network
from tests.bed.servers import REDIS_PORT, start_database, start_redis, wait_for_port
from tests.e2e.stack import ANSWER_SECONDS, Client

WEB_PORT = 8000
TARGET_PORT = 80
RUNNER_HOSTS = ("alpha", "beta", "gamma")
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
SHOWN_CHARS = 4000
# What the machine or the suite says to others is not for these processes.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "MAKEFLAGS", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def runner_command(host: str, *more: str) -> tuple[str | Path, ...]:
    """The one place that knows how a runner is started."""
    return stack.manage("runner", "--pool", "local", "--host", host, "--name", f"{host}-1", *more)


class Bed(Client):
    """A client of the portal, and the hands to do things to the hosts.

    Hosts: `portal` (web, keeper, PostgreSQL, Redis), `target`, and `alpha`, `beta`, `gamma` without a runner at first.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.portal = network.add("portal")
        self.target = network.add("target")
        for name in RUNNER_HOSTS:
            network.add(name)
        super().__init__(f"http://{self.portal.address}:{WEB_PORT}", {})
        self.opener = opener_from(self.portal)
        self.logs = network.folder / "logs"
        self.logs.mkdir()
        self.target_url = f"http://{self.target.address}:{TARGET_PORT}"
        self.target_log = self.target.folder / "requests.tsv"
        self._shared = {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "HATCHERY_URL": self.url,
            "HATCHERY_ARTIFACTS": str(network.folder / "artifacts"),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
        }
        self._log_from = 0
        self._said_from: dict[Path, int] = {}

    def __getitem__(self, name: str) -> Host:
        return self.network.hosts[name]

    def add_host(self, name: str, *, clock_offset_s: int = 0) -> Host:
        """Another host for runners; it stays until the network goes. Raises Missing."""
        return self.network.hosts.get(name) or self.network.add(name, clock_offset_s=clock_offset_s)

    # --- processes ------------------------------------------------------------------------------------------------

    def start_portal(self) -> None:
        """All that is on the hosts `portal` and `target`. Raises Missing."""
        self._shared["REDIS_URL"] = start_redis(self.portal, self.log_of("portal", "redis"))
        self.start_target()
        self.database = start_database(self.portal, self.log_of("portal", "postgres"))
        self._shared["DATABASE_URL"] = self.database.url
        wait_for_port(self.portal, REDIS_PORT)
        self.start_web()  # it asks the database when it is asked, and takes as long to start as the tables take
        self._prepare()
        self.start_keeper()
        wait_for_port(self.portal, WEB_PORT)
        wait_for_port(self.target, TARGET_PORT)

    def start_web(self) -> subprocess.Popen[bytes]:
        command = stack.web(stack.Address(self.portal.address, WEB_PORT), {}).command
        return self.run_on("portal", "web", command)

    def start_keeper(self) -> subprocess.Popen[bytes]:
        return self.run_on("portal", "keeper", stack.keeper().command)

    def start_target(self) -> subprocess.Popen[bytes]:
        listening = ("--host", self.target.address, "--port", str(TARGET_PORT), "--log", self.target_log)
        return self.run_on("target", "target", (sys.executable, "-m", "tests.bed.target", *listening))

    def start_runner(self, host: str, *more: str) -> subprocess.Popen[bytes]:
        """It takes a second or two until it listens; runs that are started before wait for it."""
        return self.run_on(host, "runner", runner_command(host, *more))

    def stop_runner(self, runner: subprocess.Popen[bytes]) -> int:
        """As a deploy does: SIGTERM, and wait for its end. Its exit code."""
        runner.send_signal(signal.SIGTERM)
        return runner.wait(STOP_SECONDS)

    def run_on(self, host: str, what: str, command: tuple[str | Path, ...]) -> subprocess.Popen[bytes]:
        """Any program of the portal's, on any host; it logs to `<host>-<what>.log`."""
        return self[host].run(command, env=self.env(host), cwd=stack.BASE_DIR, log=self.log_of(host, what))

    def env(self, host: str) -> dict[str, str]:
        """What the portal's programs on a host see: folders of their own but for the artifacts."""
        given = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        folder = self[host].folder
        return given | self._shared | {"HATCHERY_STATE": str(folder / "state"), "HATCHERY_RUNS": str(folder / "runs")}

    def clear(self) -> None:
        """After a test: no process on the hosts for runners, and the network whole."""
        for host in self.network.hosts.values():
            host.mend()
            if host not in (self.portal, self.target):
                host.power_off()

    # --- what they say --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Before a test: `log()` is about what comes from now on, and so is what `said()` shows."""
        self._log_from = self.target_log.stat().st_size
        self._said_from = {path: path.stat().st_size for path in self.logs.iterdir()}

    def log(self) -> Log:
        """What the target saw in this test."""
        return Log.read(self.target_log, self._log_from)

    def log_of(self, host: str, what: str) -> Path:
        return self.logs / f"{host}-{what}.log"

    def said(self) -> dict[str, str]:
        """The end of each process's own log, as far as it is of this test."""
        texts = {path.stem: path.read_bytes()[self._said_from.get(path, 0) :] for path in sorted(self.logs.iterdir())}
        return {name: text.decode("utf-8", "replace")[-SHOWN_CHARS:] for name, text in texts.items() if text}

    # --------------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        facts = self.portal.folder / "facts.json"
        process = self.run_on("portal", "prepare", (sys.executable, "-m", "tests.bed.prepare", facts))
        assert process.wait(READY_SECONDS) == 0, self.log_of("portal", "prepare").read_text()
        self.facts = json.loads(facts.read_text())


@contextmanager
def bed() -> Iterator[Bed]:
    """All of it, up and ready; nothing is left of it afterwards. Raises Missing."""
    with Network() as network:
        made = Bed(network)
        try:
            made.start_portal()
        except Exception as error:
            error.add_note("\n".join(f"--- {name}\n{text}" for name, text in made.said().items()))
            raise
        yield made


class FromHost(http.client.HTTPConnection):
    """A connection whose socket belongs to a host of the bed."""

    def __init__(self, origin: Host, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.origin = origin

    def connect(self) -> None:
        self.sock = self.origin.connect(self.host, self.port, ANSWER_SECONDS)


class HostHandler(urllib.request.HTTPHandler):
    def __init__(self, origin: Host) -> None:
        super().__init__()
        self.origin = origin

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(FromHost, self.origin), request)


def opener_from(host: Host) -> urllib.request.OpenerDirector:
    """urllib, as if this process ran on that host."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), HostHandler(host))
