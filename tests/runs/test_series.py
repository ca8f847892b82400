"""Figures over time: which step, which ends, what stands where nothing was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pytest_django import DjangoAssertNumQueries

from apps.runs import reading, series, tiers
from apps.runs.blocks import TOTAL, Row
from apps.runs.models import Run
from apps.runs.series import Window, step_for
from tests.factories import RunFactory
from tests.runs.makers import T0, cell, seconds, timed
from workers.sketch import merged, quantiles

pytestmark = pytest.mark.django_db


def recorded(rows: list[Row], **fields: Any) -> Run:
    run = RunFactory.create(**fields, last_seq=rows[-1].seq, last_tick_at=datetime.fromtimestamp(rows[-1].t, UTC))
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
        == [{**expected, **health, **latencies, **{f"{name}_ms": value for name, value in latencies.items()}}[metric]]
        * 2
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


# --- exact figures ------------------------------------------------------------------------------------------------


def exact(at: int, *by_endpoint: list[float], users: int = 3) -> Row:
    """Second `at`, in which endpoint 0, 1 … had requests that took so long."""
    cells = [timed(index, times) for index, times in enumerate(by_endpoint) if times]
    everything = [ms for times in by_endpoint for ms in times]
    return Row(at + 1, T0 + at, users, 1, (timed(TOTAL, everything), *cells) if everything else ())


def bursts(seconds: int) -> list[Row]:
    """Calm, with a slow and busy second every 97."""
    calm, storm = [10.0] * 5, [900.0] * 40
    return [
        exact(at, storm if at % 97 == 50 else calm, [20.0], users=9 if at % 97 == 50 else 3) for at in range(seconds)
    ]


def truth(rows: list[Row], first: int, after: int, share: float, endpoint: int = TOTAL) -> float | None:
    inside = [cell.sketch for row in rows if first <= row.t < after for cell in row.cells if cell.endpoint == endpoint]
    (found,) = quantiles(merged(sketch for sketch in inside if sketch), [share])
    return found


@pytest.mark.parametrize("points", [600, 61, 31, 7, 2])
@pytest.mark.parametrize("finest", [1, 10])
def test_a_percentile_is_that_of_all_requests_at_every_zoom(points: int, finest: int) -> None:
    rows = bursts(600)
    run = recorded(rows, finest_step_s=finest)
    tiers.close_all(run.pk)
    found = one(run, Window(points=points), None, "p50", "p95", "p99", "requests")
    for place, t in enumerate(found["t"]):
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            assert found[name][place] == pytest.approx(truth(rows, t, t + found["step_s"], share), rel=0.01)
    assert sum(found["requests"]) == sum(row.cells[0].requests for row in rows)
    assert found["step_s"] >= finest


def test_seconds_that_are_not_rolled_up_yet_count_too() -> None:
    rows = bursts(155)
    found = one(recorded(rows), Window(points=17), None, "p99", "requests")
    assert found["p99"][-1] == pytest.approx(truth(rows, T0 + 150, T0 + 160, 0.99), rel=0.01)
    assert sum(found["requests"]) == sum(row.cells[0].requests for row in rows)


@pytest.mark.parametrize("points", [100, 31, 7])
def test_a_band_shows_the_peak_that_a_point_hides(points: int) -> None:
    run = recorded(bursts(600))
    found = reading.figures(run, Window(points=points), lines=[None, 1], metrics=["rps", "p95", "users"], band=True)
    total, calm = found["series"]
    assert max(total["rps_high"]) == 41.0 and min(total["rps_low"]) == 6.0
    assert max(total["p95_high"]) == pytest.approx(900.0, rel=0.01)
    assert max(total["users_high"]) == 9 and min(total["users_low"]) == 3
    assert set(calm["rps_low"]) == set(calm["rps_high"]) == {1.0}
    assert len(total["p95_low"]) == len(found["t"])
    assert all(low <= high for low, high in zip(total["p95_low"], total["p95_high"], strict=True))


def test_there_is_no_band_in_seconds() -> None:
    found = reading.figures(recorded(bursts(60)), Window(), lines=[None], metrics=["rps", "p95"], band=True)
    assert set(found["series"][0]) == {"endpoint", "rps", "p95"}


def test_a_second_without_requests_is_in_the_band() -> None:
    rows = [exact(at, [5.0] * 4 if at % 2 else []) for at in range(60)]
    (line,) = reading.figures(recorded(rows), Window(points=7), lines=[0], metrics=["rps"], band=True)["series"]
    assert (set(line["rps_low"]), set(line["rps_high"]), set(line["rps"])) == ({0.0}, {4.0}, {2.0})


def test_failures_have_a_band() -> None:
    rows = [Row(at + 1, T0 + at, 1, 1, (timed(0, [1.0] * 3, failures=3 if at == 4 else 0),)) for at in range(60)]
    (line,) = reading.figures(recorded(rows), Window(points=7), lines=[0], metrics=["failures_per_s"], band=True)[
        "series"
    ]
    assert line["failures_per_s_high"] == [3.0, *[0.0] * 5] and set(line["failures_per_s_low"]) == {0.0}


def test_several_endpoints_are_one_line() -> None:
    rows = [exact(at, [10.0] * 9, [500.0], [1.0] * 5) for at in range(120)]
    found = reading.figures(
        recorded(rows), Window(points=13), lines=[(0, 1), 1, None, (0, 1, 2)], metrics=["requests", "p50", "p95", "max"]
    )
    both, slow, total, all_three = found["series"]
    assert [line["endpoint"] for line in found["series"]] == ["0+1", 1, None, "0+1+2"]
    assert set(both["requests"]) == {100} and set(slow["requests"]) == {10}
    assert both["p50"] == all_three["p50"] == pytest.approx([10.0] * 12, rel=0.01)
    assert set(both["p95"]) == {500.0} and {**all_three, "endpoint": None} == total


def test_an_endpoint_that_is_not_there_had_no_requests() -> None:
    found = reading.figures(recorded(bursts(5)), Window(), lines=[77, (77, 78)], metrics=["requests", "p95"])
    for line in found["series"]:
        assert line["requests"] == [0] * 5 and line["p95"] == [None] * 5


def test_workers_are_added_up() -> None:
    run = recorded([exact(at, [10.0] * 3) for at in range(130)])
    tiers.append(run.pk, [exact(at, [30.0], users=2) for at in range(130)], worker=1)
    tiers.close_spans(run.pk, before_t=T0 + 120, worker=1)
    for points in (200, 14):
        found = one(run, Window(points=points), None, "rps", "p50", "p99", "users")
        assert set(found["rps"]) == {4.0} and set(found["users"]) == {5}
        assert found["p99"] == pytest.approx([30.0] * len(found["t"]), rel=0.01)
        assert found["p50"] == pytest.approx([10.0] * len(found["t"]), rel=0.01)


def test_one_worker_is_read_alone_in_the_steps_of_the_run() -> None:
    run = recorded([exact(at, [10.0] * 3) for at in range(130)])
    tiers.append(run.pk, [exact(at, [30.0], users=2) for at in range(40)], worker=1)
    tiers.close_worker(run.pk, 1)
    for points, covered in ((200, 40), (14, 4)):
        found = reading.figures(run, Window(points=points), lines=[None], metrics=["rps", "users"], worker=1)
        whole = reading.figures(run, Window(points=points), lines=[None], metrics=["rps"])
        (line,) = found["series"]
        assert found["step_s"] == whole["step_s"] and found["t"] == whole["t"][:covered]
        assert set(line["rps"]) == {1.0} and set(line["users"]) == {2}


def test_a_worker_that_measured_nothing_has_no_points() -> None:
    found = reading.figures(recorded(bursts(60)), Window(points=7), lines=[None], metrics=["rps", "p95"], worker=7)
    assert found["t"] == found["series"][0]["rps"] == []


def test_a_run_whose_figures_are_gone_has_none() -> None:
    assert one(recorded(bursts(60), finest_step_s=0))["t"] == []


@given(
    first=some.integers(0, 5_000), span=some.integers(1, 10_000), rolled=some.integers(0, 20_000),
    steps=some.sampled_from([(1, 10, 60), (10, 60), (60,), (1, 10, 60, 3_600)]),
)  # fmt: skip
def test_a_window_is_taken_apart_without_a_gap(first: int, span: int, rolled: int, steps: tuple[int, ...]) -> None:
    rolled = 10**6 if steps[0] > 1 else rolled // 60 * 60
    parts = series.pieces(first, first + span - 1, steps, rolled_until=rolled)
    assert parts[0].first == first // steps[0] * steps[0]
    assert parts[-1].after == -(-(first + span) // steps[0]) * steps[0]
    assert all(one.after == other.first for one, other in pairwise(parts))
    for part in parts:
        assert part.first < part.after and part.first % part.tier == part.after % part.tier == 0
        assert part.tier == steps[0] or part.after <= rolled
    if rolled >= first + span:
        assert sum(part.tier == steps[0] for part in parts) <= 2 or len(steps) == 1
