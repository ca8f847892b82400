from __future__ import annotations

from workers.output import BURST_LINES, LINES_PER_SECOND, MAX_LINES, Gate, warnings_in


def test_a_flood_is_cut_and_said() -> None:
    gate = Gate()
    assert len(gate.admit(["x"] * (BURST_LINES + 500), 0)) == BURST_LINES
    assert gate.admit(["x"] * 10, 0) == []
    later = gate.admit(["a", "b"], 1)
    assert later == ["… 510 lines left out", "a", "b"]
    assert gate.end() == []


def test_the_rate_is_bounded() -> None:
    gate = Gate()
    gate.admit(["x"] * BURST_LINES, 0)
    shown = [len(gate.admit(["x"] * 1_000, second)) for second in range(1, 11)]
    assert all(
        LINES_PER_SECOND <= count <= LINES_PER_SECOND + 1 for count in shown
    )  # one line says how much is missing


def test_a_run_shows_a_bounded_number_of_lines() -> None:
    gate = Gate()
    shown = [line for second in range(2_000) for line in gate.admit(["x"] * 50, second)]
    assert len(shown) == MAX_LINES
    assert gate.end() == ["… 50000 lines left out"]


def test_lines_are_cleaned() -> None:
    assert Gate().admit(["\x1b[31mred\x07"], 0) == ["red"]


def test_warnings_of_locust_are_recognised() -> None:
    assert warnings_in(["hello", "host/WARNING/root: CPU usage above 90%! …"]) == {
        "generator_cpu": "host/WARNING/root: CPU usage above 90%! …"
    }
