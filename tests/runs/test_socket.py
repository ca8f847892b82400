"""The socket of a run, through the whole ASGI application."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.test import Client

from apps.core.clock import utc
from apps.runs import consumers, live, snapshot, tiers
from apps.runs.models import LogChunk, Run, RunWorker, ScriptException
from apps.runs.news import MAX_TICKS_AT_ONCE, News
from apps.runs.recording import Recorder
from apps.runs.states import State
from apps.scenarios.models import Scenario
from apps.teams.models import ApiToken, Membership
from portal.asgi import application
from tests.factories import RunWorkerFactory, bearer
from tests.redis import Server
from tests.runs.makers import T0, held, sample, tick
from tests.sockets import Socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


@pytest.fixture
def recorder(scenario: Scenario) -> Recorder:
    return Recorder(held(scenario=scenario))


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "RESYNC_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(live, "LOOK_EVERY_SECONDS", 0.2)


def socket_of(recorder: Recorder, token: ApiToken) -> Socket:
    return Socket(application, f"/ws/runs/{recorder.run_id}/", bearer(token))


async def opened(recorder: Recorder, token: ApiToken) -> tuple[Socket, dict[str, Any]]:
    socket = socket_of(recorder, token)
    assert await socket.connect() == 0
    return socket, await socket.receive()


async def until(socket: Socket, kind: str) -> dict[str, Any]:
    """The next message of this type; others are passed over."""
    while True:
        message: dict[str, Any] = await socket.receive()
        if message.get("type") == kind or kind in message:
            return message


async def record(recorder: Recorder, *seqs: int) -> None:
    await sync_to_async(recorder.ticks)([tick(seq, sample("/a", seq)) for seq in seqs])


async def test_it_begins_with_a_snapshot_and_goes_on_without_a_gap(recorder: Recorder, read_token: ApiToken) -> None:
    await record(recorder, 1, 2, 3)
    socket, snapshot = await opened(recorder, read_token)
    assert (snapshot["type"], snapshot["seq"], snapshot["run"]["id"]) == ("snapshot", 3, str(recorder.run_id))
    assert [row["name"] for row in snapshot["endpoints"]] == ["/a"]
    assert snapshot["series"]["series"][0]["rps"] == [1.0, 2.0, 3.0]
    assert len(snapshot["series"]["t"]) == 3
    for seq in range(4, 8):
        await record(recorder, seq)
    ticks = [await until(socket, "tick") for _ in range(4)]
    assert [message["seq"] for message in ticks] == [4, 5, 6, 7]
    assert ticks[0]["rows"][0]["requests"] == 4 and ticks[0]["t"].endswith("Z")
    await socket.close()


async def test_it_tells_of_state_events_tables_and_log(recorder: Recorder, read_token: ApiToken) -> None:
    socket, _ = await opened(recorder, read_token)
    await sync_to_async(recorder.log)(["one", "two"])
    assert (await until(socket, "log"))["lines"] == ["one", "two"]
    await sync_to_async(recorder.step)("Locust started")
    assert (await until(socket, "event"))["event"]["text"] == "Locust started"
    await sync_to_async(recorder.lease.move)(State.STOPPING)
    assert (await until(socket, "state"))["run"]["state"] == "stopping"
    await socket.close()


async def test_it_tells_of_the_workers_as_rest_does(
    recorder: Recorder, read_token: ApiToken, tess_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_SECONDS", 0.05)
    worker = await sync_to_async(RunWorkerFactory.create)(run_id=recorder.run_id, identity=b"x" * 1_000)
    socket, snapshot = await opened(recorder, read_token)
    assert [(row["index"], row["state"]) for row in snapshot["workers"]] == [(0, "wanted")]

    async def change(**fields: Any) -> None:
        await sync_to_async(RunWorker.objects.filter(pk=worker.pk).update)(**fields)

    await change(state="ready", current_users=3, last_seq=1, last_t=T0, totals={"requests": 7, "failures": 1})
    told = (await until(socket, "workers"))["workers"]
    assert (told[0]["requests"], told[0]["counted_to"]) == (7, utc(T0))
    answer = await sync_to_async(tess_client.get)(f"/api/v1/runs/{recorder.run_id}/workers/")
    assert told == answer.json()["results"]
    began = time.monotonic()
    await change(current_users=4)
    assert (await until(socket, "workers"))["workers"][0]["users"] == 4
    assert time.monotonic() - began > 0.5  # at most once a second
    await socket.close()


@pytest.mark.usefixtures("hurry")
async def test_it_answers_a_resync_and_passes_over_garbage(recorder: Recorder, read_token: ApiToken) -> None:
    socket, _ = await opened(recorder, read_token)
    await record(recorder, 1)
    for text in ["", "{", "[]", "7", '"resync"', '{"type":"subscribe","run":"x"}', "[" * 10_000, "\0"]:
        await socket.application.send_input({"type": "websocket.receive", "text": text})
    await socket.application.send_input({"type": "websocket.receive", "bytes": b"\xff\x00"})
    await socket.send({"type": "resync"})
    assert (await until(socket, "snapshot"))["seq"] == 1
    await socket.close()


async def test_it_answers_a_greedy_client_once_a_second(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots: list[object] = []
    read = snapshot.of_run
    monkeypatch.setattr(snapshot, "of_run", lambda run_id: snapshots.append(run_id) or read(run_id))  # type: ignore[func-returns-value]
    socket, _ = await opened(recorder, read_token)
    for _ in range(20):
        await socket.send({"type": "resync"})
    await until(socket, "snapshot")
    assert len(snapshots) == 2
    await socket.close()


@pytest.mark.usefixtures("hurry")
async def test_a_client_that_goes_on_asking_waits_longer_each_time(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RESYNC_EVERY_SECONDS", 0.1)
    snapshots: list[object] = []
    read = snapshot.of_run
    monkeypatch.setattr(snapshot, "of_run", lambda run_id: snapshots.append(run_id) or read(run_id))  # type: ignore[func-returns-value]
    socket, _ = await opened(recorder, read_token)
    for _ in range(75):
        await socket.send({"type": "resync"})
        await asyncio.sleep(0.02)
    assert 2 < len(snapshots) <= 6  # at 0, 0.1, 0.3, 0.7 and 1.5 seconds
    await socket.close()


async def test_readers_who_come_together_share_a_snapshot(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots: list[object] = []
    read = snapshot.of_run
    monkeypatch.setattr(snapshot, "of_run", lambda run_id: snapshots.append(run_id) or read(run_id))  # type: ignore[func-returns-value]
    feed = live.Feed(recorder.run_id)
    first = asyncio.create_task(feed.snapshot())
    await asyncio.sleep(0.02)
    others = await asyncio.gather(*(feed.snapshot() for _ in range(50)))
    # What began before they asked may lack what they have heard since.
    assert len(snapshots) <= 3 and len(set(others)) == 1
    await first


async def test_a_giant_frame_is_not_even_read(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket, _ = await opened(recorder, read_token)
    monkeypatch.setattr(json, "loads", pytest.fail)
    await socket.application.send_input({"type": "websocket.receive", "text": "[" + "[]," * 1_000_000 + "[]]"})
    await asyncio.sleep(0.1)
    monkeypatch.undo()
    await socket.send({"type": "resync"})
    await until(socket, "snapshot")
    await socket.close()


async def test_two_sockets_share_one_feed(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await opened(recorder, read_token)
    second, _ = await opened(recorder, read_token)
    (feed,) = live.feeds._feeds.values()
    assert len(feed.sockets) == 2
    reads: list[int] = []
    read = tiers.read_after
    monkeypatch.setattr(tiers, "read_after", lambda run_id, seq: reads.append(seq) or read(run_id, seq))  # type: ignore[func-returns-value]
    await record(recorder, 1)
    assert (await until(first, "tick"))["seq"] == (await until(second, "tick"))["seq"] == 1
    assert reads == [0]
    await first.close()
    assert len(feed.sockets) == 1
    await second.close()
    assert not live.feeds._feeds


@pytest.mark.usefixtures("hurry")
async def test_a_slow_reader_gets_a_snapshot_instead(recorder: Recorder, read_token: ApiToken) -> None:
    socket, _ = await opened(recorder, read_token)
    (hand_over,) = next(iter(live.feeds._feeds.values())).sockets
    many = News([(0, json.dumps({"type": "old", "number": number})) for number in range(consumers.MAX_PENDING + 5)])
    hand_over(many)
    assert (await socket.receive())["type"] == "snapshot"
    await socket.close()


@pytest.mark.usefixtures("hurry")
async def test_who_is_far_behind_gets_a_snapshot(recorder: Recorder, read_token: ApiToken) -> None:
    socket, _ = await opened(recorder, read_token)
    await record(recorder, *range(1, MAX_TICKS_AT_ONCE + 10))
    assert (await until(socket, "snapshot"))["seq"] == MAX_TICKS_AT_ONCE + 9
    await socket.close()


@pytest.mark.parametrize("whose", ["stranger's", "other project's", "gone"])
async def test_a_stranger_finds_nothing(
    recorder: Recorder, blog_token: ApiToken, globex: Any, read_token: ApiToken, whose: str
) -> None:
    match whose:
        case "stranger's":
            await ApiToken.objects.filter(pk=read_token.pk).aupdate(team=globex)
            token = read_token
        case "other project's":
            token = blog_token
        case _:
            await Run.objects.all().adelete()
            token = read_token
    socket, answer = await opened(recorder, token)
    assert answer == {"closed": 4404}
    await socket.close()
    assert not live.feeds._feeds


async def remove_member(token: ApiToken) -> None:
    await ApiToken.objects.filter(pk=token.pk).adelete()
    await Membership.objects.all().adelete()


async def test_somebody_who_was_removed_stops_seeing(
    recorder: Recorder, read_token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REAUTHORISE_SECONDS", 0.05)
    socket, _ = await opened(recorder, read_token)
    await remove_member(read_token)
    assert (await until(socket, "closed"))["closed"] == 4403
    assert not live.feeds._feeds
    await socket.close()


@pytest.mark.usefixtures("hurry")
async def test_a_run_that_is_deleted_closes_its_sockets(recorder: Recorder, read_token: ApiToken) -> None:
    socket, _ = await opened(recorder, read_token)
    await Run.objects.all().adelete()
    assert (await until(socket, "closed"))["closed"] == 4404
    await socket.close()


@pytest.fixture
def layer(settings: Any) -> Any:
    """Sets the channel layer to Redis at an address."""

    def use(url: str) -> None:
        layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [{"address": url}]}}
        settings.CHANNEL_LAYERS = {"default": layer}
        channel_layers.backends.clear()

    yield use
    channel_layers.backends.clear()


async def test_redis_brings_news_at_once(
    recorder: Recorder,
    read_token: ApiToken,
    layer: Callable[[str], None],
    redis_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_SECONDS", 60.0)
    layer(redis_server.url)
    socket, _ = await opened(recorder, read_token)
    await eventually(lambda: listening(redis_server))
    await record(recorder, 1)
    assert (await until(socket, "tick"))["seq"] == 1
    await socket.close()


async def test_news_come_without_redis_too(
    recorder: Recorder, read_token: ApiToken, layer: Callable[[str], None], tmp_path: Any
) -> None:
    layer(f"unix://{tmp_path}/nothing.sock")
    socket, _ = await opened(recorder, read_token)
    await record(recorder, 1)
    assert (await until(socket, "tick"))["seq"] == 1
    await socket.close()


async def test_a_snapshot_stays_within_bounds(recorder: Recorder, read_token: ApiToken) -> None:
    def fill() -> None:
        recorder.ticks([tick(1, *(sample(f"/{number}" + "n" * 400) for number in range(1_000)))])
        big = ScriptException(run_id=recorder.run_id, count=1, message="m" * 4_000, traceback="t" * 16_000)
        fields = {"run_id": big.run_id, "count": 1, "message": big.message, "traceback": big.traceback}
        ScriptException.objects.bulk_create(ScriptException(**fields) for _ in range(500))
        LogChunk.objects.bulk_create(LogChunk(run_id=big.run_id, seq=seq, text="l" * 16_000) for seq in range(1, 401))

    await sync_to_async(fill)()
    socket, snapshot = await opened(recorder, read_token)
    assert len(json.dumps(snapshot)) < 3_000_000
    assert len(snapshot["endpoints"]) == 1_000
    await socket.close()


async def listening(server: Server) -> bool:
    import redis.asyncio  # only here

    async with redis.asyncio.Redis.from_url(server.url) as client:
        return bool(await client.pubsub_channels())


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():  # noqa: ASYNC110 # Redis tells nobody
            await asyncio.sleep(0.02)
