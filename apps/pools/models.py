"""Where runs happen: pools of worker hosts, the runner processes on them, and the IDs that belong to each."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.models import Base
from apps.teams.models import Project, Team

LOCAL = "local"
"""The pool that exists from the first start."""
RUNNER_SILENT_SECONDS = 15
"""A runner that has not been heard of for this long is offline: three of its 5-second heartbeats."""
LOCAL_SLOTS = 4
"""At least so many on a host of the pool `local`: whoever tries things out on a small machine wants more than one."""
USERS_PER_WORKER = 166
"""Advice for a worker of 4 cores and 8 GB; with a pause between tasks it carries more."""
MAX_ID = 10**12
"""The largest number that is part of an ID."""
MAX_ID_WIDTH = 12


class WorkerPool(Base):
    """A named group of worker hosts. The portal admin's and not a tenant's; teams may be given some and not others."""

    name = models.SlugField(_("name"), max_length=60, unique=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    is_default = models.BooleanField(_("default pool"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    takes_new_hosts = models.BooleanField(_("takes new hosts without approval"), default=False)

    # who may use it
    is_for_all = models.BooleanField(_("for all teams"), default=True)
    teams = models.ManyToManyField(Team, verbose_name=_("teams"), blank=True, related_name="pools")
    """With `projects`: those that may use it, unless it is for all."""
    projects = models.ManyToManyField(Project, verbose_name=_("projects"), blank=True, related_name="pools")

    # the IDs of its simulated users
    id_prefix = models.CharField(_("ID prefix"), max_length=50, blank=True)
    id_width = models.PositiveSmallIntegerField(_("ID width"), default=5)
    """Digits of the number, filled up with zeros: 5 makes 00001."""
    first_id = models.PositiveBigIntegerField(_("first ID"), null=True, blank=True)
    last_id = models.PositiveBigIntegerField(_("last ID"), null=True, blank=True)
    """Both None: users of a run are numbered from 1, and nothing keeps two runs from the same numbers."""

    # how it is used
    users_per_worker = models.PositiveIntegerField(_("users per worker"), default=USERS_PER_WORKER)
    """Advice, not a limit."""
    first_port = models.PositiveIntegerField(_("first port"), null=True, blank=True)
    last_port = models.PositiveIntegerField(_("last port"), null=True, blank=True)
    """Where a Locust master may listen; both None: on any free port."""

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="one_default_pool"),
            models.CheckConstraint(
                condition=Q(first_id=None, last_id=None)
                | Q(first_id__gte=1, first_id__lte=F("last_id"), last_id__lte=MAX_ID),
                name="pool_ids_in_order",
            ),
            models.CheckConstraint(
                condition=Q(first_port=None, last_port=None)
                | Q(first_port__gte=1024, first_port__lte=F("last_port"), last_port__lte=65_535),
                name="pool_ports_in_order",
            ),
            models.CheckConstraint(condition=Q(id_width__lte=MAX_ID_WIDTH), name="pool_id_width_known"),
            models.CheckConstraint(condition=Q(users_per_worker__gte=1), name="pool_users_per_worker_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_ids(self) -> bool:
        """Whether its runs lease IDs."""
        return self.first_id is not None

    def id_text(self, number: int) -> str:
        """The ID of a number, as the script gets it: `test_00001`."""
        return f"{self.id_prefix}{number:0{self.id_width}d}"


class Standing(models.TextChoices):
    """What people decided about a host."""

    PENDING = "pending", _("Pending")
    ACTIVE = "active", _("Active")
    DRAINING = "draining", _("Draining")


OFFLINE = "offline"
"""The state of a host that has been decided about and is not heard of."""


class WorkerHost(Base):
    """A machine on which runners live."""

    pool = models.ForeignKey(WorkerPool, on_delete=models.PROTECT, related_name="hosts")
    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # what people decide
    standing = models.CharField(max_length=10, choices=Standing.choices, default=Standing.PENDING)
    slots = models.PositiveSmallIntegerField(_("slots"), null=True, blank=True)
    """Locust processes at once; None: one a core. See `slot_count`."""
    max_users = models.PositiveIntegerField(_("maximum users"), null=True, blank=True)
    """Of all its Locust processes together; None: no limit."""
    address = models.CharField(_("address"), max_length=255, blank=True)
    """Name or IP under which other hosts of the pool reach it; empty: as it says itself."""
    link_mbit = models.PositiveIntegerField(_("link speed"), null=True, blank=True)
    """Of its network, in Mbit/s; None: as it says itself, if it can."""
    labels = models.JSONField(_("labels"), default=dict, blank=True)

    # what it says
    machine = models.CharField(max_length=64, blank=True)
    """Tells the machine from another that calls itself the same."""
    is_silent = models.BooleanField(default=True)
    """Nothing was heard of it for RUNNER_SILENT_SECONDS."""
    last_seen_at = models.DateTimeField(null=True, blank=True)
    versions = models.JSONField(default=dict)
    """`{"python": …, "locust": …, "hatchery": …}` as the host last reported them."""
    cores = models.PositiveSmallIntegerField(default=1)
    report = models.JSONField(default=dict)
    """The newest of its reports, in the form of `telemetry.Report`."""
    recent = models.JSONField(default=list)
    """Of its last reports: `[epoch seconds, cpu %, memory %, received Mbit/s, sent Mbit/s]`, oldest first."""

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(standing__in=Standing.values), name="host_standing_known"),
            models.CheckConstraint(condition=Q(slots=None) | Q(slots__gte=1), name="host_slots_positive"),
            models.CheckConstraint(condition=Q(max_users=None) | Q(max_users__gte=1), name="host_users_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """`pending`, `active`, `draining`, or `offline` for one that is silent."""
        return OFFLINE if self.is_silent and self.standing != Standing.PENDING else self.standing

    @property
    def slot_count(self) -> int:
        """How many Locust processes it takes."""
        if self.slots is not None:
            return self.slots
        return max(self.cores, LOCAL_SLOTS) if self.pool.name == LOCAL else self.cores


class HostEvent(Base):
    """A change of a host's state. Append-only."""

    host = models.ForeignKey(WorkerHost, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10)
    """`WorkerHost.state` from then on."""
    text = models.CharField(max_length=300)
    by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.state}: {self.text}"


class JoinKey(Base):
    """The right to join a pool as one host, once. Only its digest is kept."""

    pool = models.ForeignKey(WorkerPool, on_delete=models.CASCADE, related_name="join_keys")
    host_name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.host_name} → {self.pool}"

    def state(self, now: datetime) -> str:
        """`used`, `revoked`, `expired`, or `open`: it still lets a machine in. `now` is the database's."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"


class Runner(Base):
    """One runner process: takes as many runs at a time as its host has slots. Its row is its heartbeat."""

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


class IdRange(Base):
    """The numbers of its pool's IDs that a host may use. Ranges of a pool never overlap.

    PostgreSQL holds that by an exclusion constraint (migration 0004); on SQLite, which has none, `ranges.py` looks
    before it writes, in a transaction that nobody else writes in.
    """

    pool = models.ForeignKey(WorkerPool, on_delete=models.CASCADE, related_name="ranges")
    host = models.OneToOneField(WorkerHost, on_delete=models.CASCADE, related_name="id_range")
    first = models.PositiveBigIntegerField(_("first"))
    last = models.PositiveBigIntegerField(_("last"))

    class Meta:
        ordering = ["first"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first__gte=1, first__lte=F("last"), last__lte=MAX_ID), name="range_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first}–{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1


class IdLease(Base):
    """Numbers of a pool's IDs that one Locust worker of a run has for itself, until `ended_at`.

    Those that have not ended never overlap within a pool; held like `IdRange`.
    """

    pool = models.ForeignKey(WorkerPool, on_delete=models.CASCADE, related_name="leases")
    host = models.ForeignKey(WorkerHost, on_delete=models.SET_NULL, null=True, related_name="leases")
    run_id = models.UUIDField(db_index=True)
    run_label = models.CharField(max_length=300)
    """`#128 Checkout`, for whoever has to wait for it."""
    worker = models.PositiveSmallIntegerField()
    """Index of the Locust worker in its run."""
    first = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField()
    leased_at = models.DateTimeField()
    free_at = models.DateTimeField(null=True, blank=True)
    """Of a worker that was lost: when its process is sure to be gone, although nobody saw it die."""
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["first"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first__gte=1, first__lte=F("last"), last__lte=MAX_ID), name="lease_in_order"
            ),
        ]
        indexes = [models.Index(fields=["pool", "first"], condition=Q(ended_at=None), name="lease_alive")]

    def __str__(self) -> str:
        return f"{self.run_label}: {self.first}–{self.last}"
