"""What an open page is told: a snapshot at first, then what is new.

One `Feed` a run and web process reads the news once and hands the same text to every socket; a doorbell through the
channel layer makes it look at once, a timer makes it look when the doorbell is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from apps.runs import news, snapshot, wire
from apps.runs.models import Run
from apps.runs.news import News, Seen
from apps.runs.notify import group_name

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
"""Without a doorbell; with one it looks at once."""
LOOK_WHEN_OVER_SECONDS = 10.0
"""Of a run that is over nothing is new but a note now and then."""
LAYER_RETRY_SECONDS = 2.0


class Feed:
    """The readers of one run in this process."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.sockets: set[Callable[[News], None]] = set()
        self.ready = asyncio.Event()
        """Set once it knows where it stands: a snapshot read from then on leaves nothing out."""
        self._bell = asyncio.Event()
        self._reading = asyncio.Lock()
        self._next_snapshot: asyncio.Task[tuple[int, str]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; must be called with a running event loop."""
        self._task = asyncio.create_task(self._look())
        self._listener = asyncio.create_task(self._listen())

    def stop(self) -> None:
        """Nobody reads any more."""
        for task in (self._task, self._listener):
            if task is not None:
                task.cancel()

    async def snapshot(self) -> tuple[int, str]:
        """Sequence number and text of a snapshot that is read from now on. Raises Run.DoesNotExist.

        One is read at a time, and given to all who asked before it began: a thousand readers who come, or come back,
        in the same moment cost as much as two.
        """
        if self._next_snapshot is None:
            self._next_snapshot = asyncio.create_task(self._read_snapshot())
        return await asyncio.shield(self._next_snapshot)

    async def _read_snapshot(self) -> tuple[int, str]:
        async with self._reading:
            self._next_snapshot = None  # whoever asks after this needs a later one
            read: tuple[int, str] = await database_sync_to_async(_snapshot_text, thread_sensitive=False)(self.run_id)
            return read

    async def _look(self) -> None:
        seen: Seen | None = None
        while True:
            self._bell.clear()  # before reading: news that come while it reads ring again
            try:
                if seen is None:
                    seen = await database_sync_to_async(news.position, thread_sensitive=False)(self.run_id)
                    self.ready.set()
                run, found = await database_sync_to_async(news.ticks, thread_sensitive=False)(self.run_id, seen)
                self._hand_over(found)
                await asyncio.sleep(0)  # all sockets send their seconds now, and no thread disturbs them
                self._hand_over(await database_sync_to_async(news.rest, thread_sensitive=False)(run, seen))
            except Run.DoesNotExist:
                self.ready.set()
                self._hand_over(News(overrun=True))  # looking at the whole, they find that it is gone
                return
            except Exception:
                log.warning("run %s: its news could not be read; trying again", self.run_id, exc_info=True)
            with contextlib.suppress(TimeoutError):
                patience = LOOK_EVERY_SECONDS if seen is None or not seen.is_over else LOOK_WHEN_OVER_SECONDS
                await asyncio.wait_for(self._bell.wait(), patience)

    def _hand_over(self, found: News) -> None:
        if found.messages or found.overrun:
            for hand_over in list(self.sockets):
                hand_over(found)

    async def _listen(self) -> None:
        """Wait for the doorbell; when Redis is away, the timer alone has to do."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(group_name(self.run_id), channel)
                while True:
                    await layer.receive(channel)
                    self._bell.set()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.debug("run %s: no doorbell: %s", self.run_id, error)
                await asyncio.sleep(LAYER_RETRY_SECONDS)


class Feeds:
    """The feeds of this process, started with their first reader and stopped with their last."""

    def __init__(self) -> None:
        self._feeds: dict[UUID, Feed] = {}

    def join(self, run_id: UUID, hand_over: Callable[[News], None]) -> Feed:
        """Hand every news of the run to `hand_over` from now on; take the first snapshot when the feed is `ready`."""
        feed = self._feeds.get(run_id)
        if feed is None:
            feed = self._feeds[run_id] = Feed(run_id)
            feed.start()
        feed.sockets.add(hand_over)
        return feed

    def leave(self, run_id: UUID, hand_over: Callable[[News], None]) -> None:
        """No more."""
        feed = self._feeds.get(run_id)
        if feed is None:
            return
        feed.sockets.discard(hand_over)
        if not feed.sockets:
            feed.stop()
            del self._feeds[run_id]


feeds = Feeds()


def _snapshot_text(run_id: UUID) -> tuple[int, str]:
    message = snapshot.of_run(run_id)
    return message["seq"], wire.text(message)
