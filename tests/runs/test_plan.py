"""The plan of a run: what the form shows, and that the run is then placed like that."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.pools.models import IdRange, WorkerHost, WorkerPool
from apps.runs import placing
from apps.runs.models import Run, RunWorker
from apps.runs.plan import Wish, plan_for
from apps.runs.planning import Traffic
from apps.scenarios import data_services
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.actors import Actor
from apps.teams.models import Project
from tests import factories

REPORT = {"link_mbit": 1000, "local_ports": 28_232, "open_files_hard": 4096}


@pytest.fixture
def lab(db: None) -> WorkerPool:
    """Two hosts with 4 and 2 slots and 500 IDs each: test_00001 to test_01000."""
    pool: WorkerPool = factories.PoolFactory.create(name="lab", id_prefix="test_", first_id=1, last_id=1000)
    for number, slots in enumerate((4, 2)):
        host = factories.HostFactory.create(pool=pool, name=f"node-{number + 1}", slots=slots, report=REPORT)
        factories.RunnerFactory.create(host=host)
        IdRange.objects.create(pool=pool, host=host, first=500 * number + 1, last=500 * number + 500)
    return pool


def wish(pool: WorkerPool, workers: int, users: int, **more: Any) -> Wish:
    return Wish(more.pop("team_id", uuid4()), pool, workers, users, more.pop("when_full", "wait"), **more)


def taken_by(run: Run, host: WorkerHost) -> list[tuple[str, int, int, str]]:
    assert placing.take(run.pk, runner="runner", host=host) is not None
    rows = RunWorker.objects.filter(run=run).order_by("index")
    return [(row.host_name, row.index, row.users, run.pool.id_text(row.offset + 1)) for row in rows]


@pytest.mark.parametrize(("workers", "users"), [(1, 100), (2, 500), (3, 500), (5, 7), (6, 1000)])
def test_a_run_is_placed_as_its_plan_said(lab: WorkerPool, workers: int, users: int) -> None:
    found = plan_for(wish(lab, workers, users))
    said = [
        (host.machine.name, worker.index, worker.users, worker.first) for host in found.hosts for worker in host.workers
    ]
    run = factories.RunFactory.create(pool=lab, workers=workers, users=users)
    assert taken_by(run, lab.hosts.get(name="node-1")) == sorted(said, key=lambda one: one[1])


def test_what_other_runs_have_is_not_planned_again(lab: WorkerPool) -> None:
    other = factories.RunFactory.create(pool=lab, workers=2, users=300)
    taken_by(other, lab.hosts.get(name="node-1"))
    found = plan_for(wish(lab, 4, 600))
    assert (found.slots, found.free) == (6, 4)
    assert [host.machine.others for host in found.hosts] == [150, 150]
    run = factories.RunFactory.create(pool=lab, workers=4, users=600)
    said = [(h.machine.name, w.index, w.users, w.first) for h in found.hosts for w in h.workers]
    assert taken_by(run, lab.hosts.get(name="node-1")) == sorted(said, key=lambda one: one[1])


def test_the_hosts_own_word_counts_unless_people_know_better(lab: WorkerPool) -> None:
    WorkerHost.objects.filter(name="node-2").update(link_mbit=100)
    found = plan_for(wish(lab, 2, 500, traffic=Traffic(150_000, 1)))
    assert found.mbit == 600
    assert [(host.machine.link_mbit, host.machine.ports, host.machine.files) for host in found.hosts] == [
        (1000, 28_232, 4096),
        (100, 28_232, 4096),
    ]
    assert [host.is_beyond_link for host in found.hosts] == [False, True]


def test_a_host_that_says_nothing_is_unknown(lab: WorkerPool) -> None:
    WorkerHost.objects.update(report={})
    machine = plan_for(wish(lab, 1, 5)).hosts[0].machine
    assert (machine.link_mbit, machine.ports, machine.files) == (None, None, None)


@pytest.mark.parametrize(("when_full", "is_refused"), [("wait", False), ("refuse", True)])
def test_without_room_it_says_why_and_what_then(lab: WorkerPool, when_full: str, is_refused: bool) -> None:
    found = plan_for(wish(lab, 7, 100, when_full=when_full))
    assert (found.hosts, found.is_refused) == ((), is_refused)
    run = factories.RunFactory.create(pool=lab, workers=7, users=100)
    assert placing.take(run.pk, runner="runner", host=lab.hosts.get(name="node-1")) is None
    run.refresh_from_db()
    assert found.shortage == run.waits_for
    assert found.shortage.startswith("It needs 7 slots; pool lab has 6 free on active hosts.")


def test_more_users_than_the_pool_has_ids_are_said_before_the_start(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    html = fragment(tess_client, version, users="5000")
    assert "5000 users need as many IDs; the pool lab has 1000." in html and "it would be refused" in html
    assert "wait its turn" not in html


# --- data files ---------------------------------------------------------------------------------------------------


def file_of(scenario: Scenario, rows: int, name: str = "users.csv", **how: str) -> None:
    content = BytesIO(b"id\n" + b"x\n" * rows)
    data_services.upload(scenario=scenario, name=name, source=content, by=Actor(system="test"), **how)


@pytest.mark.parametrize("how", [{"distribution": "split"}, {"distribution": "split", "at_end": "stop"}])
def test_rows_for_fewer_workers_are_said_before_the_start(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool, how: dict[str, str]
) -> None:
    file_of(version.scenario, 2, **how)
    sentence = (
        "users.csv is split over 3 workers, and has rows for 2: 1 would have none. Ask for fewer workers, add rows, "
        "or let all workers share the file."
    )
    html = fragment(tess_client, version)
    assert sentence in html and "it would be refused" in html
    response = tess_client.post(f"/scenarios/{version.scenario.pk}/run/", sent(version))
    assert sentence in response.content.decode() and not Run.objects.exists()
    html = fragment(tess_client, version, workers="2")
    assert "users.csv" not in html and "starts at once" in html
    tess_client.post(f"/scenarios/{version.scenario.pk}/run/", sent(version, workers="2"))
    assert Run.objects.get().workers == 2


def test_rows_for_fewer_users_are_said_before_the_start(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    file_of(version.scenario, 499, distribution="per_user")
    file_of(version.scenario, 1, "shared.csv", distribution="shared", at_end="stop")
    html = fragment(tess_client, version)
    assert "users.csv has a row each for 499 of 500 users: the others share theirs." in html
    assert "it would be refused" not in html and "shared.csv" not in html
    file_of(version.scenario, 499, distribution="per_user", at_end="stop")
    html = fragment(tess_client, version)
    assert "users.csv has a row each for 499 of 500 users, and stops the other 1." in html
    assert "it would be refused" in html
    assert "users.csv" not in fragment(tess_client, version, users="499")


def test_a_plan_without_a_change_knows_the_data_files(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    Scenario.objects.update(pool=lab, workers=3, users=500)
    file_of(version.scenario, 1)
    html = tess_client.get(f"/scenarios/{version.scenario.pk}/run/").content.decode()
    assert "is split over 3 workers, and has rows for 1: 2 would have none" in html


# --- the form -----------------------------------------------------------------------------------------------------


def sent(version: ScenarioVersion, **changes: Any) -> dict[str, Any]:
    load = {"users": "500", "spawn_rate": "10", "run_time": "1m", "host": "http://127.0.0.1:9", "version": version.pk}
    return {**load, "pool": "lab", "workers": "3", "on_lost": "end", "when_full": "wait", **changes}


def fragment(client: Client, version: ScenarioVersion, **changes: Any) -> str:
    response = client.post(f"/scenarios/{version.scenario.pk}/run/plan/", sent(version, **changes))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def test_the_fragment_shows_hosts_workers_and_ids(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    html = fragment(tess_client, version, request_kb="150", request_every="1")
    for text in ("node-1", "test_00001 – test_00166", "6 of 6 free", "starts at once", "600 Mbit/s in all", "worker 3"):
        assert text in html, text
    assert "Ask for 4 workers" in html
    assert "worker 0" not in html
    assert "<html" not in html
    assert not Run.objects.exists()


def test_a_wrong_form_has_no_plan_but_says_why(tess_client: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    html = fragment(tess_client, version, users="<b>", request_every="0")
    assert "<b>Users</b>: Users must be a whole number" in html
    assert "Seconds between requests" in html
    assert "node-1" not in html


def test_without_javascript_a_button_shows_the_plan(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    response = tess_client.post(f"/scenarios/{version.scenario.pk}/run/", sent(version, show_plan="1", note="kept"))
    html = response.content.decode()
    assert "test_00001 – test_00166" in html
    assert 'value="kept"' in html
    assert not Run.objects.exists()


def test_the_form_begins_with_the_scenarios_placement_and_its_plan(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    Scenario.objects.update(pool=lab, workers=3, users=500, when_full="refuse")
    html = tess_client.get(f"/scenarios/{version.scenario.pk}/run/").content.decode()
    assert 'value="lab" selected' in html
    assert 'value="refuse" selected' in html
    assert "test_00001 – test_00166" in html


def test_the_first_button_of_the_form_starts_the_run(tess_client: Client, version: ScenarioVersion) -> None:
    """It is the one that Enter in a field stands for."""
    html = tess_client.get(f"/scenarios/{version.scenario.pk}/run/").content.decode()
    form = html[html.index('<form class="split run-form"') :]
    buttons = re.findall(r'<button[^>]*type="submit"[^>]*>', form[: form.index("</form>")])
    assert ["show_plan" in button for button in buttons] == [False, True]


def test_it_starts_where_and_as_it_was_asked(tess_client: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    tess_client.post(f"/scenarios/{version.scenario.pk}/run/", sent(version, request_kb="150"))
    run = Run.objects.get()
    assert (run.pool, run.workers, run.on_lost, run.when_full, run.users) == (lab, 3, "end", "wait", 500)


def test_run_again_copies_the_placement_of_the_run(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool
) -> None:
    run = factories.RunFactory.create(
        scenario=version.scenario, version=version, pool=lab, workers=2, on_lost="rebalance", state="finished"
    )
    html = tess_client.get(f"/scenarios/{version.scenario.pk}/run/?again={run.pk}").content.decode()
    for text in ('value="lab" selected', 'value="rebalance" selected', 'name="workers" value="2"'):
        assert text in html, text


def test_a_pool_of_others_is_neither_offered_nor_planned_nor_used(
    tess_client: Client, version: ScenarioVersion, lab: WorkerPool, shop: Project
) -> None:
    WorkerPool.objects.filter(pk=lab.pk).update(is_for_all=False)
    Scenario.objects.update(pool=lab)
    url = f"/scenarios/{version.scenario.pk}/run/"
    for html in (
        tess_client.get(url).content.decode(),
        fragment(tess_client, version),
        tess_client.post(url, sent(version)).content.decode(),
    ):
        assert "node-1" not in html
        assert 'value="lab"' not in html
    assert not Run.objects.exists()


def test_a_host_name_is_text(tess_client: Client, version: ScenarioVersion, lab: WorkerPool) -> None:
    WorkerHost.objects.filter(name="node-1").update(name="<script>alert(1)</script>")
    assert "<script>" not in fragment(tess_client, version)
