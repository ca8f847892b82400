"""What all of the REST API shares: one form for errors, cursor pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView, set_rollback

from apps.core.errors import Denied, HatcheryError, Missing
from apps.core.parsers import TooLarge

WHOLE_BODY = "body"
"""What stands for a field when the body as a whole is wrong."""
MOST_CHARS = 2_000
"""Of a sentence: some repeat what was sent, and that may be megabytes."""


class CursorPages(CursorPagination):
    """`{"next", "previous", "results"}`, newest first; `page_size` up to 200."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """A page of rows. A cursor that somebody made up is not found, like one that is not even in the right form."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError, DataError) as error:
            raise exceptions.NotFound(self.invalid_cursor_message) from error


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """`{"code", "message", "fields"?}` for everything that is refused on purpose; None (a 500) for the rest."""
    match _as_ours(error):
        case HatcheryError() as refusal:
            answer = Response(_body(refusal.code, refusal.message, refusal.fields), status=refusal.status)
        case exceptions.ValidationError() as refusal:
            fields = _fields(refusal.detail)
            answer = Response(_body("invalid", _first_sentence(fields), fields), status=refusal.status_code)
        case exceptions.APIException() as refusal:
            codes = refusal.get_codes()
            body = _body(codes if isinstance(codes, str) else "error", str(refusal.detail), {})
            answer = Response(body, status=refusal.status_code, headers=_headers(refusal))
        case _:
            return None
    set_rollback()
    return answer


def _as_ours(error: Exception) -> Exception:
    match error:
        case Http404():
            return Missing()
        case PermissionDenied():
            return Denied()
        case RequestDataTooBig():
            return TooLarge()
        case _:
            return error


@csrf_exempt  # else Django refuses a POST before this is asked, with a page about cookies
def unknown_address(request: HttpRequest, path: str = "") -> JsonResponse:
    """What the API answers where it has nothing, whatever the method."""
    sentence = _("The API has nothing at this address; /api/docs/ lists what it has.")
    if not request.path.endswith("/"):
        sentence = _("The API has nothing at this address. All but those of files end with a slash.")
    return JsonResponse(_body("not_found", sentence, {}), status=status.HTTP_404_NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """What anybody gets when we are at fault: the API in its own form, pages as Django has it."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    sentence = _("Something went wrong on our side.")
    return JsonResponse(_body("server_error", sentence, {}), status=status.HTTP_500_INTERNAL_SERVER_ERROR)


def _body(code: str, message: str, fields: dict[str, list[str]]) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "message": _fit(message)}
    if fields:
        body["fields"] = {_fit(name): list(map(_fit, texts)) for name, texts in fields.items()}
    return body


def _fit(text: str) -> str:
    """A sentence may repeat what was sent, and JSON can send half of a surrogate pair."""
    text = text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"
    return text.encode("utf-8", "replace").decode("utf-8")


def _fields(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Flatten the REST framework's nested errors to `{"a.b": ["sentence"]}`."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            known = WHOLE_BODY if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            flat.update(_fields(inner, f"{prefix}.{known}" if prefix else known))
        return flat
    if isinstance(detail, list):
        nested = [inner for inner in detail if isinstance(inner, (dict, list))]
        flat = {}
        for number, inner in enumerate(nested):
            flat.update(_fields(inner, f"{prefix}.{number}"))
        texts = [str(text) for text in detail if not isinstance(text, (dict, list))]
        return {**flat, **({prefix or WHOLE_BODY: texts} if texts else {})}
    return {prefix or WHOLE_BODY: [str(detail)]}


def _first_sentence(fields: dict[str, list[str]]) -> str:
    for name, texts in fields.items():
        if texts:
            return texts[0] if name == WHOLE_BODY else f"{name}: {texts[0]}"
    return _("The input is not valid.")


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return headers
