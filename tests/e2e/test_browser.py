"""The main job in a real browser: log in, start, watch, stop, read the report."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.e2e import scripts
from tests.e2e.stack import Stack, Target

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """A logged-in page whose console must stay clean: a blocked script or style would show there."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed here (Debian: apt-get install chromium).")
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(20_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{stack.url}/accounts/login/")
        page.fill("input[name=login]", stack.facts["username"])
        page.fill("input[name=password]", stack.facts["password"])
        page.click("button[type=submit]")
        page.wait_for_url(f"{stack.url}/")
        yield page
        browser.close()
    assert complaints == []


def test_a_person_starts_watches_and_stops_a_run(stack: Stack, page: Page, target: Target) -> None:
    scenario = stack.scenario(scripts.SHOP, host=target.url, users=5, run_time="2m")
    page.goto(f"{stack.url}/scenarios/{scenario}/")
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]+/$"))
    run_id = page.url.rstrip("/").rpartition("/")[2]
    state = page.locator("[data-state]").first
    expect(state).to_have_text("Running", timeout=30_000)
    expect(page.get_by_role("table").filter(has_text="/api/products").first).to_be_visible(timeout=20_000)
    assert page.locator(".uplot canvas").count() >= 3
    stop = page.locator("[data-act=stop]")
    stop.click()
    stop.click()  # the first click only asks
    expect(state).to_have_text("Stopped", timeout=30_000)
    run = stack.over(run_id)
    expect(page.locator("body")).to_contain_text(f"{run['totals']['requests']:,}")
    page.reload()
    expect(page.get_by_role("table").filter(has_text="/api/products").first).to_be_visible()


def test_hostile_names_are_text_on_the_page(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.ODD_NAMES, host=target.url))
    page.goto(f"{stack.url}/runs/{run_id}/")
    stack.over(run_id)
    expect(page.locator("body")).to_contain_text("<script>alert(1)</script>", timeout=20_000)
    assert page.locator("img[src='x']").count() == 0


def test_the_report_of_locust_has_no_origin(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, run_time="3s"))
    stack.over(run_id)
    answer = page.request.get(f"{stack.url}/runs/{run_id}/report/")
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy
