"""Pages of scenarios, as people use them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.scenarios import validate
from apps.scenarios.models import Scenario, ScenarioVersion
from apps.teams.models import Project
from tests import factories
from tests.factories import LOCUSTFILE

NEW = "/t/acme/shop/scenarios/new/"


def new_form(**changes: Any) -> dict[str, Any]:
    load = {"users": "20", "spawn_rate": "2", "run_time": "5m", "host": "https://shop.example.com"}
    return {"name": "Browse", "locustfile": LOCUSTFILE, **load, **changes}


def page(version: ScenarioVersion, tab: str = "") -> str:
    return f"/scenarios/{version.scenario.pk}/{tab}"


# --- a new one ----------------------------------------------------------------------------------------------------


def test_it_creates_a_scenario_from_pasted_text(tess_client: Client, shop: Project) -> None:
    pasted = LOCUSTFILE.replace("\n", "\r\n")
    response = tess_client.post(NEW, new_form(locustfile=pasted))
    scenario = Scenario.objects.get()
    assert response["Location"] == f"/scenarios/{scenario.pk}/"
    assert scenario.versions.get().locustfile == LOCUSTFILE, "line ends of a script, not of a browser"
    assert (scenario.users, scenario.spawn_rate, scenario.run_time_s) == (20, 2, 300)
    assert scenario.versions.get().author == "user:tess"


def test_it_takes_an_uploaded_file(tess_client: Client, shop: Project) -> None:
    file = SimpleUploadedFile("locustfile.py", b"\xef\xbb\xbf" + LOCUSTFILE.encode())
    tess_client.post(NEW, new_form(locustfile="", upload=file))
    assert ScenarioVersion.objects.get().locustfile == LOCUSTFILE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00", "not valid UTF-8"),
        (b"x = 1\n" * 100_000, "the limit is 512 KiB"),
        (b"def broken(:\n", "Line 1 of the locustfile"),
        (b"x = '\0'", "null byte"),
        (b"\n", "it is empty"),
    ],
)
def test_it_refuses_a_bad_upload(tess_client: Client, shop: Project, content: bytes, sentence: str) -> None:
    form = new_form(locustfile="", upload=SimpleUploadedFile("l.py", content))
    assert sentence in tess_client.post(NEW, form).content.decode()
    assert not Scenario.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"users": "0"}, "Users must be a whole number from 1 to 100000."),
        ({"users": "1e9"}, "Users must be a whole number"),
        ({"users": ""}, "Users must be a whole number"),
        ({"users": "9" * 5000}, "Users must be a whole number"),
        ({"spawn_rate": "0"}, "Spawn rate must be from 0.01"),
        ({"spawn_rate": "nan"}, "Spawn rate must be from 0.01"),
        ({"run_time": "-5"}, "Run time must look like 90s, 5m or 1h30m."),
        ({"run_time": "5x"}, "Run time must look like 90s, 5m or 1h30m."),
        ({"run_time": "9999999h"}, "Run time must be from 1 second to 7 days."),
        ({"host": "shop"}, "The host must be an address"),
        ({"tags": "a b --c"}, "is not a tag"),
        ({"env_name": ["PATH"], "env_value": ["/tmp"]}, "is reserved"),
        ({"env_name": ["A", "A"], "env_value": ["1", "2"]}, "is there twice"),
        ({"stages_duration": ["1m"], "stages_users": ["many"], "stages_spawn_rate": ["1"]}, "Stage 1 must have"),
        ({"name": ""}, "This field is required."),
        ({"name": "a\x07b"}, "control characters"),
        ({"locustfile": ""}, "Paste a locustfile: it is empty."),
        ({"locustfile": "import\n"}, "Line 1 of the locustfile"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    tess_client: Client, shop: Project, changes: dict[str, Any], sentence: str
) -> None:
    response = tess_client.post(NEW, new_form(**changes))
    html = response.content.decode()
    assert response.status_code == 200
    assert sentence in html
    if "locustfile" not in changes:
        assert "class Shopper(HttpUser)" in html
    for value in changes.values():
        assert value is None or isinstance(value, list) or not value.isalnum() or f'value="{value}"' in html
    assert not Scenario.objects.exists()


def test_it_says_everything_that_is_wrong_at_once(tess_client: Client, shop: Project) -> None:
    html = tess_client.post(NEW, new_form(users="0", run_time="x", host="shop")).content.decode()
    assert "Users must be" in html
    assert "Run time must look like" in html
    assert "The host must be" in html


def test_stages_decide_users_and_time(tess_client: Client, shop: Project) -> None:
    stages = {"stages_duration": ["1m", "30", ""], "stages_users": ["5", "0", ""], "stages_spawn_rate": ["1", "1", ""]}
    tess_client.post(NEW, new_form(run_time="", **stages))
    scenario = Scenario.objects.get()
    assert (scenario.users, scenario.run_time_s, len(scenario.stages)) == (5, 90, 2)


def test_the_example_is_one_click_away(tess_client: Client, shop: Project) -> None:
    html = tess_client.get(f"{NEW}?from=example").content.decode()
    assert "class Visitor(HttpUser)" in html
    assert 'value="Shop example"' in html


def test_a_viewer_does_not_get_the_form(vic_client: Client, shop: Project) -> None:
    assert vic_client.get(NEW).status_code == 403


def test_hostile_names_are_text(tess_client: Client, shop: Project) -> None:
    tess_client.post(NEW, new_form(name="<script>alert(1)</script>"))
    html = tess_client.get("/scenarios/").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


# --- one scenario -------------------------------------------------------------------------------------------------


def test_it_saves_a_new_version(tess_client: Client, version: ScenarioVersion) -> None:
    form = {"locustfile": version.locustfile + "\n# more\n", "note": "more"}
    html = tess_client.post(page(version), form, follow=True).content.decode()
    assert f"Saved as version {version.number + 1}." in html
    newest = version.scenario.versions.first()
    assert newest is not None
    assert (newest.note, newest.author) == ("more", "user:tess")


def test_the_same_text_makes_no_version(tess_client: Client, version: ScenarioVersion) -> None:
    html = tess_client.post(page(version), {"locustfile": version.locustfile}, follow=True).content.decode()
    assert "Nothing changed" in html
    assert version.scenario.versions.count() == 1


def test_a_viewer_reads_but_does_not_save(vic_client: Client, version: ScenarioVersion) -> None:
    html = vic_client.get(page(version)).content.decode()
    assert "class Shopper(HttpUser)" in html
    assert "Save as new version" not in html
    assert vic_client.post(page(version), {"locustfile": "x = 1"}).status_code == 403


def test_it_shows_a_version_and_what_changed_since(tess_client: Client, version: ScenarioVersion) -> None:
    newer = version.locustfile.replace("/api/products", "/api/<b>cart")
    factories.ScenarioVersionFactory(scenario=version.scenario, number=version.number + 1, locustfile=newer)
    shown = tess_client.get(page(version, f"versions/{version.number}/")).content.decode()
    assert "read only" in shown
    assert "/api/products" in shown
    diff = tess_client.get(page(version, "diff/")).content.decode()
    assert "diff-removed" in diff
    assert "/api/&lt;b&gt;cart" in diff
    for query in ("from=x&to=99", f"from={'9' * 5_000}", f"to={'9' * 50}", "from=-1"):
        assert tess_client.get(page(version, f"diff/?{query}")).status_code == 404
    assert tess_client.get(page(version, f"versions/{10**30}/")).status_code == 404


def test_it_saves_the_load(tess_client: Client, version: ScenarioVersion) -> None:
    form = {"users": "7", "spawn_rate": "0.5", "run_time": "90", "env_name": ["REGION", ""], "env_value": ["eu", ""]}
    tess_client.post(page(version, "load/"), form)
    scenario = Scenario.objects.get()
    assert (scenario.users, scenario.spawn_rate, scenario.run_time_s, scenario.env) == (7, 0.5, 90, {"REGION": "eu"})
    html = tess_client.get(page(version, "load/")).content.decode()
    assert 'value="1m30s"' in html
    assert 'value="REGION"' in html


def test_it_renames(tess_client: Client, version: ScenarioVersion) -> None:
    tess_client.post(page(version, "settings/"), {"name": "Buy", "description": "All of it"})
    assert Scenario.objects.get().name == "Buy"


def test_it_says_what_goes_and_deletes(tess_client: Client, version: ScenarioVersion) -> None:
    factories.RunFactory(scenario=version.scenario, version=version, state="finished", finished_at=timezone.now())
    html = tess_client.get(page(version, "delete/")).content.decode()
    assert "1 run with all its results" in html
    assert tess_client.post(page(version, "delete/"))["Location"] == "/t/acme/shop/"
    assert not Scenario.objects.exists()


def test_it_does_not_delete_under_an_active_run(tess_client: Client, version: ScenarioVersion) -> None:
    factories.RunFactory(scenario=version.scenario, version=version)
    response = tess_client.post(page(version, "delete/"))
    assert response.status_code == 409
    assert "Stop it, then delete" in response.content.decode()
    assert Scenario.objects.exists()


# --- validate -----------------------------------------------------------------------------------------------------


def test_validate_names_the_line(tess_client: Client, shop: Project) -> None:
    html = tess_client.post("/t/acme/shop/scenarios/validate/", {"locustfile": "x = 1\nimport\n"}).content.decode()
    assert 'data-line="2"' in html
    assert "<html" not in html


@pytest.mark.engine
def test_validate_warns_of_users_without_a_task(tess_client: Client, shop: Project) -> None:
    script = "from locust import HttpUser\n\n\nclass Idle(HttpUser):\n    host = 'http://127.0.0.1'\n"
    html = tess_client.post("/t/acme/shop/scenarios/validate/", {"locustfile": script}).content.decode()
    assert "no task" in html
    assert "0 tasks" not in html


def test_validate_shows_what_is_in_the_script(tess_client: Client, shop: Project) -> None:
    html = tess_client.post("/t/acme/shop/scenarios/validate/", {"locustfile": LOCUSTFILE}).content.decode()
    assert "Ready to run." in html
    assert "Shopper" in html


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_list_takes_a_fixed_number_of_queries(
    tess_client: Client, shop: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        factories.ScenarioVersionFactory(scenario__project=shop, scenario__name=f"S{number}")
    with django_assert_max_num_queries(11):
        html = tess_client.get("/scenarios/").content.decode()
    assert "S19" in html


def test_the_list_is_paged_and_narrowed(tess_client: Client, shop: Project, blog: Project) -> None:
    for number in range(51):
        factories.ScenarioFactory(project=shop, name=f"S{number:02}")
    factories.ScenarioFactory(project=blog, name="Essay")
    assert "Page 1 of 2" in tess_client.get("/scenarios/").content.decode()
    narrowed = tess_client.get(f"/scenarios/?project={blog.pk}").content.decode()
    assert "Essay" in narrowed
    assert "S00" not in narrowed
    assert tess_client.get("/scenarios/?project=nonsense").status_code == 404


def test_a_stranger_sees_nothing(charlie_client: Client, version: ScenarioVersion) -> None:
    for tab in ("", "load/", "settings/", "delete/", "diff/", "runs/", "run/"):
        assert charlie_client.get(page(version, tab)).status_code == 404
    assert "Checkout" not in charlie_client.get("/scenarios/").content.decode()


# --- how it is measured ---------------------------------------------------------------------------------------------

SHAPE = """
from locust import HttpUser, LoadTestShape, task


class Base(LoadTestShape):
    abstract = True


class Waves(Base):
    def tick(self):
        return None
"""


def load_form(**changes: Any) -> dict[str, Any]:
    return {"users": "3", "spawn_rate": "1", "run_time": "1m", "host": "", **changes}


def test_a_new_scenario_is_counted_exactly(tess_client: Client, shop: Project) -> None:
    tess_client.post(NEW, new_form())
    made = Scenario.objects.get()
    assert (made.collector, made.group_ids) == ("exact", False)


def test_the_choice_of_the_collector_is_kept(tess_client: Client, version: ScenarioVersion) -> None:
    tess_client.post(page(version, "load/"), load_form(collector="csv", group_ids="on"))
    scenario = Scenario.objects.get()
    assert (scenario.collector, scenario.group_ids, scenario.users) == ("csv", True, 3)
    html = tess_client.get(page(version, "load/")).content.decode()
    assert re.search(r'value="csv"[^>]* checked', html) and re.search(r'name="group_ids"[^>]* checked', html)
    tess_client.post(page(version, "load/"), load_form(collector="exact"))
    scenario.refresh_from_db()
    assert (scenario.collector, scenario.group_ids) == ("exact", False)


def test_a_collector_that_is_none_is_refused(tess_client: Client, version: ScenarioVersion) -> None:
    html = tess_client.post(page(version, "load/"), load_form(collector="magic")).content.decode()
    assert "magic is not one of the available choices" in html
    assert Scenario.objects.get().users != 3


def test_a_wrong_stage_is_named_in_its_row(tess_client: Client, version: ScenarioVersion) -> None:
    stages = {
        "stages_duration": ["1m", "", "2m"],
        "stages_users": ["5", "", "999999"],
        "stages_spawn_rate": ["1", "", "0"],
    }
    html = tess_client.post(page(version, "load/"), load_form(**stages)).content.decode()
    problems = re.findall(r'data-row-problem (hidden)?>.*?role="status">(.*?)</div>', html)
    assert [hidden for hidden, _text in problems] == ["hidden", "", "hidden", "hidden"], (
        "rows, a blank one, the template"
    )
    assert problems[1][1].count("Stage 2: ") == 2
    assert re.sub(r"data-\S+=\".*?\"", "", html).count("Stage 2: ") == 2, "there, and not below the table once more"


def test_what_is_wrong_with_all_stages_stands_below_them(tess_client: Client, version: ScenarioVersion) -> None:
    stages = {"stages_duration": ["1m"], "stages_users": ["0"], "stages_spawn_rate": ["1"]}
    html = tess_client.post(page(version, "load/"), load_form(**stages)).content.decode()
    assert 'id="id_stages_error">At least one stage must have users.<' in html


def test_what_is_wrong_is_told_to_whom_it_belongs_only(tess_client: Client, version: ScenarioVersion) -> None:
    stages = {"stages_duration": ["1m"], "stages_users": ["999999"], "stages_spawn_rate": ["1"]}
    assert "Stage 1: " in tess_client.post(page(version, "load/"), load_form(**stages)).content.decode()
    good = load_form(stages_duration=["1m"], stages_users=["5"], stages_spawn_rate=["1"])
    tess_client.post(page(version, "load/"), good)
    assert "Stage 1: " not in re.sub(r"data-\S+=\".*?\"", "", tess_client.get(page(version, "load/")).content.decode())


@pytest.mark.parametrize("path", ["/scenarios/{}/load/", "/scenarios/{}/run/"])
def test_a_script_with_a_shape_of_its_own_is_said(tess_client: Client, scenario: Scenario, path: str) -> None:
    factories.ScenarioVersionFactory.create(scenario=scenario, locustfile=LOCUSTFILE)
    address = path.format(scenario.pk)
    said = re.compile(r"data-own-shape\s*>.*?data-own-shape-name>(\w+)<", re.DOTALL)
    assert not said.search(tess_client.get(address).content.decode())
    factories.ScenarioVersionFactory.create(scenario=scenario, locustfile=SHAPE)
    found = said.search(tess_client.get(address).content.decode())
    assert found and found[1] == "Waves"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SHAPE, "Waves"),
        ("import locust\nclass A(locust.LoadTestShape): pass", "A"),
        ("class A(LoadTestShape):\n    abstract = True", ""),
        ("class A(User): pass", ""),
        ("x = 'class A(LoadTestShape): pass'", ""),
        ("class broken(:", ""),
        ("(" * 5000, ""),
        ("x\0", ""),
        ("", ""),
    ],
)
def test_a_shape_is_read_off_the_text(text: str, name: str) -> None:
    assert validate.own_shape(text) == name
