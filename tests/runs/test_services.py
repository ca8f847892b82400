"""Starting, stopping and annotating runs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from rq import Queue

from apps.core.errors import Conflict, Invalid, Missing
from apps.core.queue import pool_queue
from apps.pools.models import WorkerPool
from apps.runs import services, steering
from apps.runs.keeper import ring_waiting
from apps.runs.lease import claim
from apps.runs.models import Run, RunEvent
from apps.runs.services import Extras
from apps.runs.states import State
from apps.scenarios import data_services
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests.factories import PoolFactory, RunFactory
from tests.redis import Server

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool", "version")]

BAD = [
    ({"users": 0}, "users", "out_of_range"),
    ({"users": -1}, "users", "out_of_range"),
    ({"users": 10**9}, "users", "out_of_range"),
    ({"users": 10**30}, "users", "out_of_range"),
    ({"users": True}, "users", "out_of_range"),
    ({"spawn_rate": 0}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": float("nan")}, "spawn_rate", "out_of_range"),
    ({"spawn_rate": float("inf")}, "spawn_rate", "out_of_range"),
    ({"run_time_s": -5}, "run_time", "out_of_range"),
    ({"run_time_s": float("nan")}, "run_time", "out_of_range"),
    ({"run_time_s": 1e9}, "run_time", "out_of_range"),
    ({"host": "ftp://x"}, "host", "not_an_address"),
    ({"host": "http://u:p@x"}, "host", "credentials"),
    ({"env": {"LD_PRELOAD": "x"}}, "env", "denied_name"),
    ({"env": {"HTTPS_PROXY": "x"}}, "env", "denied_name"),
    ({"env": {"A B": "x"}}, "env", "bad_name"),
    ({"env": {"A": "x" * 9_000}}, "env", "bad_value"),
    ({"tags": ["--users"]}, "tags", "bad_tag"),
    ({"stages": [{"duration": 5.0, "users": 0, "spawn_rate": 1.0}]}, "stages", "no_users"),
    ({"stages": [{"duration": 5.0, "users": 1, "spawn_rate": 0.0}]}, "stages", "out_of_range"),
]


@pytest.fixture
def by(tess: User) -> Actor:
    return Actor(user=tess)


@pytest.mark.parametrize(("options", "field", "code"), BAD)
def test_it_refuses_a_load_beyond_the_limits(
    scenario: Scenario, by: Actor, options: Mapping[str, Any], field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, options=options, by=by)
    assert (refused.value.code, list(refused.value.fields)) == (code, [field])
    assert not Run.objects.exists() and not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("extras", "field"),
    [
        (Extras(note="x" * 501), "note"),
        (Extras(note="nul \0"), "note"),
        (Extras(labels={f"label{number}": "x" for number in range(21)}), "labels"),
        (Extras(labels={"x" * 101: "x"}), "labels"),
        (Extras(labels={"x": "x" * 101}), "labels"),
        (Extras(labels={"nul \0": "x"}), "labels"),
        (Extras(labels={"half": "\ud800"}), "labels"),
    ],
)
def test_it_refuses_labels_and_notes_that_nothing_can_keep(
    scenario: Scenario, by: Actor, extras: Extras, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, extras=extras, by=by)
    assert list(refused.value.fields) == [field]
    assert not Run.objects.exists()


def test_it_refuses_a_script_that_is_too_large(scenario: Scenario, by: Actor) -> None:
    script = ScenarioVersion.objects.create(scenario=scenario, number=99, locustfile="#" * 5 * 1024 * 1024, author="x")
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, version=script, by=by)
    assert (refused.value.code, list(refused.value.fields)) == ("too_large", ["locustfile"])


def test_it_goes_to_the_default_pool_or_the_first_that_is_open_to_the_project(
    scenario: Scenario, by: Actor, pool: WorkerPool
) -> None:
    WorkerPool.objects.update(is_for_all=False)
    for name in ("b", "a", "closed"):
        PoolFactory.create(name=name, is_for_all=name != "closed")
    assert services.start(scenario=scenario, by=by).pool.name == "a"
    pool.projects.add(scenario.project)
    assert services.start(scenario=scenario, by=by).pool == pool


def test_it_needs_a_pool_that_is_open_to_the_project(scenario: Scenario, by: Actor, pool: WorkerPool) -> None:
    WorkerPool.objects.update(is_for_all=False)
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, by=by)
    sentence = "No worker pool is open to this project. The portal's admin opens one on the settings of a pool."
    assert (refused.value.code, refused.value.fields) == ("no_pool", {"pool": [sentence]})
    assert not Run.objects.exists()


def test_it_needs_a_script_and_a_pool(scenario: Scenario, by: Actor) -> None:
    WorkerPool.objects.all().delete()
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, by=by)
    assert refused.value.code == "no_pool"
    scenario.versions.all().delete()
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, by=by)
    assert refused.value.code == "no_version"


@pytest.mark.usefixtures("no_redis")
def test_a_pool_that_can_never_have_ids_for_all_users_is_refused(scenario: Scenario, by: Actor) -> None:
    WorkerPool.objects.update(id_prefix="test_", first_id=101, last_id=120)
    with pytest.raises(Invalid) as refused:
        services.start(scenario=scenario, options={"users": 21}, by=by)
    assert (refused.value.code, list(refused.value.fields)) == ("too_few_ids", ["users"])
    assert "21" in refused.value.message and "20" in refused.value.message
    assert services.start(scenario=scenario, options={"users": 20}, by=by).state == State.QUEUED


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize(
    ("how", "asked", "field"),
    [
        ({"distribution": "split"}, {"workers": 3, "users": 9}, "workers"),
        ({"distribution": "per_user", "at_end": "stop"}, {"workers": 1, "users": 3}, "users"),
    ],
)
def test_a_data_file_that_leaves_workers_or_users_without_a_row_is_refused(
    scenario: Scenario, by: Actor, how: dict[str, str], asked: dict[str, int], field: str
) -> None:
    data_services.upload(scenario=scenario, name="users.csv", source=BytesIO(b"id\n1\n2\n"), by=by, **how)

    def start(**asked: int) -> Run:
        options, placement = {"users": asked["users"]}, {"workers": asked["workers"]}
        return services.start(scenario=scenario, options=options, placement=placement, by=by)

    with pytest.raises(Invalid) as refused:
        start(**asked)
    assert (refused.value.code, list(refused.value.fields)) == ("too_few_rows", [field])
    assert "users.csv" in refused.value.message and not Run.objects.exists()
    assert [file["rows"] for file in start(**asked | {field: 2}).data] == [2]


@pytest.mark.usefixtures("no_redis")
def test_it_queues_with_the_scenarios_load_and_leaves_a_trace(scenario: Scenario, by: Actor) -> None:
    run = services.start(scenario=scenario, options={"users": 7}, extras=Extras("try", {"branch": "main"}), by=by)
    run.refresh_from_db()
    assert (run.state, run.number, run.users, run.spawn_rate) == (State.QUEUED, 1, 7, scenario.spawn_rate)
    assert (run.note, run.labels, run.requested_by) == ("try", {"branch": "main"}, "user:tess")
    assert run.events.get().data == {"state": "queued", "reason": ""}
    (audit,) = AuditEvent.objects.all()
    assert (audit.action, audit.actor, audit.object_id) == ("run.start", "user:tess", str(run.pk))
    assert services.to_spec(run).users == 7


@pytest.mark.parametrize(("collector", "group_ids"), [("exact", True), ("csv", False)])
def test_it_counts_as_the_scenario_says(scenario: Scenario, by: Actor, collector: str, group_ids: bool) -> None:
    Scenario.objects.filter(pk=scenario.pk).update(collector=collector, group_ids=group_ids)
    scenario.refresh_from_db()
    run = services.start(scenario=scenario, by=by)
    Scenario.objects.update(collector="exact", group_ids=False)  # later changes are not this run's
    spec = services.to_spec(Run.objects.get(pk=run.pk))
    assert (spec.collector, spec.group_ids) == (collector, group_ids)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_redis")
def test_it_gives_each_run_a_number_of_its_own(scenario: Scenario, by: Actor) -> None:
    start = Barrier(4)

    def one(_number: int) -> int:
        try:
            start.wait()
            return services.start(scenario=scenario, by=by).number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [1, 2, 3, 4]


# --- ending -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "reason"), [(services.stop, "stop_requested"), (services.abort, "abort_requested")])
def test_a_run_that_waits_ends_at_once(by: Actor, end: Any, reason: str) -> None:
    run = end(run=RunFactory.create(), by=by)
    assert (run.state, run.reason, run.stopped_by) == (State.STOPPED, reason, "user:tess")
    assert run.finished_at and claim(run.pk, runner="late") is None
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("state", [State.CLAIMED, State.STARTING, State.RUNNING, State.STOPPING])
def test_a_run_that_is_held_gets_the_wish_once(by: Actor, state: State) -> None:
    run = RunFactory.create(state=state)
    asked = services.stop(run=run, by=by).stop_requested_at
    assert asked and services.stop(run=run, by=Actor(system="other")).stop_requested_at == asked
    run.refresh_from_db()
    assert (run.state, run.stopped_by) == (state, "user:tess")
    assert services.abort(run=run, by=by).abort_requested_at
    services.stop(run=run, by=by)
    assert list(run.events.values_list("text", flat=True)) == ["Stop requested", "Abort requested"]
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == ["run.stop", "run.abort"]


@pytest.mark.parametrize("state", [State.FINISHED, State.STOPPED, State.FAILED, State.LOST])
@pytest.mark.parametrize("end", [services.stop, services.abort])
def test_a_run_that_is_over_cannot_be_ended(by: Actor, state: State, end: Any) -> None:
    with pytest.raises(Conflict) as refused:
        end(run=RunFactory.create(state=state), by=by)
    assert refused.value.code == "run_over"
    assert not AuditEvent.objects.exists() and not RunEvent.objects.exists()


def test_a_run_that_somebody_has_just_deleted_is_missing(by: Actor) -> None:
    run = RunFactory.create(state=State.RUNNING)
    Run.objects.filter(pk=run.pk).delete()
    asked = [
        lambda: services.stop(run=run, by=by),
        lambda: services.add_note(run=run, text="deployed", by=by),
        lambda: steering.steer(run=run, changes={"users": 2}, by=by),
    ]
    for ask in asked:
        with pytest.raises(Missing, match="just been deleted"):
            ask()
    assert not AuditEvent.objects.exists()


def test_it_pins_a_note(by: Actor) -> None:
    event = services.add_note(run=RunFactory.create(state=State.FINISHED), text="  deployed\n v2 ", by=by)
    assert (event.kind, event.text, event.by) == ("note", "deployed v2", "user:tess")
    assert AuditEvent.objects.get().action == "run.note"


@pytest.mark.parametrize("text", ["", " \n ", "x" * 501, "nul \0"])
def test_it_refuses_a_bad_note(by: Actor, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        services.add_note(run=RunFactory.create(), text=text, by=by)
    assert (refused.value.code, list(refused.value.fields)) == ("bad_note", ["text"])
    assert not RunEvent.objects.exists()


# --- the doorbell -------------------------------------------------------------------------------------------------


def bell() -> Queue:
    return pool_queue(WorkerPool.objects.get(name="local").pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_url")
def test_it_rings_only_after_the_commit(scenario: Scenario, by: Actor) -> None:
    queue = bell()
    with transaction.atomic():
        run = services.start(scenario=scenario, by=by)
        assert queue.job_ids == []
    assert queue.job_ids == [f"run-{run.pk}-1"]
    run.refresh_from_db()
    assert run.rings == 1 and run.rung_at


@pytest.mark.usefixtures("redis_url")
def test_it_does_not_ring_while_it_rings() -> None:
    run = RunFactory.create()
    assert [services.ring_doorbell(run.pk) for _ in range(3)] == [True] * 3
    assert len(bell().job_ids) == 1


@pytest.mark.usefixtures("redis_url")
def test_it_rings_again_for_a_ring_that_died_with_its_runner() -> None:
    run = RunFactory.create()
    services.ring_doorbell(run.pk)
    queue = bell()
    queue.connection.lpop(queue.key)
    services.ring_doorbell(run.pk)
    assert queue.job_ids == [f"run-{run.pk}-2"]


@pytest.mark.usefixtures("redis_url")
def test_it_does_not_ring_for_a_run_that_does_not_wait() -> None:
    run = RunFactory.create(state=State.RUNNING)
    assert services.ring_doorbell(run.pk)
    assert bell().job_ids == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_redis")
def test_a_run_is_queued_without_redis_and_the_keeper_rings_later(
    scenario: Scenario, by: Actor, redis_server: Server, settings: Any
) -> None:
    run = services.start(scenario=scenario, by=by)
    assert Run.objects.get().state == State.QUEUED
    settings.RQ_QUEUES = {"default": {**settings.RQ_QUEUES["default"], "URL": redis_server.url}}
    redis_server.flush()
    ring_waiting(timezone.now())
    assert bell().job_ids == []  # it has been tried just now
    ring_waiting(timezone.now() + timedelta(seconds=11))
    assert bell().job_ids == [f"run-{run.pk}-2"]
