"""What a portal's database needs before a test: `python -m tests.bed.prepare <file for the facts>`."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

import django


def main(facts: Path) -> None:
    """Tables, a portal admin, and a team with a project and a token. The facts are those a test needs to use them."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from apps.teams import services as teams
    from apps.teams.actors import Actor
    from apps.teams.roles import Scope

    call_command("migrate", interactive=False, verbosity=0)
    password = secrets.token_urlsafe(12)
    user = User.objects.create_superuser("admin", password=password)
    by = Actor(user=user)
    team = teams.create_team(name="Bed", slug="bed", owner=user, by=by)
    project = teams.create_project(team=team, name="Hosts", slug="hosts", by=by)
    _row, token = teams.create_token(team=team, name="bed", scope=Scope.MANAGE, by=by)
    known = {"username": "admin", "password": password, "team": team.slug, "project": project.slug, "token": token}
    facts.write_text(json.dumps(known))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
