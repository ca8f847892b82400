"""One portal for all of these tests, and a target for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.stack import Stack, Target, demo_target, portal

DATABASE = "hatchery_e2e"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, also when this folder alone is asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They share one portal, so they stay on one worker, and take their time: what no database changes runs once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("e2e"))
            item.add_marker(pytest.mark.engine)
            same = item.get_closest_marker("same_on_any_database")
            if same and _database_url().startswith("postgres"):
                item.add_marker(pytest.mark.skip(f"{same.args[0]}; SQLite's half of the suite tries it"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A portal with its first-start demo, on the database that the suite runs on."""
    with portal(tmp_path_factory.mktemp("portal"), _own_database()) as stack:
        yield stack


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Something to aim at that counts what it answered."""
    with demo_target(tmp_path) as target:
        yield target


def _own_database() -> str | None:
    """An empty database beside the suite's on PostgreSQL; None for SQLite in the portal's own folder."""
    url = _database_url()
    if not url.startswith("postgres"):
        return None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    return f"{url.rpartition('/')[0]}/{DATABASE}"


def _database_url() -> str:
    return os.environ.get("DATABASE_URL", "")
