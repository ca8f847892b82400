"""Reading the body of an API request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 50
"""Of values in values: a body of ours has four. What is nested a thousand times can be read, and not be repeated."""


class TooLarge(APIException):
    """The body is longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = _("The body is too large: the API takes at most 2 MiB, and a locustfile has at most 512 KiB.")


class JsonParser(BaseParser):
    """JSON as its standard has it: UTF-8, no NaN, not nested without end. Reads no more than is allowed."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise TooLarge
        try:
            body = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON.")) from error
        if _is_deep(body):
            raise ParseError(_("The body is nested too deeply: at most %(limit)d levels.") % {"limit": MAX_DEPTH})
        return body


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_deep(body: Any) -> bool:
    nested = [body]
    for _level in range(MAX_DEPTH):
        values = [value.values() if isinstance(value, dict) else value for value in nested if _has_values(value)]
        nested = [value for inner in values for value in inner]
    return any(map(_has_values, nested))


def _has_values(value: Any) -> bool:
    return isinstance(value, (dict, list))
