"""Runs and everything that is kept of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from apps.core.models import Base, Tenanted
from apps.pools.models import WorkerHost, WorkerPool
from apps.runs.states import REASONS, TERMINAL, State, Verdict, WorkerState
from apps.scenarios.models import Collector, LoadOptions, Placement, Scenario, ScenarioVersion
from apps.teams.models import Project


class Run(LoadOptions, Placement, Tenanted):
    """One execution of one scenario version.

    Written by whoever holds `fence`: every update carries `WHERE state = expected AND fence = mine`
    (see `services.py` and `lease.py`).
    """

    TEAM_PATH = "project__team_id"
    PROJECT_PATH = "project_id"

    # what was asked for
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="runs")
    version = models.ForeignKey(ScenarioVersion, on_delete=models.PROTECT, related_name="runs")
    pool = models.ForeignKey(WorkerPool, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField(editable=False)
    """1, 2, 3 … within the project."""
    collector = models.CharField(max_length=10, choices=Collector.choices, default=Collector.EXACT)
    group_ids = models.BooleanField(default=False)
    data = models.JSONField(default=list, blank=True)
    """The data files it reads, as `scenarios.data_services.pin` gave them when it was asked for."""
    labels = models.JSONField(default=dict, blank=True)
    note = models.CharField(max_length=500, blank=True)
    requested_by = models.CharField(max_length=200)
    """Label of the actor; outlives the account."""
    requested_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    # where it is
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=30, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, default=Verdict.NONE)
    verdict_reasons = models.JSONField(default=list, blank=True)
    """Codes of `states.INVALID_REASONS`, the weightiest first."""
    diagnosis = models.JSONField(default=dict, blank=True)
    """Why it failed: `{"message": str, "line": int | null, "traceback": str}`."""
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    """When Locust began to spawn users."""
    finished_at = models.DateTimeField(null=True, blank=True)

    # who holds it
    fence = models.PositiveIntegerField(default=0)
    runner = models.CharField(max_length=150, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    """When the doorbell was last rung."""
    rings = models.PositiveIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    abort_requested_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=200, blank=True)
    waits_for = models.CharField(max_length=500, blank=True)
    """What there is no room for, while it is queued."""

    # on which processes
    id_prefix = models.CharField(max_length=50, blank=True)
    id_width = models.PositiveSmallIntegerField(default=1)
    """How numbers became IDs; see `WorkerPool`."""
    link = models.JSONField(default=dict, blank=True)
    """For runners' eyes only: where its master listens, and the keys, `{"address", "port", "keys": {…}}`; once it is
    gone, `{"is_over": true}`."""
    first_t = models.BigIntegerField(null=True, blank=True)
    """Of a run of several workers, the epoch second of tick 1: the tick of second `t` is `t - first_t + 1`."""

    # what people want of it while it runs; `workers.spec.Steering`
    steering_revision = models.PositiveIntegerField(default=0)
    """Goes up with each change; 0: as it was asked for."""
    wanted_users = models.PositiveIntegerField(null=True, blank=True)
    wanted_spawn_rate = models.FloatField(null=True, blank=True)
    is_paused = models.BooleanField(default=False)
    own_shape = models.CharField(max_length=200, blank=True)
    """Name of the LoadTestShape that the script brings along: then nobody else decides about users."""

    # what came of it
    last_seq = models.PositiveIntegerField(default=0)
    """Sequence number of the last stored tick."""
    last_tick_at = models.DateTimeField(null=True, blank=True)
    last_request_at = models.DateTimeField(null=True, blank=True)
    """The last second in which a request completed."""
    current_users = models.PositiveIntegerField(default=0)
    peak_users = models.PositiveIntegerField(default=0)
    totals = models.JSONField(default=dict, blank=True)
    """`requests failures rps avg_ms p50_ms p95_ms p99_ms min_ms max_ms bytes` over all endpoints."""
    reconciliation = models.JSONField(default=dict, blank=True)
    """`{"collected": n, "locust": n | null, "difference": n | null, "endpoints": […those that differ…]}`."""
    tables_version = models.PositiveIntegerField(default=0)
    """Goes up when failures, exceptions or endpoint totals change, so that a reader knows without reading them."""
    generator = models.JSONField(default=dict, blank=True)
    """`{"cpu_percent", "rss_bytes", "cpu_peak_percent"}` of the Locust process."""
    user_classes = models.JSONField(default=list, blank=True)
    """Names of the user classes, in the order of the columns of the blocks."""
    finest_step_s = models.PositiveSmallIntegerField(default=1)
    """The finest tier that is still kept: 1, then 10, then 0 for none (see `retention.py`)."""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="run_number_once_a_project"),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="run_state_known"),
            models.CheckConstraint(condition=models.Q(verdict__in=Verdict.values), name="run_verdict_known"),
            models.CheckConstraint(condition=models.Q(users__gte=1), name="run_users_positive"),
            models.CheckConstraint(condition=models.Q(spawn_rate__gt=0), name="run_spawn_rate_positive"),
            models.CheckConstraint(condition=models.Q(run_time_s__gt=0), name="run_run_time_positive"),
            models.CheckConstraint(condition=models.Q(workers__gte=1), name="run_workers_positive"),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="run_project_newest"),
            models.Index(fields=["scenario", "-id"], name="run_scenario_newest"),
            # Neither is for active runs only: SQLite does not see that `state = 'queued'` is one of those.
            models.Index(fields=["state", "-id"], name="run_state_newest"),
            models.Index(fields=["project", "state", "-id"], name="run_project_state"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.scenario.name}"

    def get_absolute_url(self) -> str:
        return reverse("runs:detail", args=[self.pk])

    def id_text(self, number: int) -> str:
        """The ID of a number, as the script gets it."""
        return f"{self.id_prefix}{number:0{self.id_width}d}"

    @property
    def is_over(self) -> bool:
        """In a state that never changes again."""
        return self.state in TERMINAL

    @property
    def reason_text(self) -> str:
        """The sentence that belongs to the reason code."""
        return str(REASONS.get(self.reason, ""))

    @property
    def elapsed_s(self) -> float:
        """Seconds of load so far, or in all."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or timezone.now()) - self.started_at).total_seconds())

    @property
    def progress(self) -> float:
        """0 to 1 of the planned time."""
        if self.is_over:
            return 1.0
        return min(1.0, self.elapsed_s / self.run_time_s)


class RunWorker(Base):
    """One Locust process of a run that has users, in the place and with the numbers that the run was given there.

    Written by the runner of its host, which holds `fence`; what the leader of the run decides of it is in `state`.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="worker_rows")
    index = models.PositiveSmallIntegerField()
    host = models.ForeignKey(WorkerHost, on_delete=models.SET_NULL, null=True, related_name="run_workers")
    host_name = models.CharField(max_length=100)
    users = models.PositiveIntegerField()
    """The most it gets."""
    offset = models.PositiveBigIntegerField()
    """Its users' numbers are `offset + 1` to `offset + users`."""

    # where it is
    state = models.CharField(max_length=10, choices=WorkerState.choices, default=WorkerState.WANTED)
    reason = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    """When the master had heard of it."""
    ended_at = models.DateTimeField(null=True, blank=True)
    """When its process was known to be gone."""
    starts = models.PositiveSmallIntegerField(default=0)
    """How often its process was started."""

    # who holds it
    fence = models.PositiveIntegerField(default=0)
    runner = models.CharField(max_length=150, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    rings = models.PositiveIntegerField(default=0)

    # what it does
    last_seq = models.PositiveIntegerField(default=0)
    """Sequence number of its last stored tick."""
    last_t = models.BigIntegerField(null=True, blank=True)
    """The epoch second of it."""
    is_closed = models.BooleanField(default=False)
    """No tick will follow."""
    current_users = models.PositiveIntegerField(default=0)
    totals = models.JSONField(default=dict, blank=True)
    """As `Run.totals`, of its own requests; while it runs without percentiles."""
    generator = models.JSONField(default=dict, blank=True)
    """As `Run.generator`, and `lag_ms`."""
    link = models.JSONField(default=dict, blank=True)
    """How it hears its master: `{"state": "heard" | "silent", "since": epoch seconds}`."""
    identity = models.BinaryField(null=True)
    """What its journal of IDs says; see `identities.py`."""
    ids_in_use = models.PositiveIntegerField(null=True, blank=True)
    """How many IDs its users had when it last told; None of a script that has not asked for any."""
    clock_offset_ms = models.FloatField(null=True, blank=True)
    """By how much its host's clock was behind the database's, which was made up for."""

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="worker_index_once_a_run"),
            models.CheckConstraint(condition=models.Q(state__in=WorkerState.values), name="worker_state_known"),
        ]
        indexes = [models.Index(fields=["host", "state"], name="worker_of_host")]

    def __str__(self) -> str:
        return f"worker {self.index} on {self.host_name}"


class RunEvent(Base):
    """Something that happened to a run, in order, for the page's time line. Append-only."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    """`state`, `note`, `step`, `warning`, `request`, `control`, `stall`, `stall_over`."""
    until = models.DateTimeField(null=True, blank=True)
    """The end of a note that is about a span of time."""
    text = models.CharField(max_length=500)
    by = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Endpoint(Base):
    """One request name of a run, and Locust's totals of it. `index` is what blocks and the wire call it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="endpoints")
    index = models.PositiveSmallIntegerField()
    method = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=500)
    totals = models.JSONField(default=dict, blank=True)
    """As `Run.totals`, of this endpoint."""
    locust_requests = models.PositiveBigIntegerField(null=True, blank=True)
    """Locust's own count at the end, to compare with `totals["requests"]`; None when it never said."""

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="endpoint_index_once_a_run"),
            models.UniqueConstraint(fields=["run", "method", "name"], name="endpoint_name_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.name}".strip()


class SampleBlock(Base):
    """Consecutive ticks of a run in columns (see `blocks.py`).

    A run's newest seconds are blocks of one flush each; when a minute is over they are packed into one block a tier.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="blocks")
    worker = models.PositiveSmallIntegerField(default=0)
    """Index of the Locust process that measured it; each process counts its own ticks."""
    step_s = models.PositiveSmallIntegerField()
    """The tier: 1, 10 or 60 seconds a row."""
    first_seq = models.PositiveIntegerField()
    last_seq = models.PositiveIntegerField()
    first_t = models.BigIntegerField()
    """UTC epoch seconds of the first and the last row."""
    last_t = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["step_s", "worker", "first_seq"]
        constraints = [
            models.UniqueConstraint(fields=["run", "worker", "step_s", "first_seq"], name="block_once"),
            models.CheckConstraint(condition=models.Q(step_s__in=[1, 10, 60]), name="block_tier_known"),
        ]

    def __str__(self) -> str:
        return f"{self.step_s} s: {self.first_seq}–{self.last_seq}"


class Failure(Base):
    """One error of one endpoint, and how often it came."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="failures")
    index = models.PositiveSmallIntegerField()
    """What blocks and samples call it."""
    method = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=500)
    error = models.TextField()
    occurrences = models.PositiveBigIntegerField()
    first_seen = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-occurrences", "id"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="failure_index_once_a_run")]

    def __str__(self) -> str:
        return f"{self.occurrences} × {self.error[:80]}"


class FailureSample(Base):
    """One failing request, kept as an example of its error. All of it is what the target and the script said."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="failure_samples")
    failure = models.PositiveSmallIntegerField()
    """Index of the `Failure` that it is an example of."""
    at = models.DateTimeField()
    method = models.CharField(max_length=50, blank=True)
    url = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    """None when there was no answer."""
    response_ms = models.FloatField(null=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    """The first 4 kB of the answer."""
    body_bytes = models.PositiveBigIntegerField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "failure"], name="sample_of_failure")]

    def __str__(self) -> str:
        return f"{self.method} {self.url[:80]} → {self.status}"


class ScriptException(Base):
    """One exception that the script raised outside of a request."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="exceptions")
    count = models.PositiveBigIntegerField()
    message = models.TextField()
    traceback = models.TextField()

    class Meta:
        ordering = ["-count", "id"]

    def __str__(self) -> str:
        return f"{self.count} × {self.message[:80]}"


LEADER = -1
"""What `LogChunk.worker` says of a run's master, and of its only process."""


class LogChunk(Base):
    """Some lines of Locust's log, in order: the newest, for the page. The whole log is an artifact."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log_chunks")
    worker = models.SmallIntegerField(default=LEADER)
    """Index of the worker that wrote it, or LEADER. Each counts its own lines."""
    seq = models.PositiveIntegerField()
    """Number of its last line."""
    text = models.TextField()

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "worker", "seq"], name="log_chunk_once")]

    def __str__(self) -> str:
        return self.text[:80]


class Artifact(Base):
    """A file that a run left behind. Its content is in storage; nothing in it is trusted."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=100)
    """`report.html`, `stats.csv`, `stats_history.csv`, `failures.csv`, `exceptions.csv`, `locust.log`."""
    path = models.CharField(max_length=300)
    """Inside the artifact storage; made of ids, never of names that people or scripts chose."""
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="artifact_name_once_a_run")]

    def __str__(self) -> str:
        return self.name
