"""Every number of a window, and how response times lay in it, whatever rows it has to be put together from."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.runs import codec, frames, reading, summary, tiers
from apps.runs.blocks import TOTAL, Row
from apps.runs.models import Run, SampleBlock
from apps.runs.series import Window
from apps.scenarios.models import Collector, Scenario
from tests.factories import EndpointFactory, RunFactory
from tests.runs.makers import T0, seconds, timed
from workers.sketch import merged, percentiles

pytestmark = pytest.mark.django_db
SECONDS = 4_000
"""More than an hour: a block of minutes is full, and edges are of seconds and of tens of seconds."""
ROUNDED = 0.0025
"""Of extremes in packed minutes, and of percentiles that they bound."""
COUNTED = ("requests", "failures", "bytes")
"""What is never rounded."""
AT_ONCE = 1_200
"""Rows that are filed together, so that a block of minutes is packed of several."""


def drawn(count: int, seed: int = 1, *, users: int = 5) -> list[Row]:
    """Three endpoints of different speed, of which the last is idle most of the time; some requests fail."""
    chance = random.Random(seed)
    rows = []
    for at in range(count):
        times = [
            [round(chance.lognormvariate(middle, 0.5), 2) for _ in range(chance.randrange(most))]
            for middle, most in ((2, 4), (4, 3), (6, 2 if at % 7 == 0 else 1))
        ]
        failed = 1 if at % 50 == 0 and times[0] else 0
        cells = [timed(index, of, failures=failed if index == 0 else 0) for index, of in enumerate(times) if of]
        total = timed(TOTAL, [ms for of in times for ms in of], failures=failed)
        errors = ((at % 3, failed),) if failed else ()
        rows.append(Row(at + 1, T0 + at, users + at % 2, 1, (total, *cells) if cells else (), errors=errors))
    return rows


ROWS = drawn(SECONDS)


def recorded(rows: list[Row], *, whole: bool = True, **fields: Any) -> Run:
    run = RunFactory.create(**fields, last_seq=rows[-1].seq, last_tick_at=datetime.fromtimestamp(rows[-1].t, UTC))
    for start in range(0, len(rows), AT_ONCE):
        tiers.append(run.pk, rows[start : start + AT_ONCE])
        tiers.close_spans(run.pk, before_t=rows[: start + AT_ONCE][-1].t // 60 * 60)
    if whole:
        tiers.close_all(run.pk)
    return run


def expected(rows: list[Row], endpoint: int = TOTAL) -> dict[str, Any]:
    cells = [cell for row in rows for cell in row.cells if cell.endpoint == endpoint]
    requests = sum(cell.requests for cell in cells)
    low, high = min(cell.min_ms or 0 for cell in cells), max(cell.max_ms or 0 for cell in cells)
    return {
        "requests": requests,
        "failures": sum(cell.failures for cell in cells),
        "rps": round(requests / len(rows), 3),
        "avg_ms": sum(cell.sum_ms for cell in cells) / requests,
        **percentiles(merged(cell.sketch or {} for cell in cells), low=low, high=high),
        "min_ms": low,
        "max_ms": high,
        "bytes": sum(cell.bytes for cell in cells),
    }


def alike(found: dict[str, Any], truth: dict[str, Any]) -> bool:
    return [found[name] for name in COUNTED] == [truth[name] for name in COUNTED] and found == pytest.approx(
        truth, rel=ROUNDED
    )


def of(run: Run, first: int | None = None, last: int | None = None) -> dict[str, Any]:
    from_t, to_t = (None if at is None else T0 + at for at in (first, last))
    window = Window(from_t, to_t)
    return summary.answer(reading.tally(run, window))


@pytest.mark.parametrize(
    ("first", "last"), [(0, SECONDS - 1), (17, 3_601), (59, 60), (60, 119), (3_599, 3_600), (125, 3_777), (5, 5)]
)
@pytest.mark.parametrize("whole", [True, False])
def test_every_number_is_of_exactly_this_window(first: int, last: int, whole: bool) -> None:
    found = of(recorded(ROWS, whole=whole), first, last)
    inside = ROWS[first : last + 1]
    assert found["seconds"] == len(inside) and found["is_exact"]
    assert alike(found["totals"], expected(inside))
    known = sorted({cell.endpoint for row in inside for cell in row.cells} - {TOTAL})
    assert [line["index"] for line in found["endpoints"]] == known
    for line in found["endpoints"]:
        assert alike(line["totals"], expected(inside, line["index"]))
    assert found["users"] == {"low": min(row.users for row in inside), "high": max(row.users for row in inside)}
    errors = [pair for row in inside for pair in row.errors]
    assert {line["index"]: line["occurrences"] for line in found["failures"]} == {
        index: sum(count for at, count in errors if at == index) for index in {index for index, _ in errors}
    }
    assert found["from"] == datetime.fromtimestamp(T0 + first, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    assert found["to"] == datetime.fromtimestamp(T0 + last, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def test_where_seconds_are_gone_the_window_is_of_what_is_left() -> None:
    found = of(recorded(ROWS, finest_step_s=10), 17, 3_601)
    assert (found["from"][11:19], found["to"][11:19], found["seconds"]) == ("08:00:10", "09:00:09", 3_600)
    assert alike(found["totals"], expected(ROWS[10:3_610]))


def test_figures_that_are_gone_are_no_figures() -> None:
    found = of(recorded(ROWS[:60], finest_step_s=0))
    assert (found["from"], found["seconds"], found["totals"]["requests"], found["totals"]["p95_ms"]) == (
        None,
        0,
        0,
        None,
    )
    assert found["endpoints"] == [] and found["users"] == {"low": None, "high": None}


def test_workers_are_added_up() -> None:
    run = recorded(ROWS[:300])
    others = drawn(300, seed=2, users=2)
    tiers.append(run.pk, others, worker=1)
    tiers.close_all(run.pk)
    found = of(run, 7, 290)
    both = [Row(one.seq, one.t, 0, 1, (*one.cells, *two.cells)) for one, two in zip(ROWS, others, strict=False)][7:291]
    assert alike(found["totals"], expected(both))
    assert (found["seconds"], found["users"]) == (284, {"low": 7, "high": 9})


def test_percentiles_of_locust_are_said_to_be_no_exact_ones() -> None:
    found = of(recorded(list(seconds(1, 90)), collector=Collector.CSV))
    assert (found["is_exact"], found["failures"]) == (False, None)
    assert (found["totals"]["requests"], found["totals"]["p95_ms"]) == (180, 18.0)


def test_it_reads_as_often_however_long_the_window_is(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    run = recorded(ROWS)
    for first, last in ((None, None), (3, 3_990)):
        with django_assert_num_queries(6 if first else 5):
            of(run, first, last)


# --- heatmap and distribution -------------------------------------------------------------------------------------


def get(client: Client, run: Run, path: str) -> Any:
    return client.get(f"/api/v1/runs/{run.pk}/{path}")


@pytest.fixture
def run(scenario: Scenario) -> Run:
    run = recorded(ROWS, scenario=scenario)
    for index in range(3):
        EndpointFactory.create(run=run, index=index)
    return run


@pytest.mark.parametrize("query", ["", "?columns=50&rows=10", "?endpoint=1", "?endpoint=0%2B1", "?endpoint=0+2&rows=1"])
def test_a_heatmap_counts_every_request_once(tess_client: Client, run: Run, query: str) -> None:
    body = get(tess_client, run, f"heatmap/{query}").json()
    chosen = {"": {TOTAL}, "?columns=50&rows=10": {TOTAL}, "?endpoint=1": {1}, "?endpoint=0%2B1": {0, 1}}.get(
        query, {0, 2}
    )
    times = [cell for row in ROWS for cell in row.cells if cell.endpoint in chosen]
    assert sum(sum(column) for column in body["counts"]) == sum(cell.requests for cell in times)
    edges = body["edges_ms"]
    assert all(len(column) == len(edges) - 1 for column in body["counts"]) and edges == sorted(edges)
    assert edges[0] <= min(cell.min_ms or 0 for cell in times) and edges[-1] >= max(cell.max_ms or 0 for cell in times)
    assert len(body["t"]) == len(body["counts"]) <= 300 and len(edges) <= 49
    at = body["t"].index(T0 + 60) if T0 + 60 in body["t"] else 0
    inside = [cell for row in ROWS if body["t"][at] <= row.t < body["t"][at] + body["step_s"] for cell in row.cells]
    assert sum(body["counts"][at]) == sum(cell.requests for cell in inside if cell.endpoint in chosen)


def test_a_heatmap_has_a_hole_where_nothing_was_measured(tess_client: Client, scenario: Scenario) -> None:
    run = recorded([*ROWS[:20], *ROWS[40:60]], scenario=scenario)
    body = get(tess_client, run, "heatmap/").json()
    assert body["counts"][20] is None and body["t"][20:22] == [T0 + 20, T0 + 40]
    assert len(body["t"]) == 41


def test_a_distribution_is_of_its_window(tess_client: Client, run: Run) -> None:
    body = get(tess_client, run, f"distribution/?endpoint=0+1&from={T0 + 33}&to={T0 + 1_200}&bins=20").json()
    cells = [cell for row in ROWS[33:1_201] for cell in row.cells if cell.endpoint in {0, 1}]
    assert sum(body["counts"]) == body["totals"]["requests"] == sum(cell.requests for cell in cells)
    assert len(body["counts"]) <= 20 and len(body["edges_ms"]) == len(body["counts"]) + 1
    below = sum(count for edge, count in zip(body["edges_ms"][1:], body["counts"], strict=True) if edge <= 60.0)
    sketch = merged(cell.sketch or {} for cell in cells)
    last = max((edge for edge in body["edges_ms"] if edge <= 60.0), default=0.0)
    assert below == sum(count for bucket, count in sketch.items() if 0.05 * 1.019**bucket <= last + 1e-3)


def test_one_time_only_is_one_bin(tess_client: Client, scenario: Scenario) -> None:
    rows = [Row(1, T0, 1, 1, (timed(TOTAL, [7.0] * 3),))]
    body = get(tess_client, recorded(rows, scenario=scenario), "distribution/").json()
    assert body["counts"] == [3] and body["edges_ms"][0] < 7.0 <= body["edges_ms"][1]


@pytest.mark.parametrize("path", ["heatmap/", "distribution/"])
def test_seconds_without_a_request_have_no_edges(tess_client: Client, scenario: Scenario, path: str) -> None:
    rows = [Row(seq, T0 + seq, 1, 1, (timed(TOTAL, []),)) for seq in (1, 2)]
    body = get(tess_client, recorded(rows, scenario=scenario), path).json()
    assert body["edges_ms"] == []
    assert not any(body["counts"])


@pytest.mark.parametrize("path", ["heatmap/", "distribution/", "summary/", "phases/"])
def test_a_run_without_figures_has_none(tess_client: Client, scenario: Scenario, path: str) -> None:
    answer = get(tess_client, RunFactory.create(scenario=scenario), path)
    assert answer.status_code == 200
    assert sum(answer.json().get("counts", []), 0) == 0


@pytest.mark.parametrize("path", ["heatmap/", "distribution/"])
def test_percentiles_alone_have_no_distribution(tess_client: Client, scenario: Scenario, path: str) -> None:
    run = recorded(list(seconds(1, 90)), scenario=scenario, collector=Collector.CSV)
    answer = get(tess_client, run, path)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_exact")
    assert "CSV" in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("heatmap/?columns=0", "columns"),
        ("heatmap/?columns=1501", "columns"),
        ("heatmap/?rows=many", "rows"),
        ("heatmap/?rows=-1", "rows"),
        ("heatmap/?endpoint=1,2", "endpoint"),
        ("heatmap/?endpoint=1%2Bnull", "endpoint"),
        ("heatmap/?endpoint=%2B", "endpoint"),
        ("distribution/?bins=0", "bins"),
        ("distribution/?bins=1e9", "bins"),
        ("distribution/?endpoint=GET", "endpoint"),
        ("distribution/?endpoint=" + "%2B".join(["1"] * 101), "endpoint"),
        ("distribution/?to=never", "to"),
        ("summary/?from=99999999999999999999", "from"),
        ("summary/?from=2027-13-01", "from"),
        ("summary/?from=1800000010&to=1800000009", "to"),
        ("series/?band=yes", "band"),
        ("series/?endpoint=1%2B", "endpoint"),
        ("series/?from=1800000010&to=1800000009", "to"),
    ],
)
def test_it_names_the_parameter_that_is_wrong(tess_client: Client, run: Run, path: str, field: str) -> None:
    answer = get(tess_client, run, path)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert answer.json()["fields"][field][0]


@pytest.mark.parametrize("query", ["endpoint=99", "endpoint=0%2B99", "endpoint=99%2B1"])
@pytest.mark.parametrize("path", ["series/", "heatmap/", "distribution/"])
def test_an_endpoint_that_the_run_does_not_have_is_named(
    tess_client: Client, run: Run, scenario: Scenario, path: str, query: str
) -> None:
    EndpointFactory.create(run=RunFactory.create(scenario=scenario), index=99)  # of another run
    answer = get(tess_client, run, f"{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "no_endpoint")
    assert "no endpoint 99" in answer.json()["fields"]["endpoint"][0]


KNOWN = {
    "series/": "endpoint, metrics, from, to, points, band, worker",
    "summary/": "from, to",
    "heatmap/": "endpoint, from, to, columns, rows",
    "distribution/": "endpoint, from, to, bins",
    "phases/": "",
    "log/": "worker, after, level, search",
}


@pytest.mark.parametrize("path", KNOWN)
def test_a_parameter_that_is_not_known_is_named_with_those_that_are(tess_client: Client, run: Run, path: str) -> None:
    answer = get(tess_client, run, f"{path}?metric=p95")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert "“metric”" in answer.json()["message"] and list(answer.json()["fields"]) == ["metric"]
    assert KNOWN[path] in answer.json()["fields"]["metric"][0]


@pytest.mark.parametrize("path", KNOWN)
def test_the_documented_parameters_are_the_known_ones(tess_client: Client, path: str) -> None:
    schema = tess_client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    documented = schema["paths"][f"/api/v1/runs/{{id}}/{path}"]["get"].get("parameters", [])
    assert {one["name"] for one in documented if one["in"] == "query"} == set(filter(None, KNOWN[path].split(", ")))


# --- the sum of a block -------------------------------------------------------------------------------------------


def test_an_hour_in_the_middle_is_read_from_its_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(ROWS)
    unpacked: list[int] = []
    cells_of = frames.cells_of

    def counting(block: codec.Block, **which: Any) -> frames.Cells:
        unpacked.append(len(block.rows["t"]))
        return cells_of(block, **which)

    monkeypatch.setattr(frames, "cells_of", counting)
    assert alike(of(run, 0, 3_777)["totals"], expected(ROWS[:3_778]))
    assert 1 in unpacked and 60 not in unpacked


@pytest.mark.parametrize(("first", "last"), [(0, 3_777), (7, 3_777), (0, SECONDS - 1)])
def test_blocks_without_a_sum_tell_the_same(monkeypatch: pytest.MonkeyPatch, first: int, last: int) -> None:
    new = recorded(ROWS)
    monkeypatch.setattr(tiers, "PACKING", {**tiers.PACKING, 60: replace(tiers.PACKING[60], with_whole=False)})
    old = recorded(ROWS)
    for run, has_sum in ((new, True), (old, False)):
        packed = SampleBlock.objects.filter(run_id=run.pk, step_s=60).earliest("first_t")
        assert (codec.open_block(bytes(packed.data)).whole is not None) == has_sum
    one, other = of(new, first, last), of(old, first, last)
    assert alike(one["totals"], other["totals"])
    assert [line["index"] for line in one["endpoints"]] == [line["index"] for line in other["endpoints"]]
    for mine, theirs in zip(one["endpoints"], other["endpoints"], strict=True):
        assert alike(mine["totals"], theirs["totals"])


def test_percentiles_of_locust_are_weighted_alike_in_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(seconds(1, 3_700))
    new = of(recorded(rows, collector=Collector.CSV), 0, 3_650)
    monkeypatch.setattr(tiers, "PACKING", {**tiers.PACKING, 60: replace(tiers.PACKING[60], with_whole=False)})
    old = of(recorded(rows, collector=Collector.CSV), 0, 3_650)
    assert new["totals"] == pytest.approx(old["totals"], rel=ROUNDED) and new["totals"]["p95_ms"]
