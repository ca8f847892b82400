"""Why a run waits, who is told what, and that nobody waits for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core.clock import db_now
from apps.pools import leases
from apps.pools.allocation import NoRoom, Seat
from apps.pools.models import IdRange, Standing, WorkerHost, WorkerPool
from apps.runs import placing
from apps.runs.models import Run, RunWorker
from apps.runs.states import State, WorkerState
from apps.runs.waiting import FAIR_SECONDS, why
from apps.scenarios.models import WhenFull
from apps.teams.models import Project
from tests.factories import HostFactory, PoolFactory, ProjectFactory, RunFactory, RunWorkerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_redis")]
LONG = timedelta(seconds=FAIR_SECONDS + 1)
SHORT = NoRoom("ids", needed=500, free=200)


@pytest.fixture
def lab(db: None) -> WorkerPool:
    return PoolFactory.create(name="lab", first_id=1, last_id=1000)


@pytest.fixture
def host(lab: WorkerPool) -> WorkerHost:
    host: WorkerHost = HostFactory.create(pool=lab, name="a", slots=4)
    IdRange.objects.create(pool=lab, host=host, first=1, last=1000)
    return host


@pytest.fixture
def own(db: None) -> Project:
    return ProjectFactory.create()


def queued(pool: WorkerPool, project: Project | None = None, *, waits: bool = False, **fields: object) -> Run:
    more = {} if project is None else {"scenario__project": project}
    run: Run = RunFactory.create(pool=pool, **{"users": 10, **more, **fields})
    if waits:
        Run.objects.filter(pk=run.pk).update(waits_for="room", created_at=db_now() - LONG)
    return run


def leased(host: WorkerHost, run: Run, first: int, count: int) -> None:
    leases.take(
        pool=host.pool,
        seats=[Seat(index=0, host_id=host.pk, users=count, offset=first - 1)],
        run_id=run.pk,
        run_label=placing.label(run),
        now=db_now(),
    )


def waits_for(run: Run) -> str:
    run.refresh_from_db()
    assert run.state == State.QUEUED
    return run.waits_for


# --- in words -----------------------------------------------------------------------------------------------------


def test_runs_of_ones_own_team_are_named_and_others_counted(host: WorkerHost, own: Project) -> None:
    told = "It needs 500 IDs; it can have 200 of the active hosts of pool lab."
    assert why(SHORT, host.pool, own.team_id) == told
    mine = [queued(host.pool, own) for _ in range(5)]
    names = [f"{placing.label(run)} ({50 - place})" for place, run in enumerate(mine)]
    for place, run in enumerate(mine):
        leased(host, run, 1 + 100 * place, 50 - place)
        if place == 2:
            text = why(SHORT, host.pool, own.team_id)
            assert text == f"{told} IDs are leased by {names[0]}, {names[1]} and {names[2]}."
    assert why(SHORT, host.pool, own.team_id) == (
        f"{told} IDs are leased by {', '.join(names[:3])} and 2 other runs (93)."
    )
    leased(host, queued(host.pool), 600, 7)
    text = why(SHORT, host.pool, own.team_id)
    assert text.endswith(f"{names[2]}, 2 other runs (93) and 1 run of another team (7).")
    stranger = why(SHORT, host.pool, ProjectFactory.create().team_id)
    assert stranger == f"{told} IDs are leased by 6 runs of other teams (247)."


@pytest.mark.parametrize(
    ("kind", "held"),
    [("slots", "Slots are taken by {0} (2) and {1} (1)."), ("users", "There are users of {1} (40) and {0} (30).")],
)
def test_who_has_the_slots_and_the_users_is_named(host: WorkerHost, own: Project, kind: str, held: str) -> None:
    short = NoRoom(kind, needed=9, free=1)
    assert why(short, host.pool, own.team_id) == leases.shortage(short, host.pool)
    two, one, gone = (queued(host.pool, own, state=State.RUNNING) for _ in range(3))
    for run, index, users in [(two, 0, 15), (two, 1, 15), (one, 0, 40), (gone, 0, 99)]:
        RunWorkerFactory.create(run=run, host=host, index=index, users=users, state=WorkerState.LOST)
    RunWorkerFactory.create(run=queued(PoolFactory.create(name="elsewhere"), own), users=200)
    RunWorker.objects.filter(run=gone).update(ended_at=db_now())
    told = why(short, host.pool, own.team_id)
    assert told == f"{leases.shortage(short, host.pool)} {held.format(two, one)}"
    assert str(two) not in why(short, host.pool, ProjectFactory.create().team_id)


# --- who goes first -----------------------------------------------------------------------------------------------


def test_a_large_run_that_has_waited_for_long_is_not_overtaken(host: WorkerHost, own: Project) -> None:
    busy = RunWorkerFactory.create(run=queued(host.pool, state=State.RUNNING), host=host, starts=1)
    large = queued(host.pool, own, workers=4, waits=True)
    small, stranger = queued(host.pool, own), queued(host.pool)
    for run in (small, stranger):
        assert placing.take(run.pk, runner="r", host=host) is None
    assert (
        waits_for(small)
        == f"It lets #{large.number} {large.scenario.name} go first, which has waited for room for longer."
    )
    assert waits_for(stranger) == "It lets a run of another team go first, which has waited for room for longer."
    busy.ended_at, busy.state = db_now(), WorkerState.ENDED
    busy.save()
    assert placing.take(large.pk, runner="r", host=host) is not None
    large.refresh_from_db()
    assert (large.state, large.waits_for) == (State.CLAIMED, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": FAIR_SECONDS - 60},
        {"waits_for": ""},
        {"state": State.STOPPED},
        {"workers": 5},
        {"users": 1001},
    ],
    ids=["not for long", "nobody has asked yet", "given up", "more slots than there are", "more ids than there are"],
)
def test_others_are_overtaken(host: WorkerHost, fields: dict[str, object]) -> None:
    large = queued(host.pool, workers=4, waits=True)
    RunWorkerFactory.create(run=queued(host.pool, state=State.RUNNING), host=host, starts=1)
    if isinstance(ago := fields.get("created_at"), int):
        fields = {"created_at": db_now() - timedelta(seconds=ago)}
    Run.objects.filter(pk=large.pk).update(**fields)
    assert placing.take(queued(host.pool).pk, runner="r", host=host) is not None


def test_a_run_of_another_pool_has_no_say(host: WorkerHost, pool: WorkerPool) -> None:
    queued(pool, waits=True)
    assert placing.take(queued(host.pool).pk, runner="r", host=host) is not None


def test_a_run_that_could_have_no_room_now_is_overtaken(host: WorkerHost) -> None:
    queued(host.pool, workers=4, waits=True)
    other = HostFactory.create(pool=host.pool, name="b", slots=1)
    IdRange.objects.filter(host=host).update(last=500)
    IdRange.objects.create(pool=host.pool, host=other, first=501, last=1000)
    WorkerHost.objects.filter(pk=host.pk).update(standing=Standing.DRAINING)
    assert placing.take(queued(host.pool).pk, runner="r", host=other) is not None


def test_a_run_that_is_not_to_wait_is_refused(host: WorkerHost) -> None:
    queued(host.pool, workers=4, waits=True)
    run = queued(host.pool, when_full=WhenFull.REFUSE)
    assert placing.take(run.pk, runner="r", host=host) is None
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.FAILED, "no_room") and "go first" in run.diagnosis["message"]
