"""Hosts on one machine: network namespaces with addresses of their own, joined by a bridge that leads nowhere else.

    with Network() as network:
        alpha = network.add("alpha")
        alpha.run(["python", "-m", "http.server"])
        alpha.cut()

The bridge has a namespace of its own, too, so nothing of the machine's own network changes. All namespaces are gone
afterwards, with every process in them; those of a test that was killed go when the next one begins.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bed.machine import NAMESPACES, Missing, ip, kill_all, owner_name, pids_in, remove_namespace, said, sweep

SUBNET = "10.77.0"
FIRST_HOST = 11
CLONE_NEWNET = 0x40000000  # from <linux/sched.h>
CONNECT_SECONDS = 5.0
CLOCK = Path(__file__).with_name("clock.c")
DIES_WITH_PARENT = ("--pdeathsig", "KILL")
# What /etc has for the processes of a host whose clock is wrong; each has a mount namespace of its own from `ip netns`.
WRONG_CLOCK = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'
# Frames of these ports vanish in the bridge: nobody's link goes down, and nobody is told.
RULES = """
table bridge bed {
    set silenced { type ifname; }
    chain forward {
        type filter hook forward priority 0;
        iifname @silenced drop
        oifname @silenced drop
    }
}
"""

Command = Sequence[str | Path]
_numbers = itertools.count(1)


class Network:
    """No hosts at first; see `add`. `folder` is there for everything of theirs, and goes with the network."""

    def __init__(self) -> None:
        self.name = f"{owner_name()}-{next(_numbers)}"
        self.switch = f"{self.name}-switch"
        self.folder = Path(tempfile.gettempdir()) / self.name
        self.hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        sweep()
        self.folder.mkdir(mode=0o711)  # PostgreSQL, which is not root, must get to a folder inside
        try:
            ip("netns", "add", self.switch)
            ip("-n", self.switch, "link", "add", "bridge", "up", "type", "bridge")
            said(["ip", "netns", "exec", self.switch, "nft", "-f", "-"], RULES)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.remove()

    def remove(self) -> None:
        for host in self.hosts.values():
            host.power_off()
        for path in NAMESPACES.glob(f"{self.name}-*"):
            remove_namespace(path.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name: str, *, clock_offset_s: int = 0) -> Host:
        """A new host with the next address, its clock ahead by so many seconds. Raises Missing."""
        host = Host(self, name, f"{SUBNET}.{FIRST_HOST + len(self.hosts)}", clock_offset_s)
        self.hosts[name] = host
        return host


class Host:
    """A machine as far as network, processes and clock go; it shares the disk, and what is on it, with all others.

    Start processes from the main thread: they die with the thread that started them.
    """

    def __init__(self, network: Network, name: str, address: str, clock_offset_s: int = 0) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.clock_offset_s = clock_offset_s
        self.namespace = f"{network.name}-{name}"
        self.folder = network.folder / name
        self.folder.mkdir(mode=0o711)
        self._etc = wrong_clock(self.folder / "etc", clock_offset_s) if clock_offset_s else None
        self._started: list[subprocess.Popen[bytes]] = []
        ip("netns", "add", self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        ip("-n", network.switch, *f"link add {name} type veth peer name eth0 netns {self.namespace}".split())
        ip("-n", network.switch, "link", "set", name, "master", "bridge", "up")
        ip("-n", self.namespace, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", self.namespace, "link", "set", "eth0", "up")

    # --- processes ------------------------------------------------------------------------------------------------

    def run(
        self,
        argv: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        user: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program here; it ends at the latest with the network. What it says goes to the end of `log`."""
        with open(log or os.devnull, "ab") as output:
            process = subprocess.Popen(
                self.command(argv, user=user),
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def read(self, argv: Command, *, env: Mapping[str, str] | None = None, seconds: float = 20.0) -> str:
        """What a program that ends by itself prints here. Fails with its errors."""
        done = subprocess.run(self.command(argv), env=env, capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"{argv} on {self.name}: {done.stderr}"
        return done.stdout

    def command(self, argv: Command, *, user: str | None = None) -> list[str]:
        """The command line that runs `argv` here, as the very process that is started."""
        words = [str(word) for word in argv]
        if user is not None:  # with the change of user the kernel forgets who dies with whom
            words = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *DIES_WITH_PARENT, *words]
        if self._etc is not None:
            words = ["/bin/sh", "-c", WRONG_CLOCK, str(self._etc), *words]
        # No process leaves shared memory to the machine.
        enter = [shutil.which("ip") or "ip", "netns", "exec", self.namespace, "unshare", "--ipc"]
        return ["setpriv", *DIES_WITH_PARENT, *enter, *words]

    def pids(self) -> list[int]:
        return pids_in(self.namespace)

    def power_off(self) -> None:
        """Every process here is killed, whatever became of it since it was started. The host can go on with others."""
        kill_all(self.namespace)
        for process in self._started:
            process.wait()
        self._started.clear()

    # --- network --------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Pull the cable: the host sees it at once, all others only that nobody answers."""
        ip("-n", self.network.switch, "link", "set", self.name, "down")

    def silence(self) -> None:
        """Lose every packet from and to this host, which sees a good link."""
        self._silenced("add")

    def mend(self) -> None:
        """After `cut`, `silence` or both."""
        self._silenced("add")  # nft refuses to delete what is not there
        self._silenced("delete")
        ip("-n", self.network.switch, "link", "set", self.name, "up")

    def delay(self, ms: float, jitter_ms: float = 0.0) -> None:
        """Hold every packet up by so much on its way in and out; 0: no more. Raises Missing."""
        sides = [("-n", self.namespace, "eth0"), ("-n", self.network.switch, self.name)]
        for option, namespace, link in sides:
            if not ms:
                subprocess.run(["tc", option, namespace, "qdisc", "del", "dev", link, "root"], capture_output=True)
                continue
            try:
                netem = f"qdisc replace dev {link} root netem delay {ms}ms {jitter_ms}ms"
                said(["tc", option, namespace, *netem.split()])
            except RuntimeError as error:
                raise Missing("The kernel of this machine cannot delay packets (netem).") from error

    def connect(self, address: str, port: int, seconds: float = CONNECT_SECONDS) -> socket.socket:
        """A TCP connection of the test's own process from here. Raises OSError."""
        with self.inside():
            ours = socket.socket()
        try:
            ours.settimeout(seconds)
            ours.connect((address, port))
        except BaseException:
            ours.close()
            raise
        return ours

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread's new sockets belong to this host."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(NAMESPACES / self.namespace, os.O_RDONLY)
        try:
            enter(there)
            yield
        finally:
            enter(home)
            os.close(there)
            os.close(home)

    def _silenced(self, verb: str) -> None:
        element = f"{verb} element bridge bed silenced {{ {self.name} }}"
        said(["ip", "netns", "exec", self.network.switch, "nft", "-f", "-"], element)


def enter(namespace: int) -> None:
    """Take this thread to the network of an open file. Python has this from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def wrong_clock(folder: Path, offset_s: int) -> Path:
    """What lies over a host's /etc: a library before all others, in every program, that tells the wrong time.

    An environment would not reach Locust, which is started with a clean one. Raises Missing.
    """
    folder.mkdir()
    compile_it = ["cc", "-shared", "-fPIC", "-O1", "-nostdlib", "-fno-builtin", f"-DOFFSET_S={offset_s}"]
    try:
        said([*compile_it, "-o", str(folder / "clock.so"), str(CLOCK)])
    except (OSError, RuntimeError) as error:
        raise Missing(f"No wrong clock can be made here: {error}") from error
    (folder / "ld.so.preload").write_text("/etc/clock.so\n")
    return folder
