"""What most tests of pools begin with; some have a `lab` or a `host` of their own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.pools.models import WorkerHost, WorkerPool
from apps.runs.models import Run
from apps.scenarios.models import Scenario
from tests import factories
from tests.factories import client_of
from tests.pools import makers


@pytest.fixture
def admin_client(admin: User) -> Client:
    return client_of(admin)


@pytest.fixture
def lab(db: None) -> WorkerPool:
    """A pool with 500 IDs."""
    lab: WorkerPool = factories.PoolFactory.create(name="lab", id_prefix="test_", first_id=1, last_id=500)
    return lab


@pytest.fixture
def host(lab: WorkerPool) -> WorkerHost:
    """A host of it that reports and owns the first 200."""
    host = makers.add_host(lab, "a")
    makers.own(host, 1, 200)
    return host


@pytest.fixture
def run(host: WorkerHost, scenario: Scenario) -> Run:
    """A run of Acme's that has half of them."""
    run: Run = factories.RunFactory.create(scenario=scenario, pool=host.pool)
    makers.place(run, [host], users=100)
    return run
