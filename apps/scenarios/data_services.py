"""What people and programs do to the data files of scenarios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, Missing
from apps.scenarios import data_check, data_limits, data_store, selectors, services
from apps.scenarios.data_check import MB, Content
from apps.scenarios.models import AtEnd, DataFile, DataFileVersion, DataKind, Distribution, Scenario
from apps.teams import audit
from apps.teams.actors import Actor
from apps.teams.models import Team


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was read, found good and stored, and that no data file refers to yet."""

    name: str
    content: Content
    source: IO[bytes]
    path: str


def upload(
    *,
    scenario: Scenario,
    name: str,
    source: IO[bytes],
    distribution: str | None = None,
    at_end: str | None = None,
    by: Actor,
) -> tuple[DataFileVersion, bool]:
    """A new data file, or a new version of the one with this name. See `receive` and `add`."""
    received = receive(scenario=scenario, name=name, source=source)
    return add(scenario=scenario, received=received, distribution=distribution, at_end=at_end, by=by)


def receive(*, scenario: Scenario, name: str, source: IO[bytes]) -> Received:
    """Read the whole file, judge it and store it. Takes seconds, so outside of a transaction.

    `source` can be read again from its start. Raises Invalid with the first thing that is wrong, TooLarge, Conflict.
    """
    data_check.check_name(name)
    data_limits.check(scenario, name)
    size = getattr(source, "size", None) or 0  # an uploaded file knows it before it is read
    if size > settings.DATA_FILE_MB * MB:
        raise data_check.too_large(size, settings.DATA_FILE_MB)
    content = data_check.inspect(source, data_check.kind_of(name), limit_mb=settings.DATA_FILE_MB)
    data_limits.check(scenario, name, content)
    return Received(name, content, source, data_store.keep(scenario.project_id, content.sha256, source))


@transaction.atomic
def add(
    *, scenario: Scenario, received: Received, distribution: str | None = None, at_end: str | None = None, by: Actor
) -> tuple[DataFileVersion, bool]:
    """The version with this content, and whether it is new: the newest one's content again makes no new version.

    None leaves distribution and end as they are; a new file is split, or shared when it has no rows, and begins again.
    Raises Invalid with the fields that are wrong, Conflict.
    """
    # The team against a second upload, the project against `data_store.tidy`, which removes content under this lock.
    Team.objects.select_for_update(no_key=True).filter(pk=scenario.project.team_id).first()
    services.lock(scenario)
    content = received.content
    data_limits.check(scenario, received.name, content)
    file = scenario.data_files.filter(name=received.name, deleted_at=None).first()
    is_new_file = file is None
    if file is None:
        default = Distribution.SHARED if content.kind == DataKind.BINARY else Distribution.SPLIT
        file = DataFile(scenario=scenario, name=received.name, distribution=default)
    changed = _apply(file, content.kind, distribution=distribution, at_end=at_end)
    file.save()
    newest = file.versions.first()
    if newest is not None and newest.sha256 == content.sha256:
        if changed:
            _record("data_file.update", file, by, changed=changed)
        return newest, False
    version = _add_version(file, content, _path(scenario, received), number=newest.number + 1 if newest else 1, by=by)
    scenario.save(update_fields=["updated_at"])
    facts = {"version": version.number, "size": version.size, "sha256": version.sha256}
    _record("data_file.create" if is_new_file else "data_file.version", file, by, **facts)
    return version, True


@transaction.atomic
def change(*, file: DataFile, distribution: str | None = None, at_end: str | None = None, by: Actor) -> DataFile:
    """Change who gets which rows, or what comes after the last; None stays. Raises Invalid with the fields."""
    services.lock(file.scenario)
    _refuse_deleted(file)
    changed = _apply(file, newest(file).kind, distribution=distribution, at_end=at_end)
    if changed:
        file.save(update_fields=changed)
        _record("data_file.update", file, by, changed=changed)
    return file


@transaction.atomic
def delete(*, file: DataFile, by: Actor) -> None:
    """Take it from the scenario with all its versions. A run that pinned one reads it for as long as the run exists."""
    services.lock(file.scenario)
    if DataFile.objects.filter(pk=file.pk, deleted_at=None).update(deleted_at=timezone.now()):
        file.scenario.save(update_fields=["updated_at"])
        _record("data_file.delete", file, by, versions=file.versions.count())


@transaction.atomic
def restore(*, version: DataFileVersion, by: Actor) -> tuple[DataFileVersion, bool]:
    """A new version with the content of an older one, and whether it is new: the newest one's content makes none."""
    file = version.file
    services.lock(file.scenario)
    _refuse_deleted(file)
    last = newest(file)
    if last.sha256 == version.sha256:
        return last, False
    content = Content(version.sha256, version.size, version.kind, version.rows, (*version.columns,), version.encoding)
    made = _add_version(file, content, version.path, number=last.number + 1, by=by)
    file.scenario.save(update_fields=["updated_at"])
    _record("data_file.restore", file, by, version=made.number, of=version.number)
    return made, True


def _refuse_deleted(file: DataFile) -> None:
    if not DataFile.objects.filter(pk=file.pk, deleted_at=None).exists():
        raise Missing(_("“%(name)s” has just been deleted.") % {"name": file.name})


def newest(file: DataFile) -> DataFileVersion:
    """The version a run pins."""
    version = file.versions.first()
    if version is None:
        raise Missing
    return version


def pin(scenario: Scenario) -> list[dict[str, Any]]:
    """What a run that starts now reads, as plain values to keep with it, in the order of the names.

    `name`, `version` (the id), `number`, `sha256`, `size`, `kind`, `rows`, `distribution`, `at_end`.
    """
    return [_pinned(version) for version in selectors.newest_data(scenario)]


def open_version(version_id: UUID | str) -> IO[bytes]:
    """The content of a version that a run pinned, whether its file was deleted since or not. Raises Missing."""
    version = DataFileVersion.objects.filter(pk=version_id).first()
    if version is None:
        raise Missing
    return data_store.open_content(version.path)


def _pinned(version: DataFileVersion) -> dict[str, Any]:
    return {
        "name": version.file.name,
        "version": str(version.pk),
        "number": version.number,
        "sha256": version.sha256,
        "size": version.size,
        "kind": version.kind,
        "rows": version.rows,
        "distribution": version.file.distribution,
        "at_end": version.file.at_end,
    }


def _apply(file: DataFile, kind: str, **given: str | None) -> list[str]:
    """Set what is given on the file; the names of what changed. Raises Invalid."""
    wanted = {name: value for name, value in given.items() if value}
    _check_choice("distribution", wanted.get("distribution", file.distribution), Distribution.values)
    _check_choice("at_end", wanted.get("at_end", file.at_end), AtEnd.values)
    if kind == DataKind.BINARY and wanted.get("distribution", Distribution.SHARED) != Distribution.SHARED:
        _refuse("distribution", _("A binary file has no rows to hand out: it can only be shared."))
    changed = sorted(name for name, value in wanted.items() if getattr(file, name) != value)
    for name in changed:
        setattr(file, name, wanted[name])
    return changed


def _check_choice(field: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        _refuse(field, _("There is no such choice; choose one of: %(all)s.") % {"all": ", ".join(choices)})


def _refuse(field: str, sentence: str) -> None:
    raise Invalid(sentence, fields={field: [sentence]})


def _path(scenario: Scenario, received: Received) -> str:
    """Where the content is. Stored once more in the rare case that it was tidied away since it was received."""
    if data_store.is_kept(received.path):
        return received.path
    return data_store.keep(scenario.project_id, received.content.sha256, received.source)


def _add_version(file: DataFile, content: Content, path: str, *, number: int, by: Actor) -> DataFileVersion:
    return DataFileVersion.objects.create(
        file=file,
        number=number,
        sha256=content.sha256,
        size=content.size,
        kind=content.kind,
        rows=content.rows,
        columns=list(content.columns),
        encoding=content.encoding,
        path=path,
        author=by.label,
        author_user=by.user,
    )


def _record(action: str, file: DataFile, by: Actor, **details: object) -> None:
    audit.record(action, obj=file, team=file.scenario.project.team, by=by, scenario=file.scenario.slug, **details)
