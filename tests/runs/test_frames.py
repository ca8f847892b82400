"""Cells as arrays: merged in any order and in any steps they give the same, and what their requests would give."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.runs import blocks, codec, frames
from apps.runs.blocks import TOTAL, Cell, Row
from apps.runs.frames import Frame
from tests.runs.makers import T0, timed
from workers import sketch
from workers.samples import Health

SHARES = sketch.SHARES


def second(at: int, *cells: Cell, users: int = 3, **more: Any) -> Row:
    return Row(at + 1, T0 + at, users, 1, cells, **more)


def frame_of(rows: Sequence[Row], step_s: int = 1, endpoints: Sequence[int] | None = None) -> Frame:
    """Packed and unpacked, as a reader gets it."""
    block = codec.open_block(codec.encode(rows))
    return frames.of_block(block, step_s, endpoints=endpoints, first=0, after=2**40)


def seen(frame: Frame) -> dict[tuple[int, int], dict[str, Any]]:
    """Everything there is about each cell, by endpoint and second."""
    cells = frame.cells
    percentiles = cells.percentiles(SHARES)
    columns = {**{name: values for name, values in cells.columns.items() if name not in percentiles}, **percentiles}
    return {
        (int(endpoint), int(t)): {
            name: None if math.isnan(values[place]) else float(values[place]) for name, values in columns.items()
        }
        for place, (endpoint, t) in enumerate(zip(cells.endpoint, cells.t, strict=True))
    }


def assert_same(one: Frame, other: Frame) -> None:
    """But for what packing takes off the last digits of sums and extremes."""
    cells, others = seen(one), seen(other)
    assert set(cells) == set(others)
    for key, cell in cells.items():
        assert cell == pytest.approx(others[key], rel=0.001)


times_ms = some.lists(some.floats(0.0, sketch.MOST_MS).map(lambda ms: round(ms, 1)), min_size=1, max_size=8)
seconds_of_times = some.dictionaries(some.integers(0, 125), times_ms, min_size=1, max_size=12)


def rows_of(found: dict[int, list[float]], endpoint: int = 0) -> list[Row]:
    return [second(at, timed(endpoint, found[at])) for at in sorted(found)]


# --- what the columns say -----------------------------------------------------------------------------------------


def test_it_takes_only_the_endpoints_and_seconds_asked_for() -> None:
    rows = [second(at, timed(TOTAL, [1.0, 9.0]), timed(0, [1.0]), timed(7, [9.0])) for at in range(5)]
    block = codec.open_block(codec.encode(rows))
    found = frames.of_block(block, 1, endpoints={7}, first=T0 + 1, after=T0 + 3)
    assert set(seen(found)) == {(7, T0 + 1), (7, T0 + 2)}
    assert found.axis.t.tolist() == [T0 + 1, T0 + 2]
    assert found.cells.percentiles(SHARES)["p50_ms"] == pytest.approx([9.0, 9.0])


@given(found=seconds_of_times)
def test_its_percentiles_are_those_of_the_sketch(found: dict[int, list[float]]) -> None:
    rows = rows_of(found)
    cells = frame_of(rows).cells
    for place, row in enumerate(rows):
        expected = blocks.percentiles(row.cells[0])
        for name, values in cells.percentiles(SHARES).items():
            known = expected[name]
            assert known is not None and values[place] == pytest.approx(known, rel=0.001)


@given(found=seconds_of_times, step=some.sampled_from([2, 10, 20, 60, 120, 300]))
def test_a_percentile_of_a_step_is_that_of_all_its_requests(found: dict[int, list[float]], step: int) -> None:
    merged = frames.rolled_up(frame_of(rows_of(found)), step)
    percentiles = merged.cells.percentiles(SHARES)
    for place, t in enumerate(merged.cells.t.tolist()):
        inside = sorted(ms for at, times in found.items() if t <= T0 + at < t + step for ms in times)
        for name, share in SHARES.items():
            truth = inside[max(1, math.ceil(share * len(inside))) - 1]
            assert percentiles[name][place] == pytest.approx(truth, rel=0.01, abs=sketch.LEAST_MS)


@given(found=seconds_of_times, tier=some.sampled_from([10, 60]))
def test_stored_rows_and_seconds_rolled_up_now_are_the_same(found: dict[int, list[float]], tier: int) -> None:
    rows = rows_of(found)
    stored = frame_of(blocks.roll_up(rows, tier), tier)
    now = frames.rolled_up(frame_of(rows), tier)
    assert_same(stored, now)
    for name in ("t", "seconds", "users", "users_low"):
        assert getattr(stored.axis, name).tolist() == getattr(now.axis, name).tolist()


# --- in any grouping ----------------------------------------------------------------------------------------------


@given(found=seconds_of_times, steps=some.permutations([10, 60, 120]))
def test_it_does_not_matter_in_how_many_steps_time_is_merged(found: dict[int, list[float]], steps: list[int]) -> None:
    fine = frame_of(rows_of(found))
    at_once = frames.rolled_up(fine, 120)
    in_steps = fine
    for step in sorted(steps[: 1 + steps.index(120)]):
        in_steps = frames.rolled_up(in_steps, step)
    assert_same(at_once, in_steps)


@given(
    sources=some.lists(seconds_of_times, min_size=1, max_size=5),
    seed=some.integers(0, 2**16),
    step=some.sampled_from([1, 10, 60]),
)
def test_sources_merge_in_any_order_and_grouping(sources: list[dict[int, list[float]]], seed: int, step: int) -> None:
    made = [frames.rolled_up(frame_of(rows_of(found, endpoint=n % 2)), step) for n, found in enumerate(sources)]
    at_once = frames.merged(made)
    rest = list(made)
    random.Random(seed).shuffle(rest)
    while len(rest) > 1:
        rest.insert(random.Random(seed).randrange(len(rest) - 1), frames.merged([rest.pop(), rest.pop()]))
    assert_same(at_once, rest[0])
    assert at_once.axis.users.tolist() == rest[0].axis.users.tolist()


def test_sources_add_up() -> None:
    health = [Health(10, 1, 50.0, 2.0, 80.0, 1_000, 7), Health(20, 2, 90.0, 1.0, 20.0, 3_000, 8)]
    one = frame_of([second(0, timed(0, [5.0] * 3), users=4, health=health[0]), second(1, timed(0, [5.0]), users=4)])
    other = frame_of([second(0, timed(0, [50.0], failures=1), timed(1, [1.0]), users=6, health=health[1])])
    found = frames.merged([one, other])
    cells = seen(found)
    assert {key: cell["requests"] for key, cell in cells.items()} == {(0, T0): 4, (0, T0 + 1): 1, (1, T0): 1}
    assert (cells[0, T0]["min_ms"], cells[0, T0]["max_ms"], cells[0, T0]["failures"]) == (5.0, 50.0, 1)
    assert found.axis.users.tolist() == [10, 4]
    values = {name: column[0] for name, column in found.axis.health.items()}
    assert values == {
        "target_users": 30, "in_flight": 3, "oldest_ms": 90, "lag_ms": 2, "cpu_percent": 80, "rss_bytes": 4_000,
        "open_files": 15,
    }  # fmt: skip
    assert np.isnan(found.axis.health["lag_ms"][1])


def test_runs_are_laid_over_each_other() -> None:
    one, other = frame_of([second(0, timed(0, [5.0]))]), frame_of([second(600, timed(0, [50.0]))])
    found = frames.merged([frames.moved(one, -T0), frames.moved(other, -T0 - 600)])
    assert {key: cell["requests"] for key, cell in seen(found).items()} == {(0, 0): 2}


def test_endpoints_of_the_same_second_are_laid_together() -> None:
    rows = [second(at, timed(0, [1.0] * 9), timed(1, [100.0])) for at in range(3)]
    cells = frame_of(rows).cells
    keys = np.tile(np.arange(3), 2)
    found = frames.grouped(cells, keys, 3, extent="across")
    assert found.columns["requests"].tolist() == found.columns["requests_high"].tolist() == [10, 10, 10]
    assert found.percentiles({"p50_ms": 0.5, "p95_ms": 0.95})["p95_ms"] == pytest.approx([100.0] * 3, rel=0.01)


# --- peaks --------------------------------------------------------------------------------------------------------


def test_a_second_without_a_cell_is_the_least_there_was() -> None:
    rows = [second(0, timed(0, [1.0] * 9)), second(1), second(2, timed(0, [1.0] * 2))]
    (cell,) = seen(frames.rolled_up(frame_of(rows), 10)).values()
    assert (cell["requests_low"], cell["requests_high"], cell["requests"]) == (0, 9, 11)


def test_the_worst_second_shows_at_every_step() -> None:
    calm, storm = Health(5, 1, 10.0, 1.0, 20.0, 100, 5), Health(9, 70, 6_900.0, 300.0, 99.0, 90, 6)
    rows = [second(at, users=30 if at == 17 else 5, health=storm if at == 17 else calm) for at in range(60)]
    axis = frames.in_steps(frame_of(rows).axis, 60)
    found = {name: values.tolist() for name, values in axis.health.items()}
    assert (axis.users.tolist(), axis.users_low.tolist(), axis.seconds.tolist()) == ([30], [5], [60])
    assert (found["in_flight"], found["oldest_ms"], found["lag_ms"]) == ([70], [6_900], [300])
    assert found["target_users"] == [5]  # what was wanted last


# --- percentiles without a distribution ---------------------------------------------------------------------------


def test_percentiles_of_locust_are_the_last_within_ten_seconds_and_a_mean_beyond() -> None:
    rows = [second(at, Cell(0, at + 1, 0, 1, 1.0, 1.0, 1.0, p95_ms=float(at))) for at in range(60)]
    fine = frame_of(rows)
    assert fine.cells.sketches is None
    tens, minute = frames.rolled_up(fine, 10), frames.rolled_up(fine, 60)
    assert tens.cells.columns["p95_ms"].tolist() == [9, 19, 29, 39, 49, 59]
    mean = sum(at * (at + 1) for at in range(60)) / sum(range(1, 61))
    assert minute.cells.columns["p95_ms"].tolist() == pytest.approx([mean])
    stored = blocks.roll_up(blocks.roll_up(rows, 10), 60)
    assert frames.rolled_up(tens, 60).cells.columns["p95_ms"].tolist() == pytest.approx([stored[0].cells[0].p95_ms])


def test_a_distribution_beside_percentiles_becomes_percentiles() -> None:
    plain = frame_of([second(0, Cell(0, 1, 0, 1, 8.0, 8.0, 8.0, p95_ms=8.0))])
    found = frames.merged([plain, frame_of([second(0, timed(0, [4.0] * 3))])])
    assert found.cells.sketches is None
    assert found.cells.columns["p95_ms"].tolist() == pytest.approx([5.0], rel=0.01)


# --- nothing ------------------------------------------------------------------------------------------------------


def test_nothing_is_nothing_in_every_way() -> None:
    none = frames.empty(1)
    for found in (none, frames.rolled_up(none, 60), frames.merged([none, none]), frames.joined([], 10)):
        assert not len(found.axis) and not len(found.cells) and not seen(found)
    idle = frame_of([second(0), second(1)])
    assert len(idle.axis) == 2 and not seen(frames.rolled_up(idle, 10))


def test_a_request_without_a_time_has_no_percentile() -> None:
    row = second(0, replace(timed(0, []), requests=2, failures=2, untimed=2))
    (cell,) = seen(frames.rolled_up(frame_of([row, second(1)]), 10)).values()
    assert (cell["requests"], cell["failures"]) == (2, 2)
    assert all(cell[name] is None for name in (*SHARES, "min_ms", "max_ms"))


# --- who loads numpy ----------------------------------------------------------------------------------------------

PROCESSES = {
    "runner": "import workers.jobs; import apps.pools.management.commands.runner",
    "keeper": "import apps.runs.keeper; import apps.runs.management.commands.keeper",
}


@pytest.mark.parametrize("name", PROCESSES)
def test_only_the_web_process_loads_numpy(name: str) -> None:
    script = f"""
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
import django
django.setup()
{PROCESSES[name]}
sys.exit("numpy" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
