"""The process's output for people: clean, and no more of it than a database and a reader can take."""

from __future__ import annotations

from collections.abc import Sequence

from workers.tail import clean_text

MAX_LINE_CHARS = 2_000
LINES_PER_SECOND = 100
BURST_LINES = 2_000
MAX_LINES = 50_000
"""Lines shown of one run; the file itself has all."""

WARNINGS = {
    "CPU usage above": "generator_cpu",
    "CPU usage was too high": "generator_cpu",
    "Unhandled exception in greenlet": "greenlet_exception",
    "Uncaught exception in event handler": "event_handler_exception",
    "System open file limit": "open_files",
    "had no tasks left after filtering": "no_tasks_after_tags",
    "Your selected spawn rate is very high": "spawn_rate_high",
    "stats_writer": "collector_stopped",
}
"""What Locust says when the numbers may not be trusted → our code."""


class Gate:
    """Lets lines through at a bounded rate; says how many it left out."""

    def __init__(self) -> None:
        self._allowance = float(BURST_LINES)
        self._at: float | None = None
        self._shown = 0
        self._left_out = 0

    def admit(self, lines: Sequence[str], at: float) -> list[str]:
        """`at`: monotonic seconds."""
        if self._at is not None:
            self._allowance = min(BURST_LINES, self._allowance + (at - self._at) * LINES_PER_SECOND)
        self._at = at
        count = min(len(lines), int(self._allowance), MAX_LINES - self._shown)
        self._allowance -= count
        self._shown += count
        shown = [clean_text(line, MAX_LINE_CHARS) for line in lines[:count]]
        if count and self._left_out:
            shown = [*self.end(), *shown]
        self._left_out += len(lines) - count
        return shown

    def end(self) -> list[str]:
        """The line that says how much was left out, if anything was."""
        left_out, self._left_out = self._left_out, 0
        return [f"… {left_out} lines left out"] if left_out else []


def warnings_in(lines: Sequence[str]) -> dict[str, str]:
    """Code → the line that says so."""
    return {
        code: clean_text(line, MAX_LINE_CHARS) for line in lines for saying, code in WARNINGS.items() if saying in line
    }
