"""REST of projects, tokens and the audit log."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.errors import Invalid
from apps.core.idempotency import idempotent
from apps.core.serializers import StrictSerializer
from apps.teams import (
    roles,
    schema,  # noqa: F401 (registers itself; here, because only the process that serves the API needs it)
    services,
)
from apps.teams.access import get_by_ref, get_for, list_for, require
from apps.teams.actors import Actor
from apps.teams.authentication import actor_of
from apps.teams.models import ApiToken, AuditEvent, Project, Team
from apps.teams.serializers import (
    AuditEventOut,
    ProjectChange,
    ProjectNew,
    ProjectOut,
    TokenNew,
    TokenOut,
    TokenWithSecret,
)


class ProjectList(generics.ListAPIView[Project]):
    """The projects of the caller's teams."""

    serializer_class = ProjectOut

    def get_queryset(self) -> QuerySet[Project]:
        return list_for(actor_of(self.request), Project).select_related("team")

    @extend_schema(request=ProjectNew, responses={201: ProjectOut})
    @idempotent()
    def post(self, request: Request) -> Response:
        """Create a project."""
        actor, given = actor_of(request), _valid(ProjectNew, request)
        team = _team(actor, given.pop("team", None), roles.PROJECT_EDIT)
        project = services.create_project(team=team, **given, by=actor)
        return Response(ProjectOut(project).data, status=status.HTTP_201_CREATED)


class ProjectDetail(APIView):
    """One project, by its id or slug."""

    @extend_schema(responses=ProjectOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a project."""
        return Response(ProjectOut(_project(request, ref, roles.VIEW)).data)

    @extend_schema(request=ProjectChange, responses=ProjectOut)
    def patch(self, request: Request, ref: str) -> Response:
        """Change a project; what is left out stays. A new slug is a new address."""
        project = _project(request, ref, roles.PROJECT_EDIT)
        given = _valid(ProjectChange, request)
        services.change_project(project=project, **given, by=actor_of(request))
        return Response(ProjectOut(project).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str) -> Response:
        """Delete a project with its scenarios, runs and tokens. Refused (409, `run_active`) while a run is active."""
        services.delete_project(project=_project(request, ref, roles.PROJECT_EDIT), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenList(generics.ListAPIView[ApiToken]):
    """The tokens of the caller's teams, for managers and owners; never their secrets."""

    serializer_class = TokenOut

    def get_queryset(self) -> QuerySet[ApiToken]:
        return list_for(actor_of(self.request), ApiToken, roles.TOKEN_MANAGE).select_related("team", "project")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        require(actor_of(request), roles.TOKEN_MANAGE, whole_team=True)
        return super().list(request, *args, **kwargs)

    @extend_schema(request=TokenNew, responses={201: TokenWithSecret})
    @idempotent(hide=("secret",))
    def post(self, request: Request) -> Response:
        """Create a token. The answer is the only place where its secret is ever shown."""
        actor = actor_of(request)
        require(actor, roles.TOKEN_MANAGE, whole_team=True)
        given = _valid(TokenNew, request)
        team = _team(actor, given.pop("team", None), roles.TOKEN_MANAGE)
        ref = given.pop("project", None)
        project = get_by_ref(actor, Project, ref, roles.TOKEN_MANAGE, team=team) if ref else None
        token, secret = services.create_token(team=team, project=project, **given, by=actor)
        body = {**TokenOut(token).data, "secret": secret}
        return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class TokenDetail(APIView):
    """One token."""

    @extend_schema(responses=TokenOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a token, without its secret."""
        return Response(TokenOut(_token(request, ref)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str) -> Response:
        """Revoke a token. It stays in the list, and never works again."""
        services.revoke_token(token=_token(request, ref), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditList(generics.ListAPIView[AuditEvent]):
    """What was done in the caller's teams, and by whom; newest first."""

    serializer_class = AuditEventOut
    FILTERS = ("action", "object_type", "object_id", "actor")

    def get_queryset(self) -> QuerySet[AuditEvent]:
        wanted = {name: value for name in self.FILTERS if (value := self.request.GET.get(name))}
        return list_for(actor_of(self.request), AuditEvent, roles.AUDIT_VIEW).filter(**wanted)

    @extend_schema(parameters=[OpenApiParameter(name, str) for name in FILTERS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        require(actor_of(request), roles.AUDIT_VIEW, whole_team=True)
        return super().get(request, *args, **kwargs)


def _valid(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


def _project(request: Request, ref: str, permission: str) -> Project:
    return get_by_ref(actor_of(request), Project, ref, permission)


def _token(request: Request, ref: str) -> ApiToken:
    return get_for(actor_of(request), ApiToken, roles.TOKEN_MANAGE, pk=ref)


def _team(actor: Actor, ref: str | None, permission: str) -> Team:
    """The team that was named, or the only one in which the actor may do this."""
    require(actor, permission, whole_team=True)
    if ref is not None:
        return get_by_ref(actor, Team, ref, permission)
    teams = list(list_for(actor, Team, permission)[:2])
    if len(teams) != 1:
        sentence = _("You are in more than one team: name one.")
        raise Invalid(sentence, fields={"team": [sentence]})
    return teams[0]
