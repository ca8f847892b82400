"""How people get accounts."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up alone: the portal admin makes accounts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
