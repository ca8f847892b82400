"""The one shape in which measurements travel from a collector to storage, whatever collected them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.sketch import Sketch

MAX_ENDPOINTS = 1_000
"""Endpoint names a run may have; requests of any further name are counted under `OTHER`."""

MAX_NAME_CHARS = 500
MAX_CLASSES = 100
MAX_ERRORS = 1_000
"""Different errors of a run; further ones are counted together."""
SAMPLES_PER_ERROR = 20
MAX_SAMPLES = 2_000
"""Failing requests kept of a run as examples."""
OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What one endpoint did in one second. Times in milliseconds; `None` where the collector cannot know."""

    method: str
    name: str
    requests: int
    failures: int
    sum_ms: float
    bytes: int
    min_ms: float | None
    max_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    sketch: Sketch | None = None
    """Of all `requests` that have a time; None where the collector only knows percentiles (`csv`)."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the load generator did in one second. `None` where nobody knows."""

    target_users: int | None = None
    """Users wanted at the end of the second."""
    in_flight: int | None = None
    """Requests that had begun and not ended at the end of the second; of HttpUser and FastHttpUser."""
    oldest_ms: float | None = None
    """Age of the oldest of them."""
    lag_ms: float | None = None
    """By how much the event loop was late at worst."""
    cpu_percent: float | None = None
    """Of one core."""
    rss_bytes: int | None = None
    open_files: int | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """One second of a run. `t` is that second as UTC epoch seconds; `seq` counts ticks from 1 without a gap.

    `rows` holds only endpoints with requests in this second; `total` is the collector's own row over all endpoints
    (its counts are the sum of `rows`; its percentiles are over all requests). A tick without requests is a tick too:
    users > 0 with `total.requests == 0` for some seconds is a stall.
    """

    seq: int
    t: int
    users: int
    total: SampleRow
    rows: tuple[SampleRow, ...]
    health: Health | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    """Users by class; at most `MAX_CLASSES`."""
    errors: tuple[tuple[int, int], ...] = ()
    """`(index, count)` of the errors of this second; the indexes are those of `FailureRow`."""


@dataclass(frozen=True, slots=True)
class EndpointTotals:
    """Totals of one endpoint over the whole run, Locust's own or ours. Times in milliseconds."""

    method: str
    name: str
    requests: int
    failures: int
    sum_ms: float
    min_ms: float | None
    max_ms: float | None
    bytes: int
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """Keys `p50 p90 p95 p99 p999`."""
    untimed: int = 0
    """Requests without a time, which are none of the average."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One row of Locust's failures table. Seen times are UTC epoch seconds, `None` when Locust did not say."""

    method: str
    name: str
    error: str
    occurrences: int
    first_seen: float | None
    last_seen: float | None
    index: int | None = None
    """What ticks and samples call it; None from a collector that does not count errors by the second."""


@dataclass(frozen=True, slots=True)
class FailureSample:
    """One request that failed, kept as an example. Secrets are masked by the child; all of it is hostile text."""

    error: int
    """Index of its `FailureRow`."""
    t: float
    """UTC epoch seconds."""
    method: str
    url: str
    status: int | None
    """None when there was no answer."""
    response_ms: float | None
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    body: str
    """The first 4 kB of the answer."""
    body_bytes: int | None
    """Length of the whole answer, where it is known."""


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One exception raised by the script outside of a request."""

    count: int
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class FinalTotals:
    """What Locust itself counted, written after its last request; the yardstick of the reconciliation.

    `total` is Locust's Aggregated entry. `source` says where it was read: `final` (written by the child on its way
    out) or `stats_csv` (the child was killed; up to the last second may be missing).
    """

    source: str
    total: EndpointTotals
    endpoints: Sequence[EndpointTotals]
    failures: Sequence[FailureRow]
    exceptions: Sequence[ExceptionRow]
