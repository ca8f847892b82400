"""Pages of a team and of the frame around every page."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.teams.models import ApiToken, Project, Team
from tests import factories
from tests.factories import bearer, secret_of

TOKENS = "/teams/acme/tokens/"


def test_the_secret_is_shown_once_and_works(manny_client: Client, acme: Team, shop: Project) -> None:
    form = {"name": "ci", "scope": "run", "expires_at": (date.today() + timedelta(days=9)).isoformat()}
    response = manny_client.post(TOKENS, form)
    html = response.content.decode()
    secret = html.split('id="secret" type="text" readonly value="')[1].split('"')[0]
    assert secret.startswith("htc_")
    assert f"Bearer {secret}" in html
    assert "no-store" in response["Cache-Control"]
    assert secret not in manny_client.get(TOKENS).content.decode()
    answer = Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/projects/")
    assert [row["slug"] for row in answer.json()["results"]] == ["shop"]


@pytest.mark.parametrize("changes", [{"name": ""}, {"scope": "all"}, {"expires_at": "2001-01-01"}, {"expires_at": "x"}])
def test_a_bad_token_is_not_made(manny_client: Client, acme: Team, changes: dict[str, str]) -> None:
    html = manny_client.post(TOKENS, {"name": "ci", "scope": "run", **changes}).content.decode()
    assert "field-error" in html
    assert not ApiToken.objects.exists()


def test_a_token_is_not_bound_to_a_project_of_others(manny_client: Client, acme: Team, depot: Project) -> None:
    html = manny_client.post(TOKENS, {"name": "ci", "scope": "run", "project": str(depot.pk)}).content.decode()
    assert "field-error" in html
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_after_a_question(manny_client: Client, acme: Team, run_token: ApiToken) -> None:
    url = f"{TOKENS}{run_token.pk}/revoke/"
    assert "Revoke the token “ci”?" in manny_client.get(url).content.decode()
    assert manny_client.get(TOKENS).content.decode().count("Usable") == 1
    manny_client.post(url)
    assert "Usable" not in manny_client.get(TOKENS).content.decode()
    assert Client(headers=bearer(run_token)).get("/api/v1/projects/").status_code == 401


def test_no_page_has_the_secret_of_a_token(manny_client: Client, acme: Team, run_token: ApiToken) -> None:
    html = manny_client.get(TOKENS).content.decode()
    assert secret_of(run_token) not in html
    assert run_token.digest not in html


def test_a_tester_sees_members_but_no_tokens(tess_client: Client, acme: Team, alice: Any) -> None:
    html = tess_client.get("/teams/acme/members/").content.decode()
    assert "alice" in html
    assert TOKENS not in html
    assert tess_client.get(TOKENS).status_code == 403


def test_lists_of_a_team_take_a_fixed_number_of_queries(
    manny_client: Client, acme: Team, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        factories.member(acme, f"m{number}", "viewer")  # type: ignore[arg-type]
        factories.ApiTokenFactory(team=acme)
    with django_assert_max_num_queries(18):
        manny_client.get("/teams/acme/members/")
    with django_assert_max_num_queries(18):
        manny_client.get(TOKENS)


def test_a_project_is_made_changed_and_deleted(manny_client: Client, acme: Team) -> None:
    made = manny_client.post("/teams/acme/projects/new/", {"name": "Big Shop", "description": ""})
    assert made["Location"] == "/t/acme/big-shop/"
    manny_client.post("/t/acme/big-shop/settings/", {"name": "Bigger", "description": "<b>"})
    assert "&lt;b&gt;" in manny_client.get("/t/acme/big-shop/").content.decode()
    assert "0 scenarios" in manny_client.get("/t/acme/big-shop/delete/").content.decode()
    assert manny_client.post("/t/acme/big-shop/delete/")["Location"] == "/"
    assert not Project.objects.exists()


def test_a_project_with_an_active_run_stays(manny_client: Client, shop: Project) -> None:
    factories.RunFactory(scenario__project=shop)
    html = manny_client.post("/t/acme/shop/delete/", follow=True).content.decode()
    assert "Stop it first." in html
    assert Project.objects.exists()


def test_the_switcher_shows_my_teams_only(tess_client: Client, shop: Project, depot: Project) -> None:
    html = tess_client.get("/").content.decode()
    assert "/t/acme/shop/" in html
    assert "depot" not in html


def test_the_frame_takes_a_fixed_number_of_queries(
    tess_client: Client, acme: Team, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        factories.ProjectFactory(team=acme)
    with django_assert_max_num_queries(11):
        tess_client.get("/runs/")


def test_nothing_is_inline(tess_client: Client, shop: Project) -> None:
    """The policy forbids it, and so the browser would ignore it."""
    html = tess_client.get("/t/acme/shop/").content.decode()
    assert " style=" not in html
    assert " onclick=" not in html
    assert "<style" not in html
    assert "unsafe" not in tess_client.get("/")["Content-Security-Policy"]


def test_logging_out_is_a_post(tess_client: Client, shop: Project) -> None:
    assert '<form method="post" action="/accounts/logout/">' in tess_client.get("/").content.decode()
    tess_client.post("/accounts/logout/")
    assert tess_client.get("/")["Location"].startswith("/accounts/login/")


def test_a_missing_page_says_so(tess_client: Client, shop: Project) -> None:
    response = tess_client.get("/t/acme/nothing/")
    assert response.status_code == 404
    assert "it is not yours" in response.content.decode()
    assert tess_client.get("/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/"])
def test_the_pages_before_logging_in_stand_in_our_frame(db: None, path: str) -> None:
    html = Client().get(path).content.decode()
    assert "hatchery.css" in html
    assert "Hatchery" in html


def test_the_api_is_one_click_away(tess_client: Client, shop: Project) -> None:
    html = tess_client.get("/").content.decode()
    assert 'href="/api/docs/"' in html
    assert tess_client.get("/api/docs/").status_code == 200
