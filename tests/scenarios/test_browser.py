"""The script editor and the load form in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect, sync_playwright

from apps.scenarios.models import ScenarioVersion
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def page(live_server: Any, tess: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Tess, logged in; the console must stay clean: a blocked script or style would show there."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed here (Debian: apt-get install chromium).")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=live_server.url, color_scheme="dark")
        page.set_default_timeout(20_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/accounts/login/")
        page.fill("[name=login]", "tess")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{live_server.url}/")
        yield page
        browser.close()
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
