"""The wire form of data files. Plain dictionaries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.core.clock import utc
from apps.scenarios.data_preview import Preview
from apps.scenarios.models import DataFileVersion


def data_file(newest: DataFileVersion) -> dict[str, Any]:
    """A data file as its newest version shows it. Expects `selectors.newest_data`, which knows the file."""
    file = newest.file
    page = reverse("scenarios:data_file", args=[file.scenario_id, file.name])
    return {
        "id": str(file.pk),
        "name": file.name,
        "url": f"{settings.PUBLIC_URL}{page}",
        "distribution": file.distribution,
        "at_end": file.at_end,
        "version": newest.number,
        **_content(newest),
    }


def data_version(row: DataFileVersion) -> dict[str, Any]:
    """One version."""
    return {"number": row.number, **_content(row)}


def data_preview(version: DataFileVersion, found: Preview) -> dict[str, Any]:
    """The first rows of a version; cells are text, whatever they look like."""
    return {"version": version.number, "total_rows": version.rows, **asdict(found)}


def _content(row: DataFileVersion) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "size": row.size,
        "rows": row.rows,
        "columns": row.columns,
        "encoding": row.encoding,
        "sha256": row.sha256,
        "author": row.author,
        "created_at": utc(row.created_at),
    }
