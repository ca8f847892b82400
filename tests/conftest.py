"""What every test has: a place of its own for files, and the fixed cast.

    Acme      Alice (owner), Manny (manager), Tess (tester), Vic (viewer); project Shop with the scenario Checkout
    Globex    Charlie (owner): a stranger to Acme; project Depot
    tokens    one a scope, of Acme; one bound to Acme's project Blog, which must not see Shop

Objects beyond the cast come from `tests.factories`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

STATE_DIR = Path(tempfile.mkdtemp(prefix="hatchery-test-"))
os.environ["HATCHERY_STATE"] = str(STATE_DIR)  # also for processes that a test starts
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.conf import settings as portal_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings

from apps.pools.models import WorkerPool
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import ApiToken, Project, Team
from apps.teams.roles import Role, Scope
from tests import factories

ASKING = {"db", "transactional_db", "stack"}
"""Fixtures of tests that ask a database."""


hypothesis_settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("shared machine")  # where an example that takes long is no news


def pytest_xdist_auto_num_workers() -> int:
    """Many tests wait for processes or clocks, and leave a core to others meanwhile."""
    return min(8, 2 * (os.cpu_count() or 2))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """PostgreSQL's half of the suite is for what a database answers; the rest is tried once, with SQLite's half."""
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        return
    twice = [item for item in items if is_same_on_any_database(item)]
    items[:] = [item for item in items if item not in set(twice)]
    config.hook.pytest_deselected(items=twice)


def is_same_on_any_database(item: pytest.Item) -> bool:
    """What pages do in a browser is the same if HTTP answers the same, which is tried on both."""
    asks = item.get_closest_marker("django_db") or ASKING & set(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("same_on_any_database") or item.get_closest_marker("browser")
    return marked is not None or not asks


def pytest_configure() -> None:
    """Settings that only tests have. Set here too because the plugin may have read the settings before this file."""
    portal_settings.STATE_DIR = STATE_DIR
    portal_settings.ARTIFACTS_DIR = STATE_DIR / "artifacts"
    portal_settings.DATA_DIR = STATE_DIR / "data"
    portal_settings.RUNS_DIR = STATE_DIR / "runs"
    storages: Any = portal_settings.STORAGES
    storages["artifacts"]["OPTIONS"]["location"] = portal_settings.ARTIFACTS_DIR
    storages["data"]["OPTIONS"]["location"] = portal_settings.DATA_DIR
    portal_settings.STATIC_ROOT = STATE_DIR / "static"
    portal_settings.STATIC_ROOT.mkdir()
    # Look for a static file when it is asked for: every test client would otherwise read all of them first.
    portal_settings.WHITENOISE_AUTOREFRESH = True
    portal_settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    # A thread that served a socket would otherwise keep the test database busy after the last test.
    connection.settings_dict["CONN_MAX_AGE"] = 0
    if connection.vendor == "sqlite":
        # A file, not memory: threads of one test then wait for each other's locks as they do in production.
        connection.settings_dict["TEST"]["NAME"] = str(STATE_DIR / "test.sqlite3")


def pytest_unconfigure() -> None:
    shutil.rmtree(STATE_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """PostgreSQL drops no database in use, and the thread of a socket may be at its last query when a test ends."""
    yield
    if connection.vendor == "postgresql":
        others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM {others}")


@pytest.fixture(scope="session", autouse=True)
def fast_passwords() -> Iterator[None]:
    """Hashing passwords slowly is the point in production and a waste here."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


# --- people -------------------------------------------------------------------------------------------------------


@pytest.fixture
def acme(db: None) -> Team:
    return factories.TeamFactory.create(name="Acme", slug="acme")


@pytest.fixture
def globex(db: None) -> Team:
    return factories.TeamFactory.create(name="Globex", slug="globex")


@pytest.fixture
def alice(acme: Team) -> User:
    return factories.member(acme, "alice", Role.OWNER)


@pytest.fixture
def manny(acme: Team) -> User:
    return factories.member(acme, "manny", Role.MANAGER)


@pytest.fixture
def tess(acme: Team) -> User:
    return factories.member(acme, "tess", Role.TESTER)


@pytest.fixture
def vic(acme: Team) -> User:
    return factories.member(acme, "vic", Role.VIEWER)


@pytest.fixture
def charlie(globex: Team) -> User:
    """The stranger."""
    return factories.member(globex, "charlie", Role.OWNER)


@pytest.fixture
def admin(db: None) -> User:
    """The portal admin, in no team."""
    return factories.UserFactory.create(username="admin", is_staff=True, is_superuser=True)


# --- what Acme has ------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(acme: Team) -> Project:
    return factories.ProjectFactory.create(team=acme, name="Shop", slug="shop")


@pytest.fixture
def blog(acme: Team) -> Project:
    """Acme's other project."""
    return factories.ProjectFactory.create(team=acme, name="Blog", slug="blog")


@pytest.fixture
def depot(globex: Team) -> Project:
    """The stranger's project."""
    return factories.ProjectFactory.create(team=globex, name="Depot", slug="depot")


@pytest.fixture
def scenario(shop: Project) -> Scenario:
    return factories.ScenarioFactory.create(project=shop, name="Checkout", slug="checkout")


@pytest.fixture
def version(scenario: Scenario) -> ScenarioVersion:
    return factories.ScenarioVersionFactory.create(scenario=scenario)


@pytest.fixture
def pool(db: None) -> WorkerPool:
    """The pool that exists from the first start."""
    return factories.local_pool()


@pytest.fixture
def read_token(acme: Team) -> ApiToken:
    return factories.ApiTokenFactory.create(team=acme, name="reader", scope=Scope.READ)


@pytest.fixture
def run_token(acme: Team) -> ApiToken:
    return factories.ApiTokenFactory.create(team=acme, name="ci", scope=Scope.RUN)


@pytest.fixture
def manage_token(acme: Team) -> ApiToken:
    return factories.ApiTokenFactory.create(team=acme, name="ops", scope=Scope.MANAGE)


@pytest.fixture
def blog_token(acme: Team, blog: Project) -> ApiToken:
    """May do everything a token can, in the project Blog only."""
    return factories.ApiTokenFactory.create(team=acme, project=blog, name="blog", scope=Scope.MANAGE)


# --- clients ------------------------------------------------------------------------------------------------------


@pytest.fixture
def alice_client(alice: User) -> Client:
    return factories.client_of(alice)


@pytest.fixture
def manny_client(manny: User) -> Client:
    return factories.client_of(manny)


@pytest.fixture
def tess_client(tess: User) -> Client:
    return factories.client_of(tess)


@pytest.fixture
def vic_client(vic: User) -> Client:
    return factories.client_of(vic)


@pytest.fixture
def charlie_client(charlie: User) -> Client:
    return factories.client_of(charlie)
