"""One form for everything that the API refuses."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from rest_framework import exceptions
from rest_framework.test import APIRequestFactory

from apps.core.api import exception_handler, server_error
from apps.core.serializers import Number, StrictSerializer, Text, WholeNumber

URL = "/api/v1/projects/"


def post(client: Client, body: str | bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", URL, body, content_type=content_type)


def test_it_asks_who_is_there(client: Client, db: None) -> None:
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hatchery"'


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nothing",
        '{"name": NaN}',
        '{"name": Infinity}',
        b"\xff\xfe",
        b'{"name": "\xff"}',
        "[" * 100_000,
        '{"name": ' + "9" * 5000 + "}",
    ],
)
def test_it_refuses_what_is_not_json(manny_client: Client, body: str | bytes) -> None:
    answer = post(manny_client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_it_refuses_what_is_nested_beyond_all_use(manny_client: Client) -> None:
    for depth in (49, 50, 500, *range(850, 1000)):
        body = '{"name": "new", "scope": ' + "[" * depth + "]" * depth + "}"
        answer = manny_client.generic("POST", "/api/v1/tokens/", body, content_type="application/json")
        wanted = "invalid" if depth < 50 else "parse_error"
        assert (answer.status_code, answer.json()["code"]) == (400, wanted), depth


def test_it_can_repeat_what_is_no_text(manny_client: Client) -> None:
    body = {"name": "new", "scope": "\ud800", "\udfff": 1}
    for sent in (body, {**body, "\udfff": None}, {"scope": "\ud800", "name": "new"}):
        answer = manny_client.post("/api/v1/tokens/", sent, "application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_it_repeats_no_more_than_can_be_read(manny_client: Client) -> None:
    answer = manny_client.post("/api/v1/tokens/", {"name": "new", "scope": "x" * 1_000_000}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert len(answer.content) < 5_000 and "x…" in answer.json()["fields"]["scope"][0]


@pytest.mark.parametrize("body", ["[]", "[1]", '"text"', "5", "true", "null"])
def test_it_refuses_what_is_no_object(manny_client: Client, body: str) -> None:
    answer = post(manny_client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == ["body"]
    assert "field" not in answer.json()["message"]


@pytest.mark.parametrize("charset", ["rot13", "base64", "utf-16", "no-such-charset"])
def test_it_reads_utf_8_whatever_is_said(manny_client: Client, charset: str) -> None:
    assert post(manny_client, '{"name": "New"}', f"application/json; charset={charset}").status_code == 201


def test_it_refuses_a_body_that_is_too_large(manny_client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = post(manny_client, '{"name": "' + "x" * 1000 + '"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_it_refuses_other_content_types(manny_client: Client, content_type: str) -> None:
    answer = post(manny_client, '{"name": "New"}', content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["", "v1/", "v1/nothing/", "v1/projects", "v2/projects/", "v1/%00/", "v1/a%0Ab/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_it_says_in_json_that_there_is_nothing(path: str, method: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, f"/api/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert ("end with a slash" in answer.json()["message"]) is bool(path and not path.endswith("/"))


def test_it_names_the_method_that_is_not_there(manny_client: Client) -> None:
    answer = manny_client.put(URL, {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_it_says_when_to_come_back() -> None:
    answer = exception_handler(exceptions.Throttled(wait=7), {})
    assert answer is not None
    assert (answer.status_code, answer.data["code"], answer.headers["Retry-After"]) == (429, "throttled", "7")


def test_it_answers_for_its_own_faults_in_json(rf: APIRequestFactory) -> None:
    request: HttpRequest = rf.get(URL)
    answer = server_error(request)
    assert answer.status_code == 500
    assert b'"server_error"' in answer.content
    assert b"<h1>" in server_error(rf.get("/runs/")).content or server_error(rf.get("/runs/")).status_code == 500


class Body(StrictSerializer):
    text = Text(required=False)
    whole = WholeNumber(required=False)
    number = Number(required=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5),
        ("text", True),
        ("text", "a\x00b"),
        ("text", "\ud800"),
        ("whole", "5"),
        ("whole", 5.0),
        ("whole", True),
        ("whole", 2**31),
        ("number", "5"),
        ("number", True),
        ("number", float("inf")),
        ("number", float("nan")),
        ("number", 10**400),
        ("other", 1),
    ],
)
def test_it_takes_only_the_right_type(field: str, value: object) -> None:
    body = Body(data={field: value})
    assert not body.is_valid()
    assert list(body.errors) == [field]


def test_it_takes_the_right_type() -> None:
    body = Body(data={"text": "x", "whole": 5, "number": 0.5})
    assert body.is_valid()
    assert body.validated_data == {"text": "x", "whole": 5, "number": 0.5}
