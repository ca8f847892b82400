"""Hold a supervisor's children until a signal comes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine

from apps.core.supervise.children import Supervisor, say


async def hold(supervisor: Supervisor, start: Coroutine[None, None, None]) -> None:
    """Start, hold until SIGTERM or Ctrl-C, stop all. Raises what `start` raised, once everything is stopped."""
    stop = stop_event()
    starting = asyncio.create_task(start)
    signalled = asyncio.create_task(stop.wait())
    await asyncio.wait([starting, signalled], return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and starting.exception() is None:
        await signalled
    interrupted = stop.is_set()
    say("Stopping.")
    await supervisor.stop()
    starting.cancel()
    signalled.cancel()
    [failure] = await asyncio.gather(starting, return_exceptions=True)
    if isinstance(failure, Exception) and not interrupted:
        raise failure


def stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup keeps its meaning
            loop.add_signal_handler(number, stop.set)
    return stop
