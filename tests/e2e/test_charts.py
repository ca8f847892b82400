"""The pictures of a real run whose target becomes slow: the heatmap, the window of time, and the address of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.stack import Stack, demo_target
from tests.e2e.test_browser import page

__all__ = ["page"]  # the fixture: pytest finds it by name

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.browser,
    pytest.mark.same_on_any_database("charts show what REST answers"),
]

FAST_MS, SLOW_MS = 20, 400
STEP_AFTER_S = 5
STEP = f"""
import time
from locust import HttpUser, constant, task

BEGAN = time.monotonic()

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def step(self):
        ms = {FAST_MS} if time.monotonic() - BEGAN < {STEP_AFTER_S} else {SLOW_MS}
        self.client.get(f"/delay/{{ms}}", name="/step")

    @task
    def missing(self):
        self.client.get("/status/404")
"""

MODULES = """
() => [
  performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".js")),
  [...document.querySelectorAll("link[rel=modulepreload], script[src]")].map((one) => one.href || one.src),
]
"""


@pytest.fixture(scope="module")
def run_id(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A finished run that was fast at first and slow then."""
    with demo_target(tmp_path_factory.mktemp("target")) as target:
        run_id = stack.start(stack.scenario(STEP, host=target.url, users=4, spawn_rate=10, run_time="14s"))
        stack.over(run_id)
    return run_id


def number(page: Page, name: str) -> Locator:
    return page.locator(f"[data-number={name}]")


def dragged(page: Page, chart: str, begin: float, end: float) -> tuple[int, int]:
    """Drag over a chart from one part of its width to another; the window that the address then has."""
    page.wait_for_load_state("networkidle")  # nothing moves any more
    over = page.locator(f"[data-chart={chart}] .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 60, steps=6)
    page.mouse.up()
    expect(page.locator(".window-chip")).to_be_visible()
    found = re.search(r"#from=(\d+)&to=(\d+)$", page.url)
    assert found is not None, page.url
    return int(found[1]), int(found[2])


def summary(stack: Stack, run_id: str, first: int, last: int) -> dict[str, Any]:
    answer: dict[str, Any] = stack.api("GET", f"/api/v1/runs/{run_id}/summary/?from={first}&to={last}").json
    return answer


def saved(page: Page, card: str, folder: Path) -> list[dict[str, str]]:
    """Rows of the CSV file that a card offers."""
    page.locator(f"{card} details.menu summary").click()
    with page.expect_download() as download:
        page.locator(f"{card} [data-chart-act=csv]").click()
    download.value.save_as(folder / "rows.csv")
    with (folder / "rows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_heatmap_shows_each_request_where_it_belongs(stack: Stack, page: Page, run_id: str, tmp_path: Path) -> None:
    page.goto(f"{stack.url}/runs/{run_id}/")
    heat = page.locator("[data-chart=heat]")
    expect(heat.locator("[data-heat-scale]")).to_be_visible()
    cells = saved(page, "[data-chart=heat]", tmp_path)
    run = stack.run(run_id)
    assert sum(int(cell["requests"]) for cell in cells) == run["totals"]["requests"]
    heat.locator("select").select_option(label="GET /step")
    step = next(row for row in stack.part(run_id, "endpoints") if row["name"] == "/step")
    expect(page.locator("[data-distribution-of]")).to_have_text("GET /step")
    page.wait_for_load_state("networkidle")
    cells = saved(page, "[data-chart=heat]", tmp_path)
    assert sum(int(cell["requests"]) for cell in cells) == step["totals"]["requests"]
    before, after = told_apart(cells)
    assert len(before) >= 2 and len(after) >= 4, cells
    assert of_all(before, lambda cell: float(cell["to_ms"]) < SLOW_MS / 2) > 0.8
    assert of_all(after, is_slow) > 0.9


def told_apart(cells: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Cells before and after the first second in which most requests are slow: a busy machine makes one late, too."""
    seconds = sorted({cell["time_utc"] for cell in cells})
    by_second = {second: [cell for cell in cells if cell["time_utc"] == second] for second in seconds}
    begin = next(second for second in seconds if of_all(by_second[second], is_slow) > 0.5)
    return [cell for cell in cells if cell["time_utc"] < begin], [cell for cell in cells if cell["time_utc"] > begin]


def is_slow(cell: dict[str, str]) -> bool:
    return float(cell["to_ms"]) > SLOW_MS * 0.9


def of_all(cells: list[dict[str, str]], holds: Callable[[dict[str, str]], bool]) -> float:
    """Share of the requests in these cells."""
    return sum(int(cell["requests"]) for cell in cells if holds(cell)) / sum(int(cell["requests"]) for cell in cells)


def test_the_heatmap_is_read_by_keyboard(stack: Stack, page: Page, run_id: str) -> None:
    page.goto(f"{stack.url}/runs/{run_id}/")
    expect(page.locator("[data-chart=heat] [data-heat-scale]")).to_be_visible()
    page.locator("[data-chart=heat] [data-plot]").focus()
    for key in ("Home", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    reading = page.locator("[data-chart=heat] [data-reading]")
    expect(reading).to_have_text(re.compile(r"^\d\d:\d\d:\d\d · [\d.]+–[\d.]+\sms · \d+ requests$"))
    expect(page.locator("[data-spoken]")).to_contain_text(reading.inner_text())


def test_a_window_makes_every_number_one_of_it(stack: Stack, page: Page, run_id: str) -> None:
    page.goto(f"{stack.url}/runs/{run_id}/")
    whole = stack.run(run_id)["totals"]
    expect(number(page, "rps").locator("span")).to_contain_text(f"{whole['requests']:,} in all")
    first, last = dragged(page, "heat", 0.65, 0.9)
    found = summary(stack, run_id, first, last)
    requests = found["totals"]["requests"]
    assert 0 < requests < whole["requests"] and found["is_exact"]
    expect(number(page, "rps").locator("span")).to_have_text(f"{requests:,} in the window")
    expect(number(page, "failed").locator("span")).to_have_text(f"{found['totals']['failures']:,} of {requests:,}")
    foot = page.locator("[data-endpoints] tfoot td.num")
    expect(foot.first).to_have_text(f"{requests:,}")
    rows = page.locator("[data-endpoints] tbody tr")
    for endpoint in found["endpoints"]:
        row = rows.and_(page.locator(f"[data-index='{endpoint['index']}']"))
        expect(row.locator("td.num").first).to_have_text(f"{endpoint['totals']['requests']:,}")
    page.locator("#tab-failures").click()
    times = next(failure["occurrences"] for failure in found["failures"])
    expect(page.locator("#panel-failures tbody").first).to_contain_text(f"{times:,}")
    address = page.url
    assert "#failures&from=" in address
    # Somebody else who is sent the address sees the same; Escape is the way out.
    page.goto("about:blank")
    page.goto(address)
    expect(number(page, "rps").locator("span")).to_have_text(f"{requests:,} in the window")
    expect(page.locator("#panel-failures")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".window-chip")).to_be_hidden()
    expect(number(page, "rps").locator("span")).to_contain_text(f"{whole['requests']:,} in all")
    assert page.url.endswith("#failures")


def test_the_ends_of_a_window_are_set_by_keyboard(stack: Stack, page: Page, run_id: str) -> None:
    page.goto(f"{stack.url}/runs/{run_id}/")
    expect(page.locator("[data-chart=latency] .u-over")).to_be_visible()
    times = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics=rps&points=5000").json["t"]
    page.locator("[data-chart=latency] [data-plot]").focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "["):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(rf"#from={times[2]}&to={times[-1]}$"))
    for key in ("End", "ArrowLeft", "ArrowLeft", "]"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(rf"#from={times[2]}&to={times[-3]}$"))


def test_a_phase_is_a_window(stack: Stack, page: Page, run_id: str) -> None:
    page.goto(f"{stack.url}/runs/{run_id}/#phases")
    phases = stack.api("GET", f"/api/v1/runs/{run_id}/phases/").json["phases"]
    steady = next(phase for phase in phases if phase["kind"] == "steady")
    rows = page.locator("#panel-phases tbody tr")
    expect(rows).to_have_count(len(phases))
    expect(rows.first).to_contain_text("Steady")
    page.locator("[data-phase-strip] .phase-steady").click()
    expect(number(page, "rps").locator("span")).to_have_text(f"{steady['totals']['requests']:,} in the window")


# --- opening ------------------------------------------------------------------------------------------------------


def test_a_page_asks_for_all_it_wants_at_once(stack: Stack, page: Page, run_id: str) -> None:
    lines: list[str] = []
    page.on("websocket", lambda line: lines.append(line.url))
    page.goto(f"{stack.url}/runs/{run_id}/")
    expect(page.locator("[data-chart=latency] canvas")).to_be_visible()
    loaded, named = page.evaluate(MODULES)
    assert len(loaded) > 40 and set(loaded) <= set(named)
    assert len(lines) == 1 and lines[0].endswith(f"/ws/runs/{run_id}/")


def test_the_place_of_what_comes_is_held(stack: Stack, page: Page, run_id: str) -> None:
    page.route_web_socket("**/ws/**", lambda _line: None)
    page.goto(f"{stack.url}/runs/{run_id}/")
    expect(page.get_by_text("Loading the figures…")).to_be_visible()
    charts = page.locator("[data-charts]")
    expect(charts).to_be_visible()
    assert charts.evaluate("section => section.inert")
    expect(page.get_by_text("Nothing measured yet").first).to_be_hidden()


@pytest.mark.parametrize(("code", "words"), [(4403, "no longer see"), (4404, "no longer there")])
def test_what_will_not_come_has_no_place(stack: Stack, page: Page, run_id: str, code: int, words: str) -> None:
    page.route_web_socket("**/ws/**", lambda line: line.close(code=code))
    page.goto(f"{stack.url}/runs/{run_id}/")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator("[data-charts]")).to_be_hidden()
    expect(page.locator("[data-numbers]")).to_be_hidden()
