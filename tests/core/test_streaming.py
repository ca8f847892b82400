"""Large answers under ASGI: whole, in pieces, and never all of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory

from apps.core.streaming import PIECE_BYTES, StreamingMiddleware

LINE = b"GET,/api/a,1,2,3\n"
LINES = 200_000


def answered(response: HttpResponseBase, request: HttpRequest | None = None) -> HttpResponseBase:
    return StreamingMiddleware(lambda _: response)(request or AsyncRequestFactory().get("/"))


def pieces_of(response: HttpResponseBase) -> list[bytes]:
    async def read() -> list[bytes]:
        assert isinstance(response, StreamingHttpResponse)
        return [part async for part in response]

    return asyncio.run(read())


def test_lines_arrive_in_pieces_and_in_order() -> None:
    numbers = [b"%d\n" % number for number in range(LINES)]
    pieces = pieces_of(answered(StreamingHttpResponse(iter(numbers))))
    assert b"".join(pieces) == b"".join(numbers)
    assert 1 < len(pieces) <= sum(map(len, numbers)) / PIECE_BYTES + 1


def test_no_more_is_read_than_is_sent() -> None:
    read = 0

    def lines() -> Iterator[bytes]:
        nonlocal read
        for _ in range(LINES):
            read += len(LINE)
            yield LINE

    async def first() -> int:
        response = answered(StreamingHttpResponse(lines()))
        assert isinstance(response, StreamingHttpResponse)
        async for _part in response:
            return read
        return 0

    assert 0 < asyncio.run(first()) <= PIECE_BYTES + len(LINE)


@pytest.mark.django_db
def test_a_file_is_sent_whole_and_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("files") / "table.csv"
    path.write_bytes(LINE * LINES)
    file = path.open("rb")
    response = answered(FileResponse(file))
    assert response["Content-Length"] == str(len(LINE) * LINES)
    assert b"".join(pieces_of(response)) == LINE * LINES
    response.close()
    assert file.closed


def test_what_is_no_stream_or_no_asgi_is_left_alone() -> None:
    plain = HttpResponse(b"x")
    assert answered(plain) is plain and plain.content == b"x"
    stream = StreamingHttpResponse(iter([b"x"]))
    assert not answered(stream, RequestFactory().get("/")).is_async  # type: ignore[attr-defined]


async def test_the_portal_streams_so() -> None:
    response: Any = await AsyncClient().get(static("js/run.js"))
    assert response.status_code == 200 and response.is_async
    content = b"".join([part async for part in response])
    assert content == (settings.BASE_DIR / "static/js/run.js").read_bytes()
