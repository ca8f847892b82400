"""Objects for tests: `ProjectFactory(team=acme)` makes one in the database, with everything it needs."""

# mypy: disable-error-code="attr-defined, no-untyped-call"
# factory_boy is only half typed; `XFactory.create()` says what it returns.

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import factory
from django.contrib.auth.models import User
from django.test import Client
from factory.django import DjangoModelFactory

from apps.pools.models import LOCAL, Runner, Standing, WorkerHost, WorkerPool
from apps.runs.models import Artifact, Endpoint, Failure, FailureSample, Run, RunEvent, RunWorker
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import ApiToken, Membership, Project, Team
from apps.teams.roles import Role, Scope

PASSWORD = "correct horse battery"

LOCUSTFILE = """\
from locust import HttpUser, task


class Shopper(HttpUser):
    @task
    def products(self):
        self.client.get("/api/products")
"""


def local_pool() -> WorkerPool:
    """The pool that exists from the first start; made here when a test flushed it away."""
    pool, _created = WorkerPool.objects.get_or_create(
        name=LOCAL, defaults={"is_default": True, "takes_new_hosts": True}
    )
    return pool


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.test")
    password = factory.django.Password(PASSWORD)


class TeamFactory(DjangoModelFactory[Team]):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")
    slug = factory.Sequence(lambda n: f"team-{n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.VIEWER


class ProjectFactory(DjangoModelFactory[Project]):
    class Meta:
        model = Project

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"Project {n}")
    slug = factory.Sequence(lambda n: f"project-{n}")


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """The secret can be told from the row: see `secret_of`."""

    class Meta:
        model = ApiToken

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"token {n}")
    prefix = factory.Sequence(lambda n: f"htc_{n:08d}")
    digest = factory.LazyAttribute(lambda token: hashlib.sha256(secret_of(token).encode()).hexdigest())
    scope = Scope.READ


class ScenarioFactory(DjangoModelFactory[Scenario]):
    class Meta:
        model = Scenario

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"Scenario {n}")
    slug = factory.Sequence(lambda n: f"scenario-{n}")
    host = "http://127.0.0.1:9"
    users = 5
    spawn_rate = 5
    run_time_s = 10


class ScenarioVersionFactory(DjangoModelFactory[ScenarioVersion]):
    class Meta:
        model = ScenarioVersion

    scenario = factory.SubFactory(ScenarioFactory)
    number = factory.Sequence(lambda n: n + 1)
    locustfile = LOCUSTFILE
    author = "user:alice"


class PoolFactory(DjangoModelFactory[WorkerPool]):
    class Meta:
        model = WorkerPool

    name = factory.Sequence(lambda n: f"pool-{n}")


class HostFactory(DjangoModelFactory[WorkerHost]):
    """One that takes work."""

    class Meta:
        model = WorkerHost

    pool = factory.LazyFunction(local_pool)
    name = factory.Sequence(lambda n: f"host-{n}")
    standing = Standing.ACTIVE
    is_silent = False
    last_seen_at = factory.LazyFunction(lambda: datetime.now(UTC))


class RunnerFactory(DjangoModelFactory[Runner]):
    class Meta:
        model = Runner

    host = factory.SubFactory(HostFactory)
    name = factory.Sequence(lambda n: f"runner-{n}")
    pid = 1
    started_at = factory.LazyFunction(lambda: datetime.now(UTC))
    last_seen_at = factory.LazyFunction(lambda: datetime.now(UTC))


class RunFactory(DjangoModelFactory[Run]):
    """A queued run of a scenario with one version."""

    class Meta:
        model = Run

    scenario = factory.SubFactory(ScenarioFactory)
    project = factory.SelfAttribute("scenario.project")
    version = factory.SubFactory(ScenarioVersionFactory, scenario=factory.SelfAttribute("..scenario"))
    pool = factory.LazyFunction(local_pool)
    number = factory.Sequence(lambda n: n + 1)
    requested_by = "user:alice"
    users = 5
    spawn_rate = 5
    run_time_s = 10


class RunWorkerFactory(DjangoModelFactory[RunWorker]):
    """One that is wanted, on a host of its own."""

    class Meta:
        model = RunWorker

    run = factory.SubFactory(RunFactory)
    index = 0
    host = factory.SubFactory(HostFactory)
    host_name = factory.SelfAttribute("host.name")
    users = 5
    offset = 0


class RunEventFactory(DjangoModelFactory[RunEvent]):
    class Meta:
        model = RunEvent

    run = factory.SubFactory(RunFactory)
    kind = "note"
    text = factory.Sequence(lambda n: f"event {n}")


class EndpointFactory(DjangoModelFactory[Endpoint]):
    class Meta:
        model = Endpoint

    run = factory.SubFactory(RunFactory)
    index = factory.Sequence(lambda n: n)
    method = "GET"
    name = factory.Sequence(lambda n: f"/endpoint/{n}")


class FailureFactory(DjangoModelFactory[Failure]):
    class Meta:
        model = Failure

    run = factory.SubFactory(RunFactory)
    index = factory.Sequence(lambda n: n)
    method = "GET"
    name = "/checkout"
    error = "HTTPError('500 Server Error')"
    occurrences = 1


class FailureSampleFactory(DjangoModelFactory[FailureSample]):
    class Meta:
        model = FailureSample

    run = factory.SubFactory(RunFactory)
    failure = 0
    at = factory.LazyFunction(lambda: datetime.now(UTC))
    method = "POST"
    url = "http://shop.example.test/checkout"
    status = 500


class ArtifactFactory(DjangoModelFactory[Artifact]):
    class Meta:
        model = Artifact

    run = factory.SubFactory(RunFactory)
    name = "stats.csv"
    path = factory.LazyAttribute(lambda artifact: f"{artifact.run.pk}/{artifact.name}")
    size = 0
    sha256 = hashlib.sha256(b"").hexdigest()


def member(team: Team, name: str, role: Role) -> User:
    """A new user called `name` with `role` in `team`."""
    user = UserFactory.create(username=name)
    MembershipFactory.create(team=team, user=user, role=role)
    return user


def secret_of(token: ApiToken) -> str:
    """The secret of a token made by ApiTokenFactory."""
    return f"{token.prefix}{'x' * 35}"


def bearer(token: ApiToken) -> dict[str, Any]:
    """Headers of a request with this token: `client.get(url, headers=bearer(token))`."""
    return {"Authorization": f"Bearer {secret_of(token)}"}


def client_of(user: User) -> Client:
    """A browser in which `user` is logged in."""
    client = Client()
    client.force_login(user)
    return client
