"""The cast of the access table."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from apps.teams.models import ApiToken, Project, Team
from tests.access.cast import Cast, make_cast


@pytest.fixture
def people(alice: User, manny: User, tess: User, vic: User, charlie: User, admin: User) -> dict[str, User]:
    return {"owner": alice, "manager": manny, "tester": tess, "viewer": vic, "stranger": charlie, "admin": admin}


@pytest.fixture
def tokens(
    read_token: ApiToken, run_token: ApiToken, manage_token: ApiToken, blog_token: ApiToken
) -> dict[str, ApiToken]:
    return {"read": read_token, "run": run_token, "manage": manage_token, "bound": blog_token}


@pytest.fixture
def cast(acme: Team, shop: Project, depot: Project, people: dict[str, User], tokens: dict[str, ApiToken]) -> Cast:
    return make_cast(acme, shop, people, tokens)
