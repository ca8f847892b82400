"""The API's description of itself, and the page that shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.teams.models import ApiToken
from tests.factories import bearer


@pytest.fixture
def schema(client: Client, read_token: ApiToken) -> dict[str, Any]:
    answer = client.get("/api/v1/schema/", headers=bearer(read_token))
    assert answer.status_code == 200
    loaded: dict[str, Any] = yaml.safe_load(answer.content)
    return loaded


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        full = prefix + str(pattern.pattern)
        found |= addresses(pattern.url_patterns, full) if isinstance(pattern, URLResolver) else {full}
    return found


def test_it_is_valid_and_complete_to_the_tool(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)
    assert "openapi: 3" in capsys.readouterr().out


def test_it_describes_every_address(schema: dict[str, Any]) -> None:
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", url) for url in addresses(get_resolver().url_patterns)}
    served = {url.replace("{pk}", "{id}") for url in served if url.startswith("/api/v1/")} - {"/api/v1/schema/"}
    assert sorted(schema["paths"]) == sorted(served)


def test_it_says_how_to_log_in_and_what_a_refusal_looks_like(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"].keys() == {"token", "session"}
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert "default" in operation["responses"]


def test_the_list_says_what_each_operation_does(schema: dict[str, Any]) -> None:
    summaries = [operation["summary"] for found in schema["paths"].values() for operation in found.values()]
    assert all(0 < len(summary) <= 120 for summary in summaries), max(summaries, key=len)
    assert schema["paths"]["/api/v1/pools/{ref}/split/"]["post"]["summary"] == (
        "Split IDs evenly over the slots of hosts, or see what that would give"
    )


def test_it_says_what_an_address_names(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "ref" or (parameter["name"], path.count("{")) == ("id", 1):
                    assert parameter["description"], path


def test_it_says_who_may_ask(schema: dict[str, Any]) -> None:
    assert "no token may do" in schema["info"]["description"]


def test_it_says_where_a_key_is_taken(schema: dict[str, Any]) -> None:
    names = [parameter["name"] for parameter in schema["paths"]["/api/v1/projects/"]["post"]["parameters"]]
    assert names == ["Idempotency-Key"]


def test_it_shows_a_page_with_nothing_inline_and_nothing_foreign(vic_client: Client) -> None:
    page = vic_client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"].split("; ")
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=|(?:src|href)=\"(?:https?:)?//", text)
    script = vic_client.get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema/" in script.content.decode()
