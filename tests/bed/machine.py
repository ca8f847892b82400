"""What this machine must have for network namespaces, who owns which of them, and removing those that nobody does."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

NAMESPACES = Path("/run/netns")  # where `ip netns` keeps the names
PREFIX = "hb"
OWNED = re.compile(rf"{PREFIX}-(\d+)\.(\d+)-\d+(?:-\w+)?")
TOOLS = {"ip": "iproute2", "nft": "nftables", "cc": "gcc"}
"""Programs, and Debian's packages with them."""
KILL_SECONDS = 5.0


class Missing(Exception):
    """The machine cannot do this; the text is a sentence that says why."""


def forbidden() -> str:
    """Why this process may not make namespaces, or nothing."""
    if os.geteuid() != 0:
        return "Only root can make the network namespaces that stand for hosts."
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "This machine lets nobody make network namespaces (a container without privileges?)." * bool(
        tried.returncode
    )


def missing_tools() -> str:
    """Which packages would have to be installed, or nothing."""
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    return f"Hosts on one machine need {', '.join(packages)} (apt-get install)." if packages else ""


def ip(*arguments: str) -> str:
    return said(["ip", *arguments])


def said(command: Sequence[str], given: str = "") -> str:
    """What it prints. Raises RuntimeError with its errors when it fails."""
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def owner_name() -> str:
    """This process, told from all before and after it that had or get its number."""
    return f"{PREFIX}-{os.getpid()}.{_started(os.getpid())}"


def sweep() -> None:
    """Remove what tests left behind that were killed: namespaces, the processes in them, folders."""
    for path in _strays(NAMESPACES):
        remove_namespace(path.name)
    for path in _strays(Path(tempfile.gettempdir())):
        if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)


def remove_namespace(name: str) -> None:
    kill_all(name)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)  # another sweep may have been faster


def kill_all(namespace: str) -> None:
    """End every process in it, whoever started it; returns when there are none."""
    deadline = time.monotonic() + KILL_SECONDS
    while pids := pids_in(namespace):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes of {namespace} cannot be killed: {pids}")
        time.sleep(0.01)


def pids_in(namespace: str) -> list[int]:
    """Never this process, of which a thread may be in there for a moment."""
    found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True).stdout
    return [int(word) for word in found.split() if int(word) != os.getpid()]


def _strays(folder: Path) -> list[Path]:
    named = [(path, OWNED.fullmatch(path.name)) for path in folder.glob(f"{PREFIX}-*")]
    return [path for path, match in named if match and _started(int(match[1])) != match[2]]


def _started(pid: int) -> str:
    """When the kernel says that it began, in ticks since the start of the machine; nothing for one that has gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
