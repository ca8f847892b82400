"""Refusals raised anywhere in a page become a page that says what to do."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import HatcheryError


class ErrorPagesMiddleware:
    """Maps `HatcheryError` to its status. The API has its own mapping in `api.py`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Called by Django for what a view let through."""
        if not isinstance(error, HatcheryError):
            return None
        return render(request, "core/error.html", {"error": error}, status=error.status)
