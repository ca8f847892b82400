"""Puts the acting person on every request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from apps.teams.actors import Actor


class ActorMiddleware:
    """`request.actor`: what views hand to the doorway and to services. Anonymous visitors act as nobody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Lazy: an address that asks nobody who they are (a health check) then works without a database.
        request.actor = SimpleLazyObject(lambda: _actor_of(request))  # type: ignore[attr-defined]
        return self.get_response(request)


def _actor_of(request: HttpRequest) -> Actor:
    return Actor(user=request.user if request.user.is_authenticated else None)
