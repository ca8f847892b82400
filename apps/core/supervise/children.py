"""Start child processes, pass on what they print, restart those that die, and leave none behind."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

FIRST_RESTART_SECONDS = 0.5
LAST_RESTART_SECONDS = 30.0
HEALTHY_SECONDS = 30.0  # one that lived this long starts again without having to wait longer each time

# All of it is over within ten seconds of Ctrl-C.
KILL_SECONDS = 7.5  # a runner ends its run and saves the results in this time
KILL_LAST_SECONDS = 1.0
LEFTOVER_SECONDS = 0.5
LEFTOVER_ROUNDS = 3

READ_BYTES = 64 * 1024
LINE_CHARS = 8 * 1024
NAME_CHARS = 9
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# What a line may hold besides text: a tab. The rest could move the cursor of whoever reads the log.
UNPRINTABLE = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160)), "�")

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    name: str
    command: tuple[str | Path, ...]
    stops_last: bool = False
    """Others use it until their own end."""


def say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # as in `make up | head`: nobody listens, the portal goes on
        print(line, flush=True)


class Supervisor:
    """Holds children until `stop`. All of it runs in one event loop, in the main thread."""

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        folder: Path,
        say: Callable[[str], None] = say,
        first_restart: float = FIRST_RESTART_SECONDS,
    ) -> None:
        self.env = dict(env)
        self.folder = folder
        self.say = say
        self.first_restart = first_restart
        self.running: dict[Child, Process] = {}
        self.keepers: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()
        adopt_orphans()

    def start(self, child: Child) -> None:
        """Keep `child` running from now on."""
        self.keepers.append(asyncio.create_task(self.keep(child)))

    async def keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        pause = self.first_restart
        while not self.stopping.is_set():
            started = loop.time()
            how = await self.run(child)
            if self.stopping.is_set():
                return
            if loop.time() - started > HEALTHY_SECONDS:
                pause = self.first_restart
            self.say(f"{child.name} {how}. It starts again in {pause:g} s.")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
            reap_orphans(self.pids())
            pause = min(pause * 2, LAST_RESTART_SECONDS)

    async def run(self, child: Child) -> str:
        """Run it once, to its end, and tell how it ended: `ended`, or what went wrong."""
        if self.stopping.is_set():
            return "was not started"
        read_end, write_end = os.pipe()
        try:
            process = await self.spawn(child, write_end)
        except OSError as error:
            os.close(read_end)
            return f"cannot be started: {error.strerror}"
        finally:
            os.close(write_end)
        self.running[child] = process
        if self.stopping.is_set():  # since the line above; `stop` has not seen it
            process.kill()
        printing = asyncio.create_task(self.forward(child, read_end))
        try:
            code = await process.wait()
        finally:
            del self.running[child]
        # Not to the end of the pipe: a process the child left behind may hold it open for long.
        await asyncio.wait([printing], timeout=LEFTOVER_SECONDS)
        printing.cancel()
        return ending(code)

    async def spawn(self, child: Child, output: int) -> Process:
        # With asyncio's own pipe, `wait` would in some versions wait for the end of the pipe, too.
        return await asyncio.create_subprocess_exec(
            *child.command,
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches only us, and we stop them in order
            preexec_fn=functools.partial(die_with_parent, os.getpid()),
        )

    async def forward(self, child: Child, read_end: int) -> None:
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        try:
            while data := await reader.read(READ_BYTES):
                *lines, rest = (rest + decoder.decode(data)).split("\n")
                for line in lines:
                    self.print(child, line)
                rest = rest[:LINE_CHARS]
            if rest:
                self.print(child, rest)
        finally:
            pipe.close()

    def print(self, child: Child, line: str) -> None:
        text = line.rstrip("\r").translate(UNPRINTABLE)[:LINE_CHARS]
        self.say(f"{child.name:<{NAME_CHARS}}| {text}")

    def pids(self) -> set[int]:
        return {process.pid for process in self.running.values()}

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; those that others need come last; then whatever they left behind."""
        self.stopping.set()
        await self.end([child for child in self.running if not child.stops_last], KILL_SECONDS)
        await self.end(list(self.running), KILL_LAST_SECONDS)
        if self.keepers:
            await asyncio.wait(self.keepers, timeout=LEFTOVER_SECONDS)
        kill_descendants()

    async def end(self, children: list[Child], kill_seconds: float) -> None:
        for number, seconds in ((signal.SIGTERM, kill_seconds), (signal.SIGKILL, LEFTOVER_SECONDS)):
            for child in children:
                self.send(child, number)
            if await self.are_gone(children, seconds):
                return

    def send(self, child: Child, number: signal.Signals) -> None:
        process = self.running.get(child)
        if process is None:
            return
        if number == signal.SIGKILL:
            self.say(f"{child.name} did not stop in time and is killed.")
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    async def are_gone(self, children: list[Child], seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while left := [child for child in children if child in self.running]:
            if loop.time() > deadline:
                break
            await asyncio.sleep(0.02)
        return not left


def ending(code: int) -> str:
    if code == 0:
        return "ended"
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def die_with_parent(parent: int) -> None:
    """In the new child, before it becomes the program: let the kernel kill it when the supervisor dies."""
    if LIBC is None:
        return
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def adopt_orphans() -> None:
    """Processes whose parent dies become our children, so that `kill_descendants` finds them."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def reap_orphans(own: set[int]) -> None:
    """Take the exit status of adopted children; that of our own belongs to asyncio."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process().children():
            if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)


def kill_descendants() -> None:
    """SIGKILL whatever is left below this process; more than once, as it may have been starting another."""
    for _ in range(LEFTOVER_ROUNDS):
        left = psutil.Process().children(recursive=True)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=LEFTOVER_SECONDS)
