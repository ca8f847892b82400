"""The wire form of scenarios. Plain dictionaries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.core.clock import utc
from apps.scenarios.models import Scenario, ScenarioVersion
from workers.inspection import Inspection


def scenario(row: Scenario) -> dict[str, Any]:
    """One scenario. Expects `selectors.listed`, which knows the newest version's number."""
    return {
        "id": str(row.pk),
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "url": f"{settings.PUBLIC_URL}{reverse('scenarios:detail', args=[row.pk])}",
        "project": {"id": str(row.project_id), "slug": row.project.slug, "name": row.project.name},
        "version": row.version,  # type: ignore[attr-defined] # annotated
        "host": row.host,
        "users": row.users,
        "spawn_rate": row.spawn_rate,
        "run_time": row.run_time_s,
        "run_time_s": row.run_time_s,
        "stages": row.stages,
        "tags": row.tags,
        "exclude_tags": row.exclude_tags,
        "env": row.env,
        "pool": row.pool.name if row.pool else None,
        "workers": row.workers,
        "on_lost": row.on_lost,
        "when_full": row.when_full,
        "collector": row.collector,
        "group_ids": row.group_ids,
        "created_at": utc(row.created_at),
        "updated_at": utc(row.updated_at),
    }


def version(row: ScenarioVersion) -> dict[str, Any]:
    """One version without its script, which is not read from the database for a list."""
    return {
        "number": row.number,
        "sha256": row.sha256,
        "note": row.note,
        "author": row.author,
        "created_at": utc(row.created_at),
    }


def version_with_script(row: ScenarioVersion) -> dict[str, Any]:
    """One version."""
    return {**version(row), "locustfile": row.locustfile}


def validation(found: Inspection) -> dict[str, Any]:
    """What Validate found; names and messages come from the script and are hostile text."""
    facts = asdict(found)
    return {
        "valid": not found.problems,
        "problems": list(facts["problems"]),
        "user_classes": list(facts["user_classes"]),
        "tags": list(found.tags),
        "own_shape": found.own_shape,
        "locust": found.locust,
    }
