"""The bytes of data files: each content once a project, under a name made of ids and digests alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import IO
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.utils import timezone

from apps.core.errors import Missing
from apps.core.ids import is_uuid
from apps.scenarios.models import DataFile, DataFileVersion
from apps.teams.models import Project

log = logging.getLogger(__name__)

SETTLED = timedelta(hours=1)
"""What is younger may belong to an upload, or to a start of a run, that is not committed yet."""


def keep(project_id: UUID, sha256: str, source: IO[bytes]) -> str:
    """The path under which the project has this content; it is stored first, unless a version refers to it already.

    Until a version does so, `tidy` may take it away again.
    """
    storage = _storage()
    known = DataFileVersion.objects.filter(file__scenario__project_id=project_id, sha256=sha256).first()
    if known is not None and storage.exists(known.path):
        return known.path
    source.seek(0)
    # A name that is taken, by an upload that goes on or that never ended, is another's: Django chooses one beside it.
    return storage.save(f"{project_id}/{sha256}", File(source))


def is_kept(path: str) -> bool:
    """Whether it is there now."""
    return _storage().exists(path)


def open_content(path: str) -> IO[bytes]:
    """Open it. Raises Missing when somebody removed it from storage."""
    try:
        stored: IO[bytes] = _storage().open(path)
    except FileNotFoundError:
        raise Missing from None
    return stored


def tidy(*, pinned: Callable[[UUID], Collection[str]]) -> int:
    """Forget deleted files that no run refers to, then remove content that no version refers to; returns how many.

    `pinned`: the ids of the versions that runs of the scenario with this id refer to, as text.
    """
    _forget_deleted(pinned)
    storage = _storage()
    if not storage.exists(""):
        return 0
    folders = [name for name in storage.listdir("")[0] if is_uuid(name)]
    return sum(_remove_strays(storage, folder) for folder in folders)


def _forget_deleted(pinned: Callable[[UUID], Collection[str]]) -> None:
    deleted = DataFile.objects.filter(deleted_at__lt=timezone.now() - SETTLED)
    for scenario_id in set(deleted.order_by().values_list("scenario_id", flat=True)):
        wanted = pinned(scenario_id)
        versions = DataFileVersion.objects.filter(file__in=deleted, file__scenario_id=scenario_id)
        unwanted = [pk for pk in versions.values_list("pk", flat=True) if str(pk) not in wanted]
        for batch in _batched(unwanted):
            DataFileVersion.objects.filter(pk__in=batch).delete()
        deleted.filter(scenario_id=scenario_id, versions=None).delete()


def _remove_strays(storage: Storage, folder: str) -> int:
    project_id = UUID(folder)
    versions = DataFileVersion.objects.filter(file__scenario__project_id=project_id)
    paths = [f"{folder}/{name}" for name in storage.listdir(folder)[1]]
    strays = set(paths) - set(versions.order_by().values_list("path", flat=True))
    removed = sum(_remove(storage, project_id, path) for path in strays if _is_settled(storage, path))
    if removed == len(paths):
        storage.delete(folder)
    return removed


def _is_settled(storage: Storage, path: str) -> bool:
    return storage.get_modified_time(path) < timezone.now() - SETTLED


@transaction.atomic
def _remove(storage: Storage, project_id: UUID, path: str) -> bool:
    """Remove it unless a version has come to refer to it. Versions are made under the same lock."""
    Project.objects.select_for_update().filter(pk=project_id).first()
    if DataFileVersion.objects.filter(path=path).exists():
        return False
    storage.delete(path)
    return True


def _storage() -> Storage:
    return storages["data"]


def _batched(ids: list[UUID], size: int = 500) -> Iterator[list[UUID]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
