"""Pools: what they are, who may use them, which is the default."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from apps.core.errors import Conflict, HatcheryError, Invalid
from apps.pools import pools
from apps.pools.models import WorkerPool
from apps.pools.pools import Options
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent, Project, Team
from tests import factories

pytestmark = pytest.mark.django_db
BY = Actor(system="test")


@pytest.fixture
def lab(db: None) -> WorkerPool:
    return factories.PoolFactory.create(name="lab")


def refusal(action: Callable[[], object], kind: type[HatcheryError]) -> tuple[str, list[str], str]:
    with pytest.raises(kind) as caught:
        action()
    return caught.value.code, list(caught.value.fields), caught.value.message


# --- making and changing ------------------------------------------------------------------------------------------


def test_it_makes_a_pool(acme: Team, depot: Project) -> None:
    options = Options(
        name="lab-1",
        description="Under the stairs",
        users_per_worker=100,
        first_port=5557,
        last_port=5600,
        takes_new_hosts=True,
        is_for_all=False,
        teams=[acme],
        projects=[depot],
    )
    pool = pools.create(options=options, by=BY)
    pool.refresh_from_db()
    assert {column: getattr(pool, column) for column in pools.COLUMNS} == {
        column: getattr(options, column) for column in pools.COLUMNS
    }
    assert list(pool.teams.all()) == [acme] and list(pool.projects.all()) == [depot]
    event = AuditEvent.objects.get()
    assert (event.action, event.object) == ("pool.create", "lab-1")
    assert (event.details["teams"], event.details["projects"]) == (["acme"], ["depot"])


def test_it_changes_a_pool(lab: WorkerPool, acme: Team) -> None:
    options = Options(name="den", is_for_all=False, teams=[acme])
    pools.change(pool=lab, options=options, by=BY)
    pools.change(pool=lab, options=options, by=BY)
    event = AuditEvent.objects.get()
    assert event.action == "pool.change"
    assert (event.details["before"]["name"], event.details["after"]["name"]) == ("lab", "den")
    assert event.details["after"]["teams"] == ["acme"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Lab"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "0" * 32}, "name"),
        ({"name": "local"}, "name"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\x00"}, "description"),
        ({"users_per_worker": 0}, "users_per_worker"),
        ({"users_per_worker": 2**31}, "users_per_worker"),
        ({"first_port": 5557}, "last_port"),
        ({"last_port": 5557}, "first_port"),
        ({"first_port": 80, "last_port": 90}, "last_port"),
        ({"first_port": 5600, "last_port": 5557}, "last_port"),
        ({"first_port": 5557, "last_port": 65_536}, "last_port"),
    ],
)
def test_it_refuses_what_cannot_be(pool: WorkerPool, lab: WorkerPool, given: dict[str, Any], field: str) -> None:
    options = Options(**{"name": "other"} | given)
    assert refusal(lambda: pools.create(options=options, by=BY), Invalid)[1] == [field]
    assert refusal(lambda: pools.change(pool=lab, options=options, by=BY), Invalid)[1] == [field]
    assert set(WorkerPool.objects.values_list("name", flat=True)) == {"lab", "local"}


def test_the_pool_of_this_machine_keeps_its_name(pool: WorkerPool) -> None:
    told = refusal(lambda: pools.change(pool=pool, options=Options(name="other"), by=BY), Conflict)
    assert told[:2] == ("pool_local", ["name"])
    assert pools.change(pool=pool, options=Options(name="local", description="Here"), by=BY).description == "Here"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_want_the_same_name_one_gets_it() -> None:
    def one(_number: int) -> str:
        try:
            pools.create(options=Options(name="lab"), by=BY)
        except Invalid as error:
            return error.code
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(one, range(2))) == ["done", "name_taken"]


def test_there_is_one_default(pool: WorkerPool, lab: WorkerPool) -> None:
    pools.make_default(pool=lab, by=BY)
    pools.make_default(pool=lab, by=BY)
    assert WorkerPool.objects.get(is_default=True) == lab
    assert AuditEvent.objects.get().details == {"before": ["local"]}


# --- deleting -----------------------------------------------------------------------------------------------------


def test_it_deletes_what_nobody_needs(lab: WorkerPool) -> None:
    pools.delete(pool=lab, by=BY)
    assert not WorkerPool.objects.filter(name="lab").exists()
    assert AuditEvent.objects.get().action == "pool.delete"


def test_it_does_not_delete_what_somebody_needs(pool: WorkerPool, lab: WorkerPool) -> None:
    hosted, used = factories.PoolFactory.create(name="hosted"), factories.PoolFactory.create(name="used")
    factories.HostFactory.create_batch(2, pool=hosted)
    factories.RunFactory.create(pool=used)
    pools.make_default(pool=lab, by=BY)
    sentences = {
        pool: ("pool_local", "The pool local is always there."),
        lab: ("pool_default", "Pool lab is the default. Make another one the default first."),
        hosted: ("pool_has_hosts", "Pool hosted has 2 hosts."),
        used: ("pool_has_runs", "1 run was on pool used, and is kept with it."),
    }
    for wanted, (code, sentence) in sentences.items():
        told = refusal(lambda wanted=wanted: pools.delete(pool=wanted, by=BY), Conflict)  # type: ignore[misc]
        assert told == (code, [], sentence)
    assert WorkerPool.objects.count() == 4


# --- who may use it -----------------------------------------------------------------------------------------------


def test_a_project_uses_what_is_for_all_its_team_or_itself(
    pool: WorkerPool, acme: Team, globex: Team, shop: Project, blog: Project, depot: Project
) -> None:
    for name, teams, projects in [
        ("nobodys", [], []),
        ("acmes", [acme], [shop]),
        ("shops", [], [shop]),
        ("globexs", [globex], []),
        ("theirs", [acme, globex], [shop, depot]),
    ]:
        limited = factories.PoolFactory.create(name=name, is_for_all=False)
        limited.teams.set(teams)
        limited.projects.set(projects)
    found = {project.slug: [str(pool) for pool in pools.usable_by(project)] for project in (shop, blog, depot)}
    assert found == {
        "shop": ["acmes", "local", "shops", "theirs"],
        "blog": ["acmes", "local", "theirs"],
        "depot": ["globexs", "local", "theirs"],
    }


def test_it_finds_a_pool_by_id_or_name(pool: WorkerPool, lab: WorkerPool, shop: Project) -> None:
    assert pools.pool_for(project=shop) == pool
    assert pools.pool_for(project=shop, ref="lab") == pools.pool_for(project=shop, ref=str(lab.pk)) == lab


def test_without_the_default_it_takes_the_first(pool: WorkerPool, lab: WorkerPool, shop: Project) -> None:
    pool.is_for_all = False
    pool.save()
    assert pools.pool_for(project=shop) == lab


@pytest.mark.parametrize("ref", ["secret", "none", "\x00", "0" * 32, "x" * 5000])
def test_a_pool_for_others_is_none(shop: Project, ref: str) -> None:
    factories.PoolFactory.create(name="secret", is_for_all=False)
    told = refusal(lambda: pools.pool_for(project=shop, ref=ref), Invalid)
    assert told == ("no_pool", ["pool"], "There is no such pool, or it is not open to this project.")


def test_without_any_pool_it_says_so(shop: Project) -> None:
    WorkerPool.objects.all().delete()
    told = refusal(lambda: pools.pool_for(project=shop), Invalid)
    sentence = "No worker pool is open to this project. The portal's admin opens one on the settings of a pool."
    assert told == ("no_pool", ["pool"], sentence)
