"""One portal for all of these tests that run in one process, and a target for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.stack import Stack, Target, demo_target, portal

DATABASE = f"hatchery_e2e_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
ROUGH = {"test_chaos", "test_hostile", "test_truth"}
"""Modules whose tests load or break the portal. They take half of the time, so they have a portal of their own."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, also when this folder alone is asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share a portal stay in one process."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("e2e rough" if item.path.stem in ROUGH else "e2e"))
            item.add_marker(pytest.mark.engine)


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
