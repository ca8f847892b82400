"""Who calls the REST API or opens a socket."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from datetime import timedelta
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from apps.teams.actors import Actor
from apps.teams.models import ApiToken

LAST_USED_EVERY_SECONDS = 60
"""`last_used_at` is for people; writing it on every request would make every read a write."""


def digest(secret: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_actor(authorization: str) -> Actor | None:
    """The actor of an `Authorization: Bearer <token>` header; None for any other header or token."""
    scheme, _space, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return None
    token = ApiToken.objects.select_related("team").filter(digest=digest(secret.strip())).first()
    if token is None or not token.is_usable:
        return None
    _touch(token)
    return Actor(token=token)


def early_actor(scope: MutableMapping[str, Any]) -> Actor | None:
    """The actor of an HTTP request that no middleware has seen yet, by its ASGI scope: by token, or by session.

    Says who sends it, for deciding how much of it to read. That they meant to send it (CSRF) is asked later.
    """
    request = ASGIRequest(scope, BytesIO())
    if header := request.META.get("HTTP_AUTHORIZATION", ""):
        return token_actor(header)
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return Actor(user=user) if isinstance(user, User) and user.is_active else None


def reload_token(token: ApiToken) -> Actor | None:
    """The actor of a token seen before, read afresh; None when it is no longer usable."""
    fresh = ApiToken.objects.select_related("team").filter(pk=token.pk).first()
    return Actor(token=fresh) if fresh is not None and fresh.is_usable else None


def actor_of(request: Request) -> Actor:
    """The actor of an authenticated API request."""
    if isinstance(request.auth, ApiToken):
        return Actor(token=request.auth)
    return Actor(user=request.user if request.user.is_authenticated else None)


class TokenUser:
    """Stands where the REST framework wants a user: authenticated, but nobody in particular."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    pk = None

    def __init__(self, token: ApiToken) -> None:
        self.token = token

    def __str__(self) -> str:
        return str(self.token)


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate(self, request: Request) -> tuple[TokenUser, ApiToken] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.lower().startswith("bearer"):
            return None
        actor = token_actor(header)
        if actor is None or actor.token is None:
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."), code="bad_token")
        return TokenUser(actor.token), actor.token

    def authenticate_header(self, request: Request) -> str:
        """Makes a missing token a 401 and not a 403."""
        return 'Bearer realm="hatchery"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF protection."""


def _touch(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - timedelta(seconds=LAST_USED_EVERY_SECONDS):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
