"""Files leave the event loop a piece at a time, however large they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

PIECE_BYTES = 128 * 1024


class StreamingMiddleware:
    """Has threads read what is streamed by an ordinary iterator.

    Left to itself, Django reads the whole of it into memory before it sends the first byte (and warns).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(request, ASGIRequest) and isinstance(response, StreamingHttpResponse):
            content = response.streaming_content
            if isinstance(content, Iterator):
                response.streaming_content = in_threads(content)
        return response


async def in_threads(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, in pieces of about `PIECE_BYTES`."""
    while piece := await sync_to_async(_piece, thread_sensitive=False)(parts):
        yield piece


def _piece(rest: Iterator[bytes]) -> bytes:
    found = bytearray()
    for part in rest:
        found += part
        if len(found) >= PIECE_BYTES:
            break
    return bytes(found)
