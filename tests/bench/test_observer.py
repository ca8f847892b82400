"""The pure parts of the benches of the collector."""

from __future__ import annotations

import pytest

from bench import observer, turns
from bench.growth import grown, warm
from bench.turns import Made

FAST, SLOW = [0.001] * 999 + [0.01], [0.002] * 999 + [0.02]


def test_the_slowest_requests_of_all_rounds_count() -> None:
    slow = observer.paced_figure(100, "exact", [(SLOW, FAST), (SLOW, FAST)])
    assert slow.value == pytest.approx(2.0) and slow.verdict == "over"
    assert observer.paced_figure(100, "csv", [(SLOW, FAST)]).verdict == ""
    assert observer.p999_ms(SLOW + [1.0] * 1000) == pytest.approx(1000.0)


def test_who_takes_turns_is_held_against_both_bare_ones() -> None:
    made = {
        "bare": Made(1000, cpu_seconds=1.0, seconds=2.0),
        "exact": Made(950, cpu_seconds=1.0, seconds=1.9),
        "again": Made(450, cpu_seconds=0.5, seconds=1.0),
    }
    assert turns.against_bare(made, "exact", lambda one: one.per_cpu_second) == pytest.approx(1.0)
    assert turns.against_bare(made, "exact", lambda one: one.per_second) == pytest.approx(500 / 475)
    assert turns.control(made, lambda one: one.per_cpu_second) == pytest.approx(0.9)


def test_starts_are_told_with_the_error_of_their_mean() -> None:
    figure = turns.figure("portal ÷ bare", [0.96, 0.98, 1.00, 0.98], budget=0.98)
    assert figure.value == pytest.approx(0.98) and figure.verdict == "ok"
    assert figure.note.startswith("± 0.0082")
    assert turns.figure("portal ÷ bare", [0.96, 0.98], budget=0.98).verdict == "over"


def test_growth_is_from_when_all_has_been_used_once_to_the_largest() -> None:
    found = warm([(0, 10_000_000), (600, 50_000_000), (1200, 80_000_000), (1800, 60_000_000)])
    assert grown(found) == pytest.approx(30.0)
