"""Who gets through the handshake of a socket. The route itself is a stand-in that says whom it sees."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from apps.teams.models import ApiToken
from apps.teams.sockets import ActorSocketMiddleware, current_actor, is_own_origin
from tests.factories import bearer, client_of
from tests.sockets import Socket

pytestmark = [pytest.mark.django_db(transaction=True)]
OWN = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}


class Echo(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        actor = await current_actor(self.scope)
        await self.send_json(actor.label if actor else None)


def cookie_of(client: Client) -> dict[str, str]:
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def open_socket(headers: dict[str, str]) -> Socket:
    return Socket(ActorSocketMiddleware(Echo.as_asgi()), "/ws/", headers)


async def outcome(headers: dict[str, str]) -> str | int:
    """The label of the actor, or the code with which the handshake was refused."""
    socket = open_socket(headers)
    if refused := await socket.connect():
        return refused
    await socket.send({})
    label: str = await socket.receive()
    await socket.close()
    return label


@pytest.mark.asyncio
async def test_it_knows_a_session_from_its_own_pages(alice: User, alice_client: Client) -> None:
    assert await outcome({**OWN, **cookie_of(alice_client)}) == "user:alice"


@pytest.mark.asyncio
async def test_it_knows_a_token_without_an_origin(read_token: ApiToken) -> None:
    assert await outcome(bearer(read_token)) == f"token:reader ({read_token.prefix}…)"


@pytest.mark.asyncio
async def test_it_refuses_a_session_from_another_site(alice_client: Client) -> None:
    for origin in ["http://evil.example", "http://localhost:8001", "null", "*", "http://localhost:8000.evil.example"]:
        assert await outcome({**OWN, "Origin": origin, **cookie_of(alice_client)}) == 4403
    assert await outcome({"Host": "localhost:8000", **cookie_of(alice_client)}) == 4403


@pytest.mark.asyncio
async def test_it_refuses_nobody_in_particular() -> None:
    assert await outcome(OWN) == 4401
    assert await outcome({"Authorization": "Bearer htc_unknown"}) == 4401


@pytest.mark.asyncio
async def test_it_does_not_fall_back_from_a_bad_token_to_the_cookie(alice_client: Client) -> None:
    assert await outcome({**OWN, **cookie_of(alice_client), "Authorization": "Bearer htc_unknown"}) == 4401


@pytest.mark.asyncio
@pytest.mark.parametrize("change", ["logout", "deactivate", "password"])
async def test_it_notices_that_a_person_may_no_longer(alice: User, change: str) -> None:
    client = await sync_to_async(client_of)(alice)
    socket = open_socket({**OWN, **cookie_of(client)})
    assert await socket.connect() == 0
    match change:
        case "logout":
            await sync_to_async(client.logout)()
        case "deactivate":
            await User.objects.filter(pk=alice.pk).aupdate(is_active=False)
        case "password":
            await User.objects.filter(pk=alice.pk).aupdate(password="another")
    await socket.send({})
    assert await socket.receive() is None
    await socket.close()


@pytest.mark.asyncio
async def test_it_notices_that_a_token_is_gone(read_token: ApiToken) -> None:
    socket = open_socket(bearer(read_token))
    assert await socket.connect() == 0
    await ApiToken.objects.filter(pk=read_token.pk).adelete()
    await socket.send({})
    assert await socket.receive() is None
    await socket.close()


def test_it_compares_origins_strictly(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["portal.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.example", "https://*.example"]
    assert is_own_origin(origin="http://portal.example", host="portal.example:80")
    assert is_own_origin(origin="https://portal.example", host="portal.example")
    assert is_own_origin(origin="https://front.example", host="portal.example")
    assert not is_own_origin(origin="https://other.example", host="portal.example")
    assert not is_own_origin(origin="https://*.example", host="portal.example")
    assert not is_own_origin(origin="http://evil.test", host="evil.test")
    assert not is_own_origin(origin="http://u@portal.example", host="portal.example")
    assert not is_own_origin(origin="", host="")
    settings.BEHIND_TLS = True
    assert not is_own_origin(origin="http://portal.example", host="portal.example")


def test_it_never_takes_a_star_for_an_origin(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.CSRF_TRUSTED_ORIGINS = ["*"]
    assert not is_own_origin(origin="http://evil.test", host="portal.example")
    assert not is_own_origin(origin="*", host="portal.example")
