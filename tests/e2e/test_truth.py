"""One exact run against a target whose latencies are known: every figure Hatchery shows of it, against two logs.

The target's log says what was served and when; the script's own notes say what the client was told of each request. A
completion belongs to the second in which the client saw it: that is later than the target's by what the network and two
processes take (`EDGE_SECONDS`, unless the script itself was late to hear of it), and next to nothing away from what the
script noted (`NOTE_SECONDS`).
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e import scripts
from tests.e2e.known_target import BEHAVIOURS
from tests.e2e.stack import Stack, wait_for
from tests.e2e.truth import (
    ROUNDING_MS,
    SHARES,
    SKETCH_ERROR,
    Done,
    Times,
    complaint_of_count,
    complaint_of_percentile,
    known_target,
    notes_in,
    percentile_bounds,
)

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.same_on_any_database("the same blocks hold the same figures"),
]

USERS = 25
RUN_SECONDS = 50
"""Long enough that one point of a chart covers a minute."""
STEP_AFTER, FREEZE_AFTER = 8, 18
EDGE_SECONDS = 0.05
CLOCK_SECONDS = 0.002
"""By which two processes may differ about the time, since one of them counts from its start."""
NOTE_SECONDS = 0.015
"""Between two listeners of the same event the process may be put aside."""
FREEZE_MARGIN_SECONDS = 0.03
"""The freeze begins so much before its second and ends so much after it: nothing lands on the second's edges."""
ZOOMS = ((1, 1), (2, 2), (3, 9), (10, 20), (30, 30), (60, 60))
"""Steps in seconds, from and to: of each tier and some in between. The length of the run decides which there are."""
STORED_ERROR, COARSE_ERROR = 0.00025, 0.002
"""Extremes and sums are stored with few digits, fewer where one row covers 10 seconds or more: a minimum may be so much
too low, a maximum so much too high."""
COARSE_SECONDS = 10
MAX_COMPLAINTS = 10
HISTORY = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    "Total Min Response Time,Total Max Response Time,Total Average Content Size"
)
LIVE = "requests,max_ms,users,in_flight,oldest_ms"
COLUMNS = "requests,failures,bytes,avg_ms,min_ms,max_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms"


Figures = dict[str, Any]


@dataclass
class Series:
    """An answer of `series/`, by behaviour; None: all of them."""

    t: list[int]
    step_s: int
    of: dict[str | None, Figures]


@dataclass
class Truth:
    """A run that is over, and all that is known of it from elsewhere."""

    stack: Stack
    run: dict[str, Any]
    served: list[Done]
    """By the target's log."""
    noted: list[Done]
    """By the script's own listener."""
    late_ms: list[float]
    step_at: int
    freeze_at: int
    indexes: dict[str | None, int | None]
    """Endpoint of each behaviour; None: all."""
    live: Series
    """The series as they were while the run was on, as soon as the frozen second was among them."""

    def __post_init__(self) -> None:
        served = {one.id: one.utc for one in self.served}
        lags = {one.id: one.utc - served[one.id] + NOTE_SECONDS for one in self.noted}
        failed = [one for one in self.noted if one.failed]
        self.as_served = {
            name: Times(of(name, self.served), early=CLOCK_SECONDS, late=EDGE_SECONDS, lags=lags)
            for name in self.indexes
        }
        self.as_noted = {
            name: Times(of(name, self.noted), early=NOTE_SECONDS, late=NOTE_SECONDS) for name in self.indexes
        }
        self.failed = {name: Times(of(name, failed), early=NOTE_SECONDS, late=NOTE_SECONDS) for name in self.indexes}
        took = {one.id: one.ms for one in self.served}
        self.beyond_ms = {
            name: max(one.ms - took[one.id] for one in times.done) for name, times in self.as_noted.items()
        }
        """The most that a client saw beyond the target's own time."""

    def ask(self, path: str) -> Any:
        answer = self.stack.api("GET", f"/api/v1/runs/{self.run['id']}/{path}")
        assert answer.status == 200, answer.text
        return answer.json

    def series(self, points: int = 5000, metrics: str = COLUMNS) -> Series:
        """The whole run in so many points at most."""
        wanted = "".join(f"&endpoint={'null' if index is None else index}" for index in self.indexes.values())
        answer = self.ask(f"series/?metrics={metrics}&points={points}{wanted}")
        names = {index: name for name, index in self.indexes.items()}
        return Series(answer["t"], answer["step_s"], {names[row["endpoint"]]: row for row in answer["series"]})


def of(name: str | None, rows: Sequence[Done]) -> list[Done]:
    return [one for one in rows if name in (None, one.name)]


@pytest.fixture(scope="module")
def truth(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Truth]:
    folder = tmp_path_factory.mktemp("truth")
    notes = folder / "notes.ndjson"
    with known_target(folder) as target:
        load = {"users": USERS, "spawn_rate": USERS, "run_time": f"{RUN_SECONDS}s", "env": {"TRUTH_FILE": str(notes)}}
        run_id = stack.start(stack.scenario(scripts.TRUTH, host=target.url, **load))
        wait_for(target.log, 40, "requests are made")
        begun = math.ceil(time.time())
        step_at, freeze_at = begun + STEP_AFTER, begun + FREEZE_AFTER
        until = freeze_at + 1 + FREEZE_MARGIN_SECONDS
        target.plan(step_at=step_at, freeze=[freeze_at - FREEZE_MARGIN_SECONDS, until])
        live = seen_live(stack, run_id, freeze_at + 1)
        run = stack.over(run_id, RUN_SECONDS + 30)
        assert run["state"] == "finished", run
        indexes: dict[str | None, int | None] = {None: None}
        indexes |= {row["name"]: row["index"] for row in stack.part(run_id, "endpoints")}
        yield Truth(
            stack,
            run,
            target.log(),
            notes_in(notes),
            target.late_ms(),
            step_at,
            freeze_at,
            indexes,
            live,
        )


def seen_live(stack: Stack, run_id: str, second: int) -> Series:
    """The series of the run while it is on, once they reach this second."""

    def look() -> dict[str, Any] | None:
        answer = stack.api("GET", f"/api/v1/runs/{run_id}/series/?metrics={LIVE}&points=5000").json
        return answer if answer["t"] and answer["t"][-1] >= second else None

    found = wait_for(look, FREEZE_AFTER + 20, "the second after the freeze is there")
    assert stack.run(run_id)["state"] == "running"
    return Series(found["t"], found["step_s"], {None: found["series"][0]})


def seconds_of(done: Sequence[Done]) -> range:
    """Every second in which one of these was done."""
    return range(int(min(one.utc for one in done)), int(max(one.utc for one in done)) + 1)


def none_of(complaints: list[str]) -> None:
    assert not complaints, f"{len(complaints)} wrong figures: " + " · ".join(complaints[:MAX_COMPLAINTS])


def test_the_two_logs_agree(truth: Truth) -> None:
    """Otherwise the rest proves nothing."""
    assert set(truth.indexes) == {None, *BEHAVIOURS}
    assert Counter(one.id for one in truth.served) == Counter(one.id for one in truth.noted)
    assert len(truth.served) > RUN_SECONDS * USERS * 5
    took = {one.id: one for one in truth.served}
    beyond = sorted(one.ms - took[one.id].ms for one in truth.noted)
    assert beyond[0] > -1 and beyond[len(beyond) // 2] < 20, beyond[:: len(beyond) // 10]
    assert sorted(truth.late_ms)[len(truth.late_ms) // 2] < 5


@pytest.mark.parametrize("name", [None, *BEHAVIOURS])
def test_each_second_has_what_the_target_served(truth: Truth, name: str | None) -> None:
    series = truth.series(metrics="requests,failures,bytes")
    assert series.step_s == 1
    found = dict(zip(series.t, series.of[name]["requests"], strict=True))
    of_target, of_script = truth.as_served[name], truth.as_noted[name]
    late = [second for second in seconds_of(of_target.done) if second not in found]
    assert not [second for second in late if of_target.certain(second, second + 1)], "a second is missing"
    none_of(
        [
            f"{name} at {second}: {why}"
            for second, count in found.items()
            for times in (of_target, of_script)
            if (why := complaint_of_count(count, times, second, second + 1))
        ]
    )
    assert sum(series.of[name]["requests"]) == len(of_target.done)
    assert sum(series.of[name]["failures"]) == sum(one.failed for one in of_target.done)
    assert sum(series.of[name]["bytes"]) == sum(one.bytes for one in of_target.done)


def test_the_last_second_is_there(truth: Truth) -> None:
    series = truth.series(metrics="requests")
    counted = [t for t, count in zip(series.t, series.of[None]["requests"], strict=True) if count]
    last = truth.as_noted[None].done[-1].utc
    assert int(last - NOTE_SECONDS) <= counted[-1] <= int(last + NOTE_SECONDS)


@pytest.mark.parametrize("name", [None, *BEHAVIOURS])
def test_totals_are_those_of_the_target_and_of_locust(truth: Truth, name: str | None) -> None:
    served = truth.as_served[name].done
    noted = sorted(one.ms for one in truth.as_noted[name].done)
    rows = {row["name"]: row for row in truth.stack.part(truth.run["id"], "endpoints")}
    totals = truth.run["totals"] if name is None else rows[name]["totals"]
    assert (totals["requests"], totals["failures"]) == (len(served), sum(one.failed for one in served))
    assert totals["min_ms"] == pytest.approx(noted[0], abs=ROUNDING_MS)
    assert totals["max_ms"] == pytest.approx(noted[-1], abs=ROUNDING_MS)
    assert totals["avg_ms"] == pytest.approx(sum(noted) / len(noted), abs=ROUNDING_MS)
    whole = (served[0].utc - 10, served[-1].utc + 10)
    none_of([why for share in SHARES for why in wrong_percentiles(truth, name, totals, share, *whole)])
    if name is None:
        assert truth.run["reconciliation"]["difference"] == 0
        assert truth.run["reconciliation"]["locust"] == len(served)
        assert truth.run["reconciliation"]["endpoints"] == []
    else:
        assert (rows[name]["locust"], rows[name]["difference"]) == (len(served), 0)


def wrong_percentiles(
    truth: Truth, name: str | None, figures: Figures, metric: str, begin: float, end: float
) -> list[str]:
    """Against what the client was told, and against what the target did."""
    share, found = SHARES[metric], figures[metric]
    whys = (
        complaint_of_percentile(found, share, truth.as_noted[name], begin, end),
        complaint_of_percentile(found, share, truth.as_served[name], begin, end, above_ms=truth.beyond_ms[name]),
    )
    return [f"{metric} of {name} at {begin}: {why}" for why in whys if why]


def points_for(truth: Truth, least: int, most: int) -> int:
    """How many points to ask for to get a step of so many seconds."""
    for points in range(1, 4 * RUN_SECONDS):
        if least <= truth.series(points, metrics="requests").step_s <= most:
            return points
    raise AssertionError(f"no number of points gives a step of {least} to {most} s")


@pytest.mark.parametrize("zoom", ZOOMS, ids=str)
def test_every_zoom_tells_the_same_truth(truth: Truth, zoom: tuple[int, int]) -> None:
    series = truth.series(points_for(truth, *zoom))
    step = series.step_s
    complaints = []
    for name in truth.indexes:
        assert sum(series.of[name]["requests"]) == len(truth.as_served[name].done)
        for place, t in enumerate(series.t):
            figures = {metric: series.of[name][metric][place] for metric in COLUMNS.split(",")}
            complaints += wrong_point(truth, name, figures, t, t + step)
    none_of(complaints)


def wrong_point(truth: Truth, name: str | None, figures: Figures, begin: float, end: float) -> list[str]:
    found = [
        f"requests of {name} at {begin}: {why}"
        for times in (truth.as_served[name], truth.as_noted[name])
        if (why := complaint_of_count(figures["requests"], times, begin, end))
    ]
    for metric in SHARES:
        found += wrong_percentiles(truth, name, figures, metric, begin, end)
    return found + wrong_extremes(truth.as_noted[name], figures, begin, end)


def wrong_extremes(times: Times, figures: Figures, begin: float, end: float) -> list[str]:
    """At least as extreme as what is certain, no more than what is possible."""
    certain = [one.ms for one in times.certain(begin, end)]
    possible = [one.ms for one in times.possible(begin, end)]
    if not certain:
        return []
    error = STORED_ERROR if end - begin < COARSE_SECONDS else COARSE_ERROR
    bounds = {
        "min_ms": (min(possible) * (1 - error), min(certain)),
        "max_ms": (max(certain), max(possible) * (1 + error)),
    }
    if len(certain) == len(possible):
        mean = sum(certain) / len(certain)
        bounds["avg_ms"] = (mean * (1 - STORED_ERROR), mean * (1 + STORED_ERROR))
    return [
        f"{metric} at {begin}: {figures[metric]}, not {low} to {high}"
        for metric, (low, high) in bounds.items()
        if figures[metric] is None or not low - ROUNDING_MS <= figures[metric] <= high + ROUNDING_MS
    ]


@pytest.mark.parametrize(("after", "before"), [(0, 0), (3, 4), (7, 13), (11, 1), (20, 20)])
def test_any_window_is_summed_up_right(truth: Truth, after: int, before: int) -> None:
    seconds = seconds_of(truth.noted)
    begin, end = seconds[0] + after, seconds[-1] - before
    summary = truth.ask(f"summary/?from={begin}&to={end}")
    assert summary["is_exact"] is True
    by_index = {row["index"]: row["totals"] for row in summary["endpoints"]} | {None: summary["totals"]}
    complaints = []
    for name, index in truth.indexes.items():
        complaints += wrong_point(truth, name, by_index[index], begin, end + 1)
        if why := complaint_of_count(by_index[index]["failures"], truth.failed[name], begin, end + 1):
            complaints.append(f"failures of {name}: {why}")
    none_of(complaints)
    assert sum(row["occurrences"] for row in summary["failures"]) == summary["totals"]["failures"]


def test_the_summary_of_the_whole_run_is_the_run(truth: Truth) -> None:
    summary = truth.ask("summary/")
    assert summary["totals"]["requests"] == truth.run["totals"]["requests"]
    for metric in ("failures", "bytes", "min_ms", "max_ms", "avg_ms", *SHARES):
        whole, found = truth.run["totals"][metric], summary["totals"][metric]
        assert found == pytest.approx(whole, abs=whole * COARSE_ERROR + ROUNDING_MS), metric
    (failure,) = truth.stack.part(truth.run["id"], "failures")
    assert failure["occurrences"] == sum(one.failed for one in truth.served) > 20


def test_the_distribution_holds_every_request_where_it_belongs(truth: Truth) -> None:
    for name, index in truth.indexes.items():
        wanted = "" if index is None else f"?endpoint={index}"
        answer = truth.ask(f"distribution/{wanted}")
        noted = sorted(one.ms for one in truth.as_noted[name].done)
        assert sum(answer["counts"]) == len(noted)
        complaints, reached = [], 0.0
        for edge, count in zip(answer["edges_ms"][1:], answer["counts"], strict=True):
            reached += count
            least = sum(ms < edge * (1 - 2 * SKETCH_ERROR) for ms in noted)
            most = sum(ms <= edge * (1 + 2 * SKETCH_ERROR) for ms in noted)
            if not least - 1e-6 <= reached <= most + 1e-6:
                complaints.append(f"{name}: {reached} up to {edge} ms, not {least} to {most}")
        none_of(complaints)


def test_the_heatmap_holds_every_request_in_its_column(truth: Truth) -> None:
    for name, index in truth.indexes.items():
        wanted = "" if index is None else f"&endpoint={index}"
        answer = truth.ask(f"heatmap/?columns=300{wanted}")
        noted = truth.as_noted[name]
        step = answer["step_s"]
        none_of(
            [
                f"{name} at {t}: {why}"
                for t, column in zip(answer["t"], answer["counts"], strict=True)
                if (why := complaint_of_count(round(sum(column or []), 3), noted, t, t + step))
            ]
        )
        assert sum(sum(column or []) for column in answer["counts"]) == pytest.approx(len(noted.done))


def test_phases_cover_the_run(truth: Truth) -> None:
    phases = truth.ask("phases/")["phases"]
    assert "steady" in {phase["kind"] for phase in phases}
    assert sum(phase["totals"]["requests"] for phase in phases) == len(truth.served)
    steady = next(phase for phase in phases if phase["kind"] == "steady")
    assert steady["totals"]["requests"] > 0.8 * len(truth.served)


def test_a_step_in_latency_shows_in_the_next_second(truth: Truth) -> None:
    series = truth.series(metrics="p50_ms,min_ms,max_ms")
    places = {t: place for place, t in enumerate(series.t)}
    medians = series.of["/step"]["p50_ms"]
    assert all(medians[places[truth.step_at - back]] < 60 for back in (1, 2, 3))
    assert all(medians[places[truth.step_at + ahead]] > 100 for ahead in (1, 2, 3))
    assert series.of["/step"]["max_ms"][places[truth.step_at]] > 100


def test_a_freeze_shows_in_the_second_it_happens(truth: Truth) -> None:
    """And is on record while the run is still on."""
    for series in (truth.live, truth.series(metrics=LIVE)):
        place, figures = series.t.index(truth.freeze_at), series.of[None]
        stragglers = len(truth.as_noted[None].possible(truth.freeze_at, truth.freeze_at + 1))
        assert figures["requests"][place] <= stragglers < USERS / 2
        assert figures["users"][place] == USERS
        assert figures["in_flight"][place] == USERS
        assert figures["oldest_ms"][place] >= 900
        assert figures["max_ms"][place + 1] >= 900


def test_the_history_file_has_the_same_totals(truth: Truth) -> None:
    text = truth.stack.api("GET", f"/api/v1/runs/{truth.run['id']}/stats_history.csv").text
    assert text.splitlines()[0] == HISTORY
    rows = list(csv.DictReader(io.StringIO(text)))
    for name in (None, *BEHAVIOURS):
        mine = [row for row in rows if row["Name"] == (name or "Aggregated")]
        counts = [int(row["Total Request Count"]) for row in mine]
        assert counts == sorted(counts)
        assert counts[-1] == len(truth.as_served[name].done)
        assert int(mine[-1]["Total Failure Count"]) == sum(one.failed for one in truth.as_served[name].done)


def done(utc: float, ms: float) -> Done:
    return Done("1", "/a", utc, ms, False, 64)


def test_a_wrong_count_is_noticed() -> None:
    times = Times([done(10.2, 1), done(10.99, 1), done(11.5, 1)], early=0.01, late=0.05)
    assert [complaint_of_count(count, times, 10, 11) == "" for count in (0, 1, 2, 3)] == [False, True, True, False]
    assert [complaint_of_count(count, times, 11, 12) == "" for count in (0, 1, 2, 3)] == [False, True, True, False]


def test_a_wrong_percentile_is_noticed() -> None:
    times = Times([done(10.2 + place / 1000, place) for place in range(1, 101)], early=0.01, late=0.05)
    assert complaint_of_percentile(50.4, 0.5, times, 10, 11) == ""
    assert complaint_of_percentile(51, 0.5, times, 10, 11)
    assert complaint_of_percentile(51, 0.5, times, 10, 11, above_ms=1) == ""
    assert complaint_of_percentile(49.4, 0.5, times, 10, 11, above_ms=1)
    assert complaint_of_percentile(None, 0.5, times, 10, 11)
    assert complaint_of_percentile(1, 0.5, times, 12, 13)


@given(st.data(), st.lists(st.integers(1, 100), min_size=1, max_size=30), st.sampled_from(sorted(SHARES.values())))
def test_bounds_of_a_percentile_hold_for_every_set_between(
    data: st.DataObject, values: list[int], share: float
) -> None:
    sure = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    taken = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    certain = sorted(value for value, is_sure in zip(values, sure, strict=True) if is_sure)
    subset = sorted(value for value, a, b in zip(values, sure, taken, strict=True) if a or b)
    if subset:
        low, high = percentile_bounds(certain, sorted(values), share)
        assert low <= subset[max(1, math.ceil(share * len(subset))) - 1] <= high
