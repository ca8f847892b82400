"""REST of data files."""

from __future__ import annotations

import json
import uuid
from collections.abc import MutableMapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from apps.core.body import MAX_BODY_BYTES
from apps.scenarios.data_serializers import DataFileOut, DataPreviewOut, DataVersionOut
from apps.scenarios.models import DataFile, DataFileVersion, Scenario
from apps.teams.models import ApiToken
from portal.asgi import application
from tests.factories import bearer

TABLE = b"id,name\n1,Ann\n2,Bob\n"
JSON = "application/json"


@pytest.fixture
def api(manage_token: ApiToken) -> Client:
    """A program that may do all that tokens can."""
    return Client(headers=bearer(manage_token))


@pytest.fixture
def url(scenario: Scenario) -> str:
    return f"/api/v1/scenarios/{scenario.pk}/data/"


def upload(api: Client, url: str, content: bytes = TABLE, name: str = "users.csv", **given: Any) -> Any:
    headers = given.pop("headers", None)
    return api.post(url, {"file": SimpleUploadedFile(name, content), **given}, headers=headers)


# --- uploads ------------------------------------------------------------------------------------------------------


def test_it_takes_a_file_and_says_what_it_found(api: Client, url: str, scenario: Scenario) -> None:
    response = upload(api, url, distribution="per_user", at_end="stop")
    assert response.status_code == 201
    made = response.json()
    assert response["Location"] == f"{url}users.csv/"
    assert (made["name"], made["kind"], made["rows"], made["columns"]) == ("users.csv", "csv", 2, ["id", "name"])
    assert (made["distribution"], made["at_end"], made["version"], made["size"]) == ("per_user", "stop", 1, 20)
    assert made["url"].endswith(f"/scenarios/{scenario.pk}/data/users.csv/")
    assert api.get(response["Location"]).json() == made
    assert api.get(f"/api/v1/scenarios/{scenario.slug}/data/users.csv/").json() == made


def test_the_name_may_be_another_than_the_files(api: Client, url: str) -> None:
    response = api.post(url, {"file": SimpleUploadedFile("my users (1).csv", TABLE), "name": "users.csv"})
    assert response.json()["name"] == "users.csv"
    refused = upload(api, url, name="my users (1).csv").json()
    assert refused["code"] == "bad_name" and "like “my_users_1_.csv”" in refused["fields"]["name"][0]


def test_the_same_name_again_is_a_new_version_and_the_same_content_none(api: Client, url: str) -> None:
    first = upload(api, url).json()
    second = upload(api, url, TABLE + b"3,Cy\n")
    assert (second.status_code, second.json()["version"], second.json()["id"]) == (201, 2, first["id"])
    again = upload(api, url, TABLE + b"3,Cy\n")
    assert (again.status_code, again.json()) == (200, second.json())


@pytest.mark.parametrize(
    ("content", "name", "given", "code", "field"),
    [
        (b"", "a.csv", {}, "empty", "file"),
        (b"id\n1,2\n", "a.csv", {}, "bad_row", "file"),
        (b"id\n\xff\n", "a.csv", {}, "not_utf8", "file"),
        ("id\r\n1\r\n".encode("utf-16"), "a.csv", {}, "not_utf8", "file"),
        (b"id\n\0\n", "a.csv", {}, "not_utf8", "file"),
        (b"id, id\n1,2\n", "a.csv", {}, "bad_header", "file"),
        (b"id\n", "a.csv", {}, "no_rows", "file"),
        (b"id\n" + b"x" * 1_000_001, "a.csv", {}, "row_too_long", "file"),
        (b"{}\n[]\n", "a.jsonl", {}, "bad_row", "file"),
        (TABLE, "locustfile.py", {}, "reserved_name", "name"),
        (TABLE, "a.csv", {"distribution": "half"}, "invalid", "distribution"),
        (TABLE, "a.csv", {"at_end": "x"}, "invalid", "at_end"),
        (TABLE, "a.csv", {"name2": "x"}, "invalid", "name2"),
        (b"\0", "a.bin", {"distribution": "split"}, "invalid", "distribution"),
    ],
)
def test_it_refuses_with_the_field_and_leaves_nothing(
    api: Client, url: str, content: bytes, name: str, given: dict[str, str], code: str, field: str
) -> None:
    response = upload(api, url, content, name, **given)
    assert response.status_code == 400
    assert (response.json()["code"], list(response.json()["fields"])) == (code, [field])
    assert not DataFile.objects.exists()


@pytest.mark.parametrize("name", ["../a.csv", "/etc/passwd", "a\\b.csv", "..", "a\0.csv"])
def test_a_name_that_leads_elsewhere_is_refused(api: Client, url: str, name: str) -> None:
    response = api.post(url, {"file": SimpleUploadedFile("a.csv", TABLE), "name": name})
    assert (response.status_code, list(response.json()["fields"])) == (400, ["name"])
    assert upload(api, url, name="../../a.csv").json()["name"] == "a.csv", "a browser's path is left out"


def test_it_asks_for_a_file_in_a_form(api: Client, url: str) -> None:
    assert list(api.post(url, {"name": "a.csv"}).json()["fields"]) == ["file"]
    assert list(api.post(url, {"file": "text"}).json()["fields"]) == ["file"]
    assert api.post(url, {"name": "a.csv"}, content_type=JSON).status_code == 415
    broken = api.generic("POST", url, b"no form", content_type="multipart/form-data")
    assert (broken.status_code, broken.json()["code"]) == (400, "parse_error")


def test_it_says_how_large_a_file_may_be(api: Client, url: str, settings: Any) -> None:
    settings.DATA_FILE_MB = 1
    response = upload(api, url, b"id\n" + b"1\n" * 600_000)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert response.json()["message"] == "The file has 1.2 MB; the limit is 1 MB a file."


def test_a_full_scenario_takes_no_more(api: Client, url: str, settings: Any) -> None:
    settings.DATA_FILES = 1
    upload(api, url)
    response = upload(api, url, name="b.csv")
    assert (response.status_code, response.json()["code"]) == (409, "too_many_files")


def test_it_says_how_much_of_the_room_is_used(api: Client, url: str, settings: Any) -> None:
    settings.DATA_SCENARIO_MB, settings.DATA_TEAM_MB = 2, 1
    upload(api, url)
    used = {"scenario_bytes": 20, "scenario_limit": 2_000_000, "team_bytes": 20, "team_limit": 1_000_000}
    assert api.get(url).json()["usage"] == used
    response = upload(api, url, b"x" * 999_990, "a.bin")
    assert (response.status_code, response.json()["code"]) == (409, "team_full")
    assert "would have 1.1 MB" in response.json()["fields"]["file"][0]


def test_a_repeated_upload_gets_the_answer_of_the_first(api: Client, url: str) -> None:
    key = {"Idempotency-Key": "k"}
    first, second = (upload(api, url, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json() and second.headers["Idempotency-Replayed"] == "true"
    assert second["Location"] == first["Location"]
    other = upload(api, url, TABLE + b"3,Cy\n", headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert upload(api, url, b"", headers={"Idempotency-Key": "new"}).status_code == 400
    assert upload(api, url, name="b.csv", headers={"Idempotency-Key": "new"}).status_code == 201


# --- what is there ------------------------------------------------------------------------------------------------


def test_the_list_is_in_the_order_of_names_and_comes_in_pages(api: Client, url: str) -> None:
    for name in ("b.csv", "c.bin", "a.csv"):
        upload(api, url, name=name)
    upload(api, url, TABLE + b"3,Cy\n", "a.csv")
    first = api.get(f"{url}?page_size=2").json()
    assert [(row["name"], row["version"]) for row in first["results"]] == [("a.csv", 2), ("b.csv", 1)]
    rest = api.get(first["next"]).json()
    assert ([row["name"] for row in rest["results"]], rest["next"]) == (["c.bin"], None)


def test_the_list_takes_the_same_questions_for_many_files(api: Client, url: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert api.get(url).status_code == 200
        return len(asked)

    upload(api, url)
    few = questions()
    for number in range(5):
        upload(api, url, name=f"{number}.csv")
    assert questions() == few


def test_distribution_and_end_can_be_changed(api: Client, url: str) -> None:
    upload(api, url)
    changed = api.patch(f"{url}users.csv/", {"at_end": "stop"}, content_type=JSON).json()
    assert (changed["distribution"], changed["at_end"]) == ("split", "stop")
    refused = api.patch(f"{url}users.csv/", {"distribution": "x", "name": "b"}, content_type=JSON)
    assert refused.status_code == 400 and "name" in refused.json()["fields"]
    upload(api, url, b"\0", "a.bin")
    refused = api.patch(f"{url}a.bin/", {"distribution": "split"}, content_type=JSON)
    assert "can only be shared" in refused.json()["fields"]["distribution"][0]


def test_what_is_deleted_is_gone(api: Client, url: str) -> None:
    upload(api, url)
    assert api.delete(f"{url}users.csv/").status_code == 204
    assert api.get(url).json()["results"] == []
    for path in ("", "versions/", "content", "preview/"):
        assert api.get(f"{url}users.csv/{path}").status_code == 404
    assert upload(api, url).json()["version"] == 1


def test_versions_are_listed_and_an_older_one_comes_back(api: Client, url: str) -> None:
    upload(api, url)
    upload(api, url, TABLE + b"3,Cy\n")
    versions = f"{url}users.csv/versions/"
    assert [(row["number"], row["rows"]) for row in api.get(versions).json()["results"]] == [(2, 3), (1, 2)]
    made = api.post(versions, {"version": 1}, content_type=JSON)
    assert (made.status_code, made.json()["number"], made.json()["rows"]) == (201, 3, 2)
    assert api.post(versions, {"version": 1}, content_type=JSON).status_code == 200
    assert api.post(versions, {"version": 9}, content_type=JSON).status_code == 404
    assert api.post(versions, {"version": "1"}, content_type=JSON).status_code == 400


def test_a_download_is_what_was_uploaded_and_never_shown(api: Client, url: str) -> None:
    hostile = b"=cmd|' /C calc'!A0\n<script>alert(1)</script>\n"
    upload(api, url, hostile)
    upload(api, url)
    response = api.get(f"{url}users.csv/content?version=1")
    assert response.getvalue() == hostile
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="users.csv"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert api.get(f"{url}users.csv/content").getvalue() == TABLE
    for number in ("0", "3", "-1", "x", "", "9" * 30, "１"):
        assert api.get(f"{url}users.csv/content?version={number}").status_code == 404


def test_a_preview_has_the_first_rows(api: Client, url: str) -> None:
    upload(api, url)
    assert api.get(f"{url}users.csv/preview/").json() == {
        "version": 1,
        "total_rows": 2,
        "columns": ["id", "name"],
        "rows": [["1", "Ann"], ["2", "Bob"]],
    }


@pytest.mark.parametrize(
    ("path", "serializer"),
    [
        ("users.csv/", DataFileOut),
        ("users.csv/versions/", DataVersionOut),
        ("users.csv/preview/", DataPreviewOut),
    ],
)
def test_answers_have_the_fields_that_the_schema_tells(
    api: Client, url: str, path: str, serializer: type[serializers.Serializer[Any]]
) -> None:
    upload(api, url)
    answer = api.get(f"{url}{path}").json()
    answer = answer["results"][0] if "results" in answer else answer
    assert answer.keys() == serializer().fields.keys()


def test_another_scenarios_file_is_not_found(api: Client, url: str, scenario: Scenario) -> None:
    upload(api, url)
    assert api.get(url.replace(str(scenario.pk), str(uuid.uuid4()))).status_code == 404
    assert api.get(f"{url}other.csv/").status_code == 404


# --- how much is read before anybody is asked -----------------------------------------------------------------------

PIECE = b"a" * 1024 * 1024


async def sent(
    path: str, token: ApiToken | None, *, length: int | None, cookie: str = ""
) -> tuple[int, dict[str, Any], int]:
    """Status and answer to a form without end, and how many pieces of it were taken."""
    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    if token is not None:
        headers.append((b"authorization", bearer(token)["Authorization"].encode()))
    if cookie:
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "query_string": b""}
    taken, answers = 0, list[MutableMapping[str, Any]]()

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    await application({**scope, "headers": headers}, receive, send)
    body = b"".join(answer.get("body", b"") for answer in answers)
    return answers[0]["status"], json.loads(body), taken


@pytest.mark.django_db(transaction=True)
async def test_five_gigabytes_are_refused_unread_with_the_limit(url: str, manage_token: ApiToken) -> None:
    status, answer, taken = await sent(url, manage_token, length=5_000_000_000)
    assert (status, taken, answer["code"]) == (413, 0, "too_large")
    assert answer["message"] == "This is too large: a data file may have 200 MB."


@pytest.mark.django_db(transaction=True)
async def test_a_length_that_was_a_lie_is_noticed_on_the_way(url: str, manage_token: ApiToken, settings: Any) -> None:
    settings.DATA_FILE_MB = 30
    for length in (None, 1000):
        status, answer, taken = await sent(url, manage_token, length=length)
        assert (status, answer["message"]) == (413, "This is too large: a data file may have 30 MB.")
        assert taken == 31_000_000 // len(PIECE) + 1


@pytest.mark.django_db(transaction=True)
async def test_who_may_not_upload_is_read_no_further_than_anywhere(
    url: str, read_token: ApiToken, blog_token: ApiToken, manage_token: ApiToken
) -> None:
    for token in (None, read_token, blog_token):
        status, answer, taken = await sent(url, token, length=None)
        assert (status, taken) == (413, MAX_BODY_BYTES // len(PIECE) + 1)
        assert "a form may carry" in answer["message"]
    for path in (f"{url}users.csv/", "/api/v1/scenarios/", f"/api/v1/scenarios/{uuid.uuid4()}/data/"):
        status, _answer, taken = await sent(path, manage_token, length=MAX_BODY_BYTES + 1)
        assert (status, taken) == (413, 0)
    assert not await sync_to_async(DataFileVersion.objects.exists)()


@pytest.mark.django_db(transaction=True)
async def test_a_session_is_asked_like_a_token(url: str, tess_client: Client, vic_client: Client) -> None:
    sentences = []
    for client in (tess_client, vic_client):
        cookie = client.cookies["sessionid"].value
        sentences.append((await sent(url, None, length=10**12, cookie=cookie))[1]["message"])
    sentences.append((await sent(url, None, length=10**12, cookie="made-up"))[1]["message"])
    assert ["a data file may have" in sentence for sentence in sentences] == [True, False, False]
