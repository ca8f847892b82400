"""Bases and rows that belong to no tenant."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.ids import uuid7


class Base(models.Model):
    """A row with a time-ordered public id: new rows go to the end of the index, and ids cannot be counted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta:
        abstract = True


class Tenanted(Base):
    """A row of one team. `apps.teams.access` finds the owner along these paths, so a model without them is unreachable.

    `TEAM_PATH` and `PROJECT_PATH` are field lookups from the model to `Team.id` and `Project.id`
    (`PROJECT_PATH = None`: belongs to the team as a whole).
    """

    TEAM_PATH: ClassVar[str]
    PROJECT_PATH: ClassVar[str | None] = None

    class Meta:
        abstract = True


class LeaderLease(models.Model):
    """Which of several equal processes does a job now: one row a job, taken by compare-and-set, valid until `until`."""

    name = models.CharField(primary_key=True, max_length=50)
    holder = models.CharField(max_length=200)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class IdempotencyKey(models.Model):
    """The answer already given to a POST with this `Idempotency-Key`; the same key gives the same answer for a day."""

    scope = models.CharField(max_length=200)
    """Who sent it: the label of one user or token, so that nobody reads another's answer."""
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    """HTTP status of the stored answer; 0 while the first request is still being worked on."""
    body = models.JSONField(default=dict)
    location = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"
