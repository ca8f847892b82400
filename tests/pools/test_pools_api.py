"""Pools over REST."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.pools import host_rows, overview, presentation, serializers
from apps.pools.models import IdRange, JoinKey, WorkerPool
from apps.pools.usage import Viewer
from apps.runs.models import Run
from apps.teams.actors import Actor
from apps.teams.models import ApiToken, AuditEvent, Project, Team
from tests import factories
from tests.factories import bearer
from tests.pools import makers
from tests.runs.test_presentation import assert_fits

POOLS = "/api/v1/pools/"
JSON = "application/json"


@pytest.fixture
def lab(acme: Team) -> WorkerPool:
    """For Acme only, with IDs."""
    lab: WorkerPool = factories.PoolFactory.create(
        name="lab", id_prefix="test_", first_id=1, last_id=500, is_for_all=False
    )
    lab.teams.add(acme)
    return lab


@pytest.mark.parametrize("by", ["id", "name"])
def test_it_shows_a_pool_with_its_hosts_and_runners(vic_client: Client, pool: WorkerPool, by: str) -> None:
    host = factories.HostFactory.create(pool=pool, name="big-box", versions={"locust": "2.47.0"}, cores=4)
    factories.RunnerFactory.create(host=host, name="r1", draining=True)
    body = vic_client.get(f"{POOLS}{getattr(pool, by)}/").json()
    assert (body["name"], body["is_default"], body["ids"], body["slots"]) == ("local", True, None, 4)
    [shown] = body["hosts"]
    assert (shown["name"], shown["cores"], shown["versions"]) == ("big-box", 4, {"locust": "2.47.0"})
    [runner] = shown["runners"]
    assert (runner["name"], runner["online"], runner["draining"]) == ("r1", True, True)


@pytest.mark.parametrize("ref", ["nothing", "0" * 32, "%00", "x" * 5000])
def test_it_does_not_find_what_is_not_there(vic_client: Client, ref: str) -> None:
    for url in (f"{POOLS}{ref}/", f"{POOLS}{ref}/space/", f"/api/v1/hosts/{ref}/"):
        answer = vic_client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_lists_with_a_constant_number_of_queries(
    vic_client: Client, pool: WorkerPool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for other in [pool, *factories.PoolFactory.create_batch(2)]:
        for host in factories.HostFactory.create_batch(3, pool=other):
            factories.RunnerFactory.create_batch(2, host=host)
    with django_assert_num_queries(14):
        rows = vic_client.get(POOLS).json()["results"]
    assert sum(len(host["runners"]) for row in rows for host in row["hosts"]) == 18


def test_a_pool_is_seen_by_those_who_may_use_it(
    vic_client: Client, charlie_client: Client, depot: Project, lab: WorkerPool, blog_token: ApiToken
) -> None:
    def names(client: Client) -> set[str]:
        return {row["name"] for row in client.get(POOLS).json()["results"]}

    assert "lab" in names(vic_client) and "lab" in names(Client(headers=bearer(blog_token)))
    assert names(charlie_client) == {"local"}
    lab.projects.add(depot)
    shown = charlie_client.get(f"{POOLS}lab/").json()
    assert (shown["teams"], [row["slug"] for row in shown["projects"]]) == ([], ["depot"])


def test_the_admin_makes_changes_and_deletes_a_pool(admin_client: Client, acme: Team, shop: Project) -> None:
    given = {"name": "den", "is_for_all": False, "teams": ["acme"], "projects": [str(shop.pk)]}
    given |= {"id_prefix": "u_", "first_id": 1, "last_id": 9}
    made = admin_client.post(POOLS, given, content_type=JSON)
    assert (made.status_code, made["Location"]) == (201, "/api/v1/pools/den/")
    assert (made.json()["ids"]["last_text"], [row["slug"] for row in made.json()["teams"]]) == ("u_00009", ["acme"])
    changed = admin_client.patch(f"{POOLS}den/", {"last_id": 90, "is_default": True}, content_type=JSON).json()
    assert (changed["ids"]["last"], changed["is_default"], len(changed["projects"])) == (90, True, 1)
    admin_client.patch(f"{POOLS}local/", {"is_default": True}, content_type=JSON)
    assert admin_client.delete(f"{POOLS}den/").status_code == 204
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    expected = ["pool.create", "pool.set_ids", "pool.make_default", "pool.set_ids", "pool.make_default", "pool.delete"]
    assert actions == expected


def test_a_change_that_is_refused_in_part_is_not_made(admin_client: Client, lab: WorkerPool) -> None:
    makers.own(makers.add_host(lab, "a"), 1, 500)
    given = {"description": "new", "last_id": 90}
    answer = admin_client.patch(f"{POOLS}lab/", given, content_type=JSON)
    assert answer.json()["fields"] == {"last_id": ["test_00001 to test_00500 belong to host a."]}
    lab.refresh_from_db()
    assert (answer.status_code, lab.description) == (409, "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "local"}, "name"),
        ({"name": "new"}, "name"),
        ({"users_per_worker": 0}, "users_per_worker"),
        ({"is_for_all": "yes"}, "is_for_all"),
        ({"teams": ["nobody"]}, "teams"),
        ({"teams": ["\0"]}, "teams"),
        ({"projects": ["01900000-0000-7000-8000-000000000000"]}, "projects"),
        ({"first_id": 10**13}, "first_id"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin_client: Client, lab: WorkerPool, pool: WorkerPool, given: dict[str, Any], field: str
) -> None:
    answer = admin_client.patch(f"{POOLS}lab/", given, content_type=JSON)
    assert answer.status_code == 400
    assert next(iter(answer.json()["fields"])).startswith(field)


def test_the_space_says_who_has_what_but_not_of_others(
    vic_client: Client, charlie_client: Client, admin_client: Client, lab: WorkerPool, depot: Project, scenario: Any
) -> None:
    lab.projects.add(depot)
    host = makers.add_host(lab, "a")
    makers.own(host, 1, 400)
    run: Run = factories.RunFactory.create(scenario=scenario, pool=lab)
    makers.place(run, [host], users=100)

    def segments(client: Client) -> tuple[list[Any], list[Any]]:
        body = client.get(f"{POOLS}lab/space/").json()
        assert_fits(body, serializers.SpaceOut())
        assert body["ids"]["leased"] == 100
        return [(part["first"], part["last"], part["state"], part["host"]) for part in body["segments"]], [
            (part["run"], part["run_label"]) for part in body["segments"] if part["state"] == "leased"
        ]

    spans, ours = segments(vic_client)
    assert spans == [(1, 100, "leased", "a"), (101, 400, "free", "a"), (401, 500, "unowned", None)]
    assert ours == [(str(run.pk), str(run))]
    assert segments(charlie_client)[1] == [(None, None)]
    assert segments(admin_client)[1] == [(None, str(run))]


def test_a_pool_without_ids_has_no_space(vic_client: Client, pool: WorkerPool) -> None:
    assert vic_client.get(f"{POOLS}local/space/").json() == {"ids": None, "segments": []}


def test_ids_are_split_evenly_and_shown_before(admin_client: Client, lab: WorkerPool) -> None:
    for name in ("a", "b", "c"):
        makers.add_host(lab, name, slots=1)
    given = {"first": 1, "last": 500, "preview": True}
    body = admin_client.post(f"{POOLS}lab/split/", given, content_type=JSON).json()
    assert_fits(body, serializers.SplitOut())
    assert [(slot["host"], slot["worker_offset"], slot["last_text"]) for slot in body["slots"]] == [
        ("a", 0, "test_00166"),
        ("b", 166, "test_00333"),
        ("c", 333, "test_00500"),
    ]
    assert not IdRange.objects.exists()
    admin_client.post(f"{POOLS}lab/split/", given | {"preview": False, "hosts": ["c", "a"]}, content_type=JSON)
    assert {row.host.name: str(row) for row in IdRange.objects.all()} == {"c": "1–250", "a": "251–500"}


def test_a_split_over_a_host_of_another_pool_is_refused(admin_client: Client, lab: WorkerPool) -> None:
    factories.HostFactory.create(name="stray")
    given = {"first": 1, "last": 500, "hosts": ["stray"]}
    answer = admin_client.post(f"{POOLS}lab/split/", given, content_type=JSON)
    assert answer.json()["fields"] == {"hosts": ["Host stray is not in pool lab."]}


def test_a_host_that_calls_itself_as_anothers_id_gets_none_of_its_ids(admin_client: Client, lab: WorkerPool) -> None:
    host = makers.add_host(lab, "0", slots=1)  # before the other by name
    makers.add_host(lab, str(host.pk), slots=1)
    given = {"first": 1, "last": 500, "hosts": [str(host.pk)]}
    answer = admin_client.post(f"{POOLS}lab/split/", given, content_type=JSON)
    assert [slot["host"] for slot in answer.json()["slots"]] == ["0"]


def test_a_key_is_shown_once_also_to_who_asks_twice(admin_client: Client, lab: WorkerPool) -> None:
    def ask() -> Any:
        headers = {"Idempotency-Key": "k"}
        return admin_client.post(f"{POOLS}lab/join-keys/", {"host_name": "b"}, content_type=JSON, headers=headers)

    first, again = ask(), ask()
    assert_fits(first.json(), serializers.JoinKeyWithSecret())
    assert first.status_code == 201 and first["Cache-Control"] == "no-store"
    assert first.json()["command"].endswith(f"--pool lab --host b --join {first.json()['secret']}")
    assert (again.json()["secret"], again.json()["command"]) == (None, None)
    assert JoinKey.objects.count() == 1


def test_keys_are_listed_and_revoked(
    admin_client: Client, vic_client: Client, lab: WorkerPool, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    url = f"{POOLS}lab/join-keys/"
    for name in ("b", "c"):
        made = admin_client.post(url, {"host_name": name}, content_type=JSON).json()
    with django_assert_max_num_queries(6):
        page = admin_client.get(url).json()
    for row in page["results"]:
        assert_fits(row, serializers.JoinKeyOut())
    rows = [(row["host_name"], row["state"], row["created_by"]) for row in page["results"]]
    assert rows == [("c", "open", "user:admin"), ("b", "open", "user:admin")]
    assert made["secret"] not in str(page) and "secret" not in page["results"][0]
    assert vic_client.get(url).status_code == vic_client.delete(f"{url}{made['id']}/").status_code == 403
    for _ in range(2):
        assert admin_client.delete(f"{url}{made['id']}/").status_code == 204
    assert [row["state"] for row in admin_client.get(url).json()["results"]] == ["revoked", "open"]
    assert AuditEvent.objects.filter(action="join_key.revoke").count() == 1
    assert admin_client.delete(f"{POOLS}local/join-keys/{made['id']}/").status_code == 404


def test_a_split_over_a_host_that_is_named_twice_is_refused(admin_client: Client, lab: WorkerPool) -> None:
    host = factories.HostFactory.create(pool=lab, name="a")
    given = {"first": 1, "last": 100, "hosts": ["a", str(host.pk)]}
    answer = admin_client.post(f"{POOLS}lab/split/", given, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "host_twice")
    assert answer.json()["fields"] == {"hosts": ["Host a is named twice."]}
    assert not IdRange.objects.exists()


def test_a_split_is_refused_when_it_is_not_the_preview_any_more(admin_client: Client, lab: WorkerPool) -> None:
    makers.add_host(lab, "a", slots=2)
    given: dict[str, Any] = {"first": 1, "last": 500}

    def split(**more: Any) -> Any:
        return admin_client.post(f"{POOLS}lab/split/", given | more, content_type=JSON)

    seen = split(preview=True).json()["seen"]
    assert split(seen=seen).status_code == 200
    again = split(seen=seen)
    assert (again.status_code, again.json()["code"]) == (409, "split_changed")
    assert split(seen=split(preview=True).json()["seen"]).status_code == 200


def test_people_are_looked_up_together(
    admin_client: Client, lab: WorkerPool, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    teams, projects = factories.TeamFactory.create_batch(20), factories.ProjectFactory.create_batch(20)
    refs = [team.slug if n % 2 else str(team.pk) for n, team in enumerate(teams)]
    with django_assert_max_num_queries(40):
        given = {"teams": refs, "projects": [str(project.pk) for project in projects]}
        assert admin_client.patch(f"{POOLS}lab/", given, content_type=JSON).status_code == 200
    assert (lab.teams.count(), lab.projects.count()) == (20, 20)


def test_it_has_the_fields_of_its_schema(admin: User, lab: WorkerPool, scenario: Any) -> None:
    host = makers.add_host(lab, "a")
    makers.own(host, 1, 400)
    makers.place(factories.RunFactory.create(scenario=scenario, pool=lab), [host], users=100)
    viewer = Viewer.of(Actor(user=admin))
    rows = host_rows.rows([host], viewer)
    card = overview.card(lab, rows, 100, viewer)
    assert_fits(presentation.pool(card, rows, viewer), serializers.PoolOut())
    assert_fits(presentation.host_in_full(rows[0], viewer), serializers.HostFullOut())
