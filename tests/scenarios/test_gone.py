"""Somebody deletes it while somebody else changes it: who comes second is told so, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest

from apps.core.errors import Missing
from apps.runs import services as runs
from apps.scenarios import data_services, services
from apps.scenarios.models import DataFile, DataFileVersion, Scenario, ScenarioVersion
from apps.scenarios.services import Script
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests.factories import LOCUSTFILE

BY = Actor(system="test")
LATE: dict[str, Callable[[Scenario, ScenarioVersion, DataFileVersion], object]] = {
    "update": lambda scenario, _v, _d: services.update(scenario=scenario, changes={"name": "other"}, by=BY),
    "version": lambda scenario, _v, _d: services.save_version(
        scenario=scenario, script=Script(LOCUSTFILE + "#"), by=BY
    ),
    "delete": lambda scenario, _v, _d: services.delete(scenario=scenario, by=BY),
    "run": lambda scenario, version, _d: runs.start(scenario=scenario, version=version, by=BY),
    "upload": lambda scenario, _v, _d: upload(scenario),
    "restore": lambda _s, _v, data: data_services.restore(version=data, by=BY),
    "change": lambda _s, _v, data: data_services.change(file=data.file, at_end="stop", by=BY),
    "delete data": lambda _s, _v, data: data_services.delete(file=data.file, by=BY),
}


def upload(scenario: Scenario, content: bytes = b"id\n9\n") -> DataFileVersion:
    return data_services.upload(scenario=scenario, name="ids.csv", source=BytesIO(content), by=BY)[0]


@pytest.mark.parametrize("act", LATE)
@pytest.mark.parametrize("whole_project", [False, True])
def test_a_scenario_that_has_just_been_deleted(version: ScenarioVersion, act: str, whole_project: bool) -> None:
    scenario = version.scenario
    data = upload(scenario)
    known = Scenario.objects.select_related("project__team").get(), ScenarioVersion.objects.get(), data
    _kept = known[2].file.scenario.project.team  # as a view has them that has looked
    (scenario.project if whole_project else scenario).delete()
    AuditEvent.objects.all().delete()
    with pytest.raises(Missing, match="has just been deleted"):
        LATE[act](*known)
    assert not Scenario.objects.exists() and not DataFile.objects.exists() and not AuditEvent.objects.exists()


@pytest.mark.parametrize("act", ["restore", "change"])
def test_a_data_file_that_has_just_been_deleted(version: ScenarioVersion, act: str) -> None:
    old = upload(version.scenario)
    upload(version.scenario, b"id\n8\n")
    DataFile.objects.update(deleted_at=version.created_at)
    with pytest.raises(Missing, match=r"“ids\.csv” has just been deleted"):
        LATE[act](version.scenario, version, old)
    assert DataFileVersion.objects.count() == 2 and DataFile.objects.get().at_end == "recycle"
