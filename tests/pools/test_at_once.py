"""Two admins, or an admin and a run, at the same moment: one wins, the other is told why, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from apps.core.errors import HatcheryError
from apps.pools import hosts, keys, pools, ranges
from apps.pools.joining import register
from apps.pools.keys import Refused
from apps.pools.models import IdLease, IdRange, JoinKey, WorkerHost, WorkerPool
from apps.pools.pools import Options
from apps.runs import placing, services
from apps.runs.models import Run
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests import factories
from tests.factories import client_of

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor(system="test")
ROUNDS = 4
"""Who is faster is not the same each time."""
DONE = "done"
DELETED = "This pool has just been deleted."


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What became of each: DONE, or the sentence with which it was refused."""
    start = Barrier(len(acts))

    def carry_out(act: Callable[[], object]) -> str:
        try:
            start.wait(10)
            act()
        except HatcheryError as error:
            return error.message
        except Refused as error:
            return str(error)
        else:
            return DONE
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(carry_out, acts))


@pytest.fixture(params=range(ROUNDS))
def lab(request: pytest.FixtureRequest, no_bell: None) -> WorkerPool:
    """A pool with 500 IDs."""
    return factories.PoolFactory.create(name="lab", id_prefix="test_", first_id=1, last_id=500)


@pytest.fixture
def no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens; without Redis each run would wait for an answer."""
    monkeypatch.setattr(services, "ring_doorbell", lambda run_id: True)


def host_of(pool: WorkerPool, name: str, first: int = 0, last: int = 0) -> WorkerHost:
    host: WorkerHost = factories.HostFactory.create(pool=pool, name=name, slots=2)
    if first:
        IdRange.objects.create(pool=pool, host=host, first=first, last=last)
    return host


def fresh(host: WorkerHost) -> WorkerHost:
    """As a view reads it."""
    return WorkerHost.objects.select_related("pool", "id_range").get(pk=host.pk)


def owned(pool: WorkerPool) -> list[tuple[str, int, int]]:
    return list(pool.ranges.values_list("host__name", "first", "last"))


def actions() -> list[str]:
    return sorted(AuditEvent.objects.values_list("action", flat=True))


# --- ranges -------------------------------------------------------------------------------------------------------


def test_of_two_ranges_that_overlap_one_is_given_and_the_other_names_its_owner(lab: WorkerPool) -> None:
    a, b = fresh(host_of(lab, "a")), fresh(host_of(lab, "b"))
    told = at_once(
        lambda: ranges.assign(host=a, first=1, last=300, by=BY),
        lambda: ranges.assign(host=b, first=200, last=500, by=BY),
    )
    if told[0] == DONE:
        assert told[1] == "test_00001 to test_00300 belong to host a." and owned(lab) == [("a", 1, 300)]
    else:
        assert told == ["test_00200 to test_00500 belong to host b.", DONE] and owned(lab) == [("b", 200, 500)]
    assert actions() == ["host.assign_ids"]


@pytest.mark.parametrize("way", ["page", "rest", "admin"])
def test_whoever_loses_a_range_loses_all_that_came_with_it(lab: WorkerPool, admin: User, way: str) -> None:
    rows, clients = [host_of(lab, "a"), host_of(lab, "b")], [client_of(admin), client_of(admin)]
    spans = [(1, 300), (200, 500)]
    answers: dict[int, Any] = {}

    def send(number: int) -> None:
        host, client, (first, last) = rows[number], clients[number], spans[number]
        given: dict[str, Any] = {"slots": 7, "first": first, "last": last}
        match way:
            case "page":
                form = given | {"labels": ""}
                answers[number] = client.post(f"/pools/lab/hosts/{host.name}/", form)
            case "rest":
                answers[number] = client.patch(f"/api/v1/hosts/{host.name}/", given, content_type="application/json")
            case "admin":
                form = given | {"labels": "", "pool": str(lab.pk), "events-TOTAL_FORMS": 0}
                form |= {"events-INITIAL_FORMS": 0}
                answers[number] = client.post(f"/admin/pools/workerhost/{host.pk}/change/", form)

    assert at_once(lambda: send(0), lambda: send(1)) == [DONE, DONE]
    [(winner, first, last)] = owned(lab)
    won = 0 if winner == "a" else 1
    assert (first, last) == spans[won]
    assert answers[won].status_code == (200 if way == "rest" else 302)
    lost = answers[1 - won]
    assert lost.status_code in ((409,) if way == "rest" else (200, 409))
    assert f"belong to host {winner}" in lost.content.decode()
    assert list(WorkerHost.objects.order_by("name").values_list("slots", flat=True)) == ([7, 2] if won == 0 else [2, 7])
    assert actions() == ["host.assign_ids", "host.change"]


def test_of_two_splits_of_the_same_preview_one_is_carried_out(lab: WorkerPool) -> None:
    for name in "abc":
        host_of(lab, name)

    def split(first: int, last: int) -> Callable[[], object]:
        seen = ranges.seen(ranges.preview_split(pool=lab, first=first, last=last))
        return lambda: ranges.split_evenly(pool=lab, first=first, last=last, as_seen=seen, by=BY)

    told = at_once(split(1, 300), split(201, 500))
    assert sorted(told) == ["The hosts have changed since. Look again before you give them the IDs.", DONE]
    starts = [1, 101, 201] if told[0] == DONE else [201, 301, 401]
    assert owned(lab) == [(name, start, start + 99) for name, start in zip("abc", starts, strict=True)]
    assert actions() == ["pool.split_ids"]


def test_of_two_splits_over_other_hosts_one_names_the_others_owner(lab: WorkerPool) -> None:
    a, b = host_of(lab, "a"), host_of(lab, "b")
    told = at_once(
        lambda: ranges.split_evenly(pool=lab, first=1, last=300, hosts=[a], by=BY),
        lambda: ranges.split_evenly(pool=lab, first=200, last=500, hosts=[b], by=BY),
    )
    assert sorted(told)[0 if told[0] == DONE else 1].endswith(("host a.", "host b.", DONE)) and told.count(DONE) == 1
    assert len(owned(lab)) == 1 and actions() == ["pool.split_ids"]


def test_a_range_is_not_changed_under_a_run_that_takes_it(lab: WorkerPool) -> None:
    host = fresh(host_of(lab, "a", 1, 500))
    run = factories.RunFactory.create(pool=lab, users=100)
    told = at_once(
        lambda: ranges.assign(host=host, first=401, last=500, by=BY),
        lambda: placing.take(run.pk, runner="r", host=host),
    )
    [lease] = IdLease.objects.values_list("first", "last")
    assert told[1] == DONE
    if told[0] == DONE:
        assert (owned(lab), lease) == ([("a", 401, 500)], (401, 500))
    else:
        assert told[0].endswith("has leased test_00001 to test_00100. Wait until it is over.")
        assert (owned(lab), lease) == ([("a", 1, 500)], (1, 100))


# --- a pool that is deleted ---------------------------------------------------------------------------------------


def test_a_pool_is_deleted_or_a_run_is_queued_on_it(lab: WorkerPool, scenario: Any, version: Any) -> None:
    told = at_once(lambda: pools.delete(pool=lab, by=BY), lambda: services.start(scenario=scenario, pool=lab, by=BY))
    if told[0] == DONE:
        assert told[1] in (DELETED, "The pool lab is not for this project.")
        assert not Run.objects.exists() and actions() == ["pool.delete"]
    else:
        assert told == ["1 run was on pool lab, and is kept with it.", DONE]
        assert Run.objects.get().pool == lab and actions() == ["run.start"]


@pytest.mark.parametrize("what", ["host", "key", "format", "default", "delete", "move"])
def test_a_pool_is_deleted_or_changed(lab: WorkerPool, what: str) -> None:
    host = fresh(factories.HostFactory.create(pool=factories.PoolFactory.create(name="other"), name="mover"))
    acts: dict[str, Callable[[], object]] = {
        "host": lambda: register("lab", "box", "box-1", "a" * 64),
        "key": lambda: keys.make(lab, "box", BY),
        "format": lambda: ranges.set_format(pool=lab, prefix="u", width=5, first=1, last=9, by=BY),
        "default": lambda: pools.make_default(pool=lab, by=BY),
        "delete": lambda: pools.delete(pool=lab, by=BY),
        "move": lambda: hosts.move(host=host, to=lab, by=BY),
    }
    deleted, other = at_once(lambda: pools.delete(pool=lab, by=BY), acts[what])
    if what in ("key", "format") and deleted == other == DONE:  # it was changed, and then deleted
        assert AuditEvent.objects.order_by("id").values_list("action", flat=True).last() == "pool.delete"
    elif what == "delete":
        assert sorted([deleted, other]) == [DELETED, DONE] and actions() == ["pool.delete"]
    elif deleted == DONE:
        gone = "There is no pool “lab”. If it has another name now, start with that."
        assert other == (gone if what == "host" else DELETED) and actions() == ["pool.delete"]
    else:
        reason = "Pool lab is the default." if what == "default" else "Pool lab has 1 host."
        assert (deleted.startswith(reason), other) == (True, DONE)
    assert WorkerPool.objects.filter(name="lab").exists() == (DONE not in (deleted, other if what == "delete" else ""))
    assert JoinKey.objects.filter(pool_id=lab.pk).exists() is (deleted != DONE and what == "key")


# --- a host that is removed or moved ------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["remove", "move"])
def test_a_host_leaves_or_gets_a_run(lab: WorkerPool, pool: WorkerPool, act: str) -> None:
    host = fresh(host_of(lab, "a", 1, 500))
    run = factories.RunFactory.create(pool=lab, users=10)
    leave: dict[str, Callable[[], object]] = {
        "remove": lambda: hosts.remove(host=host, by=BY),
        "move": lambda: hosts.move(host=host, to=pool, by=BY),
    }
    left, placed = at_once(leave[act], lambda: placing.take(run.pk, runner="r", host=host))
    run.refresh_from_db()
    assert placed == DONE
    if left == DONE:
        assert run.state == "queued" and not IdLease.objects.exists() and not IdRange.objects.exists()
        assert list(WorkerHost.objects.values_list("pool__name")) == ([] if act == "remove" else [("local",)])
    else:
        assert left.startswith(f"Host a is used by {run}.") and run.state == "claimed"
        assert owned(lab) == [("a", 1, 500)] and IdLease.objects.get().host == host
        assert actions() == []


def test_of_two_who_move_a_host_one_is_told_where_it_is(lab: WorkerPool, pool: WorkerPool) -> None:
    host, den = host_of(lab, "a", 1, 500), factories.PoolFactory.create(name="den")
    first, second = fresh(host), fresh(host)
    told = at_once(
        lambda: hosts.move(host=first, to=pool, by=BY),
        lambda: hosts.move(host=second, to=den, by=BY),
    )
    now = fresh(host).pool.name
    assert sorted(told) == sorted([DONE, f"Host a has just been moved to pool {now}."])
    assert not IdRange.objects.exists() and actions() == ["host.move"]


def test_moves_to_and_fro_do_not_wait_for_each_other(lab: WorkerPool, pool: WorkerPool) -> None:
    a, b = fresh(host_of(lab, "a")), fresh(host_of(pool, "b"))
    assert at_once(lambda: hosts.move(host=a, to=pool, by=BY), lambda: hosts.move(host=b, to=lab, by=BY)) == [
        DONE,
        DONE,
    ]
    assert (fresh(a).pool, fresh(b).pool) == (pool, lab)


def test_a_host_is_moved_or_gets_ids_of_its_old_pool(lab: WorkerPool, pool: WorkerPool) -> None:
    host = host_of(lab, "a")
    first, second = fresh(host), fresh(host)
    moved, assigned = at_once(
        lambda: hosts.move(host=first, to=pool, by=BY),
        lambda: ranges.assign(host=second, first=1, last=9, by=BY),
    )
    assert moved == DONE and assigned in (DONE, "Host a is not in pool lab.")
    assert not IdRange.objects.exists() and fresh(host).pool == pool


def test_of_two_who_remove_a_host_one_is_told(lab: WorkerPool) -> None:
    host = host_of(lab, "a")
    first, second = fresh(host), fresh(host)
    told = at_once(lambda: hosts.remove(host=first, by=BY), lambda: hosts.remove(host=second, by=BY))
    assert sorted(told) == ["Host a has just been removed.", DONE]
    assert actions() == ["host.remove"]


# --- keys and names -----------------------------------------------------------------------------------------------


def test_a_key_is_used_or_revoked(lab: WorkerPool) -> None:
    key, secret = keys.make(lab, "box", BY)
    joined, revoked = at_once(
        lambda: register("lab", "box", "box-1", "a" * 64, secret), lambda: keys.revoke(key=key, by=BY)
    )
    key.refresh_from_db()
    assert [joined, revoked].count(DONE) == 1
    assert (key.used_at is None, key.revoked_at is None) == (joined != DONE, revoked != DONE)
    assert WorkerHost.objects.exists() == (joined == DONE)


def test_of_two_who_give_pools_one_name_one_gets_it(lab: WorkerPool) -> None:
    den = factories.PoolFactory.create(name="den")
    told = at_once(
        lambda: pools.change(pool=lab, options=Options(name="home"), by=BY),
        lambda: pools.change(pool=den, options=Options(name="home"), by=BY),
    )
    assert sorted(told) == [DONE, "This name is taken."] or sorted(told) == ["This name is taken.", DONE]
    assert WorkerPool.objects.filter(name="home").count() == 1
    assert actions() == ["pool.change"]


def test_of_those_who_make_pools_the_default_one_comes_last(lab: WorkerPool, pool: WorkerPool, admin: User) -> None:
    factories.PoolFactory.create(name="den")
    answers: list[Any] = []

    def change(name: str) -> None:
        given = {"is_default": True, "users_per_worker": 7}
        answers.append(client_of(admin).patch(f"/api/v1/pools/{name}/", given, content_type="application/json"))

    def make() -> None:
        given = {"name": "fresh", "is_default": True}
        answers.append(client_of(admin).post("/api/v1/pools/", given, content_type="application/json"))

    told = at_once(lambda: change("lab"), lambda: change("den"), make, lambda: pools.make_default(pool=pool, by=BY))
    assert told == [DONE] * 4
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert WorkerPool.objects.filter(is_default=True).count() == 1
