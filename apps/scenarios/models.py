"""What to run: a scenario, its immutable script versions, its data files, and the load it asks for by default."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Tenanted
from apps.teams.models import NAME_CHARS, Project

NOTE_CHARS = 500
DATA_NAME_CHARS = 100


class LoadOptions(models.Model):
    """The load a run puts on its target. Held by a scenario as defaults and by a run as the values it used."""

    host = models.CharField(_("host"), max_length=500, blank=True)
    """Base address handed to Locust; empty when the script has its own."""
    users = models.PositiveIntegerField(_("users"), default=10)
    spawn_rate = models.FloatField(_("spawn rate"), default=1.0)
    """Users started a second."""
    run_time_s = models.FloatField(_("run time"), default=60.0)
    """Seconds; with stages their sum."""
    stages = models.JSONField(_("stages"), default=list, blank=True)
    """`[{"duration": seconds, "users": n, "spawn_rate": users/s}, …]`; empty for a plain ramp and hold."""
    tags = models.JSONField(_("tags"), default=list, blank=True)
    exclude_tags = models.JSONField(_("exclude tags"), default=list, blank=True)
    env = models.JSONField(_("environment variables"), default=dict, blank=True)

    class Meta:
        abstract = True


class OnLost(models.TextChoices):
    """What becomes of a run when one of its Locust workers is lost."""

    DEGRADE = "degrade", _("Go on with the others; the run is invalid")
    REBALANCE = "rebalance", _("Start it again, or move its users to the others")
    END = "end", _("End the run")


class WhenFull(models.TextChoices):
    """What becomes of a run for which there is no room now."""

    WAIT = "wait", _("Wait until there is")
    REFUSE = "refuse", _("Refuse it")


class Placement(models.Model):
    """On how much of a pool a run is spread. Held by a scenario as defaults and by a run as the values it used."""

    workers = models.PositiveSmallIntegerField(_("workers"), default=1)
    """Locust processes with users; 1: no master."""
    on_lost = models.CharField(_("when a worker is lost"), max_length=10, choices=OnLost, default=OnLost.DEGRADE)
    when_full = models.CharField(_("when there is no room"), max_length=10, choices=WhenFull, default=WhenFull.WAIT)

    class Meta:
        abstract = True


class Collector(models.TextChoices):
    """Where live figures come from."""

    EXACT = "exact", _("Exact: every request in its second")
    CSV = "csv", _("Locust's CSV files")


class Scenario(LoadOptions, Placement, Tenanted):
    """A named test of a project."""

    TEAM_PATH = "project__team_id"
    PROJECT_PATH = "project_id"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="scenarios")
    name = models.CharField(_("name"), max_length=NAME_CHARS)
    slug = models.SlugField(_("slug"), max_length=60)
    description = models.TextField(_("description"), blank=True, max_length=2000)
    collector = models.CharField(_("collector"), max_length=10, choices=Collector.choices, default=Collector.EXACT)
    group_ids = models.BooleanField(_("group names that differ only by ids"), default=False)
    """`/users/123` and `/users/124` are then counted as `/users/{id}`."""
    pool = models.ForeignKey(
        "pools.WorkerPool", verbose_name=_("pool"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    """Where it runs when nobody says otherwise; None: in the default pool."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="scenario_slug_once_a_project"),
            models.CheckConstraint(condition=models.Q(users__gte=1), name="scenario_users_positive"),
            models.CheckConstraint(condition=models.Q(spawn_rate__gt=0), name="scenario_spawn_rate_positive"),
            models.CheckConstraint(condition=models.Q(run_time_s__gt=0), name="scenario_run_time_positive"),
            models.CheckConstraint(condition=models.Q(workers__gte=1), name="scenario_workers_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class ScenarioVersion(Tenanted):
    """One state of a scenario's script. Never changed: what a run used can be read for as long as the run exists."""

    TEAM_PATH = "scenario__project__team_id"
    PROJECT_PATH = "scenario__project_id"

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    locustfile = models.TextField(_("script"))
    sha256 = models.CharField(max_length=64, editable=False)
    note = models.CharField(_("note"), max_length=NOTE_CHARS, blank=True)
    author = models.CharField(max_length=200)
    """Label of the actor; outlives the account."""
    author_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["scenario", "number"], name="version_number_once_a_scenario"),
        ]

    def __str__(self) -> str:
        return f"{self.scenario} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a scenario version never changes; make a new one")
        self.sha256 = hashlib.sha256(self.locustfile.encode()).hexdigest()
        super().save(*args, **kwargs)


class Distribution(models.TextChoices):
    """Who gets which rows of a data file."""

    SPLIT = "split", _("Split over workers")
    SHARED = "shared", _("Shared by all")
    PER_USER = "per_user", _("One row a user")


class AtEnd(models.TextChoices):
    """What a user gets when the rows are used up."""

    RECYCLE = "recycle", _("Begin again")
    STOP = "stop", _("Stop the user")


class DataKind(models.TextChoices):
    """How a data file is read."""

    CSV = "csv", _("CSV")
    JSON_LINES = "jsonl", _("JSON lines")
    BINARY = "binary", _("Binary")


class DataFile(Tenanted):
    """A file that the script of a scenario reads its data from, under one name through all its versions."""

    TEAM_PATH = "scenario__project__team_id"
    PROJECT_PATH = "scenario__project_id"

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="data_files")
    name = models.CharField(_("name"), max_length=DATA_NAME_CHARS)
    distribution = models.CharField(_("distribution"), max_length=10, choices=Distribution.choices)
    at_end = models.CharField(_("at the end"), max_length=10, choices=AtEnd.choices, default=AtEnd.RECYCLE)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    """Set: only runs that pinned a version of it still read it; it goes for good when there are none."""

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["scenario", "name"],
                condition=models.Q(deleted_at=None),
                name="data_file_name_once_a_scenario",
            ),
            models.CheckConstraint(
                condition=models.Q(distribution__in=Distribution.values), name="data_file_distribution_known"
            ),
            models.CheckConstraint(condition=models.Q(at_end__in=AtEnd.values), name="data_file_at_end_known"),
        ]

    def __str__(self) -> str:
        return self.name


class DataFileVersion(Tenanted):
    """One content of a data file. Never changed: what a run pinned can be read for as long as the run exists."""

    TEAM_PATH = "file__scenario__project__team_id"
    PROJECT_PATH = "file__scenario__project_id"

    file = models.ForeignKey(DataFile, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    """Bytes."""
    kind = models.CharField(max_length=10, choices=DataKind.choices)
    rows = models.PositiveIntegerField()
    """Without the header; 0 for a binary file."""
    columns = models.JSONField(default=list, blank=True)
    """Names in the header of a CSV; of JSON lines those of the first object."""
    encoding = models.CharField(max_length=20, blank=True)
    """`utf-8`, or `utf-8-sig` with a byte order mark; empty for a binary file."""
    path = models.CharField(max_length=200)
    """In the storage `data`. Versions of one project with the same content have the same."""
    author = models.CharField(max_length=200)
    """Label of the actor; outlives the account."""
    author_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="data_version_number_once_a_file"),
        ]
        indexes = [models.Index(fields=["sha256"], name="data_version_sha256")]

    def __str__(self) -> str:
        return f"{self.file} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a version of a data file never changes; make a new one")
        super().save(*args, **kwargs)
