"""The tab Data in a real browser: upload with progress, by drop and by keyboard, and the choices in the table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.scenarios import data_services
from apps.scenarios.models import DataFile, ScenarioVersion
from apps.teams.actors import Actor
from tests import browsing
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TABLE = b"id,name\n" + b"".join(b"%d,user %d\n" % (n, n) for n in range(1000))


@pytest.fixture
def complaints() -> list[str]:
    """What the console says; nothing, unless a test expects it."""
    return []


@pytest.fixture
def page(live_server: Any, tess: Any, complaints: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Tess, logged in, in the dark."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    look: dict[str, Any] = {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}}
    with browsing.logged_in(live_server.url, "tess", PASSWORD, complaints, **look) as page:
        yield page
    assert complaints == []


def chosen(name: str, content: bytes = TABLE) -> Any:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def address(version: ScenarioVersion) -> str:
    return f"/scenarios/{version.scenario.pk}/data/"


def look(page: Page, name: str) -> None:
    """A picture, where somebody wants to look at it: HATCHERY_PICTURES names the folder."""
    if folder := os.environ.get("HATCHERY_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    """Whether nothing makes the page wider than its window."""
    is_fitting: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return is_fitting


def test_a_file_is_uploaded_with_its_progress_shown(page: Page, version: ScenarioVersion, tmp_path: Path) -> None:
    page.goto(address(version))
    expect(page.locator("[data-data-list]")).to_contain_text("No data file yet")
    look(page, "empty-dark")
    (tmp_path / "big.bin").write_bytes(b"x" * 12_000_000)
    page.set_input_files("[name=file]", tmp_path / "big.bin")
    page.evaluate(
        """() => {
          const line = document.querySelector("[data-progress-said]");
          window.said = [];
          new MutationObserver(() => said.push(line.textContent)).observe(line, { childList: true });
        }"""
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-said]")).to_have_text("big.bin is there, as version 1.")
    expect(page.locator("[data-progress]")).to_be_hidden()
    expect(page.locator("[data-data-list] tr[data-name='big.bin']")).to_contain_text("12\u202fMB")
    said = page.evaluate("said")
    assert said[0] == "0\u202fB of 12\u202fMB · 0 %"
    assert said[-1].endswith("are there; the portal reads them…")
    page.set_input_files("[name=file]", chosen("users.csv"))
    page.get_by_role("button", name="Upload").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_have_text(
        "users.csv is there, as version 1. Rows: 1,000. Columns: id, name."
    )
    page.set_input_files("[name=file]", chosen("users.csv"))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-said]")).to_have_text("Nothing changed: version 1 of users.csv has the same content.")
    look(page, "files-dark")
    page.set_viewport_size({"width": 390, "height": 800})
    assert fits(page)
    look(page, "files-dark-390")


def test_a_dropped_file_is_sent_at_once_under_a_name_that_can_be(page: Page, version: ScenarioVersion) -> None:
    page.goto(address(version))
    page.evaluate(
        """() => {
          const files = new DataTransfer();
          files.items.add(new File(["id\\n1\\n"], "my users.csv"));
          const zone = document.querySelector("[data-drop]");
          for (const type of ["dragover", "drop"]) {
            zone.dispatchEvent(new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true }));
          }
        }"""
    )
    expect(page.locator("[data-said]")).to_have_text("my_users.csv is there, as version 1. Rows: 1. Columns: id.")
    expect(page.locator("[data-drop]")).not_to_have_class("is-over")
    assert DataFile.objects.get().name == "my_users.csv"


def test_a_refused_file_stays_in_the_form_beside_the_reason(
    page: Page, version: ScenarioVersion, complaints: list[str]
) -> None:
    page.goto(address(version))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".field-error")).to_have_text("Choose a file first.")
    page.set_input_files("[name=file]", chosen("users.csv", b"id,name\n1\n"))
    expect(page.locator(".field-error")).to_have_count(0)
    page.get_by_role("button", name="Upload").click()
    sentence = "Line 2 has another number of cells than the header: 1 instead of 2."
    expect(page.locator(".field-error")).to_have_text(sentence)
    expect(page.locator("[name=file]")).to_have_attribute("aria-invalid", "true")
    assert page.locator("[name=file]").evaluate("input => input.files[0].name") == "users.csv"
    look(page, "refused-dark")
    page.fill("[name=name]", "locustfile.py")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[name=name] + .field-error")).to_contain_text("would be taken for a program")
    page.evaluate("document.querySelector('[data-data-upload]').dataset.limitBytes = 5")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".field-error")).to_have_text("The file has 10\u202fB; the limit is 5\u202fB a file.")
    assert len(complaints) == 2 and all("400 (Bad Request)" in text for text in complaints)  # Chromium's own words
    complaints.clear()


def test_an_upload_can_be_cancelled(page: Page, version: ScenarioVersion) -> None:
    page.goto(address(version))
    page.route("**/api/v1/**", lambda route: None)  # never answered
    page.set_input_files("[name=file]", chosen("users.csv"))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-progress]")).to_be_visible()
    expect(page.locator("[data-send]")).to_be_disabled()
    look(page, "sending-dark")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-said]")).to_have_text("The upload was cancelled.")
    expect(page.locator("[data-send]")).to_be_enabled()
    assert not DataFile.objects.exists()


def test_a_choice_in_the_table_is_saved_when_it_is_made(page: Page, version: ScenarioVersion) -> None:
    upload(version)
    page.goto(address(version))
    expect(page.get_by_role("button", name="Save")).to_be_hidden()
    page.get_by_label("Distribution of users.csv").select_option("per_user")
    expect(page.locator(".toast-success")).to_have_text("Saved; the next run takes users.csv like this.")
    page.get_by_label("At the end of users.csv").select_option("stop")
    expect(page.locator(".toast-success")).to_have_count(2)
    file = DataFile.objects.get()
    assert (file.distribution, file.at_end) == ("per_user", "stop")


def test_the_page_of_a_file_is_readable_in_light_and_dark_wide_and_narrow(page: Page, version: ScenarioVersion) -> None:
    header = ",".join(f"column {n}" for n in range(12))
    row = ",".join(["=HYPERLINK(1)", "<b>x</b>", "x" * 300, *"123456789"])
    upload(version)
    upload(version, f"{header}\n{row}\n{row}\n".encode())
    page.goto(f"{address(version)}users.csv/")
    expect(page.locator(".data-preview tbody tr").first.locator("td").nth(2)).to_have_text("<b>x</b>")
    look(page, "file-dark")
    page.evaluate("document.documentElement.dataset.bsTheme = 'light'")
    look(page, "file-light")
    page.set_viewport_size({"width": 390, "height": 800})
    assert fits(page)
    look(page, "file-light-390")
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.locator(".alert-success")).to_have_text("Version 1 is the newest again, as version 3.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download version 2").click()
    assert download.value.suggested_filename == "users.csv"


def upload(version: ScenarioVersion, content: bytes = TABLE) -> None:
    by = Actor(system="test")
    data_services.upload(scenario=version.scenario, name="users.csv", source=BytesIO(content), by=by)
