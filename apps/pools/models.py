"""Where runs happen: pools of worker hosts, and the runner processes on them."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.models import Base

LOCAL = "local"
"""The pool that exists from the first start."""
RUNNER_SILENT_SECONDS = 15
"""A runner that has not been heard of for this long is offline: three of its 5-second heartbeats."""


class WorkerPool(Base):
    """A named group of worker hosts. Shared by all teams, so it is the portal admin's and not a tenant's."""

    name = models.SlugField(_("name"), max_length=60, unique=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    is_default = models.BooleanField(_("default pool"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="one_default_pool"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WorkerHost(Base):
    """A machine on which runners live."""

    pool = models.ForeignKey(WorkerPool, on_delete=models.PROTECT, related_name="hosts")
    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    versions = models.JSONField(default=dict)
    """`{"python": …, "locust": …, "hatchery": …}` as the host last reported them."""
    cores = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Runner(Base):
    """One runner process: takes one run at a time. Its row is its heartbeat."""

    host = models.ForeignKey(WorkerHost, on_delete=models.CASCADE, related_name="runners")
    name = models.CharField(max_length=150, unique=True)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    draining = models.BooleanField(default=False)
    """Finishes what it runs and takes nothing new."""

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_online(self) -> bool:
        """Heard of lately."""
        return self.last_seen_at > timezone.now() - timedelta(seconds=RUNNER_SILENT_SECONDS)
