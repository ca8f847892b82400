"""The form that starts a run, in a real browser: its plan follows what is typed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.pools.models import IdRange, WorkerPool
from apps.runs.models import Run
from apps.scenarios.models import ScenarioVersion
from tests import browsing, factories
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lab(db: None) -> WorkerPool:
    """Two hosts of two slots, with 500 IDs each and links of 1000 and 100 Mbit/s."""
    factories.local_pool()
    pool: WorkerPool = factories.PoolFactory.create(name="lab", id_prefix="test_", first_id=1, last_id=1000)
    for number, link in enumerate((1000, 100)):
        report = {"link_mbit": link, "local_ports": 28_232, "open_files_hard": 4096}
        host = factories.HostFactory.create(pool=pool, name=f"node-{number + 1}", slots=2, report=report)
        factories.RunnerFactory.create(host=host, last_seen_at=timezone.now() + timedelta(hours=1))
        IdRange.objects.create(pool=pool, host=host, first=500 * number + 1, last=500 * number + 500)
    return pool


@pytest.fixture
def page(live_server: Any, tess: Any, lab: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Tess, logged in; the console must stay clean."""
    if browsing.CHROMIUM is None:
        pytest.skip(browsing.MISSING)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    complaints: list[str] = []
    with browsing.logged_in(live_server.url, "tess", PASSWORD, complaints) as page:
        yield page
    assert complaints == []


def test_the_plan_follows_what_is_typed(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/run/")
    plan = page.locator("#plan")
    expect(plan).to_contain_text("pool local")
    page.get_by_label("Pool").select_option("lab")
    expect(plan.locator("[data-plan-host=node-1], [data-plan-host=node-2]")).to_have_count(1)
    page.locator("[name=users]").fill("500")
    page.get_by_label("Workers").fill("4")
    expect(plan.locator("[data-plan-host]")).to_have_count(2)
    expect(plan).to_contain_text("test_00126 – test_00250")
    page.get_by_label("kB a request").fill("150")
    page.get_by_label("Seconds between requests").fill("1")
    expect(plan).to_contain_text("600 Mbit/s in all")
    expect(plan).to_contain_text("node-2: 300 Mbit/s are expected, and its link has 100.")
    page.get_by_label("Workers").fill("5")
    expect(plan).to_contain_text("It needs 5 slots; pool lab has 4 free on active hosts.")
    page.get_by_label("When there is no room").select_option("refuse")
    expect(plan).to_contain_text("it would be refused")
    page.get_by_label("Workers").fill("x")
    expect(plan).to_contain_text("Workers must be a whole number from 1 to 500.")
    page.get_by_label("Workers").fill("4")
    expect(plan).to_contain_text("test_00126 – test_00250")
    assert not Run.objects.exists()


@pytest.mark.parametrize("field", ["users", "note", "request_kb"])
def test_enter_in_a_field_stands_for_the_button_that_starts_the_run(
    page: Page, version: ScenarioVersion, field: str
) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/run/")
    page.evaluate(
        """() => document.querySelector(".run-form").addEventListener("submit", (event) => {
          event.preventDefault();
          window.submitter = event.submitter.textContent;
        })"""
    )
    page.locator(f"[name={field}]").fill("3")
    page.locator(f"[name={field}]").press("Enter")
    assert page.evaluate("window.submitter") == "Start the run"


def test_the_button_shows_the_plan_while_nothing_is_started(page: Page, version: ScenarioVersion) -> None:
    page.goto(f"/scenarios/{version.scenario.pk}/run/")
    with page.expect_response(lambda answer: answer.url.endswith("/run/plan/")):
        page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan")).to_contain_text("pool local")
    assert not Run.objects.exists()


def test_the_button_shows_the_plan_without_a_script(live_server: Any, page: Page, version: ScenarioVersion) -> None:
    bare = page.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, base_url=live_server.url, storage_state=page.context.storage_state()
    )
    form = bare.new_page()
    form.goto(f"/scenarios/{version.scenario.pk}/run/")
    form.get_by_label("Pool").select_option("lab")
    form.locator("[name=users]").fill("500")
    form.get_by_label("Workers").fill("3")
    form.get_by_role("button", name="Show the plan").click()
    expect(form.locator("#plan")).to_contain_text("test_00001 – test_00166")
    expect(form.get_by_label("Workers")).to_have_value("3")
    assert not Run.objects.exists()
    form.get_by_label("Workers").press("Enter")
    form.wait_for_url("**/runs/**")
    assert Run.objects.get().workers == 3
    bare.close()
