"""Puts the acting person on every request."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse

from apps.teams.actors import Actor


class ActorMiddleware:
    """`request.actor`: what views hand to the doorway and to services. Anonymous visitors act as nobody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = cast(AbstractUser, request.user) if request.user.is_authenticated else None
        request.actor = Actor(user=user)  # type: ignore[attr-defined]
        return self.get_response(request)
