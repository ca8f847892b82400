"""What leaves the portal as a file: made harmless for the program that will open it."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

from csp.constants import NONE
from django.core.files.storage import storages
from django.http import FileResponse, StreamingHttpResponse

from apps.core.errors import Missing
from apps.runs.models import Artifact

log = logging.getLogger(__name__)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # as wide as a kanji
"""How a cell begins that a spreadsheet takes for a formula."""
FORMULA_WITHIN = re.compile(r"([;\t\r\n])(?=\s*[=+\-@＝＋－＠])")
"""Where one begins inside of a cell, for a spreadsheet whose language separates cells by something else than commas."""
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
}
PUBLIC_FILES = frozenset(
    {
        "report.html",
        "report.json",
        "junit.xml",
        "stats.csv",
        "stats_history.csv",
        "failures.csv",
        "exceptions.csv",
        "locust.log",
    }
)
"""What REST serves of any run."""
WORKER_LOG = re.compile(r"worker-\d{1,5}(\.\d{1,2})?\.log", re.ASCII)
"""Of a run of several workers, what each of them has logged; with the number of the start, if it was started again."""


def is_public(name: str) -> bool:
    """Whether REST serves a file of this name."""
    return name in PUBLIC_FILES or WORKER_LOG.fullmatch(name) is not None


MAX_CELL_CHARS = 1024 * 1024
csv.field_size_limit(MAX_CELL_CHARS)
SANDBOX = ["allow-scripts"]
"""Locust's report draws its charts by script. Without `allow-same-origin` the script belongs to no origin."""
REPORT_POLICY: dict[str, Any] = {
    "sandbox": SANDBOX,
    "default-src": [NONE],
    "script-src": ["'unsafe-inline'", "'unsafe-eval'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:", "blob:"],
    "font-src": ["data:"],
    "connect-src": [NONE],
    "frame-src": [NONE],
    "frame-ancestors": ["'self'"],
    "form-action": [NONE],
    "base-uri": [NONE],
}


def stored_file(kept: Artifact) -> IO[bytes]:
    """Open it. Raises Missing when somebody removed it from storage."""
    try:
        stored: IO[bytes] = storages["artifacts"].open(kept.path)
    except FileNotFoundError:
        raise Missing from None
    return stored


def download(kept: Artifact, *, prefix: str) -> FileResponse | StreamingHttpResponse:
    """A response that a browser saves and never shows."""
    suffix = f".{kept.name.rpartition('.')[2]}"
    content_type = CONTENT_TYPES.get(suffix, "application/octet-stream")
    filename = f"{prefix}-{kept.name}"
    stored = stored_file(kept)
    if suffix != ".csv":
        return FileResponse(stored, as_attachment=True, filename=filename, content_type=content_type)
    text = io.TextIOWrapper(stored, encoding="utf-8", errors="replace", newline="")
    response = StreamingHttpResponse(harmless_csv(_pieces(text)), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def harmless_csv(lines: Iterable[str]) -> Iterator[str]:
    """The same table, row by row, with a quote before every cell that a spreadsheet would calculate."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    try:
        for row in csv.reader(lines):
            writer.writerow([harmless(cell) for cell in row])
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    except csv.Error as error:  # too late for another answer
        log.info("a CSV of a run ends before its end: %s", error)


def _pieces(text: IO[str]) -> Iterator[str]:
    """Lines; of one without end, parts. A script may have written anything."""
    while piece := text.readline(MAX_CELL_CHARS):
        yield piece


def harmless(cell: str) -> str:
    """A cell that is text wherever it is opened. Numbers stay numbers."""
    if NUMBER.fullmatch(cell):
        return cell
    cell = FORMULA_WITHIN.sub(r"\1'", cell)
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
