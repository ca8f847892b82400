"""Everybody and everything that the access table speaks of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from apps.pools.models import JoinKey, WorkerHost, WorkerPool
from apps.runs.models import Failure, Run
from apps.scenarios import data_services
from apps.scenarios.models import DataFile, Scenario, ScenarioVersion
from apps.teams.actors import Actor
from apps.teams.models import ApiToken, Project, Team
from apps.teams.roles import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Role, Scope
from tests import factories
from tests.factories import bearer, client_of


@dataclass(frozen=True)
class Party:
    """Somebody who tries."""

    name: str
    permissions: frozenset[str]
    """What they may do in Acme."""
    in_acme: bool = False
    in_a_team: bool = True
    token: ApiToken | None = None
    user: User | None = None
    bound: bool = False
    """A token of another project than Shop."""

    @property
    def is_admin(self) -> bool:
        """The portal's, in person."""
        return self.user is not None and self.user.is_superuser

    @property
    def is_anonymous(self) -> bool:
        return self.user is None and self.token is None

    def client(self) -> Client:
        """A client that acts as this party."""
        if self.user is not None:
            return client_of(self.user)
        return Client(headers=bearer(self.token) if self.token else {})


@dataclass(frozen=True)
class Cast:
    """The nouns of the table: `"run.pk"` is `cast.run.pk`."""

    acme: Team
    shop: Project
    scenario: Scenario
    version: ScenarioVersion
    run: Run
    failure: Failure
    data: DataFile
    lab: WorkerPool
    """A pool for Acme only."""
    box: WorkerHost
    """A host of it."""
    key: JoinKey
    """With which another may join it."""
    read_token: ApiToken
    parties: tuple[Party, ...]

    def look_up(self, path: str) -> Any:
        """`"run.pk"` → the id of the run; a word that is no attribute stands for itself."""
        first, _, rest = path.partition(".")
        if not rest or not hasattr(self, first):
            return path
        return getattr(getattr(self, first), rest)

    def party(self, name: str) -> Party:
        """The party called `name`."""
        return next(party for party in self.parties if party.name == name)

    @property
    def secrets(self) -> list[str]:
        """What must not appear in what somebody outside of Shop gets."""
        return [str(row.pk) for row in (self.shop, self.scenario, self.run)]


def make_cast(acme: Team, shop: Project, people: dict[str, User], tokens: dict[str, ApiToken]) -> Cast:
    """A scenario with a run that goes on and has left files, and all who may want it."""
    scenario = factories.ScenarioFactory.create(project=shop)
    version = factories.ScenarioVersionFactory.create(scenario=scenario)
    run = factories.RunFactory.create(scenario=scenario, version=version)
    for name in ("stats.csv", "report.html"):
        _leave_file(run, name)
    lab = factories.PoolFactory.create(name="lab", is_for_all=False, first_id=1, last_id=100)
    lab.teams.add(acme)
    nothing: frozenset[str] = frozenset()
    members = [Party(role, ROLE_PERMISSIONS[role], in_acme=True, user=people[role]) for role in Role.values]
    programs = [
        Party(f"{scope} token", SCOPE_PERMISSIONS[scope], in_acme=True, token=tokens[scope]) for scope in Scope.values
    ]
    bound = Party("other project's token", SCOPE_PERMISSIONS["manage"], in_acme=True, token=tokens["bound"], bound=True)
    others = [
        Party("anonymous", nothing, in_a_team=False),
        Party("stranger", nothing, user=people["stranger"]),
        Party("portal admin", nothing, user=people["admin"], in_a_team=False),
    ]
    return Cast(
        acme=acme,
        shop=shop,
        scenario=scenario,
        version=version,
        run=run,
        failure=factories.FailureFactory.create(run=run),
        data=_give_data(scenario),
        lab=lab,
        box=factories.HostFactory.create(pool=lab, name="box-1"),
        key=JoinKey.objects.create(pool=lab, host_name="box-2", digest="d", expires_at=timezone.now()),
        read_token=tokens["read"],
        parties=(*others, *members, *programs, bound),
    )


def _give_data(scenario: Scenario) -> DataFile:
    source = BytesIO(b"id\n1\n")
    version, _is_new = data_services.upload(scenario=scenario, name="ids.csv", source=source, by=Actor(system="test"))
    return version.file


def _leave_file(run: Run, name: str) -> None:
    content = b"Name\n"
    path = storages["artifacts"].save(f"{run.pk}/{name}", BytesIO(content))
    factories.ArtifactFactory.create(
        run=run, name=name, path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
