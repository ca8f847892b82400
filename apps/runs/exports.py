"""What leaves the portal as a file: made harmless for the program that will open it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from csp.constants import NONE
from django.core.files.storage import storages
from django.http import FileResponse, StreamingHttpResponse

from apps.runs.models import Artifact

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""
CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".log": "text/plain; charset=utf-8"}
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
"""What REST serves of a run."""
MAX_CELL_CHARS = 16 * 1024 * 1024
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
    "frame-ancestors": ["'self'"],
    "form-action": [NONE],
    "base-uri": [NONE],
}


def download(kept: Artifact, *, prefix: str) -> FileResponse | StreamingHttpResponse:
    """A response that a browser saves and never shows."""
    suffix = f".{kept.name.rpartition('.')[2]}"
    content_type = CONTENT_TYPES.get(suffix, "application/octet-stream")
    filename = f"{prefix}-{kept.name}"
    stored = storages["artifacts"].open(kept.path)
    if suffix != ".csv":
        return FileResponse(stored, as_attachment=True, filename=filename, content_type=content_type)
    text = io.TextIOWrapper(stored, encoding="utf-8", errors="replace", newline="")
    response = StreamingHttpResponse(harmless_csv(text), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def harmless_csv(lines: Iterable[str]) -> Iterator[str]:
    """The same table, row by row, with a quote before every cell that a spreadsheet would calculate."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in csv.reader(lines):
        writer.writerow([harmless(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def harmless(cell: str) -> str:
    """A cell that is text wherever it is opened. Numbers stay numbers."""
    if not cell.startswith(FORMULA_STARTS) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
