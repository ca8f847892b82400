"""Who opens a WebSocket, and whether they still may.

A program sends `Authorization: Bearer <token>`. A browser sends its session cookie by itself, on any page that asks it
to, and no CSRF token protects a socket: so a cookie only counts when the page's `Origin` is our own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from channels.auth import AuthMiddlewareStack, get_user
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http.request import split_domain_port, validate_host

from apps.teams.actors import Actor
from apps.teams.authentication import reload_token, token_actor

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NOBODY = 4401
"""Close code: not logged in, or the token is not usable. (4403 and 4404 are the consumers' to send.)"""
FOREIGN_ORIGIN = 4403
"""Close code: a page of another site opened the socket."""

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class ActorSocketMiddleware:
    """Puts `scope["actor"]`; refuses the handshake when there is none. Ask `current_actor` again while it is open."""

    def __init__(self, inner: App) -> None:
        self.inner = inner
        self.with_session = AuthMiddlewareStack(self._enter_by_session)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = _header(scope, b"authorization")
        if authorization:
            actor = await database_sync_to_async(token_actor)(authorization)
            await self._enter(actor, scope, receive, send)
        elif is_own_origin(origin=_header(scope, b"origin"), host=_header(scope, b"host")):
            await self.with_session(scope, receive, send)
        else:
            await _refuse(FOREIGN_ORIGIN, receive, send)

    async def _enter_by_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._enter(_actor_of(scope["user"]), scope, receive, send)

    async def _enter(self, actor: Actor | None, scope: Scope, receive: Receive, send: Send) -> None:
        if actor is None:
            await _refuse(NOBODY, receive, send)
        else:
            await self.inner({**scope, "actor": actor}, receive, send)


async def current_actor(scope: Scope) -> Actor | None:
    """The actor of an open socket, read afresh; None when logged out, deactivated, expired or revoked since.

    It says who, not what they may: ask the doorway again with the answer.
    """
    actor: Actor = scope["actor"]
    if actor.token is not None:
        reloaded: Actor | None = await database_sync_to_async(reload_token)(actor.token)
        return reloaded
    store = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    return _actor_of(await get_user({"session": store}))


def is_own_origin(*, origin: str, host: str) -> bool:
    """Whether a page of ours sent this: same host and port as the request's, or one named in CSRF_TRUSTED_ORIGINS.

    Patterns in CSRF_TRUSTED_ORIGINS (`https://*.example.com`) do not count here.
    """
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    origin = origin.lower()
    if origin in settings.CSRF_TRUSTED_ORIGINS and "*" not in origin:
        return True
    scheme, separator, sent = origin.partition("://")
    if not separator or scheme not in (("https",) if settings.BEHIND_TLS else DEFAULT_PORTS):
        return False
    default = DEFAULT_PORTS[scheme]
    return sent.removesuffix(default) == host.lower().removesuffix(default)


def _actor_of(user: User | AnonymousUser) -> Actor | None:
    if not user.is_authenticated or not user.is_active:
        return None
    return Actor(user=user)


def _header(scope: Scope, name: bytes) -> str:
    """The header's value. Sent twice it becomes one value that matches nothing."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


async def _refuse(code: int, receive: Receive, send: Send) -> None:
    await receive()  # the handshake
    await send({"type": "websocket.close", "code": code})
