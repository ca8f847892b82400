"""Every address × everybody × every method, against the table."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.teams.roles import VIEW
from tests import factories
from tests.access.cast import Cast, Party
from tests.access.needs import ADMIN, CLOSED, LOGGED_IN, PUBLIC, Need, Route
from tests.access.table import ROUTES
from tests.factories import client_of

API = ("api/v1/", "api/^")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HOLE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^()]*\)")
ANCHORS = str.maketrans("", "", "^$")
REFUSALS = (401, 403, 404, 405)
SERVED, LOGIN = "served", "login"


def walk(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """The full patterns of all addresses."""
    for pattern in patterns:
        full = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, full)
        else:
            yield full


def all_routes() -> list[str]:
    return list(walk(get_resolver().url_patterns))


def address(cast: Cast, pattern: str) -> str:
    """The pattern with its holes filled."""
    return "/" + fill(cast, ROUTES[pattern], pattern).translate(ANCHORS)


def fill(cast: Cast, route: Route, text: str) -> str:
    """A piece of a route's pattern with its holes filled."""
    return HOLE.sub(lambda hole: str(cast.look_up(route.holes[hole[1] or hole[2]])), text)


def expected(party: Party, need: Need, *, is_api: bool) -> set[int | str]:
    """Statuses, `login` for "log in first", or `served` for everything that is no refusal."""
    if need.permission == CLOSED:
        return {404}
    if need.permission == PUBLIC:
        return {SERVED}
    if party.is_anonymous or (party.token is not None and not is_api):
        return {401 if is_api else LOGIN}
    if need.permission == LOGGED_IN:
        return {SERVED}
    if need.permission == ADMIN or need.of == "pool":
        return _expected_of_pools(party, need)
    return _expected_in_acme(party, need) if party.in_acme else _expected_outside(party, need)


def _expected_of_pools(party: Party, need: Need) -> set[int | str]:
    if party.is_admin:
        return {SERVED}
    if need.of == "pool" and not party.in_acme:
        return {404}
    return {403 if need.permission == ADMIN else SERVED}


def _expected_in_acme(party: Party, need: Need) -> set[int | str]:
    held = need.permission in party.permissions
    if party.bound and need.of == "project":
        # What names it in the body may first ask whether they may do such a thing at all.
        return {404} if held or not need.body else {403, 404}
    if party.bound and need.permission != VIEW:
        return {403}
    return {SERVED if held else 403}


def _expected_outside(party: Party, need: Need) -> set[int | str]:
    if need.of == "own":
        return {SERVED} if party.in_a_team or need.permission == VIEW else {403}
    return {404} if party.in_a_team or not need.body else {403, 404}


def outcome(response: HttpResponse) -> int | str:
    """What the response amounts to, in the words of `expected`."""
    status = response.status_code
    if status == 302 and response.headers["Location"].startswith("/accounts/login/?next="):
        return LOGIN
    return status if status in REFUSALS or status == 500 else SERVED


def send(client: Client, method: str, url: str, cast: Cast, need: Need) -> tuple[Any, str]:
    """The response and its text. What the request did is undone."""
    body = {name: cast.look_up(value[1:]) if str(value).startswith("@") else value for name, value in need.body.items()}
    full = f"{url}?{need.query}" if need.query else url
    with transaction.atomic():
        if method == "GET":
            response: Any = client.get(full)
        elif url.startswith("/api/"):
            response = client.generic(method, full, json.dumps(body, default=str), content_type="application/json")
        elif method == "POST":
            response = client.post(full, body)
        else:
            response = client.generic(method, full)
        transaction.set_rollback(True)
    text = response.getvalue().decode(errors="replace")
    return response, text


def test_it_has_a_line_for_every_address() -> None:
    routes = {pattern for pattern in all_routes() if not pattern.startswith("admin/")}
    missing, stale = sorted(routes - ROUTES.keys()), sorted(ROUTES.keys() - routes)
    assert not missing, f"Not in tests/access/table.py, whose head says how to add them: {missing}"
    assert not stale, f"In tests/access/table.py, but there is no such address any more: {stale}"


def test_the_admin_is_for_the_portals_admin_alone(cast: Cast, client: Client) -> None:
    staff = factories.UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    clients = {"anonymous": client, "owner": cast.party("owner").client(), "staff": client_of(staff)}
    for pattern in all_routes():
        url = "/" + HOLE.sub(str(cast.lab.pk), pattern).translate(ANCHORS)
        for name, browser in clients.items() if pattern.startswith("admin/") else ():
            for method in ("GET", "POST"):
                answer = browser.generic(method, url)
                is_sent_away = answer.status_code == 302 and answer["Location"].startswith(
                    ("/admin/", "/accounts/login/")
                )
                assert is_sent_away or answer.status_code in REFUSALS, f"{name}: {method} {url}: {answer.status_code}"


@pytest.mark.parametrize("pattern", ROUTES)
def test_it_lets_in_whom_the_table_lets_in(cast: Cast, pattern: str) -> None:
    url, wrong = address(cast, pattern), []
    for party in cast.parties:
        client = party.client()
        for method, need in ROUTES[pattern].needs.items():
            response, text = send(client, method, url, cast, need)
            wanted, got = expected(party, need, is_api=pattern.startswith(API)), outcome(response)
            if got not in wanted:
                wrong.append(f"{party.name}: {method} {url}: {got} instead of {wanted}")
            gives_pools_away = party.is_admin and need.permission == ADMIN
            if (not party.in_acme or party.bound) and not gives_pools_away:
                wrong += [f"{party.name}: {method} {url}: shows {secret}" for secret in leaks(text, url, cast)]
    assert not wrong, "\n".join(wrong)


def leaks(text: str, url: str, cast: Cast) -> list[str]:
    """Ids of Shop's things in what somebody outside of it got; what they sent themselves is no news."""
    return [secret for secret in cast.secrets if secret in text and secret not in url]


@pytest.mark.parametrize("pattern", [pattern for pattern in ROUTES if not pattern.startswith("accounts/")])
def test_it_has_no_other_methods(cast: Cast, pattern: str) -> None:
    url, client = address(cast, pattern), cast.party("owner").client()
    for method in METHODS:
        if method not in ROUTES[pattern].needs:
            response, _text = send(client, method, url, cast, Need())
            assert response.status_code in (404, 405), f"{method} {url} is not in the table: {response.status_code}"


def test_it_closes_the_admin_to_all_but_superusers(cast: Cast) -> None:
    patterns = [pattern for pattern in all_routes() if pattern.startswith("admin/")]
    assert len(patterns) > 20
    clients = {name: cast.party(name).client() for name in ("anonymous", "owner")}
    for pattern in patterns:
        url = "/" + HOLE.sub("1", pattern).replace("^", "").replace("$", "")
        for name, client in clients.items():
            for method in ("GET", "POST"):
                response = client.generic(method, url)
                assert response.status_code in (302, 401, 403, 404), f"{name}: {method} {url}: {response.status_code}"
    assert cast.party("portal admin").client().get("/admin/").status_code == 200


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%0A", "%ED%A0%80", "%2e%2e%2f", "9" * 1000])
def test_it_finds_nothing_at_odd_addresses(cast: Cast, odd: str) -> None:
    clients = [cast.party(name).client() for name in ("owner", "portal admin")]
    for pattern, route in ROUTES.items():
        for hole in [] if pattern.startswith("accounts/") else HOLE.finditer(pattern):
            begin, end = pattern[: hole.start()], pattern[hole.end() :]
            url = "/" + "".join((fill(cast, route, begin), odd, fill(cast, route, end))).translate(ANCHORS)
            for client in clients:
                assert client.get(url).status_code in REFUSALS, url


def test_it_takes_no_odd_cursors(cast: Cast) -> None:
    clients = [cast.party(name).client() for name in ("owner", "portal admin")]
    lists = [name for name, route in ROUTES.items() if name.startswith("api/v1/") and "GET" in route.needs]
    for position in ("\x00", "x", "9" * 30):
        cursor = b64encode(urlencode({"p": position}).encode()).decode()
        need = Need(query=urlencode({"cursor": cursor}))
        for url in [address(cast, pattern) for pattern in lists]:
            answers = [send(client, "GET", url, cast, need)[0] for client in clients]
            assert max(answer.status_code for answer in answers) < 500, f"{url} after {position!r}"
