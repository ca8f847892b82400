"""The script editor and the load form in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from apps.scenarios.models import ScenarioVersion
from tests import browsing
from tests.factories import PASSWORD, RunFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOK: dict[str, Any] = {"color_scheme": "dark", "viewport": {"width": 1280, "height": 720}}


@pytest.fixture
def page(live_server: Any, tess: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Tess, logged in; the console must stay clean: a blocked script or style would show there."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    complaints: list[str] = []
    with browsing.logged_in(live_server.url, "tess", PASSWORD, complaints, **LOOK) as page:
        yield page
    assert complaints == []


def test_a_script_is_checked_and_saved_by_keyboard(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.locator(".ace_content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("def broken(:\n")
    expect(page.locator("[data-changed]")).to_be_visible()
    page.click("[data-validate]")
    expect(page.locator("#validation")).to_contain_text("Line 1")
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_count(1)
    page.locator(".ace_content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("import locust")
    page.keyboard.press("Control+s")
    expect(page.locator(".alert-success")).to_contain_text(f"Saved as version {version.number + 1}.")
    assert version.scenario.versions.first().locustfile == "import locust"  # type: ignore[union-attr]


def chosen(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "text/x-python", "buffer": content}


def test_a_chosen_file_is_in_the_editor_before_it_is_validated_and_saved(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/")
    page.set_input_files("[name=upload]", chosen("mine.py", b"\xef\xbb\xbfimport locust\r\ndef broken(:\r\n"))
    expect(page.locator("[data-upload-said]")).to_have_text("mine.py is in the editor; it is saved with the form.")
    expect(page.locator(".ace_content")).to_contain_text("def broken(:")
    page.click("[data-validate]")
    expect(page.locator("#validation")).to_contain_text("Line 2")
    page.locator(".ace_content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("import locust")  # what is seen is saved, not the file
    page.get_by_role("button", name="Save as new version").click()
    expect(page.locator(".alert-success")).to_contain_text(f"Saved as version {version.number + 1}.")
    assert version.scenario.versions.first().locustfile == "import locust"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00", "l.py is not valid UTF-8 text."),
        (b"x = 1\n" * 100_000, "l.py has 586 KiB; the limit is 512 KiB."),
    ],
    ids=["not UTF-8", "too large"],
)
def test_a_file_that_is_no_script_leaves_the_editor_as_it_was(
    page: Page, version: ScenarioVersion, content: bytes, sentence: str
) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/")
    page.set_input_files("[name=upload]", chosen("l.py", content))
    expect(page.locator("[data-upload-said]")).to_have_text(sentence)
    assert page.input_value("[name=locustfile]") == version.locustfile
    assert page.input_value("[name=upload]") == ""


def test_leaving_unsaved_changes_asks(page: Page, version: ScenarioVersion) -> None:
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.goto(f"/scenarios/{version.scenario.pk}/")
    page.locator(".ace_content").click()
    page.keyboard.type("x")
    page.get_by_role("link", name="Load").click()
    page.wait_for_url(re.compile("/load/$"))
    assert asked == ["beforeunload"]


def test_stages_are_typed_and_drawn(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/load/")
    page.get_by_text("Stages", exact=True).first.click()
    page.locator("[name=stages_duration]").fill("1m")
    page.keyboard.press("Tab")
    page.keyboard.type("20")
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Enter")  # the last cell: a new row
    for text in ("30s", "0", "5"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    expect(page.locator("[data-summary]")).to_have_text("20 users")
    expect(page.locator("[data-end]")).to_have_text("01:30")
    page.get_by_role("button", name="Save the load").click()
    expect(page.locator(".alert-success")).to_be_visible()
    expect(page.locator("[name=stages_duration]")).to_have_count(3)
    version.scenario.refresh_from_db()
    assert (version.scenario.users, version.scenario.run_time_s) == (20, 90)


def texts(page: Page, column: str) -> list[str]:
    """What is typed in a column of the stages."""
    values: list[str] = page.locator(f"[name=stages_{column}]").evaluate_all("all => all.map(one => one.value)")
    return values


def test_stages_come_from_templates_and_every_change_is_taken_back(page: Page, version: ScenarioVersion) -> None:
    version.scenario.users, version.scenario.run_time_s = 100, 600
    version.scenario.save()
    page.goto(f"/scenarios/{version.scenario.pk}/load/")
    page.get_by_text("Stages", exact=True).first.click()
    expect(page.locator("[data-undo]")).to_be_disabled()
    page.click("[data-template=step]")
    assert (texts(page, "users"), texts(page, "duration")) == (["20", "40", "60", "80", "100"], ["2m"] * 5)
    expect(page.locator("[data-end]")).to_have_text("10:00")
    page.locator("[data-row-act=down]").first.click()
    assert texts(page, "users") == ["40", "20", "60", "80", "100"]
    page.locator("[data-row-act=up]").first.dispatch_event("click")  # the first one stays where it is
    page.locator("[data-row-act=copy]").nth(1).focus()
    page.keyboard.press("Enter")
    page.locator("[data-stages] [data-row-act=remove]").last.click()
    assert texts(page, "users") == ["40", "20", "20", "60", "80"]
    expect(page.locator("[data-row-number]").last).to_have_text("5")
    for _ in range(3):
        page.click("[data-undo]")
    assert texts(page, "users") == ["20", "40", "60", "80", "100"]
    page.click("[data-undo]")
    assert texts(page, "users") == [""]
    expect(page.locator("[data-undo]")).to_be_disabled()
    page.click("[data-template=hold]")
    page.get_by_role("button", name="Save the load").click()
    expect(page.locator(".alert-success")).to_be_visible()
    version.scenario.refresh_from_db()
    assert [stage["users"] for stage in version.scenario.stages] == [100, 100, 0]


def test_a_wrong_stage_is_named_in_its_row_when_it_is_left(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/load/")
    page.get_by_text("Stages", exact=True).first.click()
    page.click("[data-template=spike]")
    page.locator("[name=stages_duration]").nth(1).fill("5x")
    said = page.locator("[data-row-problem]:visible")
    expect(said).to_have_count(0)  # still being typed
    page.locator("[name=users]").focus()
    expect(said).to_have_text("Stage 2: a duration looks like 90s, 5m or 1h30m.")
    cell = page.locator("[name=stages_duration]").nth(1)
    expect(cell).to_have_attribute("aria-invalid", "true")
    expect(cell).to_have_css("background-image", "none")  # no icon over what was typed
    expect(page.locator("[data-profile]")).to_be_hidden()
    cell.fill("30s")
    expect(said).to_have_count(0)
    page.locator("[name=stages_users]").nth(2).fill("50000")
    expect(said).to_contain_text("is over before its 50,000 users are there")


def test_the_drawing_tells_the_moment_under_the_pointer(page: Page, version: ScenarioVersion) -> None:
    version.scenario.users, version.scenario.run_time_s = 100, 600
    version.scenario.save()
    page.goto(f"/scenarios/{version.scenario.pk}/load/")
    page.get_by_text("Stages", exact=True).first.click()
    page.click("[data-template=step]")
    drawing = page.locator("[data-drawing]")
    expect(drawing.locator(".bound")).to_have_count(4)
    box = drawing.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("[data-summary]")).to_have_text(re.compile(r"^0[45]:\d\d · 60 users · stage 3$"))
    page.mouse.move(0, 0)
    expect(page.locator("[data-summary]")).to_have_text("100 users")
    page.get_by_text("The same as a table").click()
    expect(page.locator("[data-profile-rows] tr").nth(2)).to_have_text("304:0006:004060")


def test_menus_and_themes_work_by_keyboard(page: Page, version: ScenarioVersion) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    menu = page.locator("details.switcher")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Shop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Shop")).to_be_hidden()
    page.locator("[data-theme-switch]").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_the_count_of_runs_follows_while_the_page_is_open(page: Page, version: ScenarioVersion) -> None:
    run: Any = RunFactory(scenario=version.scenario, version=version, state="running")
    page.clock.install()
    page.goto("/scenarios/")
    count = page.get_by_label("Runs: 1 running, 0 waiting")
    expect(count).to_be_visible()
    count.focus()
    page.clock.run_for(15_000)
    expect(count).to_be_focused()  # nothing new
    run.state = "finished"
    run.save()
    page.clock.run_for(15_000)
    expect(page.locator(".active-runs")).to_have_count(0)
