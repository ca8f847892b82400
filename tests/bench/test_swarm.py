"""The pure parts of the benches of several workers, and which parts of all a word names."""

from __future__ import annotations

import json

import pytest

from bench import turns
from bench.__main__ import PARTS, parts_of
from bench.freshness import Told
from bench.swarm import cost, start
from bench.swarm.cost import Round

SHARES = {
    "our master": 0.03,
    "bare master": 0.02,
    "our workers": 0.4,
    "bare workers": 0.4,
    "leader of the run": 0.05,
    "owner of the workers": 0.2,
}


def test_a_word_names_a_part_or_all_that_begin_with_it() -> None:
    assert parts_of([]) == list(PARTS)
    assert parts_of(["swarm:start"]) == ["swarm:start"]
    assert parts_of(["swarm:rate"]) == ["swarm:rate:1", "swarm:rate:2", "swarm:rate:4"]
    assert parts_of(["swarm", "memory"]) == ["memory", *(part for part in PARTS if part.startswith("swarm:"))]
    assert parts_of(["start"]) == ["start"]
    with pytest.raises(LookupError, match="no part swar;"):
        parts_of(["swar"])


def test_what_parts_cost_is_compared_for_the_same_number_of_requests() -> None:
    even = Round(SHARES, {"portal": 800, "bare": 800})
    less = Round(SHARES, {"portal": 780, "bare": 800})
    assert even.ratio("master") == pytest.approx(1.5)
    assert less.ratio("master") == pytest.approx(1.5 * 800 / 780)
    by_name = {figure.name.removeprefix("swarm: 8 workers × 100 names, "): figure for figure in cost.figures([even])}
    assert by_name["master, ours ÷ bare"].value == pytest.approx(1.5)
    assert by_name["our master, of one core"].value == pytest.approx(3.0)


def test_how_long_a_start_takes_is_said_step_by_step() -> None:
    ours = [{"queued": 0.1, "claimed": 0.2, "first user": 3.0, "all users": 3.5}] * 2
    figures = start.figures(ours, [{"first user": 1.5, "all users": 1.75}] * 2)
    first, everybody, bare, ratio, course = figures
    assert (first.value, first.verdict, everybody.value, bare.value, ratio.value) == (3.0, "over", 3.5, 1.75, 2.0)
    assert course.value == pytest.approx(3.4)
    assert course.note == "queued 0.10 · claimed 0.20 · first user 3.00 · all users 3.50"


def test_the_live_line_tells_how_many_requests_there_were() -> None:
    told = Told()
    tick = {"type": "tick", "total": {"requests": 7}}
    for message in (tick, {"type": "snapshot", "run": {"totals": {"requests": 5}}}, tick, {"type": "state", "run": {}}):
        told.hear(json.dumps(message))
    told.hear(json.dumps({"type": "tick", "total": None}).encode())
    assert [count for _, count in told.counts] == [5, 12]


def test_locusts_go_where_the_target_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {4, 5, 6})
    assert turns.all_but(turns.TARGET_CORE) == [0, 2]
