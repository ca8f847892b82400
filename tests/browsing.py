"""Chromium for tests and measurements, logged in to a portal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
MISSING = "Chromium is not installed here (Debian: apt-get install chromium)."
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_MS = 20_000


@contextmanager
def logged_in(url: str, username: str, password: str, complaints: list[str], **options: Any) -> Iterator[Page]:
    """A page on the home of a portal; what its console complains of goes to `complaints`. `options` as `new_page`."""
    if CHROMIUM is None:
        raise RuntimeError(MISSING)
    options = {"base_url": url, "viewport": {"width": 1440, "height": 1000}} | options
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(**options)
        page.set_default_timeout(ANSWER_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
        page.goto(f"{url}/accounts/login/")
        page.fill("input[name=login]", username)
        page.fill("input[name=password]", password)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{url}/")
        yield page
        browser.close()
