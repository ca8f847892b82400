"""The pages of pools in a real browser: three pools, forty hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.pools.models import IdLease, IdRange, WorkerHost, WorkerPool
from tests import browsing, factories
from tests.factories import PASSWORD
from tests.pools import makers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {
    "list": "/pools/",
    "pool": "/pools/berlin/",
    "host": "/pools/berlin/hosts/loadgen-02/",
    "split": "/pools/berlin/split/?first=9501&last=12500",
    "join": "/pools/berlin/join/",
    "settings": "/pools/edge/settings/",
    "move": "/pools/berlin/hosts/loadgen-20/move/",
    "remove": "/pools/berlin/hosts/loadgen-01/remove/",
}
LOST = "503"
"""What the browser says of it when a test keeps the portal from answering."""
WIDTHS = {1440: 1000, 1024: 800, 390: 844}


@pytest.fixture
def page(live_server: Any, admin: Any, scenario: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The portal's admin, logged in; the console must stay clean: a blocked script or style would show there."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    theirs = factories.ScenarioFactory.create(name="Inventory")
    makers.farm(scenario, theirs)
    complaints: list[str] = []
    with browsing.logged_in(live_server.url, "admin", PASSWORD, complaints) as page:
        yield page
    assert [text for text in complaints if LOST not in text] == []


def overflowing(page: Page) -> bool:
    """Whether the page as a whole scrolls to the side."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide


def test_the_admin_of_django_names_the_owner_of_ids_too(page: Page) -> None:
    page.goto("/admin/pools/workerhost/")
    expect(page.locator("#result_list tbody tr")).to_have_count(WorkerHost.objects.count())
    page.get_by_role("link", name="loadgen-39").click()
    page.get_by_label("First ID").fill("450")
    page.get_by_label("Last ID").fill("600")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-first .errorlist")).to_have_text("test_00001 to test_00500 belong to host loadgen-01.")
    assert not IdRange.objects.filter(host__name="loadgen-39").exists()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_every_screen(page: Page, tmp_path: Path, theme: str) -> None:
    hosts = WorkerHost.objects.filter(pool__name="berlin", name__gte="loadgen-20").order_by("name")
    addresses = PAGES | {"split": f"{PAGES['split']}{''.join(f'&hosts={host.pk}' for host in hosts[:6])}"}
    page.evaluate("theme => localStorage.setItem('hatchery-theme', theme)", theme)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for name, address in addresses.items():
            page.goto(address)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
            page.screenshot(path=tmp_path / f"{name}-{width}-{theme}.png", full_page=True)
            assert not overflowing(page), f"{name} at {width}"


OVERLAPPING = """() => [...document.querySelectorAll(".hosts .figure")].filter((figure) => {
  const text = document.createRange();
  text.selectNodeContents(figure.querySelector("b"));
  const [a, b] = [text.getBoundingClientRect(), figure.querySelector("svg").getBoundingClientRect()];
  return a.right > b.left && a.left < b.right && a.bottom > b.top + 1 && a.top < b.bottom - 1;
}).length"""


@pytest.mark.parametrize("width", [390, 1440])
def test_a_figure_and_its_course_do_not_overlap(page: Page, width: int) -> None:
    host = WorkerHost.objects.get(name="loadgen-02")
    host.report |= {"received_mbit": 0.0031, "sent_mbit": 0.0028}
    host.save()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/pools/berlin/")
    assert page.locator(".hosts .figure svg").count() > 20
    assert page.evaluate(OVERLAPPING) == 0


def test_a_range_that_overlaps_is_refused_at_its_field_with_its_owner(page: Page) -> None:
    page.goto("/pools/berlin/hosts/loadgen-39/")
    page.fill("[name=first]", "400")
    page.fill("[name=last]", "600")
    page.fill("[name=slots]", "9")
    expect(page.locator("[data-too-many]")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#id_first_error").first).to_have_text("test_00001 to test_00500 belong to host loadgen-01.")
    assert page.input_value("[name=first]") == "400" and page.input_value("[name=slots]") == "9"
    page.fill("[name=first]", "19001")
    page.fill("[name=last]", "19500")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".alert-success")).to_contain_text("Saved.")
    expect(page.locator(".alert-warning").first).to_contain_text("9 slots on 8 cores")
    assert str(IdRange.objects.get(host__name="loadgen-39")) == "19001–19500"


def test_the_bar_says_whose_ids_are_where_by_keyboard_and_pointer(page: Page) -> None:
    page.goto("/pools/berlin/")
    said = page.locator("[data-bar-said]")
    page.locator("[data-bar]").focus()
    expect(said).to_contain_text("test_00001 – test_00166 (166 IDs) · loadgen-01 · leased by #")
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text("test_00167 – test_00500 (334 IDs) · loadgen-01 · free")
    page.keyboard.press("End")
    expect(said).to_have_text("test_19001 – test_20000 (1,000 IDs) · no host's")
    page.locator("[data-piece]").nth(1).hover()
    expect(said).to_contain_text("loadgen-01 · free")


def test_rows_change_by_themselves_and_keep_the_focus(page: Page) -> None:
    page.goto("/pools/berlin/")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="loadgen-20", exact=True))
    row.get_by_role("link", name="Drain loadgen-20").focus()
    host = WorkerHost.objects.get(name="loadgen-20")
    host.report = makers.report(host, cpu_percent=12.3)
    host.save()
    WorkerHost.objects.filter(name="loadgen-21").delete()
    expect(row).to_contain_text("12 %", timeout=8_000)
    expect(page.get_by_role("link", name="loadgen-21", exact=True)).to_have_count(0)
    expect(row.get_by_role("link", name="Drain loadgen-20")).to_be_focused()


def test_a_lost_connection_says_so_and_comes_back(page: Page) -> None:
    page.goto("/pools/")
    lost = page.locator("[data-lost]")
    page.route("**/pools/?part=live", lambda route: route.fulfill(status=503))
    expect(lost).to_be_visible(timeout=8_000)
    expect(lost).to_contain_text("The connection is lost.")
    page.unroute("**/pools/?part=live")
    expect(lost).to_be_hidden(timeout=8_000)


def test_a_host_is_approved_and_gets_ids_by_an_even_split(page: Page) -> None:
    page.goto("/pools/berlin/?state=pending")
    page.get_by_role("button", name="Approve loadgen-40").click()
    expect(page.locator(".alert-success")).to_contain_text("takes part")
    page.goto("/pools/berlin/split/")
    for box in page.locator("[name=hosts]").all():
        box.uncheck()
    page.get_by_label(re.compile("loadgen-39")).check()
    page.get_by_label(re.compile("loadgen-40")).check()
    page.fill("[name=first]", "19001")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("row")).to_have_count(17)
    assert not IdRange.objects.filter(host__name="loadgen-40").exists()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".alert-success")).to_contain_text("split over 16 slots")
    assert str(IdRange.objects.get(host__name="loadgen-40")) == "19501–20000"


def test_a_key_for_a_new_host_is_shown_once(page: Page) -> None:
    page.goto("/pools/berlin/")
    page.get_by_role("link", name="Add a host").click()
    page.fill("[name=host_name]", "loadgen-41")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#command")).to_contain_text("runner --pool berlin --host loadgen-41 --join htj_")
    page.goto("/pools/berlin/join/")
    expect(page.locator("body")).to_contain_text("loadgen-41")
    expect(page.locator("body")).not_to_contain_text("htj_")


def test_a_key_is_revoked_by_keyboard(page: Page) -> None:
    page.goto("/pools/berlin/join/")
    page.fill("[name=host_name]", "loadgen-41")
    page.get_by_role("button", name="Make the key").press("Enter")
    expect(page.locator("#command")).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("/pools/berlin/")
        assert not overflowing(page), width
    page.get_by_role("link", name="Revoke the key for loadgen-41").press("Enter")
    page.get_by_role("button", name="Revoke it").press("Enter")
    expect(page.locator(".alert-success")).to_contain_text("The join key for “loadgen-41” is revoked.")
    expect(page.get_by_role("row", name="loadgen-41")).to_contain_text("Revoked")


def test_a_host_is_moved_and_whoever_watches_it_is_told(page: Page) -> None:
    page.goto("/pools/berlin/hosts/loadgen-20/")
    with page.expect_popup() as opened:
        page.evaluate("window.open(location.href)")
    other = opened.value
    page.get_by_role("link", name="Move…").click()
    expect(page.locator("main")).to_contain_text("Its range of 500 IDs in berlin is then no host's.")
    page.get_by_label("To the pool").select_option(label="edge")
    page.get_by_role("button", name="Move it").click()
    expect(page.locator(".alert-success")).to_contain_text("is in the pool “edge” now")
    assert not IdRange.objects.filter(host__name="loadgen-20").exists()
    expect(other.locator("h1")).to_have_text("There is nothing here, or it is not yours.", timeout=10_000)


def test_teams_are_found_and_chosen_by_keyboard(page: Page) -> None:
    teams = [factories.TeamFactory.create(name=f"North {n}", slug=f"north-{chr(ord('a') + n)}") for n in range(25)]
    page.goto("/pools/edge/settings/")
    team, project = page.locator("[data-picker]").all()
    team.locator("[data-find]").focus()
    expect(team.locator("[data-found] input")).to_have_count(20)
    page.keyboard.type("north 2")
    expect(team.locator("[data-found] input")).to_have_count(7)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(team.locator("[data-said]")).to_have_text("North 12 is chosen")
    page.keyboard.press("Enter")  # chooses the next, and does not send the form
    expect(team.locator("[data-picked] input:checked")).to_have_count(3)
    team.locator("[data-picked]").get_by_label("Acme").press("Space")
    project.locator("[data-find]").fill("no such project")
    expect(project.locator("[data-found]")).to_contain_text("Nothing is called so.")
    project.locator("[data-find]").press("Enter")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.locator(".pool-who")).to_contain_text("North 12, North 2")
    named = WorkerPool.objects.get(name="edge").teams.values_list("pk", flat=True)
    assert set(named) == {teams[12].pk, teams[2].pk}


def test_it_asks_for_what_it_does_not_show_yet_only(page: Page) -> None:
    with page.expect_response(lambda answer: "part=live" in answer.url) as known:
        page.goto("/pools/berlin/")
    assert len(known.value.body()) < 60_000
    host = WorkerHost.objects.get(name="loadgen-20")
    host.labels = {"zone": "west"}
    host.save()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="loadgen-20", exact=True))
    expect(row).to_contain_text("zone=west", timeout=10_000)
    IdLease.objects.all().delete()
    expect(page.locator(".ids-legend")).to_contain_text("0 leased", timeout=10_000)
    tokens = page.locator("[data-token]")
    before = tokens.evaluate_all("found => found.map(one => one.dataset.token)")
    with page.expect_response(lambda answer: "part=live" in answer.url) as known:
        page.wait_for_timeout(100)
    assert ".".join(before) in known.value.url and b"data-token" not in known.value.body()
