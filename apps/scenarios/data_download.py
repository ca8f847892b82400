"""A data file as it was uploaded, byte by byte, for a browser or a program to save."""

from __future__ import annotations

from django.http import FileResponse

from apps.core.errors import Missing
from apps.scenarios import data_services, data_store
from apps.scenarios.models import DataFile, DataFileVersion

NUMBER_DIGITS = 9
"""As many as a column holds."""


def chosen_version(file: DataFile, number: str | None) -> DataFileVersion:
    """The version asked for by `?version=`, else the newest. Raises Missing."""
    if number is None:
        return data_services.newest(file)
    if not (number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS):
        raise Missing
    version = file.versions.filter(number=int(number)).first()
    if version is None:
        raise Missing
    return version


def download(version: DataFileVersion) -> FileResponse:
    """A response that is saved and never shown, whatever is in the file. Raises Missing."""
    response = FileResponse(
        data_store.open_content(version.path),
        as_attachment=True,
        filename=version.file.name,
        content_type="application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response
