from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers import tables
from workers.samples import MAX_ENDPOINTS, OTHER, EndpointTotals
from workers.values import MAX_COUNT

STATS = (
    b"Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    b"Max Response Time,Average Content Size,Requests/s,Failures/s,50%,90%,95%,99%,99.9%,100%\r\n"
    b'GET,"/a,""b""",4,1,5,2.5,1.5,9.5,10.0,1.0,0.0,5,6,7,8,9,10\r\n'
    b",Aggregated,4,1,5,2.5,1.5,9.5,10.0,1.0,0.0,5,6,7,8,9,10\r\n"
)
FAILURES = (
    b"Method,Name,Error,Occurrences,First Seen,Last Seen\r\n"
    b'GET,/a,"two\r\nlines",3,2027-01-15T08:00:00Z,2027-01-15T08:00:05Z\r\n'
)
EXCEPTIONS = b'Count,Message,Traceback,Nodes\r\n2,boom,"  File ""x"", line 1\n",local\r\n'
FINAL = {
    "total": {"method": "", "name": "Aggregated", "requests": 1, "failures": 0, "sum_ms": 5, "min_ms": 5, "max_ms": 5,
              "bytes": 7, "percentiles": {"p50": 5}},
    "endpoints": [],
    "failures": [],
    "exceptions": [],
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_stats_are_read(path: Path) -> None:
    path.write_bytes(STATS)
    found = tables.read_stats(path)
    assert found is not None
    total, (endpoint,) = found
    assert (endpoint.name, endpoint.requests, endpoint.failures, endpoint.sum_ms) == ('/a,"b"', 4, 1, 10)
    assert (endpoint.min_ms, endpoint.max_ms, endpoint.bytes) == (1.5, 9.5, 40)
    assert endpoint.percentiles == {"p50": 5, "p90": 6, "p95": 7, "p99": 8, "p999": 9}
    assert total.name == "Aggregated"


def test_failures_and_exceptions_are_read(path: Path) -> None:
    path.write_bytes(FAILURES)
    (failure,) = tables.read_failures(path) or []
    assert (failure.error, failure.occurrences) == ("two\r\nlines", 3)
    assert (failure.first_seen, failure.last_seen) == (1_800_000_000, 1_800_000_005)
    path.write_bytes(EXCEPTIONS)
    (exception,) = tables.read_exceptions(path) or []
    assert (exception.count, exception.message, exception.traceback) == (2, "boom", '  File "x", line 1\n')


@pytest.mark.parametrize("seen", [9e14, 4_000_000_001, -1, "9999-12-31T23:59:59Z", "x", None, True, [1]])
def test_a_time_that_no_database_keeps_is_none(seen: object) -> None:
    assert tables._seen(seen) is None


def test_a_file_of_half_a_million_lines_is_none(path: Path) -> None:
    path.write_bytes(b"Method,Name,Error,Occurrences\n" + b"\n" * tables.MAX_FILE_LINES)
    assert tables.read_failures(path) is None
    path.write_bytes(b"Method,Name,Error,Occurrences\n" + b"GET,/,e,1\n" * tables.MAX_FILE_ROWS)
    assert tables.read_failures(path) is None


def test_failures_of_an_older_locust_have_no_times(path: Path) -> None:
    path.write_bytes(b"Method,Name,Error,Occurrences\r\nGET,/a,no,3\r\n")
    (failure,) = tables.read_failures(path) or []
    assert (failure.occurrences, failure.first_seen) == (3, None)


@pytest.mark.parametrize("content", [STATS, FAILURES, EXCEPTIONS], ids=["stats", "failures", "exceptions"])
def test_a_rewrite_met_half_done_is_not_taken_for_whole(path: Path, content: bytes) -> None:
    """Every prefix either is refused, or holds whole rows only."""
    read = {STATS: tables.read_stats, FAILURES: tables.read_failures, EXCEPTIONS: tables.read_exceptions}[content]
    path.write_bytes(content)
    whole = read(path)
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert read(path) in ((None,) if content is STATS else (None, [], whole))


def test_a_longer_file_being_rewritten_shorter_is_refused(path: Path) -> None:
    """The new rows are written over the old ones, then the file is cut: in between, part of an old row follows."""
    path.write_bytes(STATS + STATS.splitlines(keepends=True)[1][20:])
    assert tables.read_stats(path) is None


def test_final_totals_are_read(path: Path) -> None:
    path.write_text(json.dumps({**FINAL, "stopped_by": "run_time"}))
    found = tables.read_final(path)
    assert found is not None
    assert (found[0].total.requests, found[0].source, found[1]["stopped_by"]) == (1, "final", "run_time")


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "[" * 100_000, '{"total": 1}', "\x00", '{"total": NaN}', "1" * 5_000,
        json.dumps({**FINAL, "endpoints": [1]}), json.dumps({**FINAL, "failures": {"a": 1}}),
        json.dumps({**FINAL, "total": {**FINAL["total"], "requests": -1}}),  # type: ignore[dict-item]
        json.dumps({**FINAL, "total": {**FINAL["total"], "requests": 10**30}}),  # type: ignore[dict-item]
        json.dumps({**FINAL, "total": {**FINAL["total"], "name": 5}}),  # type: ignore[dict-item]
        json.dumps({**FINAL, "total": {**FINAL["total"], "percentiles": []}}),  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_nonsense_is_no_final(path: Path, text: str) -> None:
    path.write_text(text)
    assert tables.read_final(path) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FINAL, *FINAL["total"]]), inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(list(FINAL)), values))
def test_any_json_is_survived(path: Path, changes: dict[str, object]) -> None:
    path.write_text(json.dumps({**FINAL, **changes}))
    tables.read_final(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([STATS, FAILURES, EXCEPTIONS, b""]))
def test_any_bytes_are_survived(path: Path, noise: bytes, start: bytes) -> None:
    path.write_bytes(start + noise)
    tables.read_stats(path)
    tables.read_failures(path)
    tables.read_exceptions(path)


def test_forged_counts_add_up_to_what_a_database_can_hold() -> None:
    entries = [EndpointTotals("GET", f"/{n}", MAX_COUNT, MAX_COUNT, 3.0, n, n, MAX_COUNT) for n in range(11_000)]
    other = tables.fold(entries)[-1]
    assert (other.name, other.requests, other.failures, other.bytes) == (OTHER, MAX_COUNT, MAX_COUNT, MAX_COUNT)


def test_names_beyond_the_limit_are_folded() -> None:
    entries = [EndpointTotals("GET", f"/{n}", 2, 1, 3.0, n, n, 5) for n in range(1, MAX_ENDPOINTS + 4)]
    folded = tables.fold(entries)
    assert len(folded) == MAX_ENDPOINTS + 1
    other = folded[-1]
    assert (other.name, other.requests, other.failures, other.sum_ms, other.bytes) == (OTHER, 6, 3, 9.0, 15)
    assert (other.min_ms, other.max_ms) == (1001, 1003)
