"""Pages of pools and hosts."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.pools import drawing, overview
from apps.pools.allocation import Span
from apps.pools.models import IdRange, JoinKey, Standing, WorkerHost, WorkerPool
from apps.runs.models import Run
from apps.teams.models import AuditEvent, Project, Team
from tests import factories
from tests.factories import client_of
from tests.pools import makers

LAB = "/pools/lab/"


@pytest.fixture
def admin_client(admin: User) -> Client:
    return client_of(admin)


@pytest.fixture
def lab(db: None) -> WorkerPool:
    lab: WorkerPool = factories.PoolFactory.create(name="lab", id_prefix="test_", first_id=1, last_id=500)
    return lab


@pytest.fixture
def host(lab: WorkerPool) -> WorkerHost:
    host = makers.add_host(lab, "a")
    makers.own(host, 1, 200)
    return host


@pytest.fixture
def run(host: WorkerHost, scenario: Any) -> Run:
    run: Run = factories.RunFactory.create(scenario=scenario, pool=host.pool)
    makers.place(run, [host], users=100)
    return run


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["form"].errors)


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_list_has_the_pools_that_one_may_use(
    vic_client: Client, charlie_client: Client, lab: WorkerPool, acme: Team, globex: Team
) -> None:
    WorkerPool.objects.filter(pk=lab.pk).update(is_for_all=False)
    lab.teams.set([acme, globex])
    page = shown(vic_client, "/pools/")
    assert 'href="/pools/lab/"' in page and 'href="/pools/local/"' in page
    assert "Acme and others" in page and "Globex" not in page
    lab.teams.set([acme])
    assert LAB not in shown(charlie_client, "/pools/")
    assert charlie_client.get(LAB).status_code == 404


def test_it_is_in_the_bar_on_top_of_every_page(vic_client: Client) -> None:
    assert 'href="/pools/" >Pools</a>' in shown(vic_client, "/")
    assert 'href="/pools/" aria-current="page">Pools</a>' in shown(vic_client, "/pools/")


def test_the_list_counts_hosts_slots_and_ids(vic_client: Client, host: WorkerHost, run: Run) -> None:
    makers.add_host(host.pool, "b", standing=Standing.PENDING)
    page = shown(vic_client, "/pools/")
    assert "1 of 2 hosts take work" in page and "1 waits for approval" in page
    assert "1 of 8 slots are taken" in page
    assert "100 of 500 IDs are leased" in page


def test_empty_lists_teach(vic_client: Client, admin_client: Client, lab: WorkerPool) -> None:
    assert "Add the first host" in shown(admin_client, LAB)
    assert "until the portal's admin adds a host" in shown(vic_client, LAB)
    WorkerPool.objects.all().delete()
    assert "Make the first pool" in shown(admin_client, "/pools/")
    assert "The portal's admin opens one to your team." in shown(vic_client, "/pools/")


# --- a pool -------------------------------------------------------------------------------------------------------


def test_a_pool_shows_its_ids_and_hosts(vic_client: Client, host: WorkerHost, run: Run) -> None:
    page = shown(vic_client, LAB)
    assert f"test_00001 – test_00100 (100 IDs) · a · leased by {run}" in page
    assert "test_00101 – test_00200 (100 IDs) · a · free" in page
    assert "test_00201 – test_00500 (300 IDs) · no host's" in page
    assert f'<a href="/runs/{run.pk}/">{run}</a>' in page
    assert "Drain…" not in page and "Add a host" not in page


def test_a_run_of_others_is_another_teams(
    charlie_client: Client, admin_client: Client, host: WorkerHost, run: Run
) -> None:
    page = shown(charlie_client, LAB)
    assert page.count("another team's run") == 3  # in the bar, twice, and in the row
    assert str(run.pk) not in page and str(run) not in page
    page = shown(admin_client, LAB)
    assert str(run) in page and str(run.pk) not in page


def test_hosts_are_filtered_by_state_and_label(vic_client: Client, lab: WorkerPool) -> None:
    makers.add_host(lab, "even", 2)
    makers.add_host(lab, "odd", 1)
    makers.add_host(lab, "gone", 4, is_silent=True)

    def names(query: str) -> list[str]:
        return [row.host.name for row in vic_client.get(f"{LAB}?{query}").context["rows"]]

    assert names("") == ["even", "gone", "odd"]
    assert names("state=active") == ["even", "odd"]
    assert names("state=offline&label=zone%3Da") == ["gone"]
    assert names("label=zone%3Db") == ["odd"]
    assert "No host fits" in shown(vic_client, f"{LAB}?label=none")


def test_what_is_out_of_order_is_marked(vic_client: Client, lab: WorkerPool) -> None:
    hosts = [makers.add_host(lab, name) for name in "abcd"]
    hosts[0].versions = makers.VERSIONS | {"locust": "2.43.1"}
    hosts[1].report = makers.report(hosts[1], clock_offset_ms=-1001.0)
    hosts[2].report = makers.report(hosts[2], open_files_hard=1024, cpu_percent=95.0)
    hosts[3].slots = 9
    for host in hosts:
        host.save()
    rows = vic_client.get(LAB).context["rows"]
    assert [row.odd_versions for row in rows] == [("locust",), (), (), ()]
    assert [row.is_clock_off for row in rows] == [False, True, False, False]
    assert [(row.has_few_files, row.is_cpu_full) for row in rows][2:] == [(True, True), (False, False)]
    assert [row.has_more_slots_than_cores for row in rows] == [False, False, False, True]
    page = shown(vic_client, LAB)
    assert "not the version of the other hosts" in page and "-1,000\u202fms" in page


def test_forty_hosts_take_as_many_queries_as_one(
    vic_client: Client,
    lab: WorkerPool,
    scenario: Any,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    hosts = [makers.add_host(lab, f"h{n:02}", n) for n in range(40)]
    for n, host in enumerate(hosts):
        makers.own(host, 10 * n + 1, 10 * n + 10)
    makers.place(factories.RunFactory.create(scenario=scenario, pool=lab), hosts, users=2)
    vic_client.get(LAB)
    with django_assert_num_queries(20):
        assert len(vic_client.get(LAB).context["rows"]) == 40
    with django_assert_num_queries(16):
        live = vic_client.get(f"{LAB}?part=live")
    assert b"<html" not in live.content and live.content.count(b"data-key") == 40


def test_the_list_takes_as_many_queries_for_many_pools(
    vic_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        makers.add_host(factories.PoolFactory.create(first_id=1, last_id=9), f"h{_}")
    vic_client.get("/pools/")
    with django_assert_num_queries(19):
        assert len(vic_client.get("/pools/").context["cards"]) == 21


@pytest.mark.parametrize("url", ["/pools/?part=live", f"{LAB}?part=live", f"{LAB}hosts/a/?part=live"])
def test_the_live_part_of_a_page_is_in_the_page(
    vic_client: Client, admin_client: Client, host: WorkerHost, run: Run, url: str
) -> None:
    for client in (vic_client, admin_client):
        live, page = client.get(url), client.get(url.partition("?")[0])
        assert "no-store" in live["Cache-Control"]
        names = [text.partition('"')[0] for text in live.content.decode().split('data-live="')[1:]]
        assert names and names == [text.partition('"')[0] for text in page.content.decode().split('data-live="')[1:]]


def test_names_that_hosts_gave_themselves_are_text(vic_client: Client, lab: WorkerPool) -> None:
    for name in ("<script>alert(1)</script>", "..", "a/b", "ü", "new"):
        factories.HostFactory.create(pool=lab, name=name, labels={"<b>": "<i>"})
    text = vic_client.get(LAB).content.decode()
    assert "<script>alert" not in text and "<b>=" not in text
    for host in WorkerHost.objects.all():
        url = f"{LAB}hosts/{overview.host_ref(host)}/"
        assert f'href="{url}"' in text
        assert vic_client.get(url).status_code == 200


def test_a_report_that_makes_no_sense_breaks_nothing(vic_client: Client, host: WorkerHost) -> None:
    host.report = {"cpu_percent": "x", "load_average": None, "running": None, "clock_offset_ms": "later"}
    host.recent = [1, [], [1, "x", None, 2, 3], ["y"] * 5]
    host.save()
    for url in (LAB, f"{LAB}hosts/a/"):
        assert vic_client.get(url).status_code == 200


# --- a pool is changed --------------------------------------------------------------------------------------------


def pool_form(**given: Any) -> dict[str, Any]:
    return {"name": "lab", "id_width": 5, "users_per_worker": 166, "is_for_all": "on"} | given


def test_a_pool_is_made(admin_client: Client, acme: Team, shop: Project) -> None:
    form = pool_form(name="den", is_for_all="", teams=[acme.pk], projects=[shop.pk], first_id=1, last_id=9)
    assert admin_client.post("/pools/new/", form)["Location"] == "/pools/den/"
    made = WorkerPool.objects.get(name="den")
    assert (made.last_id, list(made.teams.all()), list(made.projects.all())) == (9, [acme], [shop])
    assert "Acme / Shop" in shown(admin_client, "/pools/den/")


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"name": "new"}, "name", "No pool can be called “new”."),
        ({"name": "Den"}, "name", "A slug is made of small letters, digits and single hyphens, at most 60."),
        ({"first_id": 9, "last_id": 8}, "last_id", "The range ends before it begins: 8 is less than 9."),
        ({"first_port": 80, "last_port": 90}, "last_port", "Ports go from 1024 to 65535, and up."),
    ],
)
def test_a_pool_that_cannot_be_is_not_made(
    admin_client: Client, given: dict[str, Any], field: str, sentence: str
) -> None:
    answer = admin_client.post("/pools/new/", pool_form(name="den", description="kept") | given)
    assert errors(answer) == {field: [sentence]}
    assert "kept" in answer.content.decode()
    assert not AuditEvent.objects.exists()


def test_settings_and_format_are_two_pages(admin_client: Client, lab: WorkerPool) -> None:
    form = pool_form(name="den", description="two", takes_new_hosts="on")
    assert admin_client.post(f"{LAB}settings/", form)["Location"] == "/pools/den/"
    lab.refresh_from_db()
    assert (lab.name, lab.takes_new_hosts, lab.last_id) == ("den", True, 500)
    form = {"id_prefix": "u", "id_width": 3, "first_id": 1, "last_id": 999}
    assert admin_client.post("/pools/den/ids/", form)["Location"] == "/pools/den/"
    lab.refresh_from_db()
    assert (lab.id_text(7), lab.description) == ("u007", "two")


def test_a_format_that_strands_a_host_is_refused_with_its_name(admin_client: Client, host: WorkerHost) -> None:
    form = {"id_prefix": "test_", "id_width": 5, "first_id": 1, "last_id": 100}
    assert errors(admin_client.post(f"{LAB}ids/", form)) == {"last_id": ["test_00001 to test_00200 belong to host a."]}


def test_a_pool_becomes_the_default_and_the_other_is_deleted(
    admin_client: Client, lab: WorkerPool, pool: WorkerPool
) -> None:
    admin_client.post(f"{LAB}default/")
    assert WorkerPool.objects.get(is_default=True) == lab
    assert "Make another one the default first." in shown(admin_client, f"{LAB}delete/")
    answer = admin_client.post(f"{LAB}delete/")
    assert said(answer)[-1] == "Pool lab is the default. Make another one the default first."
    admin_client.post("/pools/local/default/")
    assert admin_client.post(f"{LAB}delete/")["Location"] == "/pools/"
    assert not WorkerPool.objects.filter(name="lab").exists()


# --- IDs are split ------------------------------------------------------------------------------------------------


def test_a_split_is_shown_before_it_is_applied(admin_client: Client, lab: WorkerPool) -> None:
    hosts = [makers.add_host(lab, name, slots=1) for name in "abc"]
    asked: dict[str, Any] = {"first": 1, "last": 500, "hosts": [str(host.pk) for host in hosts]}
    answer = admin_client.get(f"{LAB}split/", asked)
    rows = [(row.host.name, row.slot, row.first, row.last, row.offset) for row in answer.context["rows"]]
    assert rows == [
        ("a", 1, "test_00001", "test_00166", 0),
        ("b", 1, "test_00167", "test_00333", 166),
        ("c", 1, "test_00334", "test_00500", 333),
    ]
    assert not IdRange.objects.exists()
    seen = {"seen": answer.context["seen"]}
    assert admin_client.post(f"{LAB}split/", asked | seen)["Location"] == LAB
    assert [str(row) for row in IdRange.objects.all()] == ["1–166", "167–333", "334–500"]


def test_a_split_that_was_not_seen_is_shown_first(admin_client: Client, host: WorkerHost) -> None:
    asked: dict[str, Any] = {"first": 1, "last": 500, "hosts": [str(host.pk)]}
    seen = {"seen": admin_client.get(f"{LAB}split/", asked).context["seen"]}
    WorkerHost.objects.update(slots=3)
    answer = admin_client.post(f"{LAB}split/", asked | seen)
    sentence = "The hosts have changed since. Look again before you give them the IDs."
    assert errors(answer) == {"__all__": [sentence]}
    assert len(answer.context["rows"]) == 3 and str(host.id_range) == "1–200"


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"last": 600}, "last", "The IDs of pool lab are test_00001 to test_00500."),
        ({"last": 3}, "last", "8 slots cannot share 3 IDs."),
        ({"last": ""}, "last", "A range needs a first and a last number."),
        ({"hosts": []}, "hosts", "Pool lab has no hosts that could share the IDs."),
    ],
)
def test_a_split_that_cannot_be_is_refused_at_its_field(
    admin_client: Client, host: WorkerHost, given: dict[str, Any], field: str, sentence: str
) -> None:
    asked: dict[str, Any] = {"first": 1, "last": 500, "hosts": [str(host.pk)]} | given
    for answer in (admin_client.get(f"{LAB}split/", asked), admin_client.post(f"{LAB}split/", asked)):
        assert errors(answer) == {field: [sentence]}


# --- a host joins -------------------------------------------------------------------------------------------------


def test_the_command_for_a_new_host_is_shown_once(admin_client: Client, lab: WorkerPool) -> None:
    answer = admin_client.post(f"{LAB}join/", {"host_name": "b"})
    page = answer.content.decode()
    assert "python manage.py runner --pool lab --host b --join htj_" in page
    assert "no-store" in answer["Cache-Control"]
    page = shown(admin_client, f"{LAB}join/")
    assert "htj_" not in page and "<td>b</td>" in page


def test_a_name_of_another_pool_is_refused(admin_client: Client, lab: WorkerPool) -> None:
    factories.HostFactory.create(name="b")
    answer = admin_client.post(f"{LAB}join/", {"host_name": "b"})
    assert errors(answer)  # whatever it says, beside the form
    assert "belongs to the pool “local”" in answer.content.decode()
    assert not JoinKey.objects.exists()


# --- a host is changed --------------------------------------------------------------------------------------------


def host_form(**given: Any) -> dict[str, Any]:
    return {"labels": "", "first": 1, "last": 200} | given


def test_a_host_is_changed_with_its_ids(admin_client: Client, host: WorkerHost) -> None:
    form = host_form(slots=9, labels="zone = b\n\nrack=7", address="127.0.0.1", last=250)
    answer = admin_client.post(f"{LAB}hosts/a/", form)
    assert answer["Location"] == f"{LAB}hosts/a/"
    assert said(answer) == ["Saved.", "a has 9 slots on 8 cores: full ones slow each other down."]
    host.refresh_from_db()
    assert (host.slots, host.labels, host.id_range.last) == (9, {"zone": "b", "rack": "7"}, 250)
    assert "rack = 7\nzone = b" in shown(admin_client, f"{LAB}hosts/a/")


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"first": 150, "last": 300}, "first", "test_00201 to test_00300 belong to host b."),
        ({"first": ""}, "first", "A range needs a first and a last number."),
        ({"slots": 0}, "slots", "Give a number from 1 to 512, or none."),
        ({"labels": "a = 1\na = 2"}, "labels", "There is more than one “a”."),
        ({"address": "not an address"}, "address", "An address is the name or the IP under which other hosts reach"),
    ],
)
def test_what_a_host_cannot_be_stands_at_its_field_with_the_input_kept(
    admin_client: Client, host: WorkerHost, given: dict[str, Any], field: str, sentence: str
) -> None:
    makers.own(makers.add_host(host.pool, "b", 2), 201, 300)
    answer = admin_client.post(f"{LAB}hosts/a/", host_form(max_users=4321) | given)
    [(wrong, [text])] = errors(answer).items()
    assert (wrong, text.startswith(sentence)) == (field, True)
    assert 'value="4321"' in answer.content.decode()
    host.refresh_from_db()
    assert host.max_users is None and str(host.id_range) == "1–200"


def test_a_member_reads_a_host_and_changes_nothing(vic_client: Client, host: WorkerHost) -> None:
    page = shown(vic_client, f"{LAB}hosts/a/")
    assert "It joined with a key." in page and "What is set" not in page
    assert vic_client.post(f"{LAB}hosts/a/", host_form(slots=2)).status_code == 403


def test_a_host_is_looked_for_in_its_own_pool(vic_client: Client, host: WorkerHost, pool: WorkerPool) -> None:
    assert vic_client.get("/pools/local/hosts/a/").status_code == 404


@pytest.fixture
def act(admin_client: Client, host: WorkerHost) -> Callable[[str], str]:
    """Do something with the host; the answer is what was said last."""

    def act(name: str) -> str:
        assert admin_client.get(f"{LAB}hosts/a/{name}/").status_code == 200
        return said(admin_client.post(f"{LAB}hosts/a/{name}/"))[-1]

    return act


def test_a_host_is_approved_drained_and_activated(host: WorkerHost, act: Callable[[str], str]) -> None:
    WorkerHost.objects.update(standing=Standing.PENDING)
    assert act("drain") == "Host a has to be approved first."
    assert act("approve") == "The host “a” takes part."
    assert act("drain") == "The host “a” finishes what it runs and takes nothing new."
    assert act("activate") == "The host “a” takes part again."


def test_removing_says_what_goes_with_it(admin_client: Client, host: WorkerHost, act: Callable[[str], str]) -> None:
    page = shown(admin_client, f"{LAB}hosts/a/remove/")
    assert "its range of 200 IDs" in page and "its history of 1 change" in page
    assert act("remove") == "The host “a” is removed."
    assert not WorkerHost.objects.exists()


def test_a_host_that_runs_something_is_not_removed(
    admin_client: Client, host: WorkerHost, run: Run, act: Callable[[str], str]
) -> None:
    assert f"It is used by {run}." in shown(admin_client, f"{LAB}hosts/a/remove/")
    assert act("remove") == f"Host a is used by {run}."
    assert WorkerHost.objects.exists()


# --- pictures -----------------------------------------------------------------------------------------------------


def test_a_line_has_a_gap_where_nothing_was_known() -> None:
    recent = [[1000 + 5 * n, 50, 0, 0, 0] for n in range(120) if not 40 <= n < 60]
    spark = drawing.spark(recent, [drawing.CPU], full=100)
    assert spark is not None and spark.path.count("M") == 2 and spark.highest == 50
    assert drawing.spark(recent[:1], [drawing.CPU], full=100) is None


def test_a_piece_is_seen_however_small_it_is() -> None:
    whole = Span(1, 10**9)
    last = drawing.place(Span(10**9, 10**9), whole)
    assert last.width == drawing.LEAST_PERCENT and last.x + last.width <= 100
    assert drawing.label("a-long-name-of-a-host", 8.0) == "a-long-name…"
    assert drawing.label("a", 1.0) == ""


def test_a_pool_with_more_leases_than_can_be_drawn_shows_its_owners(
    vic_client: Client, host: WorkerHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.pools.bar.MOST_PIECES", 2)
    page = shown(vic_client, LAB)
    assert "test_00001 – test_00200 (200 IDs) · a · 100 leased" in page
    assert "test_00201 – test_00500 (300 IDs) · no host's" in page
