"""How much data files may take: the files of a scenario, their bytes, and those of all of a team."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.utils.translation import gettext as _

from apps.core.errors import Conflict
from apps.scenarios.data_check import MB, Content
from apps.scenarios.models import DataFileVersion, Scenario


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of data files, older versions included, and how many there may be."""

    scenario_bytes: int
    scenario_limit: int
    team_bytes: int
    team_limit: int


def usage(scenario: Scenario) -> Usage:
    """What the scenario and its team have of what they may have."""
    return Usage(
        scenario_bytes=used_bytes(scenario),
        scenario_limit=settings.DATA_SCENARIO_MB * MB,
        team_bytes=team_bytes(scenario.project.team_id),
        team_limit=settings.DATA_TEAM_MB * MB,
    )


def used_bytes(scenario: Scenario, *, without: str = "") -> int:
    """What the data files of a scenario take, their older versions too, each content once. `without` a digest."""
    versions = DataFileVersion.objects.filter(file__scenario=scenario, file__deleted_at=None)
    return _stored(versions.exclude(sha256=without))


def team_bytes(team_id: UUID) -> int:
    """What is stored for a team: each content once a project, also what is deleted and that runs may still read."""
    return _stored(_of_team(team_id))


def check(scenario: Scenario, name: str, content: Content | None = None) -> None:
    """Whether there is room for a file of this name, and this content once it is known. Raises Conflict."""
    names = set(scenario.data_files.filter(deleted_at=None).values_list("name", flat=True))
    if len(names | {name}) > settings.DATA_FILES:
        sentence = _("The scenario has %(limit)d data files already, and can have no more.")
        raise Conflict(sentence % {"limit": settings.DATA_FILES}, code="too_many_files")
    if content is None:
        return
    total = used_bytes(scenario, without=content.sha256) + content.size
    if total > settings.DATA_SCENARIO_MB * MB:
        sentence = _(
            "With it the scenario's data would have %(total)s MB, older versions counted; the limit is %(limit)d MB."
        )
        _refuse("scenario_full", sentence, total, settings.DATA_SCENARIO_MB)
    _check_team(scenario, content)


def _check_team(scenario: Scenario, content: Content) -> None:
    """What its project has already takes no more room."""
    team_id = scenario.project.team_id
    if _of_team(team_id).filter(file__scenario__project=scenario.project_id, sha256=content.sha256).exists():
        return
    total = team_bytes(team_id) + content.size
    if total > settings.DATA_TEAM_MB * MB:
        sentence = _(
            "With it the data files of the team would have %(total)s MB, older versions counted; the limit is "
            "%(limit)d MB. Delete data files that nobody needs: what no run reads is gone an hour later."
        )
        _refuse("team_full", sentence, total, settings.DATA_TEAM_MB)


def _of_team(team_id: UUID) -> QuerySet[DataFileVersion]:
    return DataFileVersion.objects.filter(file__scenario__project__team=team_id)


def _stored(versions: QuerySet[DataFileVersion]) -> int:
    contents = versions.order_by().values("file__scenario__project_id", "sha256").annotate(bytes=Max("size"))
    return int(contents.aggregate(total=Sum("bytes"))["total"] or 0)


def _refuse(code: str, sentence: str, total: int, limit: int) -> None:
    tenths = -(-10 * total // MB)  # never as little as the limit
    said = sentence % {"total": f"{tenths / 10:,.1f}", "limit": limit}
    raise Conflict(said, code=code, fields={"file": [said]})
