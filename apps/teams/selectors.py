"""Questions about a team's rows that more than one place asks."""

from __future__ import annotations

from typing import TypedDict

from apps.teams.models import Project


class Contents(TypedDict):
    """What hangs on a project, and is deleted with it."""

    scenarios: int
    runs: int
    tokens: int


def contents(project: Project) -> Contents:
    """For "this deletes …": how many of what."""
    return {
        "scenarios": project.scenarios.count(),
        "runs": project.runs.count(),
        "tokens": project.tokens.count(),
    }


def has_active_runs(project: Project) -> bool:
    """Whether a run of the project waits or goes on: it has no end yet."""
    return project.runs.filter(finished_at__isnull=True).exists()
