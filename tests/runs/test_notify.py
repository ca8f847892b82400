"""Pages are told of news over Redis, and whoever tells them never waits for it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from channels.layers import channel_layers

from apps.runs import notify
from tests.redis import Server

RUN = uuid4()


class Page:
    """What arrives for one run, as the process of the pages gets it."""

    def __init__(self, server: Server) -> None:
        self.client = redis.Redis.from_url(server.url)
        self.subscription = self.client.pubsub(ignore_subscribe_messages=True)
        self.subscription.psubscribe(f"*{notify.group_name(RUN)}")
        self.subscription.get_message(timeout=1.0)

    def rings(self, most: float = 2.0) -> bool:
        deadline = time.monotonic() + most
        while time.monotonic() < deadline:
            if self.subscription.get_message(timeout=0.1):
                return True
        return False


@pytest.fixture
def server(redis_server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if redis_server.process is None:
        redis_server.start()
    config = {"hosts": [{"address": redis_server.url}]}
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}
    }
    channel_layers.backends.clear()
    monkeypatch.setattr(notify, "_silent_until", 0.0)
    monkeypatch.setattr(notify, "RETRY_SECONDS", 0.0)
    yield redis_server
    channel_layers.backends.clear()
    if redis_server.process is None:
        redis_server.start()
    else:
        redis_server.process.send_signal(signal.SIGCONT)


def connections(server: Server) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("stats")["total_connections_received"])


def ring() -> None:
    notify._send(RUN)


def test_a_held_line_rings_over_one_connection(server: Server) -> None:
    page = Page(server)
    with notify.held_line():
        ring()
        assert page.rings()
        before = connections(server)
        for _ in range(5):
            ring()
            assert page.rings()
        assert connections(server) == before + 1  # of the one who asks
    ring()
    assert page.rings()


def test_a_held_line_is_there_again_with_redis(server: Server) -> None:
    with notify.held_line():
        ring()
        server.stop()
        began = time.monotonic()
        ring()
        assert time.monotonic() - began < 2 * notify.SEND_SECONDS
        server.start()
        page = Page(server)
        ring()
        assert page.rings()


def test_a_held_line_notices_that_it_was_cut(server: Server) -> None:
    with notify.held_line():
        ring()
        server.stop()
        server.start()
        page = Page(server)
        ring()
        assert page.rings()


def test_lines_may_be_held_one_in_the_other(server: Server) -> None:
    page = Page(server)
    with notify.held_line():
        with notify.held_line():
            ring()
            assert page.rings()
        ring()
        assert page.rings()


def test_a_redis_that_hangs_keeps_nobody(server: Server) -> None:
    assert server.process is not None
    began = time.monotonic()
    with notify.held_line():
        ring()
        server.process.send_signal(signal.SIGSTOP)
        try:
            ring()
            ring()
        finally:
            server.process.send_signal(signal.SIGCONT)
        page = Page(server)
        ring()
        assert page.rings()
        server.process.send_signal(signal.SIGSTOP)
    server.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - began < 10 * notify.SEND_SECONDS


def test_what_goes_on_in_it_is_not_hidden(server: Server) -> None:
    def fail() -> None:
        with notify.held_line():
            ring()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
