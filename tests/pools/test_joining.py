"""How a machine becomes a host of a pool."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apps.core.clock import db_now
from apps.core.errors import Conflict, Invalid
from apps.pools import hosts, keys, pools
from apps.pools.joining import JOINED_BY_KEY, is_alive, machine_id, register
from apps.pools.keys import KEY_HOURS, Refused, digest_of
from apps.pools.models import HostEvent, JoinKey, Runner, Standing, WorkerHost, WorkerPool
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent
from tests.factories import HostFactory, PoolFactory, RunnerFactory

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = "a" * 64, "b" * 64


@pytest.fixture
def closed() -> WorkerPool:
    """A pool whose hosts somebody approves."""
    return PoolFactory.create(name="lab")


@pytest.fixture
def by(admin: User) -> Actor:
    return Actor(user=admin)


def host_of(runner: Runner) -> WorkerHost:
    return WorkerHost.objects.select_related("pool").get(pk=runner.host_id)


def fall_silent(name: str = "box") -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    WorkerHost.objects.filter(name=name).update(last_seen_at=long_ago, is_silent=True)
    Runner.objects.filter(host__name=name).update(last_seen_at=long_ago)


def said() -> list[tuple[str, str]]:
    """State and text of every host event, oldest first."""
    return list(HostEvent.objects.order_by("id").values_list("state", "text"))


# --- a runner at its start ----------------------------------------------------------------------------------------


def test_it_registers_once_however_often_it_starts(pool: WorkerPool) -> None:
    runner = register("local", "box", "box-1", HERE)
    Runner.objects.update(draining=True)
    fall_silent()
    again = register("local", "box", "box-1", HERE)
    assert (again.pk, again.pid, again.draining, again.is_online) == (runner.pk, os.getpid(), False, True)
    host = host_of(again)
    assert (host.pool, host.state, host.machine) == (pool, "active", HERE)
    assert set(host.versions) == {"python", "locust", "hatchery"} and host.cores >= 1
    assert [state for state, _text in said()] == ["active", "active"]  # it joined, and came back


def test_it_needs_its_pool() -> None:
    with pytest.raises(Refused, match="no pool “nowhere”"):
        register("nowhere", "box", "box-1", HERE)
    assert not WorkerHost.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 151, "a\nb", "a\x00b", "a\u202eb"])
def test_a_name_that_nobody_can_read_is_refused(pool: WorkerPool, name: str) -> None:
    for host, runner in [(name, "box-1"), ("box", name)]:
        with pytest.raises(Refused):
            register("local", host, runner, HERE)
    assert not WorkerHost.objects.exists()


def test_a_new_host_waits_for_approval(closed: WorkerPool) -> None:
    runner = register("lab", "box", "box-1", HERE)
    assert host_of(runner).state == "pending"
    assert register("lab", "box", "box-1", HERE).pk == runner.pk
    assert [state for state, _text in said()] == ["pending"]


def test_a_host_that_was_approved_stays_so(closed: WorkerPool) -> None:
    for standing in (Standing.ACTIVE, Standing.DRAINING):
        register("lab", "box", "box-1", HERE)
        WorkerHost.objects.update(standing=standing)
        assert host_of(register("lab", "box", "box-1", HERE)).standing == standing


def test_a_host_that_waits_comes_in_when_its_pool_opens(closed: WorkerPool) -> None:
    register("lab", "box", "box-1", HERE)
    WorkerPool.objects.update(takes_new_hosts=True)
    assert host_of(register("lab", "box", "box-1", HERE)).state == "active"


def test_a_name_of_another_pool_is_refused_to_another_machine(pool: WorkerPool, closed: WorkerPool) -> None:
    register("local", "box", "box-1", HERE)
    fall_silent()
    with pytest.raises(Refused, match="belongs to the pool “local”"):
        register("lab", "box", "box-1", ELSEWHERE)
    assert (WorkerHost.objects.get().pool, WorkerHost.objects.get().machine) == (pool, HERE)


@pytest.mark.parametrize("what", ["moved", "pool renamed", "other --pool"])
def test_a_machine_comes_back_to_the_pool_where_the_portal_has_it(
    pool: WorkerPool, closed: WorkerPool, by: Actor, what: str
) -> None:
    register("lab", "box", "box-1", HERE)
    host = WorkerHost.objects.select_related("pool").get()
    hosts.approve(host=host, by=by)
    match what:
        case "moved":
            hosts.move(host=host, to=pool, by=by)
        case "pool renamed":
            pools.change(pool=closed, options=pools.Options(name="den"), by=by)
    again = host_of(register("local" if what == "other --pool" else "lab", "box", "box-1", HERE))
    assert (again.pk, again.standing) == (host.pk, Standing.ACTIVE)
    assert again.pool.name == {"moved": "local", "pool renamed": "den", "other --pool": "lab"}[what]


def test_a_new_host_is_told_that_its_pool_may_have_another_name(closed: WorkerPool, by: Actor) -> None:
    _key, secret = keys.make(closed, "box", by)
    pools.change(pool=closed, options=pools.Options(name="den"), by=by)
    with pytest.raises(Refused, match=r"no pool “lab”\. If it has another name now, start with that"):
        register("lab", "box", "box-1", HERE, secret)
    assert host_of(register("den", "box", "box-1", HERE, secret)).state == "active"


def test_a_host_from_before_there_were_machines_takes_the_first_that_comes(closed: WorkerPool) -> None:
    HostFactory.create(name="box", pool=closed)
    assert host_of(register("lab", "box", "box-1", HERE)).machine == HERE
    assert host_of(register("lab", "box", "box-1", HERE)).standing == Standing.ACTIVE


# --- two machines, one name ---------------------------------------------------------------------------------------


def test_a_name_that_is_online_is_refused_with_its_address(pool: WorkerPool) -> None:
    runner = register("local", "box", "box-1", HERE)
    WorkerHost.objects.update(report={"addresses": ["10.0.0.7", "10.1.0.7"]})
    with pytest.raises(Refused) as refused:
        register("local", "box", "box-2", ELSEWHERE)
    assert "Host name twice" in str(refused.value) and "10.0.0.7" in str(refused.value)
    assert runner.started_at.strftime("%Y-%m-%dT%H:%M:%S") in str(refused.value)
    WorkerHost.objects.update(address="box.example.test")
    with pytest.raises(Refused, match=r"box\.example\.test"):
        register("local", "box", "box-2", ELSEWHERE)
    assert (WorkerHost.objects.get().machine, Runner.objects.count()) == (HERE, 1)


def test_a_key_is_not_used_up_by_a_name_that_is_online(closed: WorkerPool, by: Actor) -> None:
    register("lab", "box", "box-1", HERE)
    key, secret = keys.make(closed, "box", by)
    with pytest.raises(Refused, match="twice"):
        register("lab", "box", "box-2", ELSEWHERE, secret)
    key.refresh_from_db()
    assert key.used_at is None


def test_another_machine_under_a_silent_name_waits_for_approval(closed: WorkerPool) -> None:
    register("lab", "box", "box-1", HERE)
    WorkerHost.objects.update(standing=Standing.ACTIVE)
    fall_silent()
    host = host_of(register("lab", "box", "box-1", ELSEWHERE))
    assert (host.state, host.machine) == ("pending", ELSEWHERE)
    assert "pending" in [state for state, text in said() if "Another machine" in text]


@pytest.mark.parametrize("way", ["open pool", "key"])
@pytest.mark.parametrize("standing", Standing.values)
def test_another_machine_may_come_in_as_a_new_one_would(closed: WorkerPool, by: Actor, way: str, standing: str) -> None:
    register("lab", "box", "box-1", HERE)
    WorkerHost.objects.update(standing=standing)
    fall_silent()
    secret = ""
    if way == "key":
        _key, secret = keys.make(closed, "box", by)
    else:
        WorkerPool.objects.update(takes_new_hosts=True)
    host = host_of(register("lab", "box", "box-1", ELSEWHERE, secret))
    drained = standing == Standing.DRAINING
    assert (host.standing, host.machine) == (Standing.DRAINING if drained else Standing.ACTIVE, ELSEWHERE)


# --- two processes, one runner ------------------------------------------------------------------------------------


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_second_process_of_a_runner_is_refused_with_the_first_ones_number(
    pool: WorkerPool, process: subprocess.Popen[bytes]
) -> None:
    runner = register("local", "box", "box-1", HERE)
    Runner.objects.update(pid=process.pid, started_at=timezone.now())
    with pytest.raises(Refused, match=f"process {process.pid}"):
        register("local", "box", "box-1", HERE)
    process.kill()
    assert process.wait() < 0
    assert register("local", "box", "box-1", HERE).pk == runner.pk


def test_the_number_of_a_dead_runner_may_be_anothers_now(process: subprocess.Popen[bytes]) -> None:
    before_it_began = timezone.now() - timedelta(hours=1)
    assert not is_alive(RunnerFactory.create(pid=process.pid, started_at=before_it_began))
    assert not is_alive(RunnerFactory.create(pid=os.getpid(), started_at=timezone.now()))
    assert not is_alive(RunnerFactory.create(pid=2**22 + 1, started_at=timezone.now()))


def test_a_dead_process_that_nobody_saw_off_is_dead(process: subprocess.Popen[bytes]) -> None:
    runner = RunnerFactory.create(pid=process.pid, started_at=timezone.now())
    assert is_alive(runner)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(runner)


def test_a_runners_name_belongs_to_one_host(pool: WorkerPool) -> None:
    register("local", "box", "one", HERE)
    with pytest.raises(Refused, match="works on the host “box”"):
        register("local", "other", "one", HERE)
    fall_silent()
    assert host_of(register("local", "other", "one", HERE)).name == "other"
    assert Runner.objects.count() == 1


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_key_opens_the_pool_once(closed: WorkerPool, by: Actor) -> None:
    key, secret = keys.make(closed, "box", by)
    assert secret not in "".join(map(str, JoinKey.objects.values_list()))
    assert key.digest == digest_of(secret)
    assert abs(key.expires_at - db_now() - timedelta(hours=KEY_HOURS)) < timedelta(minutes=1)
    assert host_of(register("lab", "box", "box-1", HERE, secret)).state == "active"
    event = HostEvent.objects.get()
    assert (event.state, event.text, event.by) == ("active", JOINED_BY_KEY, "user:admin")
    key.refresh_from_db()
    assert key.used_at
    assert host_of(register("lab", "box", "box-1", HERE, secret)).state == "active"  # the same command again


def test_a_key_brings_in_a_host_that_waits(closed: WorkerPool, by: Actor) -> None:
    register("lab", "box", "box-1", HERE)
    _key, secret = keys.make(closed, "box", by)
    assert host_of(register("lab", "box", "box-1", HERE, secret)).state == "active"


def test_a_used_key_brings_nobody_in_again(closed: WorkerPool, by: Actor) -> None:
    _key, secret = keys.make(closed, "box", by)
    register("lab", "box", "box-1", HERE, secret)
    fall_silent()
    with pytest.raises(Refused, match="was used at"):
        register("lab", "box", "box-1", ELSEWHERE, secret)
    assert WorkerHost.objects.get().machine == HERE


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("unknown", "not known"),
        ("expired", "expired at"),
        ("revoked", "was revoked at"),
        ("of another host", "is for the host “other” of the pool “lab”"),
        ("of another pool", "is for the host “box” of the pool “local”"),
    ],
)
def test_a_wrong_key_is_refused_and_makes_no_host(
    closed: WorkerPool, pool: WorkerPool, by: Actor, what: str, said: str
) -> None:
    _key, secret = keys.make(
        pool if what == "of another pool" else closed, "other" if what == "of another host" else "box", by
    )
    if what == "unknown":
        secret = "htj_guess"
    if what == "revoked":
        keys.revoke(key=JoinKey.objects.get(), by=by)
    if what == "expired":
        JoinKey.objects.update(expires_at=db_now())
    with pytest.raises(Refused, match=said):
        register("lab", "box", "box-1", HERE, secret)
    assert not WorkerHost.objects.exists()
    assert not HostEvent.objects.exists()
    assert JoinKey.objects.get().used_at is None


def test_a_wrong_key_is_refused_where_none_was_needed(pool: WorkerPool) -> None:
    with pytest.raises(Refused, match="not known"):
        register("local", "box", "box-1", HERE, "htj_guess")


def test_a_key_is_revoked_once_and_that_is_written_down(closed: WorkerPool, by: Actor) -> None:
    key, _secret = keys.make(closed, "box", by)
    first = keys.revoke(key=key, by=by).revoked_at
    assert keys.revoke(key=key, by=by).revoked_at == first
    assert [row.action for row in AuditEvent.objects.order_by("id")] == ["join_key.create", "join_key.revoke"]
    assert AuditEvent.objects.get(action="join_key.revoke").details == {"pool": "lab", "host": "box"}
    assert JoinKey.objects.get().state(db_now()) == "revoked"


def test_a_used_key_is_not_revoked(closed: WorkerPool, by: Actor) -> None:
    key, secret = keys.make(closed, "box", by)
    register("lab", "box", "box-1", HERE, secret)
    with pytest.raises(Conflict, match="remove the host “box”") as refused:
        keys.revoke(key=key, by=by)
    assert refused.value.code == "key_used"
    assert JoinKey.objects.get().state(db_now()) == "used" and not AuditEvent.objects.filter(action="join_key.revoke")


def test_who_made_a_key_stands_in_the_audit_log_and_the_secret_does_not(closed: WorkerPool, by: Actor) -> None:
    _key, secret = keys.make(closed, "box", by)
    row = AuditEvent.objects.get()
    assert (row.action, row.team_id, row.actor) == ("join_key.create", None, "user:admin")
    assert row.details == {"pool": "lab", "host": "box"}
    assert secret not in str(AuditEvent.objects.values())


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb"])
def test_no_key_is_made_for_a_name_nobody_can_have(closed: WorkerPool, by: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        keys.make(closed, name, by)
    assert list(refused.value.fields) == ["host_name"]
    assert not JoinKey.objects.exists()


def test_no_key_is_made_for_a_host_of_another_pool(closed: WorkerPool, pool: WorkerPool, by: Actor) -> None:
    register("local", "box", "box-1", HERE)
    with pytest.raises(Conflict) as refused:
        keys.make(closed, "box", by)
    assert refused.value.code == "host_elsewhere"


def test_the_command_to_copy_holds_whatever_a_host_is_called(closed: WorkerPool) -> None:
    name = "it's; rm -rf $HOME `x`"
    words = shlex.split(keys.command(closed, name, "htj_secret"))
    assert words[words.index("--host") + 1] == name
    assert words[-4:] == ["--host", name, "--join", "htj_secret"]
    assert words[:5] == ["python", "manage.py", "runner", "--pool", "lab"]


def test_a_host_of_the_longest_name_comes_as_its_command_says(closed: WorkerPool, by: Actor) -> None:
    name = "x" * 100
    _key, secret = keys.make(closed, name, by)
    assert register("lab", name, f"{name}-1", HERE, secret).name == f"{name}-1"


# --- which machine this is ----------------------------------------------------------------------------------------


def test_a_machine_is_known_by_its_own_id_which_is_not_told(tmp_path: Path) -> None:
    system = tmp_path / "machine-id"
    system.write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    found = machine_id(system, tmp_path / "own")
    assert found == machine_id(system, tmp_path / "own") and len(found) == 64
    assert "3d1219c7" not in found and not (tmp_path / "own").exists()


@pytest.mark.parametrize("text", [None, b"", b"uninitialized\n", b"\xff\xfe"])
def test_a_machine_without_an_id_gets_one_that_stays(tmp_path: Path, text: bytes | None) -> None:
    system, own = tmp_path / "machine-id", tmp_path / "own"
    if text is not None:
        system.write_bytes(text)
    found = machine_id(system, own)
    assert machine_id(system, own) == found
    own.unlink()
    assert machine_id(system, own) != found
    assert list(tmp_path.glob("own.*")) == []
