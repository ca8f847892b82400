"""Examples of failing requests, as our own collector in the child writes them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workers.exact_values import MAX_MS, parse
from workers.samples import MAX_ERRORS, MAX_NAME_CHARS, SAMPLES_PER_ERROR, FailureSample
from workers.values import MAX_TIME, measure, text, whole

MAX_SAMPLE_BYTES = 64 * 1024
MAX_URL_CHARS = 2_000
MAX_BODY_CHARS = 4_096
MAX_HEADERS = 100
MAX_HEADER_CHARS = 2_000


class Samples:
    """Examples of failing requests out of the lines of `failed.ndjson`; no more of them than a run may have."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lines_left = 4 * most
        self._by_error: dict[int, int] = {}

    def feed(self, lines: Iterable[str]) -> list[FailureSample]:
        found = []
        for line in lines:
            if not self._left or not self._lines_left:
                break
            self._lines_left -= 1
            sample = sample_of(parse(line))
            if sample is not None and self._by_error.get(sample.error, 0) < SAMPLES_PER_ERROR:
                self._by_error[sample.error] = self._by_error.get(sample.error, 0) + 1
                self._left -= 1
                found.append(sample)
        return found


def sample_of(values: Mapping[str, Any]) -> FailureSample | None:
    error, t = whole(values.get("error"), MAX_ERRORS), measure(values.get("t"), MAX_TIME)
    if error is None or t is None:
        return None
    try:
        return FailureSample(
            error=error,
            t=t,
            method=text(values.get("method"), MAX_NAME_CHARS),
            url=text(values.get("url"), MAX_URL_CHARS),
            status=whole(values.get("status"), 999),
            response_ms=measure(values.get("response_ms"), MAX_MS),
            request_headers=_headers(values.get("request_headers")),
            response_headers=_headers(values.get("response_headers")),
            body=text(values.get("body"), MAX_BODY_CHARS),
            body_bytes=whole(values.get("body_bytes")),
        )
    except TypeError:
        return None


def _headers(values: object) -> dict[str, str]:
    entries = list(values.items())[:MAX_HEADERS] if isinstance(values, dict) else []
    return {
        text(name, MAX_NAME_CHARS): text(value, MAX_HEADER_CHARS) for name, value in entries if isinstance(value, str)
    }
