"""Figures over time: which step, which ends, what stands where nothing was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pytest_django import DjangoAssertNumQueries

from apps.runs import reading, series, tiers
from apps.runs.blocks import Row
from apps.runs.models import Run
from apps.runs.series import Window, step_for
from tests.factories import RunFactory
from tests.runs.makers import T0, cell, seconds

pytestmark = pytest.mark.django_db


def recorded(rows: list[Row]) -> Run:
    run = RunFactory.create(last_seq=rows[-1].seq, last_tick_at=datetime.fromtimestamp(rows[-1].t, UTC))
    tiers.append(run.pk, rows)
    tiers.close_spans(run.pk, before_t=rows[-1].t // 60 * 60)
    return run


WHOLE = Window()


def one(run: Run, window: Window = WHOLE, endpoint: int | None = None, *metrics: str) -> dict[str, Any]:
    """The answer for one endpoint, with its line's lists beside `t`."""
    found = reading.figures(run, window, lines=[endpoint], metrics=metrics or ["requests", "p95", "users"])
    (line,) = found["series"]
    assert all(len(values) == len(found["t"]) for name, values in line.items() if name != "endpoint")
    return {**found, **line}


def test_it_answers_in_seconds_when_they_fit() -> None:
    found = one(recorded(list(seconds(1, 90))))
    assert found["step_s"] == 1
    assert found["t"] == list(range(T0, T0 + 90))
    assert found["requests"] == [2] * 90 and found["users"] == [3] * 90
    assert (found["from"], found["to"]) == ("2027-01-15T08:00:00.000Z", "2027-01-15T08:01:29.000Z")


@pytest.mark.parametrize(
    ("points", "step"), [(600, 1), (300, 1), (299, 2), (31, 10), (30, 20), (16, 20), (6, 60), (2, 300)]
)
def test_it_chooses_a_step_that_a_tier_divides(points: int, step: int) -> None:
    run = recorded(list(seconds(1, 300)))
    found = one(run, Window(points=points))
    assert found["step_s"] == step
    assert len(found["t"]) <= points
    assert sum(found["requests"]) == 600


@given(span=some.integers(1, 10**6), points=some.integers(2, 5_000), first=some.integers(0, 10**6))
def test_it_never_needs_more_points_than_allowed(span: int, points: int, first: int) -> None:
    step = step_for(span, points, tiers.TIERS)
    assert (first + span - 1) // step - first // step + 1 <= points
    assert step == 1 or any(step % tier == 0 and step >= tier for tier in tiers.TIERS)


def test_it_has_a_rate_of_what_was_measured_at_the_ends() -> None:
    rows = list(seconds(8, 26))  # 3 seconds of the first ten, 6 of the last
    found = one(recorded(rows), Window(points=3), None, "rps", "requests")
    assert found["t"] == [T0, T0 + 10, T0 + 20]
    assert found["requests"] == [6, 20, 12]
    assert found["rps"] == [2.0, 2.0, 2.0]


def test_it_keeps_the_first_minute_of_a_long_run() -> None:
    found = one(recorded(list(seconds(31, 400))), Window(points=8))
    assert found["step_s"] == 60 and found["t"][0] == T0
    assert found["requests"] == [60, 120, 120, 120, 120, 120, 80]


def test_it_draws_a_gap_where_nothing_was_measured() -> None:
    found = one(recorded([*seconds(1, 5), *seconds(20, 22)]), Window(), None, "requests", "p95", "users", "rps")
    assert found["t"] == [*range(T0, T0 + 5), T0 + 5, *range(T0 + 19, T0 + 22)]
    assert found["requests"][4:7] == found["rps"][4:7] == [2, None, 2]
    assert found["users"][5] is None and found["p95"][5] is None


def test_it_passes_over_a_second_that_locust_skipped() -> None:
    assert one(recorded([*seconds(1, 5), *seconds(7, 9)]))["requests"] == [2] * 8


def test_an_idle_endpoint_has_no_requests_and_unknown_times() -> None:
    rows = [*seconds(1, 2), Row(3, T0 + 2, 3, 1, (cell(requests=0, p95_ms=None),))]
    found = one(recorded(rows), Window(), 1, "requests", "rps", "bytes", "failures", "p95", "avg", "max")
    assert [found[name][2] for name in ("requests", "rps", "bytes", "failures")] == [0, 0, 0, 0]
    assert [found[name][2] for name in ("p95", "avg", "max")] == [None, None, None]


@pytest.mark.parametrize("metric", series.metric_names())
def test_it_knows_every_metric_it_names(metric: str) -> None:
    health = dict.fromkeys(("target_users", "in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes"))
    expected = {"requests": 1, "failures": 0, "rps": 1.0, "failures_per_s": 0.0, "users": 3, "bytes": 100}
    latencies = {"avg": 10.0, "min": 5.0, "max": 20.0, "p50": 9.0, "p90": None, "p95": 18.0, "p99": None, "p999": None}
    assert (
        one(recorded(list(seconds(1, 2))), Window(), 0, metric)[metric]
        == [{**expected, **health, **latencies, **{f"{name}_ms": value for name, value in latencies.items()}}[metric]] * 2
    )


@pytest.mark.parametrize(
    ("window", "times"),
    [
        (Window(T0 + 10, T0 + 12), [T0 + 10, T0 + 11, T0 + 12]),
        (Window(None, T0 + 1), [T0, T0 + 1]),
        (Window(T0 + 88, T0 + 10_000), [T0 + 88, T0 + 89]),
        (Window(0, T0), [T0]),
        (Window(T0 + 10_000, None), []),
        (Window(T0 + 5, T0 + 4), []),
    ],
)
def test_it_answers_for_a_window(window: Window, times: list[int]) -> None:
    assert one(recorded(list(seconds(1, 90))), window)["t"] == times


def test_it_has_nothing_of_a_run_that_did_not_begin() -> None:
    found = one(RunFactory.create())
    assert (found["from"], found["to"], found["t"], found["requests"]) == (None, None, [], [])


def test_it_leaves_what_came_later_to_the_next_message() -> None:
    run = recorded(list(seconds(1, 10)))
    tiers.append(run.pk, list(seconds(11, 12)))
    assert len(one(run)["t"]) == 10


def test_it_joins_closed_minutes_and_fresh_seconds() -> None:
    found = one(recorded(list(seconds(1, 155))), Window(points=17), None, "requests", "rps")
    assert found["requests"] == [20] * 15 + [10]
    assert set(found["rps"]) == {2.0}


@pytest.mark.parametrize("endpoints", [1, 12])
def test_it_reads_as_often_however_much_is_asked(
    endpoints: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    run = recorded(list(seconds(1, 700)))
    with django_assert_num_queries(5):  # first and last second, the tier, how far it goes, the seconds after it
        reading.figures(run, Window(points=60), lines=list(range(endpoints)), metrics=series.metric_names())
