"""Pages of pools and hosts."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.pools import drawing, host_rows
from apps.pools.allocation import Span
from apps.pools.models import IdLease, IdRange, JoinKey, Standing, WorkerHost, WorkerPool
from apps.runs.models import Run
from apps.runs.states import State
from apps.teams.models import AuditEvent, Project, Team
from tests import factories
from tests.pools import makers

LAB = "/pools/lab/"


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
    assert page.count("another team's run") == 2  # in the bar and in the row
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
    with django_assert_num_queries(18):
        assert len(vic_client.get(LAB).context["rows"]) == 40
    with django_assert_num_queries(14):
        live = vic_client.get(f"{LAB}?part=live")
    assert b"<html" not in live.content and live.content.count(b"data-key") == 41


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


def live_of(client: Client, url: str) -> tuple[str, str]:
    """The address of the live part as the page asks for it, and what the page is."""
    page = client.get(url).content.decode()
    tokens = re.findall(r'data-token="(\w+)"', page)
    assert len(tokens) == page.count("data-token")
    return f"{url}?part=live&have={'.'.join(tokens)}", page


def test_what_is_shown_already_is_not_sent_again(
    admin_client: Client, scenario: Any, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    makers.farm(scenario, factories.ScenarioFactory.create(name="Inventory"))
    url, _page = live_of(admin_client, "/pools/berlin/")
    with django_assert_max_num_queries(14):
        live = admin_client.get(url)
    assert live.content.count(b"data-key") == 40 and b"data-token" not in live.content
    assert len(live.content) < 60_000
    host = WorkerHost.objects.get(name="loadgen-20")
    host.labels = {"zone": "c"}
    host.save()
    again = admin_client.get(url).content.decode()
    assert again.count("data-token") == 1 and "zone=c" in again
    IdLease.objects.filter(host__name="loadgen-01").update(ended_at=timezone.now())
    assert 'data-key="ids"' in admin_client.get(url).content.decode()


def test_what_is_left_out_of_a_row_does_not_depend_on_its_load(
    vic_client: Client, admin_client: Client, host: WorkerHost
) -> None:
    """Else a page would not notice: what is left out is known by the other columns of the host."""
    for client in (vic_client, admin_client):
        host.recent, host.last_seen_at = makers.recent(1), timezone.now()
        host.report = makers.report(host, 1)
        host.save()
        url, before = live_of(client, LAB)
        host.recent, host.last_seen_at = makers.recent(3), timezone.now() - timedelta(minutes=1)
        host.report = makers.report(host, 4, clock_offset_ms=-5000, open_files_hard=12, addresses=["1.2.3.4"])
        host.save()
        rows = client.get(url).content.decode().partition("<tbody")[2].partition("</tbody")[0]
        sent = set(re.findall(r'data-live="(\w+)"', rows))
        assert sent == {"seen", "cpu", "memory", "network", "clock"}
        before_, after = cells_of(before), cells_of(client.get(LAB).content.decode())
        assert before_.keys() == after.keys() and len(before_) >= 10
        changed = {name for name in before_ if before_[name] != after[name]}
        assert changed <= sent and {"cpu", "clock"} <= changed


def cells_of(page: str) -> dict[str, str]:
    """What stands in the cells of the only row, but for tokens against forgery, which are new each time."""
    plain = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
    seen = re.compile(r'<small class="muted" data-live="seen">(.*?)</small>')
    cells = re.findall(r"<td role=.*?</td>", plain, re.DOTALL)
    names = [re.findall(r'data-live="(\w+)"', cell)[0] for cell in cells]
    return dict(zip(names, [seen.sub("", cell) for cell in cells], strict=True)) | {"seen": seen.findall(plain)[0]}


def test_names_that_hosts_gave_themselves_are_text(vic_client: Client, lab: WorkerPool) -> None:
    for name in ("<script>alert(1)</script>", "..", "a/b", "ü", "new"):
        factories.HostFactory.create(pool=lab, name=name, labels={"<b>": "<i>"})
    text = vic_client.get(LAB).content.decode()
    assert "<script>alert" not in text and "<b>=" not in text
    for host in WorkerHost.objects.all():
        url = f"{LAB}hosts/{host_rows.host_ref(host)}/"
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
        (
            {"name": "Den"},
            "name",
            "Use small letters and digits, with single hyphens or underscores between them, at most 60.",
        ),
        ({"first_id": 9, "last_id": 8}, "last_id", "The range ends before it begins: 8 is less than 9."),
        (
            {"first_port": 80, "last_port": 90},
            "last_port",
            "Ports go from 1024 to 65535, the first not above the last.",
        ),
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


@pytest.fixture
def many(acme: Team, globex: Team) -> None:
    """500 teams with four projects each."""
    teams = Team.objects.bulk_create(Team(name=f"Team {n:03}", slug=f"team-{n:03}") for n in range(500))
    Project.objects.bulk_create(
        Project(team=team, name=f"Project {n}", slug=f"project-{n}") for team in teams for n in range(4)
    )


@pytest.mark.usefixtures("many")
def test_settings_bring_along_those_that_are_chosen_and_no_others(
    admin_client: Client,
    lab: WorkerPool,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    lab.teams.set(Team.objects.filter(name__startswith="Team 00"))
    lab.projects.set(Project.objects.filter(team__name="Team 100"))
    admin_client.get(f"{LAB}settings/")
    with django_assert_num_queries(9):
        page = admin_client.get(f"{LAB}settings/")
    text = page.content.decode()
    assert text.count('name="teams"') == 10 and text.count('name="projects"') == 4
    assert "Team 100 / Project 3" in text and "Team 010" not in text and len(text) < 40_000
    with django_assert_max_num_queries(9):
        assert len(admin_client.get("/pools/new/").content) < 40_000


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("kind", "text", "first", "count", "has_more"),
    [
        ("teams", "", "Acme", 20, True),
        ("teams", "team 12", "Team 012", 15, False),
        ("teams", "%", None, 0, False),
        ("teams", "\x00 acme", "Acme", 1, False),
        ("teams", "x" * 5000, None, 0, False),
        ("projects", "project", "Team 000 / Project 0", 20, True),
        ("projects", "499 2", "Team 499 / Project 2", 1, False),
        ("projects", "TEAM-499", "Team 499 / Project 0", 4, False),
    ],
)
def test_teams_and_projects_are_found_by_words_of_their_names(
    admin_client: Client,
    kind: str,
    text: str,
    first: str | None,
    count: int,
    has_more: bool,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    admin_client.get(f"/pools/find/{kind}/")
    with django_assert_num_queries(4):
        found = admin_client.get(f"/pools/find/{kind}/", {"q": text}).context["found"]
    assert (len(found.choices), found.has_more) == (count, has_more)
    assert [choice.text for choice in found.choices][:1] == ([first] if first else [])


def test_what_is_refused_keeps_those_that_were_chosen(admin_client: Client, acme: Team, shop: Project) -> None:
    form = pool_form(name="Bad Name", is_for_all="", teams=[acme.pk, "nonsense"], projects=[shop.pk])
    answer = admin_client.post("/pools/new/", form)
    text = answer.content.decode()
    assert {"name", "teams"} >= errors(answer).keys() and f'value="{acme.pk}" checked' in text
    assert f'value="{shop.pk}" checked' in text and "Acme / Shop" in text
    assert not WorkerPool.objects.filter(is_for_all=False).exists()


def test_a_pool_that_is_open_to_many_names_a_few(admin_client: Client, lab: WorkerPool) -> None:
    WorkerPool.objects.filter(pk=lab.pk).update(is_for_all=False)
    lab.teams.set(factories.TeamFactory.create_batch(9))
    page = shown(admin_client, LAB)
    assert page.count("Team ") == 8 and "and others" in page


def test_the_page_of_a_pool_takes_as_many_queries_for_many_people(
    admin_client: Client, lab: WorkerPool, shop: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    WorkerPool.objects.filter(pk=lab.pk).update(is_for_all=False)
    lab.projects.set([shop, *factories.ProjectFactory.create_batch(9)])
    admin_client.get(LAB)
    with django_assert_max_num_queries(16):
        admin_client.get(LAB)


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
        ({"hosts": []}, "hosts", "Choose at least one host."),
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
    assert "htj_" not in page and ">b</td>" in page


def test_a_name_of_another_pool_is_refused(admin_client: Client, lab: WorkerPool) -> None:
    factories.HostFactory.create(name="b")
    answer = admin_client.post(f"{LAB}join/", {"host_name": "b"})
    assert errors(answer)  # whatever it says, beside the form
    assert "belongs to the pool “local”" in answer.content.decode()
    assert not JoinKey.objects.exists()


def test_keys_are_listed_with_what_became_of_them(admin_client: Client, vic_client: Client, lab: WorkerPool) -> None:
    for name in "bcde":
        admin_client.post(f"{LAB}join/", {"host_name": name})
    made = {key.host_name: key for key in JoinKey.objects.all()}
    now = timezone.now()
    JoinKey.objects.filter(pk=made["c"].pk).update(used_at=now)
    JoinKey.objects.filter(pk=made["d"].pk).update(revoked_at=now)
    JoinKey.objects.filter(pk=made["e"].pk).update(expires_at=now - timedelta(minutes=1))
    page = admin_client.get(f"{LAB}join/")
    assert [(row.key.host_name, row.word) for row in page.context["keys"]] == [
        ("e", "Expired"),
        ("d", "Revoked"),
        ("c", "Used"),
        ("b", "Open"),
    ]
    assert page.content.decode().count("Revoke the key for") == 1
    shown_here = shown(admin_client, LAB)
    assert "Open join keys" in shown_here and f"{LAB}keys/{made['b'].pk}/revoke/" in shown_here
    for row in made.values():
        assert row.digest not in page.content.decode() + shown_here
    assert "Open join keys" not in shown(vic_client, LAB)


def test_a_key_leaves_the_page_when_a_host_came_with_it(
    admin_client: Client, vic_client: Client, lab: WorkerPool
) -> None:
    admin_client.post(f"{LAB}join/", {"host_name": "b"})
    assert "Open join keys" in shown(admin_client, f"{LAB}?part=live")
    assert 'data-live="keys"' not in shown(vic_client, f"{LAB}?part=live")
    JoinKey.objects.update(used_at=timezone.now())
    live = shown(admin_client, f"{LAB}?part=live")
    assert 'data-live="keys"' in live and "Open join keys" not in live


def test_a_key_is_revoked_after_a_question(admin_client: Client, lab: WorkerPool) -> None:
    admin_client.post(f"{LAB}join/", {"host_name": "b"})
    url = f"{LAB}keys/{JoinKey.objects.get().pk}/revoke/"
    assert "Revoke the join key for “b”?" in shown(admin_client, url)
    assert JoinKey.objects.get().revoked_at is None
    answer = admin_client.post(url)
    assert (answer["Location"], said(answer)[-1]) == (f"{LAB}join/", "The join key for “b” is revoked.")
    JoinKey.objects.update(used_at=timezone.now(), revoked_at=None)
    assert "To shut that machine out, remove the host “b”." in shown(admin_client, url)
    assert "To shut that machine out" in said(admin_client.post(url))[-1]
    assert JoinKey.objects.get().revoked_at is None


def test_the_key_of_another_pool_is_not_found(admin_client: Client, lab: WorkerPool, pool: WorkerPool) -> None:
    admin_client.post("/pools/local/join/", {"host_name": "b"})
    assert admin_client.post(f"{LAB}keys/{JoinKey.objects.get().pk}/revoke/").status_code == 404
    assert JoinKey.objects.get().revoked_at is None


def test_a_new_name_says_what_it_means_for_keys(admin_client: Client, lab: WorkerPool) -> None:
    admin_client.post(f"{LAB}join/", {"host_name": "b"})
    answer = admin_client.post(f"{LAB}settings/", pool_form(name="den"))
    assert said(answer)[-1] == "Commands that were made for new hosts name the pool “lab”: start them with --pool den."
    assert said(admin_client.post("/pools/den/settings/", pool_form(name="den", description="x")))[-1] == "Saved."


# --- a host is moved ----------------------------------------------------------------------------------------------


def test_a_host_is_moved_and_its_ids_are_released(
    admin_client: Client, vic_client: Client, host: WorkerHost, pool: WorkerPool
) -> None:
    page = shown(admin_client, f"{LAB}hosts/a/move/")
    assert "Its range of 200 IDs in lab is then no host's." in page and ">local</option>" in page
    assert ">lab</option>" not in page
    answer = admin_client.post(f"{LAB}hosts/a/move/", {"to": pool.pk})
    assert (answer["Location"], said(answer)) == (
        "/pools/local/hosts/a/",
        ["The host “a” is in the pool “local” now."],
    )
    host = WorkerHost.objects.get()
    assert host.pool == pool and not IdRange.objects.exists()
    history = shown(vic_client, "/pools/local/hosts/a/")
    assert "It came from another pool" in history and "lab" not in re.findall(r"\w+", history)
    event = AuditEvent.objects.get()
    assert (event.action, event.details) == ("host.move", {"before": "lab", "after": "local", "ids": [1, 200]})
    back = admin_client.post("/pools/local/hosts/a/move/", {"to": WorkerPool.objects.get(name="lab").pk})
    assert said(back)[-1] == "It has no IDs there yet, and no run goes to it without."


def test_a_host_that_a_run_uses_is_not_moved(
    admin_client: Client, host: WorkerHost, run: Run, pool: WorkerPool
) -> None:
    assert f"It is used by {run}." in shown(admin_client, f"{LAB}hosts/a/move/")
    sentence = f"Host a is used by {run}. Drain it, and move it when they are over."
    assert errors(admin_client.post(f"{LAB}hosts/a/move/", {"to": pool.pk})) == {"__all__": [sentence]}
    run.worker_rows.update(ended_at=timezone.now())
    # A lost worker's IDs rest.
    assert errors(admin_client.post(f"{LAB}hosts/a/move/", {"to": pool.pk})) == {"__all__": [sentence]}
    IdLease.objects.update(ended_at=timezone.now())
    Run.objects.update(state=State.RUNNING, runner="runner-a")  # it leads, and its Locust is elsewhere
    assert errors(admin_client.post(f"{LAB}hosts/a/move/", {"to": pool.pk})) == {"__all__": [sentence]}
    assert WorkerHost.objects.get().pool == host.pool and str(IdRange.objects.get()) == "1–200"
    Run.objects.update(state=State.FINISHED, finished_at=timezone.now())
    assert admin_client.post(f"{LAB}hosts/a/move/", {"to": pool.pk}).status_code == 302


@pytest.mark.parametrize("to", ["", "nonsense", "own"])
def test_a_host_is_moved_to_another_pool_only(
    admin_client: Client, host: WorkerHost, pool: WorkerPool, to: str
) -> None:
    given = {"to": host.pool_id if to == "own" else to}
    assert "to" in errors(admin_client.post(f"{LAB}hosts/a/move/", given))
    assert IdRange.objects.exists() and not AuditEvent.objects.exists()


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
