"""Reading runs."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from apps.core.errors import Missing
from apps.runs import loglines
from apps.runs.models import LEADER, Failure, FailureSample, LogChunk, Run
from apps.runs.states import ACTIVE, State

SAMPLES_SHOWN = 100
"""Of one failure; the engine keeps far fewer."""


def with_names(runs: QuerySet[Run]) -> QuerySet[Run]:
    """With all that a row of a list shows, in one query."""
    return runs.select_related("project__team", "scenario", "version", "pool").defer("version__locustfile")


def presented(runs: QuerySet[Run]) -> QuerySet[Run]:
    """What `presentation.run` needs, in one query: `with_names`, and `waiting_before` for runs that are queued."""
    before = Run.objects.filter(pool_id=OuterRef("pool_id"), state=State.QUEUED, pk__lt=OuterRef("pk"))
    count = before.order_by().values("pool_id").annotate(count=Count("pk")).values("count")
    position = Case(When(state=State.QUEUED, then=Subquery(count)), output_field=IntegerField())
    return with_names(runs).annotate(waiting_before=position)


def one(run_id: UUID) -> Run:
    """A run as `presented`. Raises Run.DoesNotExist."""
    return presented(Run.objects.filter(pk=run_id)).get()


def lock(run: Run) -> Run:
    """As it is now; nobody changes or deletes it until the transaction ends. Raises Missing when somebody has."""
    held = Run.objects.select_for_update().filter(pk=run.pk).first()
    if held is None:
        raise Missing(_("This run has just been deleted."))
    return held


def of_page(ids: Iterable[UUID]) -> QuerySet[Run]:
    """The runs of one page, newest first.

    A page is found in two steps: over ids alone an index answers; SQLite would sort whole rows, and all of a team's.
    """
    return with_names(Run.objects.filter(pk__in=list(ids))).order_by("-id")


def active(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Those that are not over."""
    return runs.filter(state__in=sorted(ACTIVE))


def queue_position(run: Run) -> int | None:
    """1 for the next to be taken from its pool's queue; None when it does not wait. Expects `presented`."""
    if run.state != State.QUEUED:
        return None
    before: int | None = run.waiting_before  # type: ignore[attr-defined]
    return (before or 0) + 1


def writer_of(run: Run, worker: int | None) -> int:
    """Who wrote the log of a worker, or with None that of the run, as `LogChunk.worker` has it."""
    return LEADER if worker is None or run.workers == 1 else worker


def log_search(run_id: UUID, wanted: loglines.Wanted, after: int, *, writer: int = LEADER) -> loglines.Found:
    """What is wanted of the kept log, after line `after`. Reads all that is kept: some megabytes at most."""
    chunks = LogChunk.objects.filter(run_id=run_id, worker=writer).order_by("seq").values_list("seq", "text")
    return loglines.search(chunks.iterator(), wanted, after=after)


def failures(run_id: UUID) -> QuerySet[Failure]:
    """The failures of a run, the most frequent first, with how many examples are kept of each as `sample_count`."""
    kept = FailureSample.objects.filter(run_id=run_id, failure=OuterRef("index")).order_by().values("failure")
    count = Subquery(kept.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
    return Failure.objects.filter(run_id=run_id).annotate(sample_count=Coalesce(count, 0))


def samples(run_id: UUID, index: int) -> QuerySet[FailureSample]:
    """The failing requests that are kept of one failure, in order of time. Raises Missing when there is no such one."""
    if not Failure.objects.filter(run_id=run_id, index=index).exists():
        raise Missing
    return FailureSample.objects.filter(run_id=run_id, failure=index).order_by("at", "id")[:SAMPLES_SHOWN]
