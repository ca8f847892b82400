"""Chromium on a page of a portal, logged in as its demo user."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.e2e.stack import Stack

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def logged_in(stack: Stack) -> Iterator[Page]:
    """A page as wide as a desk's screen."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("Chromium is not installed here (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{stack.url}/accounts/login/")
        page.fill("input[name=login]", stack.facts["username"])
        page.fill("input[name=password]", stack.facts["password"])
        page.click("button[type=submit]")
        page.wait_for_url(f"{stack.url}/")
        yield page
        browser.close()
