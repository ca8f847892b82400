"""A thousand readers of one live run, at one web process: how long after a second is written do they all have it?

A second is filed by a process of its own, as a runner would; its moment is taken before the database is written. They
are read by hand in another process (`bench/crowd.py`), and offer to unpack, as browsers do. Beside it, in the same
minutes and with messages as long, stands the least that Channels can do: a group message, and a consumer a socket that
hands it on (`bench/fanout.py`); it keeps no promise when a message is lost.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.core.supervise.stack import BASE_DIR
from apps.core.supervise.state import free_port
from bench.crowd import Client, Got, opened
from bench.figures import Figure, percentile
from bench.place import Place, say, script
from tests.e2e.stack import Stack, wait_for

SOCKETS = int(os.environ.get("SOCKETS", "1000"))
SECONDS = 30
OPENING_SECONDS = 60
"""As long as the run may take until all sockets are open; its seconds are not counted."""
END_SECONDS = 5.0
BUDGET_MS = 250.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """How long each message took to each socket, and what went wrong."""

    ms: Sequence[float]
    size: int
    gaps: int
    missed: int
    """Sockets that did not know all seconds in the end."""

    def figures(self, name: str, budget: float | None = None) -> list[Figure]:
        p50, p99 = (percentile(self.ms, share) for share in (0.5, 0.99))
        note = f"{len(self.ms):,} messages of {self.size:,} bytes · longest {max(self.ms):.0f} ms"
        return [
            Figure(f"sockets: {name}, p50", p50, "ms", note=note),
            Figure(f"sockets: {name}, p99", p99, "ms", budget=budget),
        ]


def measure(place: Place) -> list[Figure]:
    stack = place.stack
    say(f"sockets: {SOCKETS:,} readers of one run")
    ours = asyncio.run(_of_run(stack))
    say("sockets: the same through a bare channel layer")
    with_bare = asyncio.run(_bare(stack, ours.size))
    return [
        *ours.figures(f"written → received by {SOCKETS:,}", BUDGET_MS),
        Figure("sockets: readers that miss a second", ours.missed, budget=0, note=f"{ours.gaps} gaps on the way"),
        *with_bare.figures("bare group message → received"),
        Figure("sockets: ours ÷ bare, p99", percentile(ours.ms, 0.99) / percentile(with_bare.ms, 0.99)),
    ]


async def _of_run(stack: Stack) -> Delivery:
    scenario = stack.scenario(script("paced"), host="http://127.0.0.1:9", run_time="5m")
    writer = await _started(
        "-m", "bench.ticking", scenario, str(OPENING_SECONDS + SECONDS), env=stack.env | {"HATCHERY_URL": stack.url}
    )
    run_id = await _line(writer)
    url = f"{stack.url.replace('http', 'ws', 1)}/ws/runs/{run_id}/"
    headers = {"Authorization": f"Bearer {stack.facts['token']}"}
    reading = asyncio.create_task(_moments(writer))
    clients = await opened(url, SOCKETS, headers, compressed=True)
    return await _delivery(clients, writer, reading)


async def _bare(stack: Stack, size: int) -> Delivery:
    port = free_port()
    limits = ("--no-access-log", "--log-level", "warning", "--host", "127.0.0.1", "--port", str(port))
    web = await _started("-m", "uvicorn", "bench.fanout:application", *limits, "--lifespan", "off", env=stack.env)
    try:
        await asyncio.to_thread(wait_for, lambda: _listens(port), 30, "the bare server listens")
        clients = await opened(f"ws://127.0.0.1:{port}/", SOCKETS, {}, is_bare=True, compressed=True)
        writer = await _started("-m", "bench.fanout", str(size), str(SECONDS), env=stack.env)
        return await _delivery(clients, writer, asyncio.create_task(_moments(writer)))
    finally:
        web.terminate()
        await web.wait()


async def _delivery(clients: Sequence[Client], writer: Process, reading: asyncio.Task[dict[int, float]]) -> Delivery:
    open_at = time.monotonic()
    moments = await reading
    await writer.wait()
    await asyncio.sleep(END_SECONDS)
    got = [client.got for client in clients]
    for client in clients:
        client.transport.close()
    return delivery(got, {seq: at for seq, at in moments.items() if at > open_at})


def delivery(got: Sequence[Got], moments: Mapping[int, float]) -> Delivery:
    """Of the seconds whose moment of writing is given."""
    ms = [(at - moments[seq]) * 1000 for one in got for seq, at in one.ticks if seq in moments]
    missed = sum(one.known < max(moments) or one.closed for one in got)
    return Delivery(ms, max(one.size for one in got), sum(one.gaps for one in got), missed)


async def _moments(writer: Process) -> dict[int, float]:
    moments: dict[int, float] = {}
    while line := await _line(writer):
        seq, at = line.split()
        moments[int(seq)] = float(at)
    return moments


async def _line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def _started(*arguments: str, env: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=BASE_DIR, env=env, stdout=PIPE)


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
