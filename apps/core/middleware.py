"""What holds for every answer: refusals become pages, and private pages are kept by nobody."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import HatcheryError
from apps.core.pages import bad_request


class PrivateMiddleware:
    """Nothing that was answered to somebody is kept, unless the view says otherwise.

    Neither by the browser, whose back button would show it after they logged out, nor by a proxy on the way. Static
    files do not come here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return response


class ErrorPagesMiddleware:
    """Maps `HatcheryError` to its status. The API has its own mapping in `api.py`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Called by Django for what a view let through."""
        if isinstance(error, HatcheryError):
            return render(request, "core/error.html", {"error": error}, status=error.status)
        if isinstance(error, ValidationError) and request.path.startswith("/admin/"):
            return bad_request(request, error)  # Django's admin asks for rows by ids that are none
        return None
