"""REST of scenarios and their versions."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api import CursorPages
from apps.core.errors import Missing
from apps.core.idempotency import idempotent
from apps.pools import pools
from apps.scenarios import load as loads
from apps.scenarios import presentation, selectors, services, validate
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.scenarios.serializers import (
    ScenarioChange,
    ScenarioNew,
    ScenarioOut,
    ValidateIn,
    ValidationOut,
    VersionNew,
    VersionOut,
    VersionWithScriptOut,
)
from apps.scenarios.services import Script
from apps.teams import roles
from apps.teams.access import get_by_ref, require
from apps.teams.actors import Actor
from apps.teams.authentication import actor_of
from apps.teams.models import Project


class ScenarioList(generics.ListAPIView[Scenario]):
    """The scenarios of the caller's teams, newest first."""

    serializer_class = ScenarioOut

    def get_queryset(self) -> QuerySet[Scenario]:
        actor = actor_of(self.request)
        rows = selectors.listed(actor)
        if ref := self.request.GET.get("project"):
            rows = rows.filter(project=get_by_ref(actor, Project, ref))
        return rows

    @extend_schema(parameters=[OpenApiParameter("project", str, description="Id or slug.")])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List scenarios."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([presentation.scenario(row) for row in page or []])

    @extend_schema(request=ScenarioNew, responses={201: ScenarioOut})
    @idempotent()
    def post(self, request: Request) -> Response:
        """Create a scenario with its first version."""
        actor = actor_of(request)
        require(actor, roles.SCENARIO_EDIT)
        body = ScenarioNew(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        project = get_by_ref(actor, Project, given.pop("project"), roles.SCENARIO_EDIT)
        script = Script(given.pop("locustfile"), given.pop("note", ""))
        made = services.create(project=project, script=script, values=_values(given, project), by=actor)
        location = reverse("api:scenario", args=[made.pk])
        return Response(_shown(actor, made), status=status.HTTP_201_CREATED, headers={"Location": location})


class ScenarioDetail(APIView):
    """One scenario, by its id or slug."""

    @extend_schema(responses=ScenarioOut)
    def get(self, request: Request, ref: str) -> Response:
        """Read a scenario."""
        return Response(_shown(actor_of(request), _scenario(request, ref)))

    @extend_schema(request=ScenarioChange, responses=ScenarioOut)
    def patch(self, request: Request, ref: str) -> Response:
        """Change name, description, load or placement; what is left out stays. The script changes by a new version."""
        scenario = _scenario(request, ref, roles.SCENARIO_EDIT)
        body = ScenarioChange(data=request.data)
        body.is_valid(raise_exception=True)
        services.update(scenario=scenario, changes=_values(body.validated_data, scenario.project), by=actor_of(request))
        return Response(_shown(actor_of(request), scenario))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str) -> Response:
        """Delete a scenario with its versions and runs. Refused (409, `run_active`) while a run is active."""
        services.delete(scenario=_scenario(request, ref, roles.SCENARIO_EDIT), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class VersionList(APIView):
    """The versions of a scenario."""

    @extend_schema(responses=VersionOut(many=True))
    def get(self, request: Request, ref: str) -> Response:
        """List the versions, newest first, without their scripts."""
        pages = VersionPages()
        rows = selectors.history(_scenario(request, ref))
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response([presentation.version(row) for row in page or []])

    @extend_schema(request=VersionNew, responses={201: VersionWithScriptOut, 200: VersionWithScriptOut})
    @idempotent()
    def post(self, request: Request, ref: str) -> Response:
        """Save a new version. 200 and the newest version when it holds the same script already."""
        scenario = _scenario(request, ref, roles.SCENARIO_EDIT)
        body = VersionNew(data=request.data)
        body.is_valid(raise_exception=True)
        version, is_new = services.save_version(
            scenario=scenario, script=Script(**body.validated_data), by=actor_of(request)
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(presentation.version_with_script(version), status=code)


class VersionDetail(APIView):
    """One version."""

    @extend_schema(responses=VersionWithScriptOut)
    def get(self, request: Request, ref: str, number: int) -> Response:
        """Read a version with its script."""
        return Response(presentation.version_with_script(_version(_scenario(request, ref), number)))


class ScenarioValidate(APIView):
    """What is wrong with a script."""

    @extend_schema(request=ValidateIn, responses=ValidationOut)
    def post(self, request: Request, ref: str) -> Response:
        """Load a script in a sandbox and say what is in it, or what is wrong. Takes about a second.

        Of a stored version whoever may start runs may ask, of a text of one's own whoever may save it.
        """
        scenario = _scenario(request, ref, roles.RUN_START)
        body = ValidateIn(data=request.data)
        body.is_valid(raise_exception=True)
        text = body.validated_data.get("locustfile")
        if text is not None:
            _scenario(request, ref, roles.SCENARIO_EDIT)
        else:
            number = body.validated_data.get("version")
            text = (_version(scenario, number) if number else selectors.newest_version(scenario)).locustfile
        return Response(presentation.validation(validate.inspect(text, scenario.env)))


class VersionPages(CursorPages):
    """By number: two versions may share a millisecond."""

    ordering = "-number"


def _scenario(request: Request, ref: str, permission: str = roles.VIEW) -> Scenario:
    return get_by_ref(actor_of(request), Scenario, ref, permission)


def _version(scenario: Scenario, number: int) -> ScenarioVersion:
    version = scenario.versions.filter(number=number).first()
    if version is None:
        raise Missing
    return version


def _shown(actor: Actor, scenario: Scenario) -> dict[str, Any]:
    shown = selectors.listed(actor).filter(pk=scenario.pk).first()
    if shown is None:
        raise Missing
    return presentation.scenario(shown)


def _values(given: dict[str, Any], project: Project) -> dict[str, Any]:
    """What the services take, from what was sent. Raises Invalid for a load that cannot be read, or no such pool."""
    parsed = loads.parse(given)
    if parsed.problems:
        loads.refuse(parsed.problems)
    rest = {name: value for name, value in given.items() if name not in loads.RAW_FIELDS}
    if rest.get("pool") is not None:
        rest["pool"] = pools.pool_for(project=project, ref=rest["pool"])
    return {**rest, **parsed.load}
