"""REST of the data files of a scenario."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import FileResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api import CursorPages
from apps.core.idempotency import idempotent, takes_key
from apps.scenarios import data_limits, data_presentation, data_services, selectors
from apps.scenarios.data_download import chosen_version, download
from apps.scenarios.data_preview import preview
from apps.scenarios.data_serializers import (
    DataFileChange,
    DataFileNew,
    DataFileOut,
    DataPreviewOut,
    DataVersionOut,
    DataVersionRestore,
)
from apps.scenarios.data_services import Received
from apps.scenarios.models import DataFile, DataFileVersion, Scenario
from apps.teams import roles
from apps.teams.access import get_by_ref, get_for
from apps.teams.authentication import actor_of

VERSION = OpenApiParameter("version", int, description="Number of a version; without it the newest.")


class FilesByName(CursorPages):
    """Names are there once a scenario."""

    ordering = "name"


class VersionsByNumber(CursorPages):
    """Two versions may share a millisecond."""

    ordering = "-number"


class DataList(APIView):
    """The data files of a scenario."""

    parser_classes = [MultiPartParser]

    @extend_schema(responses=DataFileOut(many=True))
    def get(self, request: Request, ref: str) -> Response:
        """List the data files of a scenario by name; `usage` has the bytes of the scenario and of its team, and how
        many each may have."""
        scenario, pages = _scenario(request, ref), FilesByName()
        page = pages.paginate_queryset(selectors.newest_data(scenario), request, view=self)
        answer = pages.get_paginated_response([data_presentation.data_file(row) for row in page or []])
        answer.data["usage"] = asdict(data_limits.usage(scenario))
        return answer

    @extend_schema(request={"multipart/form-data": DataFileNew}, responses={201: DataFileOut, 200: DataFileOut})
    @takes_key
    def post(self, request: Request, ref: str) -> Response:
        """Upload a data file, or a new version of one. 200 when its newest version has the same content already.

        CSV: UTF-8, a header with a name for each column, a cell for each in every row. JSON lines: UTF-8, an object a
        line. 413 for more than the portal takes, 409 `scenario_full` or `team_full` for more than there is room for.
        """
        scenario = _scenario(request, ref, roles.SCENARIO_EDIT)
        body = DataFileNew(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        file = given.pop("file")
        # Not within the transaction that a key needs: it would hold the database for as long as the file is read.
        received = data_services.receive(scenario=scenario, name=given.pop("name", file.name), source=file)
        return self._add(request, scenario, received, given)

    @idempotent()
    def _add(self, request: Request, scenario: Scenario, received: Received, given: dict[str, Any]) -> Response:
        version, is_new = data_services.add(scenario=scenario, received=received, by=actor_of(request), **given)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        location = reverse("api:scenario_data_file", args=[scenario.pk, version.file.name])
        return Response(data_presentation.data_file(version), status=code, headers={"Location": location})


class DataDetail(APIView):
    """One data file, by its name."""

    @extend_schema(responses=DataFileOut)
    def get(self, request: Request, ref: str, name: str) -> Response:
        """Read a data file's description."""
        return _shown(_file(request, ref, name))

    @extend_schema(request=DataFileChange, responses=DataFileOut)
    def patch(self, request: Request, ref: str, name: str) -> Response:
        """Change who gets which rows, or what comes after the last; what is left out stays."""
        file = _file(request, ref, name, roles.SCENARIO_EDIT)
        body = DataFileChange(data=request.data)
        body.is_valid(raise_exception=True)
        return _shown(data_services.change(file=file, by=actor_of(request), **body.validated_data))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ref: str, name: str) -> Response:
        """Delete a data file with its versions. Runs that used one can still be run to their end."""
        data_services.delete(file=_file(request, ref, name, roles.SCENARIO_EDIT), by=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DataVersions(APIView):
    """The versions of a data file."""

    @extend_schema(responses=DataVersionOut(many=True))
    def get(self, request: Request, ref: str, name: str) -> Response:
        """List the versions of a data file, newest first."""
        pages = VersionsByNumber()
        page = pages.paginate_queryset(_file(request, ref, name).versions.all(), request, view=self)
        return pages.get_paginated_response([data_presentation.data_version(row) for row in page or []])

    @extend_schema(request=DataVersionRestore, responses={201: DataVersionOut, 200: DataVersionOut})
    @idempotent()
    def post(self, request: Request, ref: str, name: str) -> Response:
        """Make an older version the newest, under a new number. 200 when the newest has the same content already."""
        file = _file(request, ref, name, roles.SCENARIO_EDIT)
        body = DataVersionRestore(data=request.data)
        body.is_valid(raise_exception=True)
        version = chosen_version(file, str(body.validated_data["version"]))
        made, is_new = data_services.restore(version=version, by=actor_of(request))
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(data_presentation.data_version(made), status=code)


class DataContent(APIView):
    """The bytes of a data file."""

    @extend_schema(parameters=[VERSION], responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, ref: str, name: str) -> FileResponse:
        """Download a data file as it was uploaded."""
        return download(_version(request, ref, name))


class DataPreview(APIView):
    """The first rows of a data file."""

    @extend_schema(parameters=[VERSION], responses=DataPreviewOut)
    def get(self, request: Request, ref: str, name: str) -> Response:
        """Read the first rows of a data file; of a binary one there are none."""
        version = _version(request, ref, name)
        return Response(data_presentation.data_preview(version, preview(version)))


def _scenario(request: Request, ref: str, permission: str = roles.VIEW) -> Scenario:
    return get_by_ref(actor_of(request), Scenario, ref, permission)


def _file(request: Request, ref: str, name: str, permission: str = roles.VIEW) -> DataFile:
    scenario = _scenario(request, ref)
    return get_for(actor_of(request), DataFile, permission, scenario=scenario, name=name, deleted_at=None)


def _version(request: Request, ref: str, name: str) -> DataFileVersion:
    return chosen_version(_file(request, ref, name), request.GET.get("version"))


def _shown(file: DataFile) -> Response:
    return Response(data_presentation.data_file(data_services.newest(file)))
