"""REST of runs: start, watch, stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api import CursorPages
from apps.core.errors import Invalid, Missing
from apps.core.idempotency import idempotent
from apps.pools import pools
from apps.runs import identities, loglines, logs, presentation, questions, selectors, services, steering
from apps.runs.identities_serializers import IdentitiesOut
from apps.runs.models import Run
from apps.runs.serializers import (
    EndpointOut,
    EventOut,
    ExceptionOut,
    FailureOut,
    FailureSampleOut,
    LogOut,
    NoteNew,
    RunNew,
    RunOut,
    RunSteer,
    RunWithFilesOut,
    WorkerOut,
)
from apps.runs.states import ACTIVE, State
from apps.scenarios import load as loads
from apps.scenarios import placement
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams import roles
from apps.teams.access import get_by_ref, get_for, list_for, require
from apps.teams.actors import Actor
from apps.teams.authentication import actor_of
from apps.teams.models import Project


def run_for(request: Request, pk: UUID, permission: str = roles.VIEW) -> Run:
    """The run, if the caller may. Raises Missing, Denied."""
    get_for(actor_of(request), Run, permission, pk=pk)
    return selectors.one(pk)


class RunList(generics.ListAPIView[Run]):
    """The runs of the caller's teams, newest first."""

    serializer_class = RunOut

    def get_queryset(self) -> QuerySet[Run]:
        actor, asked = actor_of(self.request), self.request.GET
        runs = list_for(actor, Run).only("pk")
        if ref := asked.get("project"):
            runs = runs.filter(project=get_by_ref(actor, Project, ref))
        if ref := asked.get("scenario"):
            runs = runs.filter(scenario=get_by_ref(actor, Scenario, ref))
        if state := asked.get("state"):
            runs = runs.filter(state__in=_states(state))
        return runs

    @extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="Id or slug."),
            OpenApiParameter("scenario", str, description="Id or slug."),
            OpenApiParameter("state", str, description="One or more states, with commas between; or `active`."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List runs."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        runs = selectors.presented(selectors.of_page(run.pk for run in page or []))
        return self.get_paginated_response([presentation.run(run) for run in runs])

    @extend_schema(request=RunNew, responses={202: RunOut})
    @idempotent()
    def post(self, request: Request) -> Response:
        """Start a run. It waits in its pool's queue; `Location` is where to look."""
        actor = actor_of(request)
        require(actor, roles.RUN_START)
        body = RunNew(data=request.data)
        body.is_valid(raise_exception=True)
        run = _start(actor, body.validated_data)
        location = reverse("api:run", args=[run.pk])
        return Response(presentation.run(run), status=status.HTTP_202_ACCEPTED, headers={"Location": location})


class RunDetail(APIView):
    """One run."""

    @extend_schema(responses=RunWithFilesOut)
    def get(self, request: Request, pk: UUID) -> Response:
        """Read a run, and what can be downloaded of it."""
        return Response(presentation.run_with_files(run_for(request, pk)))

    @extend_schema(request=RunSteer, responses=RunOut)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change a running test: users, spawn rate, pause, length. What is as wanted already is no change.

        409 `not_running` before it runs, `run_over` when it is over or ending, and `own_shape` for users, spawn rate
        and pause when the script brings its own load shape.
        """
        run = run_for(request, pk, roles.RUN_CONTROL)
        body = RunSteer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(presentation.run(steering.steer(run=run, changes=body.validated_data, by=actor_of(request))))


class RunStop(APIView):
    """An end in good order."""

    @extend_schema(request=None, responses={202: RunOut})
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop a run: `on_stop`, final numbers, report. 409 `run_over` when it is over."""
        run = run_for(request, pk, roles.RUN_CONTROL)
        return _accepted(services.stop(run=run, by=actor_of(request)))


class RunAbort(APIView):
    """An end at once."""

    @extend_schema(request=None, responses={202: RunOut})
    def post(self, request: Request, pk: UUID) -> Response:
        """Abort a run at once; its last seconds may be missing. 409 `run_over` when it is over."""
        run = run_for(request, pk, roles.RUN_CONTROL)
        return _accepted(services.abort(run=run, by=actor_of(request)))


class RunEvents(APIView):
    """The time line of a run."""

    @extend_schema(responses=EventOut(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """List what happened to the run, in order, in pages."""
        pages = EventPages()
        found = pages.paginate_queryset(run_for(request, pk).events.all(), request, view=self)
        return pages.get_paginated_response([presentation.event(row) for row in found or []])

    @extend_schema(request=NoteNew, responses={201: EventOut})
    @idempotent()
    def post(self, request: Request, pk: UUID) -> Response:
        """Pin a note to a moment of the run, to a span of it, or to now."""
        run = run_for(request, pk, roles.RUN_CONTROL)
        body = NoteNew(data=request.data)
        body.is_valid(raise_exception=True)
        event = services.add_note(run=run, **body.validated_data, by=actor_of(request))
        return Response(presentation.event(event), status=status.HTTP_201_CREATED)


class RunEndpoints(APIView):
    """At most 1,001 endpoints, so they are one page."""

    @extend_schema(responses=EndpointOut(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """List the endpoints with the totals of each, and how they compare with Locust's own count."""
        return _one_page([presentation.endpoint(row) for row in run_for(request, pk).endpoints.all()])


class RunFailures(APIView):
    """At most 500 different failures, so they are one page."""

    @extend_schema(responses=FailureOut(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """List the failures by endpoint and error, the most frequent first."""
        return _one_page(presentation.failures(selectors.failures(run_for(request, pk).pk)))


class RunFailureSamples(APIView):
    """At most some dozens of each failure, so they are one page."""

    @extend_schema(responses=FailureSampleOut(many=True))
    def get(self, request: Request, pk: UUID, index: int) -> Response:
        """List the requests that are kept as examples of a failure: the first ones, with their secrets masked."""
        rows = selectors.samples(run_for(request, pk).pk, index)
        return _one_page([presentation.failure_sample(row) for row in rows])


class RunExceptions(APIView):
    """At most 500 different exceptions, so they are one page."""

    @extend_schema(responses=ExceptionOut(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """List what the script raised outside of requests."""
        return _one_page(presentation.exceptions(run_for(request, pk).exceptions.all()))


class RunWorkers(APIView):
    """The Locust processes."""

    @extend_schema(responses=WorkerOut(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """List the Locust processes of the run."""
        run = run_for(request, pk)
        return _one_page(presentation.workers(run))


class RunIdentities(APIView):
    """Who had which ID."""

    @extend_schema(responses=IdentitiesOut)
    def get(self, request: Request, pk: UUID) -> Response:
        """Read what the journals of the workers prove: IDs used, duplicates, sequences with gaps and repeats."""
        return Response(identities.report(run_for(request, pk)))


class RunLog(APIView):
    """Locust's log, of the run or of one worker."""

    @extend_schema(
        responses=LogOut,
        parameters=[
            OpenApiParameter("worker", int, description="Index of a worker; its log instead of the master's."),
            OpenApiParameter("after", int, description="`seq` of an answer."),
            OpenApiParameter("level", str, enum=loglines.LEVELS, description="Only lines of this level or graver."),
            OpenApiParameter("search", str, description="Only lines with this text in them, whatever its case."),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Read the newest lines of the log, or those that came after `after`. The whole log is a download.

        Each worker has a log of its own, with numbers of its own for `after`. 404 for one that the run does not have.

        With `level` or `search` all that is kept is looked through, and the newest 2,000 lines found are given.
        """
        run = run_for(request, pk)
        questions.only(request, "worker", "after", "level", "search")
        writer = selectors.writer_of(run, questions.worker_with_log(request, run))
        after, wanted = _whole(request, "after", 0), _wanted_lines(request)
        if wanted.is_all:
            newest, lines = logs.read(run.pk, writer, after)
            return Response({"seq": newest, "lines": lines, "matches": len(lines)})
        found = selectors.log_search(run.pk, wanted, after, writer=writer)
        return Response({"seq": found.newest, "lines": list(found.lines), "matches": found.matches})


class EventPages(CursorPages):
    """In order of time."""

    ordering = "id"


def _accepted(run: Run) -> Response:
    return Response(presentation.run(run), status=status.HTTP_202_ACCEPTED)


def _one_page(rows: list[dict[str, Any]]) -> Response:
    return Response({"next": None, "previous": None, "results": rows})


def _start(actor: Actor, asked: dict[str, Any]) -> Run:
    scope = {}
    if ref := asked.get("project"):
        with _naming("project"):
            scope["project"] = get_by_ref(actor, Project, ref)
    with _naming("scenario"):
        scenario = get_by_ref(actor, Scenario, asked["scenario"], roles.RUN_START, **scope)
    parsed = loads.parse({name: asked[name] for name in loads.RAW_FIELDS if name in asked})
    if parsed.problems:
        loads.refuse(parsed.problems)
    run = services.start(
        scenario=scenario,
        version=_version(scenario, asked.get("version")),
        options=parsed.load,
        pool=pools.pool_for(project=scenario.project, ref=asked["pool"]) if "pool" in asked else None,
        placement={name: asked[name] for name in placement.FIELDS if name in asked},
        extras=services.Extras(note=asked.get("note", ""), labels=asked.get("labels", {})),
        by=actor,
    )
    return selectors.one(run.pk)


@contextmanager
def _naming(field: str) -> Iterator[None]:
    """Of a body: which of its fields names what is missing."""
    try:
        yield
    except Missing as missing:
        raise Missing(fields={field: [missing.message]}) from None


def _version(scenario: Scenario, number: int | None) -> ScenarioVersion | None:
    if number is None:
        return None
    version = scenario.versions.filter(number=number).first()
    if version is None:
        sentence = _("This scenario has no version %(number)d.") % {"number": number}
        raise Invalid(sentence, code="no_version", fields={"version": [sentence]})
    return version


def _states(text: str) -> list[str]:
    """`active`, or states with commas between. Raises Invalid for a word that is no state."""
    if text == "active":
        return sorted(ACTIVE)
    states = text.split(",")
    if unknown := [state for state in states if state not in State.values]:
        sentence = _("“%(state)s” is not a state.") % {"state": unknown[0][:50]}
        raise Invalid(sentence, code="bad_state", fields={"state": [sentence]})
    return states


def _wanted_lines(request: Request) -> loglines.Wanted:
    """Level and text from the query. Raises Invalid."""
    level, text = request.GET.get("level", ""), request.GET.get("search", "")
    if level and level not in loglines.LEVELS:
        sentence = _("“level” must be one of: %(all)s.") % {"all": ", ".join(loglines.LEVELS)}
        raise Invalid(sentence, code="bad_level", fields={"level": [sentence]})
    if len(text) > loglines.MAX_SEARCH_CHARS:
        sentence = _("At most %(limit)d characters.") % {"limit": loglines.MAX_SEARCH_CHARS}
        raise Invalid(sentence, fields={"search": [sentence]})
    return loglines.Wanted(level, text)


def _whole(request: Request, name: str, default: int) -> int:
    """A whole number from the query. Raises Invalid."""
    text = request.GET.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        sentence = _("“%(name)s” must be a whole number.") % {"name": name}
        raise Invalid(sentence, fields={name: [sentence]})
    return int(text)
