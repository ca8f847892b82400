"""What all of the REST API shares: one form for errors, cursor pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import HatcheryError


class CursorPages(CursorPagination):
    """`{"next", "previous", "results"}`, newest first; `page_size` up to 200."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """`{"code", "message", "fields"?}` for everything that is refused on purpose; None (a 500) for the rest."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, HatcheryError):
        answer, code = _body(error.code, error.message, error.fields), error.status
        headers: dict[str, str] = {}
    elif isinstance(error, exceptions.ValidationError):
        fields = _fields(error.detail)
        answer, code = _body("invalid", _first_sentence(fields), fields), status.HTTP_400_BAD_REQUEST
        headers = {}
    elif isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        answer, code = _body(codes if isinstance(codes, str) else "error", str(error.detail), {}), error.status_code
        headers = _headers(error)
    else:
        return None
    set_rollback()
    return Response(answer, status=code, headers=headers)


def _body(code: str, message: str, fields: dict[str, list[str]]) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "message": message}
    if fields:
        body["fields"] = fields
    return body


def _fields(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Flatten the REST framework's nested errors to `{"a.b": ["sentence"]}`."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            flat.update(_fields(inner, f"{prefix}.{name}" if prefix else str(name)))
        return flat
    if isinstance(detail, list):
        nested = [inner for inner in detail if isinstance(inner, (dict, list))]
        flat = {}
        for number, inner in enumerate(nested):
            flat.update(_fields(inner, f"{prefix}.{number}"))
        texts = [str(text) for text in detail if not isinstance(text, (dict, list))]
        return {**flat, **({prefix or "body": texts} if texts else {})}
    return {prefix or "body": [str(detail)]}


def _first_sentence(fields: dict[str, list[str]]) -> str:
    for name, texts in fields.items():
        if texts:
            return f"{name}: {texts[0]}"
    return _("The input is not valid.")


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return headers
