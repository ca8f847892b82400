"""Locust's own report as a page without an origin.

Its script reads `localStorage` while it starts; in a sandbox without an origin even that read throws, and the page
stays blank. So a stand-in that forgets everything comes before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

HEAD_BYTES = 16 * 1024
"""Locust's report opens its <head> within the first hundred bytes; a script may have put something before it."""
CHUNK_BYTES = 64 * 1024
HEAD = re.compile(rb"<head(?:\s[^>]*)?>", re.IGNORECASE)
STAND_IN = b"""<script>
for (const name of ["localStorage", "sessionStorage"]) {
  const methods = {
    getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; },
    setItem(key, value) { this[key] = String(value); },
    removeItem(key) { delete this[key]; },
    clear() { for (const key of Object.keys(this)) delete this[key]; },
    key(place) { return Object.keys(this)[place] ?? null; },
    get length() { return Object.keys(this).length; },
  };
  Object.defineProperty(window, name, { value: Object.create(methods), configurable: true });
}
</script>"""
"""`Storage` as far as a page can tell."""
ICON = re.compile(rb'<link rel="shortcut icon"[^>]*>')
"""The icons lie on a server of Locust that is not there: each would be a blocked request in the console."""


def pieces(report: IO[bytes]) -> Iterator[bytes]:
    """The report with the stand-in first in its head; what has no head stays as it is."""
    beginning = report.read(HEAD_BYTES)
    if head := HEAD.search(beginning):
        yield beginning[: head.end()] + STAND_IN + ICON.sub(b"", beginning[head.end() :])
    else:
        yield beginning
    while chunk := report.read(CHUNK_BYTES):
        yield chunk
