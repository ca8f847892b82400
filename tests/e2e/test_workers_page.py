"""The tabs of workers and IDs of a run that was made up in the database: eight workers, one lost, one ID used twice."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.core.supervise.stack import BASE_DIR
from tests import browsing
from tests.e2e import scripts
from tests.e2e.stack import Stack

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.browser,
    pytest.mark.same_on_any_database("what is read for the page is tried on both by tests/runs"),
]


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """A logged-in page whose console must stay clean."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    complaints: list[str] = []
    with browsing.logged_in(stack.url, stack.facts["username"], stack.facts["password"], complaints) as page:
        yield page
    assert complaints == []


def made_up(stack: Stack, state: str) -> str:
    """Address of a run in `state` that nobody ran."""
    scenario = stack.scenario(scripts.SHOP, host="http://127.0.0.1:1")
    command = [sys.executable, "-m", "tests.e2e.made_up", state, scenario]
    made = subprocess.run(command, cwd=BASE_DIR, env=stack.env, capture_output=True, text=True, check=True)
    return f"{stack.url}/runs/{made.stdout.strip()}/"


def test_the_workers_of_a_run_have_rows_and_lines(stack: Stack, page: Page) -> None:
    page.goto(f"{made_up(stack, 'finished')}#workers")
    expect(page.locator("#tab-workers")).to_have_text("Workers 8")
    rows = page.locator("#panel-workers tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.nth(5)).to_contain_text("hears nothing since")
    expect(rows.nth(5)).to_contain_text("Neither its master nor the database heard of it.")
    expect(rows.nth(5)).to_contain_text("test_00313 – test_00375")
    expect(rows.nth(1)).to_contain_text("clock 320 ms ahead")
    expect(rows.nth(0)).not_to_contain_text("clock")
    page.locator("[data-chart=worker-cpu]").scroll_into_view_if_needed()  # out of sight nothing is drawn
    expect(page.locator("[data-worker-charts] canvas")).to_have_count(5, timeout=10_000)
    page.click("#tab-events")
    expect(page.locator("#panel-events")).to_contain_text("Worker lost")


def test_charts_of_workers_are_read_and_taken_away_as_those_of_endpoints(stack: Stack, page: Page) -> None:
    page.goto(f"{made_up(stack, 'finished')}#workers")
    card = page.locator("[data-chart=worker-rps]")
    card.scroll_into_view_if_needed()
    expect(card.locator("[data-empty]")).to_be_hidden()
    plot = card.locator("[data-plot]")
    plot.focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    reading = card.locator("[data-reading]")
    expect(reading).to_have_text(re.compile(r"^[\d.]+/s – [\d.]+/s$"))
    expect(page.locator("[data-worker-moment]")).to_contain_text("into the run")
    expect(page.locator("[data-spoken]")).to_contain_text(reading.inner_text())
    page.keyboard.press("[")
    expect(page.locator(".window-chip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".window-chip")).to_be_hidden()
    card.locator("details.menu summary").click()
    with page.expect_download() as download:
        card.locator("[data-chart-act=csv]").click()
    with Path(download.value.path()).open(newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head[:2] == ["time_utc", "Worker 1 on host-a (1/s)"] and len(head) == 9 and len(rows) > 100
    card.locator("details.menu summary").click()
    with page.expect_download() as download:
        card.locator("[data-chart-act=png]").click()
    assert download.value.suggested_filename.endswith("-worker-rps.png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    card.locator("details.menu summary").click()
    card.locator("[data-chart-act=table]").click()
    expect(card.locator("[data-table] thead th")).to_have_count(9)
    expect(card.locator("[data-table] tbody tr").first).to_contain_text("/s")


def test_the_ids_of_a_run_are_judged_in_words_and_leave_as_csv(stack: Stack, page: Page) -> None:
    page.goto(f"{made_up(stack, 'finished')}#ids")
    panel = page.locator("#panel-ids")
    expect(panel.locator("[data-ids-verdict]")).to_contain_text("two users had the same ID at once: 1.")
    expect(panel.locator("[data-ids-lists]")).to_contain_text("test_00313")
    expect(panel.locator("[data-ids-lists]")).to_contain_text("numbers 18 to 19")
    with page.expect_download() as download:
        panel.locator("[data-ids-csv]").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[1] == "1,test_00001,test_00062,62,0,1,0,63" and len(lines) == 9


def test_the_log_of_a_worker_is_a_click_away(stack: Stack, page: Page) -> None:
    page.goto(f"{made_up(stack, 'finished')}#workers")
    page.locator("#panel-workers tbody tr").nth(2).get_by_role("link", name="Log of worker 3").click()
    source, lines = page.locator("[data-log-source]"), page.locator("#panel-log [data-lines] > div")
    expect(page).to_have_url(re.compile("#log&worker=2$"))
    expect(source).to_have_value("2")
    expect(lines).to_have_count(3)
    expect(lines.first).to_contain_text("worker 3")
    expect(lines.last).to_contain_text("slow <b>1</b>")
    page.click("[data-log-level=warning]")
    expect(lines).to_have_count(2)
    page.click("[data-log-server]")
    expect(page.locator("[data-log-count]")).to_contain_text("2 lines found in the whole kept log")
    source.select_option("5")
    expect(lines).to_have_count(5)
    expect(page).to_have_url(re.compile("#log&worker=5$"))
    page.click("#tab-events")
    expect(page).to_have_url(re.compile("#events$"))
    page.click("#tab-log")
    expect(page).to_have_url(re.compile("#log&worker=5$"))
    page.reload()
    expect(source).to_have_value("5")
    expect(lines).to_have_count(6)
    source.select_option("")
    expect(page.locator("#panel-log [data-none]")).to_have_text("Locust has written nothing yet.")


def test_a_run_says_what_it_waits_for_and_who_is_there(stack: Stack, page: Page) -> None:
    page.goto(made_up(stack, "queued"))
    expect(page.locator("[data-queue-missing]")).to_contain_text("3 slots are free")
    page.goto(made_up(stack, "starting"))
    expect(page.locator("[data-arrivals]")).to_contain_text("3 of 8 workers are there")
    expect(page.locator("[data-arrivals] li").nth(7)).to_contain_text("Worker 8 · host-b")


def test_ids_in_use_stand_beside_those_that_are_leased(stack: Stack, page: Page) -> None:
    page.goto(f"{made_up(stack, 'running')}#workers")
    cells = page.locator("#panel-workers tbody tr").first.locator("td")
    expect(cells.nth(7)).to_have_text("test_00001 – test_00062")
    expect(cells.nth(8)).to_have_text("62")
    expect(page.locator("#panel-workers tfoot td").nth(4)).to_have_text("437")


def test_a_run_of_one_process_has_one_calm_row(stack: Stack, page: Page) -> None:
    run_id = stack.start(stack.scenario(scripts.SHOP, host="http://127.0.0.1:1", run_time="3s"))
    stack.over(run_id)
    page.goto(f"{stack.url}/runs/{run_id}/#workers")
    expect(page.locator("#panel-workers tbody tr")).to_have_count(1)
    expect(page.locator("[data-worker-charts]")).to_be_hidden()
    expect(page.locator("#panel-workers tfoot tr")).to_have_count(0)
    in_use = page.locator("#panel-workers tbody tr td").nth(8)
    expect(in_use).to_have_text("–")
    expect(in_use).to_have_attribute("title", re.compile("has not asked for an ID"))
    page.get_by_role("link", name="Log of worker 1").click()
    expect(page.locator("[data-log-source]")).to_be_hidden()
    expect(page.locator("#panel-log [data-lines]")).to_contain_text("Locust")
    page.click("#tab-ids")
    expect(page.locator("[data-ids-none]")).to_contain_text("This script counts by itself.")
