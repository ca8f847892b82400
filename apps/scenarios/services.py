"""What people and programs do to scenarios."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Invalid, Missing
from apps.core.names import clean_name, derive_slug
from apps.scenarios import load as loads
from apps.scenarios import placement, validate
from apps.scenarios.models import NOTE_CHARS, Collector, Scenario, ScenarioVersion
from apps.teams import audit
from apps.teams.actors import Actor
from apps.teams.models import Project

DESCRIPTION_CHARS = 2000
CHANGEABLE = (*loads.FIELDS, *placement.FIELDS, "pool", "name", "description", "collector", "group_ids")


@dataclass(frozen=True, slots=True)
class Script:
    """A script to keep, and why."""

    locustfile: str
    note: str = ""


@transaction.atomic
def create(*, project: Project, script: Script, values: Mapping[str, Any], by: Actor) -> Scenario:
    """A scenario with its first version. `values` uses the names in CHANGEABLE; all but `name` have defaults.

    Raises Invalid with the fields that are wrong.
    """
    _check_script(script)
    scenario = Scenario(project=project)
    _apply(scenario, {"name": "", **values})
    _lock_project(project.pk)  # two that choose the same slug at once must not both see it free
    scenario.slug = _free_slug(project, scenario.name)
    scenario.save()
    _add_version(scenario, script, number=1, by=by)
    audit.record("scenario.create", obj=scenario, team=project.team, by=by, project=project.slug)
    return scenario


@transaction.atomic
def update(*, scenario: Scenario, changes: Mapping[str, Any], by: Actor) -> Scenario:
    """Change name, description, the default load or its placement. Raises Invalid with the fields that are wrong."""
    lock(scenario)
    before = {name: getattr(scenario, name) for name in CHANGEABLE}
    _apply(scenario, changes)
    changed = sorted(name for name in CHANGEABLE if getattr(scenario, name) != before[name])
    if changed:
        scenario.save(update_fields=[*changed, "updated_at"])
        audit.record("scenario.update", obj=scenario, team=scenario.project.team, by=by, changed=changed)
    return scenario


@transaction.atomic
def save_version(*, scenario: Scenario, script: Script, by: Actor) -> tuple[ScenarioVersion, bool]:
    """The version that holds this script, and whether it is new: the newest one's text again makes no new version."""
    _check_script(script)
    lock(scenario)
    newest = scenario.versions.first()
    if newest is not None and newest.sha256 == hashlib.sha256(script.locustfile.encode()).hexdigest():
        return newest, False
    version = _add_version(scenario, script, number=newest.number + 1 if newest else 1, by=by)
    scenario.save(update_fields=["updated_at"])
    audit.record("scenario.version", obj=scenario, team=scenario.project.team, by=by, version=version.number)
    return version, True


@transaction.atomic
def delete(*, scenario: Scenario, by: Actor) -> None:
    """Delete it with its versions and its finished runs. Raises Conflict while a run of it is active."""
    lock(scenario)  # no run is numbered, and so none starts, between the question and the deletion
    if scenario.runs.filter(finished_at=None).exists():
        raise Conflict(_("A run of this scenario is active. Stop it, then delete the scenario."), code="run_active")
    audit.record("scenario.delete", obj=scenario, team=scenario.project.team, by=by, runs=scenario.runs.count())
    # First: a version is protected for as long as a run refers to it.
    scenario.runs.all().delete()
    scenario.delete()


def lock(scenario: Scenario) -> None:
    """Nobody deletes or changes it, and no run of it starts, until the transaction ends: holds its project.

    Raises Missing when somebody has deleted it.
    """
    _lock_project(scenario.project_id)
    if not Scenario.objects.filter(pk=scenario.pk).exists():
        raise Missing(_("“%(name)s” has just been deleted.") % {"name": scenario.name})


def _lock_project(pk: UUID) -> None:
    if Project.objects.select_for_update().filter(pk=pk).first() is None:
        raise Missing(_("This project has just been deleted."))


def _check_script(script: Script) -> None:
    problems = validate.check_text(script.locustfile)
    if problems:
        loads.refuse(problems)
    if len(script.note) > NOTE_CHARS:
        _refuse("note", _("At most %(limit)d characters.") % {"limit": NOTE_CHARS})


def _apply(scenario: Scenario, values: Mapping[str, Any]) -> None:
    """Set `values` on the scenario after holding the whole of it to the limits."""
    unknown = set(values) - set(CHANGEABLE)
    if unknown:
        raise ValueError(f"not a field of a scenario: {sorted(unknown)}")
    if "name" in values:
        values = {**values, "name": clean_name(values["name"])}
    if len(values.get("description", "")) > DESCRIPTION_CHARS:
        _refuse("description", _("At most %(limit)d characters.") % {"limit": DESCRIPTION_CHARS})
    if values.get("collector", Collector.EXACT) not in Collector.values:
        _refuse(
            "collector", _("There is no such collector; choose one of: %(all)s.") % {"all": ", ".join(Collector.values)}
        )
    given = {name: value for name, value in values.items() if name in loads.FIELDS}
    load = loads.merge({name: getattr(scenario, name) for name in loads.FIELDS}, given)
    placed = {name: values.get(name, getattr(scenario, name)) for name in placement.FIELDS}
    problems = loads.check(load) + placement.check(placed, users=load["users"])
    if "pool" in values:  # one that was taken from the project since then stops no other change
        problems += placement.check_pool(values["pool"], scenario.project)
    if problems:
        loads.refuse(problems)
    for name, value in {**values, **load}.items():
        setattr(scenario, name, value)


def _refuse(field: str, sentence: str) -> None:
    raise Invalid(sentence, fields={field: [sentence]})


def _free_slug(project: Project, name: str) -> str:
    return derive_slug(name, otherwise="scenario", is_taken=lambda slug: project.scenarios.filter(slug=slug).exists())


def _add_version(scenario: Scenario, script: Script, *, number: int, by: Actor) -> ScenarioVersion:
    return ScenarioVersion.objects.create(
        scenario=scenario,
        number=number,
        locustfile=script.locustfile,
        note=script.note,
        author=by.label,
        author_user=by.user,
    )
