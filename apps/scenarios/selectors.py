"""Reading scenarios."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, Max, OuterRef, QuerySet

from apps.core.errors import Missing
from apps.scenarios import diff
from apps.scenarios.models import DataFileVersion, Scenario, ScenarioVersion
from apps.teams import roles
from apps.teams.access import list_for
from apps.teams.actors import Actor

NUMBER_DIGITS = 20
"""More than a version can have; Python refuses to read a number of thousands."""


def listed(actor: Actor, permission: str = roles.VIEW) -> QuerySet[Scenario]:
    """Scenarios with project, team, and the number of the newest version as `version`."""
    rows = list_for(actor, Scenario, permission).select_related("project__team", "pool")
    return rows.annotate(version=Max("versions__number"))


def newest_version(scenario: Scenario) -> ScenarioVersion:
    """The version a run takes unless told otherwise."""
    version = scenario.versions.first()
    if version is None:
        raise Missing
    return version


def history(scenario: Scenario) -> QuerySet[ScenarioVersion]:
    """All versions, newest first, without their texts."""
    return scenario.versions.defer("locustfile")


def newest_data(scenario: Scenario) -> QuerySet[DataFileVersion]:
    """The newest version of each data file, with its file, in the order of the names; `name` is that of the file."""
    newer = DataFileVersion.objects.filter(file=OuterRef("file"), number__gt=OuterRef("number"))
    rows = DataFileVersion.objects.filter(file__scenario=scenario, file__deleted_at=None)
    return rows.exclude(Exists(newer)).select_related("file").annotate(name=F("file__name")).order_by("name")


def comparison(versions: QuerySet[ScenarioVersion], old: str | None, new: str | None) -> dict[str, Any]:
    """Two versions of a scenario and what changed: the two numbers asked for, or the newest and the one before."""
    newer = _numbered(versions, new) if new else versions.order_by("-number").first()
    if newer is None:
        raise Missing
    older = _numbered(versions, old) if old else versions.filter(number__lt=newer.number).order_by("-number").first()
    older = older or newer
    rows = diff.unified(older.locustfile, newer.locustfile)
    added, removed = diff.counts(rows)
    return {"older": older, "newer": newer, "rows": rows, "added": added, "removed": removed}


def _numbered(versions: QuerySet[ScenarioVersion], number: str) -> ScenarioVersion:
    is_number = number.isascii() and number.isdigit() and len(number) < NUMBER_DIGITS
    version = versions.filter(number=number).first() if is_number else None
    if version is None:
        raise Missing
    return version
