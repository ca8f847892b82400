"""`manage.py demo`: a team, a user, a project and a scenario to try the portal with, and one real run."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from apps.core.errors import HatcheryError
from apps.runs import services as runs
from apps.scenarios import services as scenarios
from apps.scenarios.models import Scenario
from apps.teams import services as teams
from apps.teams.actors import Actor
from apps.teams.authentication import token_actor
from apps.teams.models import Project, Team
from apps.teams.roles import Scope

USERNAME = "demo"
SCRIPT = Path(__file__).resolve().parents[3] / "scenarios" / "examples" / "shop.py"
USERS = 10
SPAWN_RATE = 2.0
RUN_SECONDS = 60.0


class Command(BaseCommand):
    help = "Makes the demo team and starts one real run of its scenario, at the first start only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--target-url", required=True, help="address of the demo target")
        parser.add_argument("--url", required=True, help="address of the portal, as people type it")
        parser.add_argument("--json", required=True, type=Path, dest="facts", help="file for the facts (mode 0600)")

    def handle(self, *args: Any, target_url: str, url: str, facts: Path, **options: Any) -> None:
        with transaction.atomic():
            user, team, project = _people()
            actor = Actor(user=user)
            scenario, fresh = _scenario(project, target_url, actor)
            known = _read(facts)
            known |= {"url": url, "username": USERNAME, "team": team.slug, "project": project.slug}
            known |= {"scenario": scenario.slug, "target": target_url}
            known["password"] = _password(user, known.get("password"))
            known["token"] = _token(team, known.get("token"), actor)
            _write(facts, known)
        if fresh:
            try:
                runs.start(scenario=scenario, extras=runs.Extras(note="The demo run of the first start"), by=actor)
            except HatcheryError as error:
                self.stderr.write(f"The demo run could not be started: {error.message}")


def _people() -> tuple[User, Team, Project]:
    user, _ = User.objects.get_or_create(username=USERNAME, defaults={"is_staff": True, "is_superuser": True})
    by = Actor(user=user)
    team = Team.objects.filter(slug="demo").first() or teams.create_team(name="Demo", slug="demo", owner=user, by=by)
    project = team.projects.filter(slug="shop").first()
    return user, team, project or teams.create_project(team=team, name="Shop", slug="shop", by=by)


def _scenario(project: Project, target_url: str, by: Actor) -> tuple[Scenario, bool]:
    """The demo scenario, aimed at where the target is today, and whether it is new."""
    scenario = project.scenarios.filter(slug="browse-and-buy").first()
    if scenario is not None:
        if scenario.host != target_url:
            scenarios.update(scenario=scenario, changes={"host": target_url}, by=by)
        return scenario, False
    load = {"users": USERS, "spawn_rate": SPAWN_RATE, "run_time_s": RUN_SECONDS, "host": target_url}
    values = {"name": "Browse and buy", "description": "People look at products; some buy.", **load}
    script = scenarios.Script(SCRIPT.read_text(encoding="utf-8"), note="The example")
    return scenarios.create(project=project, script=script, values=values, by=by), True


def _password(user: User, known: str | None) -> str:
    if known and user.check_password(known):
        return known
    fresh = secrets.token_urlsafe(12)
    user.set_password(fresh)
    user.save(update_fields=["password"])
    return fresh


def _token(team: Team, known: str | None, by: Actor) -> str:
    if known and token_actor(f"Bearer {known}") is not None:
        return known
    _row, secret = teams.create_token(team=team, name="demo", scope=Scope.MANAGE, by=by)
    return secret


def _read(facts: Path) -> dict[str, str]:
    try:
        found = json.loads(facts.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _write(facts: Path, known: dict[str, str]) -> None:
    """Never readable by others, not even for a moment."""
    fresh = facts.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=2)
    fresh.replace(facts)
