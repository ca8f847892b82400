"""The main job in a real browser: log in, start, watch, stop, read the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests import browsing
from tests.e2e import scripts
from tests.e2e.stack import Stack, Target

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """A logged-in page whose console must stay clean: a blocked script or style would show there."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    complaints: list[str] = []
    with browsing.logged_in(stack.url, stack.facts["username"], stack.facts["password"], complaints) as page:
        yield page
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
    bar = page.locator("[data-active-runs]")
    expect(bar).to_contain_text("running")
    counted = bar.inner_text()
    stop = page.locator("[data-act=stop]")
    stop.click()
    stop.click()  # the first click only asks
    expect(state).to_have_text("Stopped", timeout=30_000)
    expect(bar).not_to_have_text(counted)
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
    page.goto(answer.url)
    expect(page.get_by_text("Request Statistics")).to_be_visible()
    expect(page.get_by_text("/api/products").first).to_be_visible()
    assert page.evaluate("self.origin") == "null"
    page.go_back()


def test_a_person_changes_a_running_test(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, users=3, run_time="5m"))
    page.goto(f"{stack.url}/runs/{run_id}/#events")
    events, users = page.locator("#panel-events"), page.locator("[data-number=users] b")
    expect(users).to_have_text("3", timeout=30_000)
    page.locator("[data-steer] summary").first.click()
    page.fill("[data-steer] [name=users]", "6")
    page.keyboard.press("Enter")
    expect(page.locator("[data-users-label]")).to_have_text("Users 6")
    expect(events).to_contain_text("Users 3 → 6")
    expect(users).to_have_text("6", timeout=20_000)
    page.locator("[data-steer] summary").nth(1).click()
    page.click("[data-longer='300']")
    expect(page.locator("[data-planned]")).to_have_text("10:00")
    expect(events).to_contain_text("Run time 05:00 → 10:00")
    page.click("[data-steer-pause]")
    expect(page.locator("[data-paused]")).to_contain_text("Paused: no users")
    expect(users).to_have_text("0", timeout=20_000)
    page.reload()
    page.click("[data-resume]")
    expect(page.locator("[data-paused]")).to_be_hidden()
    expect(users).to_have_text("6", timeout=20_000)
    changes = [row["data"] for row in stack.part(run_id, "events") if row["kind"] == "control"]
    assert changes == [
        {"users": [3, 6]},
        {"run_time_s": [300.0, 600.0]},
        {"paused": [False, True]},
        {"paused": [True, False]},
    ]
    stack.api("POST", f"/api/v1/runs/{run_id}/abort/")
    stack.over(run_id, 20)


def test_a_note_is_pinned_where_the_cursor_stands(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, run_time="6s"))
    run = stack.over(run_id)
    page.goto(f"{stack.url}/runs/{run_id}/#events")
    expect(page.locator("[data-chart=latency] canvas")).to_be_visible()
    page.locator("[data-chart=latency] [data-plot]").focus()
    page.keyboard.press("Home")
    page.keyboard.press("n")
    page.fill("#note-words", "deploy <b>")
    page.keyboard.press("Enter")
    expect(page.locator("#panel-events")).to_contain_text("deploy <b>")
    (note,) = [row for row in stack.part(run_id, "events") if row["kind"] == "note"]
    began, pinned, ended = (
        datetime.fromisoformat(text) for text in (run["started_at"], note["at"], run["finished_at"])
    )
    assert abs(pinned - began) <= timedelta(seconds=2) and pinned < ended and note["until"] is None


def test_a_failing_request_is_shown_as_text_and_without_its_secrets(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.TELLTALE, host=target.url, run_time="3s"))
    stack.over(run_id)
    page.goto(f"{stack.url}/runs/{run_id}/#failures")
    page.locator(".failure button").first.click()
    sample = page.locator(".sample").first
    expect(sample).to_contain_text("status 404")
    expect(sample).to_contain_text("<script>alert(1)</script>")
    expect(sample).to_contain_text("Authorization")
    expect(sample).to_contain_text("••••")
    assert "very-secret" not in page.content()
    sample.get_by_role("link").click()
    expect(page.locator("[data-charts]")).to_be_visible()
    assert "from=" in page.url


def test_the_log_is_narrowed_and_searched(stack: Stack, page: Page, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.TELLTALE, host=target.url, run_time="3s"))
    stack.over(run_id)
    page.goto(f"{stack.url}/runs/{run_id}/#log")
    lines = page.locator("[data-lines]")
    expect(lines).to_contain_text("INFO")
    page.click("[data-log-level=warning]")
    expect(lines).to_contain_text("watch out <i>")
    expect(lines).not_to_contain_text("INFO")
    page.fill("[data-log-search]", "OUT <I")
    expect(lines.locator("mark").first).to_have_text("out <i")
    page.click("[data-log-server]")
    expect(page.locator("[data-log-count]")).to_contain_text("found in the whole kept log")
    page.fill("[data-log-search]", "nothing is like this")
    expect(page.locator("#panel-log [data-none]")).to_have_text("No line is like that.")
    page.click("[data-log-back]")
    page.fill("[data-log-search]", "")
    page.click("[data-log-level='']")
    expect(lines).to_contain_text("INFO")


def test_what_does_not_come_is_asked_for_again_or_said(stack: Stack, target: Target) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host=target.url, run_time="3s"))
    stack.over(run_id)
    complaints: list[str] = []
    with browsing.logged_in(stack.url, stack.facts["username"], stack.facts["password"], complaints) as page:
        page.route("**/heatmap/**", lambda route: route.abort(), times=1)
        page.goto(f"{stack.url}/runs/{run_id}/")
        expect(page.locator("[data-chart=heat] [data-empty]")).to_have_attribute("hidden", "", timeout=10_000)
        page.route("**/js/run/grid.js", lambda route: route.abort())
        page.reload()
        expect(page.get_by_text("did not load completely")).to_be_visible()
        expect(page.get_by_text("Loading the figures…")).to_be_hidden()
        page.unroute("**/js/run/grid.js")
        page.get_by_role("link", name="Load it again").click()
        expect(page.locator("[data-chart=latency] canvas")).to_be_visible()
    assert complaints and all("net::ERR_FAILED" in said for said in complaints)
