"""Tenants: teams, who is in them, their projects, their API tokens, and what was done."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.models import Tenanted
from apps.teams.roles import Role, Scope

NAME_CHARS = 100


class Team(Tenanted):
    """A tenant."""

    TEAM_PATH = "id"

    name = models.CharField(_("name"), max_length=NAME_CHARS)
    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    keep_days = models.PositiveIntegerField(_("days to keep the course of runs"), default=365)
    """So long after its end a run keeps its figures over time at 10 and 60 seconds; its totals and files stay."""
    created_at = models.DateTimeField(auto_now_add=True)
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="teams"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(Tenanted):
    """One person's role in one team."""

    TEAM_PATH = "team_id"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.team} · {self.role}"


class Project(Tenanted):
    """What a team tests: scenarios and runs hang on it."""

    TEAM_PATH = "team_id"
    PROJECT_PATH = "id"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(_("name"), max_length=NAME_CHARS)
    slug = models.SlugField(_("slug"), max_length=60)
    description = models.TextField(_("description"), blank=True, validators=[MaxLengthValidator(2000)])
    created_at = models.DateTimeField(auto_now_add=True)
    last_run_number = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "slug"], name="project_slug_once_a_team")]

    def __str__(self) -> str:
        return self.name


class ApiToken(Tenanted):
    """A key for programs. Only its SHA-256 is kept: 256 random bits need no slow hash."""

    TEAM_PATH = "team_id"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="tokens")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens")
    """Set: the token sees this project only."""
    name = models.CharField(_("name"), max_length=NAME_CHARS)
    prefix = models.CharField(max_length=16)
    """The first characters, to tell tokens apart; of no use to log in."""
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    """The highest scope; each contains those before it."""
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="created_tokens"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(scope__in=Scope.values), name="token_scope_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class AuditEvent(Tenanted):
    """Who did what, as labels and ids, so that it outlives everything it names. Never changed, never deleted here."""

    TEAM_PATH = "team_id"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    team_id = models.UUIDField(null=True, db_index=True)
    team = models.CharField(max_length=NAME_CHARS, blank=True)
    actor = models.CharField(max_length=200)
    """`user:alice`, `token:ci (htc_ab12…)` or `system:keeper`."""
    action = models.CharField(max_length=60)
    """`run.stop`, `scenario.create` …"""
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=60)
    object = models.CharField(max_length=200)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object}"
