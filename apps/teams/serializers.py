"""Bodies of the API of projects, tokens and the audit log."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.names import NAME_CHARS, SLUG_CHARS
from apps.core.serializers import StrictSerializer, Text
from apps.teams.models import ApiToken, AuditEvent, Project
from apps.teams.roles import Scope
from apps.teams.services import DESCRIPTION_CHARS

REF_CHARS = 100
"""An id or a slug."""


class TeamRef(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class ProjectOut(serializers.ModelSerializer[Project]):
    team = TeamRef()

    class Meta:
        model = Project
        fields = ["id", "slug", "name", "description", "team", "created_at"]


class ProjectNew(StrictSerializer):
    team = Text(max_length=REF_CHARS, required=False, help_text="Id or slug; may be left out by a member of one team.")
    name = Text(max_length=NAME_CHARS)
    slug = Text(max_length=SLUG_CHARS, required=False, help_text="Made of the name when it is left out.")
    description = Text(max_length=DESCRIPTION_CHARS, required=False, allow_blank=True)


class ProjectChange(StrictSerializer):
    name = Text(max_length=NAME_CHARS, required=False)
    slug = Text(max_length=SLUG_CHARS, required=False)
    description = Text(max_length=DESCRIPTION_CHARS, required=False, allow_blank=True)


class TokenOut(serializers.ModelSerializer[ApiToken]):
    team = TeamRef()
    project = serializers.SlugRelatedField[Project](slug_field="slug", read_only=True, allow_null=True)
    usable = serializers.BooleanField(source="is_usable", read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "scope",
            "team",
            "project",
            "usable",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        ]


class TokenWithSecret(TokenOut):
    secret = serializers.CharField(
        read_only=True, allow_null=True, help_text="Shown now and never again; null in a repeated answer."
    )

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]


class TokenNew(StrictSerializer):
    team = Text(max_length=REF_CHARS, required=False, help_text="Id or slug; may be left out by a member of one team.")
    name = Text(max_length=NAME_CHARS)
    scope = serializers.ChoiceField(choices=Scope.choices)
    project = Text(max_length=REF_CHARS, required=False, allow_null=True, help_text="Id or slug: the only one it sees.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class AuditEventOut(serializers.ModelSerializer[AuditEvent]):
    class Meta:
        model = AuditEvent
        fields = ["id", "at", "team", "actor", "action", "object_type", "object_id", "object", "details"]
