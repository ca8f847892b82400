"""Every socket × everybody, against the table."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from apps.teams.roles import VIEW
from portal.asgi import application
from tests.access.cast import Cast, Party
from tests.access.table import SOCKETS
from tests.access.test_routes import HOLE
from tests.factories import bearer
from tests.sockets import Socket

OWN = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}


def socket_routes() -> list[str]:
    router: Any = application.application_mapping["websocket"].inner
    return [str(route.pattern) for route in router.routes]


def headers_of(party: Party) -> dict[str, str]:
    if party.token is not None:
        return {**OWN, **bearer(party.token)}
    if party.user is None:
        return OWN
    session = party.client().cookies[settings.SESSION_COOKIE_NAME].value
    return {**OWN, "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}


def address(cast: Cast, pattern: str) -> str:
    holes = SOCKETS[pattern].holes
    return "/" + HOLE.sub(lambda hole: str(cast.look_up(holes[hole[1]])), pattern)


async def is_served(url: str, headers: dict[str, str]) -> bool:
    """Whether the socket says anything before it is closed."""
    socket = Socket(application, url, headers)
    if await socket.connect():
        return False
    first = await socket.receive()
    await socket.close()
    return "closed" not in first


def test_it_has_a_line_for_every_socket() -> None:
    assert set(socket_routes()) == SOCKETS.keys(), "See the head of tests/access/table.py."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pattern", SOCKETS)
async def test_it_serves_whom_the_table_lets_in(cast: Cast, pattern: str) -> None:
    need, wrong = SOCKETS[pattern].needs["GET"], []
    assert (need.permission, need.of) == (VIEW, "project"), "say here what other needs mean for a socket"
    for party in cast.parties:
        headers = await sync_to_async(headers_of)(party)
        served = await is_served(address(cast, pattern), headers)
        if served != (party.in_acme and not party.bound):
            wrong.append(f"{party.name}: {'served' if served else 'refused'}")
    assert not wrong, wrong
