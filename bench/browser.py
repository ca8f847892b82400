"""Chromium on a page of a portal, logged in as its demo user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from tests import browsing
from tests.e2e.stack import Stack


@contextmanager
def logged_in(stack: Stack) -> Iterator[Page]:
    """A page as wide as a desk's screen."""
    with browsing.logged_in(stack.url, stack.facts["username"], stack.facts["password"], []) as page:
        yield page
