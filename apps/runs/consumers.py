"""The socket of one run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from apps.core.errors import HatcheryError
from apps.runs import live
from apps.runs.live import Feed
from apps.runs.models import Run
from apps.runs.news import News
from apps.teams.access import get_for
from apps.teams.actors import Actor
from apps.teams.sockets import current_actor

log = logging.getLogger(__name__)

NOT_ALLOWED = 4403
NOT_THERE = 4404
REAUTHORISE_SECONDS = 30
MAX_PENDING = 200
"""Messages a slow browser may be behind; then they are dropped and it gets a snapshot."""
RESYNC_EVERY_SECONDS = 1.0
"""A client that asks more often is answered this often."""
RESYNC_SLOWEST_SECONDS = 5.0
"""One that goes on asking waits twice as long each time, up to this, until it has been quiet for longer. A page of ours
asks after five seconds of silence."""
MAX_QUESTION_CHARS = 1_000
"""The only question has 17. Reading a frame of 16 MB as JSON would hold up everybody's pages for seconds."""


class RunConsumer(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """`/ws/runs/<id>/`: a snapshot, then ticks and changes; `{"type": "resync"}` asks for a new snapshot.

    News comes from the process's one feed of the run. A sender of its own sends it, so that one slow browser holds up
    nobody: what it cannot take is dropped for a fresh snapshot.
    """

    channel_layer_alias = "none"
    """The feed listens for all sockets; one that subscribed itself could not even open while Redis is away."""

    async def connect(self) -> None:
        """Authorise, listen first, then read the snapshot: nothing can fall in between."""
        self.run_id: UUID = self.scope["url_route"]["kwargs"]["run_id"]
        self._pending: asyncio.Queue[tuple[int, str]] = asyncio.Queue(MAX_PENDING)
        self._resync = True
        self._wake = asyncio.Event()
        self._wake.set()
        self._seq = 0
        self._snapshot_at = float("-inf")
        self._patience = RESYNC_EVERY_SECONDS
        self._tasks: list[asyncio.Task[None]] = []
        await self.accept()
        if not await self._may_see(self.scope["actor"]):
            await self.close(NOT_THERE)
            return
        feed = live.feeds.join(self.run_id, self._hand_over)
        self._tasks = [asyncio.create_task(self._send_all(feed)), asyncio.create_task(self._watch_rights())]

    async def disconnect(self, code: int) -> None:
        """Forget the socket."""
        live.feeds.leave(self.run_id, self._hand_over)
        for task in self._tasks:
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Only one thing can be asked for; everything else is passed over."""
        if len(text_data or "") > MAX_QUESTION_CHARS:
            return
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            if json.loads(text_data or "null").get("type") == "resync":
                self._ask_for_snapshot()

    def _hand_over(self, news: News) -> None:
        """Called by the feed; must not wait."""
        if news.overrun:
            self._ask_for_snapshot()
        for message in news.messages:
            try:
                self._pending.put_nowait(message)
            except asyncio.QueueFull:
                self._ask_for_snapshot()
                return
        self._wake.set()

    def _ask_for_snapshot(self) -> None:
        self._forget_pending()
        self._resync = True
        self._wake.set()

    def _forget_pending(self) -> None:
        while not self._pending.empty():
            self._pending.get_nowait()

    async def _send_all(self, feed: Feed) -> None:
        await feed.ready.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._resync:
                await self._send_snapshot(feed)
            while not self._pending.empty() and not self._resync:
                seq, text = self._pending.get_nowait()
                if seq == 0 or seq > self._seq:
                    self._seq = max(self._seq, seq)
                    await self.send(text_data=text)

    async def _send_snapshot(self, feed: Feed) -> None:
        """Not more often than every RESYNC_EVERY_SECONDS, whoever asks how often."""
        await self._be_patient()
        self._resync = False
        self._forget_pending()  # what is older than the snapshot would turn the page back
        try:
            self._seq, text = await feed.snapshot()
        except Run.DoesNotExist:
            await self._end(NOT_THERE)
            return
        except Exception:
            log.warning("run %s: no snapshot; trying again", self.run_id, exc_info=True)
            self._ask_for_snapshot()
            return
        await self.send(text_data=text)

    async def _be_patient(self) -> None:
        loop = asyncio.get_running_loop()
        quiet = loop.time() - self._snapshot_at
        if quiet > RESYNC_SLOWEST_SECONDS:
            self._patience = RESYNC_EVERY_SECONDS
        else:
            await asyncio.sleep(self._patience - quiet)
            self._patience = min(2 * self._patience, RESYNC_SLOWEST_SECONDS)
        self._snapshot_at = loop.time()

    async def _watch_rights(self) -> None:
        """Somebody who was removed stops seeing within half a minute."""
        while True:
            await asyncio.sleep(REAUTHORISE_SECONDS)
            try:
                if await self._may_see(await current_actor(self.scope)):
                    continue
            except Exception:
                log.warning("run %s: a reader's rights could not be read; asking again", self.run_id, exc_info=True)
                continue
            await self._end(NOT_ALLOWED)
            return

    async def _end(self, code: int) -> None:
        """Say goodbye, and nothing more."""
        live.feeds.leave(self.run_id, self._hand_over)
        self._forget_pending()
        await self.close(code)

    async def _may_see(self, actor: Actor | None) -> bool:
        if actor is None:
            return False
        try:
            await database_sync_to_async(get_for)(actor, Run, pk=self.run_id)
        except HatcheryError:
            return False
        return True
