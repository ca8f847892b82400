"""The pure parts of the benches of the collector."""

from __future__ import annotations

import pytest

from bench.growth import grown, warm
from bench.observer import Observed, Pairs, figures_of


def pairs(*rounds: tuple[float, float]) -> Pairs:
    """Requests per CPU second of ours and of the bare one in each round; ours takes twice as long."""
    found = Pairs()
    for ours, bare in rounds:
        found.ours.append(Observed(ours, ours, [0.002] * 999 + [0.02]))
        found.bare.append(Observed(bare, bare, [0.001] * 999 + [0.01]))
    return found


def test_the_exact_collector_has_a_budget() -> None:
    slow, rate = figures_of(100, "exact", pairs((900, 1000), (1000, 1000)))
    assert slow.value == pytest.approx(2.0) and slow.verdict == "over"
    assert rate.value == pytest.approx(0.95) and rate.verdict == "over"
    assert [figure.verdict for figure in figures_of(1, "csv", pairs((900, 1000)))] == ["", ""]


def test_the_slowest_requests_of_all_rounds_count() -> None:
    found = pairs((1, 1), (1, 1))
    assert found.p999_ms(found.ours) == pytest.approx(2.0)
    found.ours[1].took = [1.0] * 1000
    assert found.p999_ms(found.ours) == pytest.approx(1000.0)


def test_growth_is_from_when_all_has_been_used_once_to_the_largest() -> None:
    found = warm([(0, 10_000_000), (600, 50_000_000), (1200, 80_000_000), (1800, 60_000_000)])
    assert grown(found) == pytest.approx(30.0)
