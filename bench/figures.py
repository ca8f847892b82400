"""A measured figure, what it should reach, and how a list of them is printed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

HEADINGS = ("figure", "measured", "budget", "", "how it varied")


@dataclass(frozen=True, slots=True)
class Figure:
    """`budget` is the least or the most that `value` should be; without one the figure is there to explain others."""

    name: str
    value: float
    unit: str = ""
    budget: float | None = None
    bound: Literal["most", "least"] = "most"
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `over` (the budget, to whichever side is worse), or nothing without a budget."""
        if self.budget is None:
            return ""
        reached = self.value <= self.budget if self.bound == "most" else self.value >= self.budget
        return "ok" if reached else "over"

    @property
    def cells(self) -> tuple[str, ...]:
        """One line of the table."""
        sign = "≤" if self.bound == "most" else "≥"
        budget = "" if self.budget is None else f"{sign} {_with_unit(self.budget, self.unit)}"
        return (self.name, _with_unit(self.value, self.unit), budget, self.verdict, self.note)


def of_spread(name: str, values: Sequence[float], unit: str = "", **options: object) -> Figure:
    """The median, with the least and the most beside it."""
    return Figure(name, median(values), unit, note=spread(values), **options)  # type: ignore[arg-type]


def spread(values: Sequence[float]) -> str:
    """`min 0.97 · median 0.99 · max 1.02 · n 3`"""
    least, middle, most = (number(value) for value in (min(values), median(values), max(values)))
    return f"min {least} · median {middle} · max {most} · n {len(values)}"


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was really measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def number(value: float) -> str:
    """Three figures that mean something: `0.987`, `12.3`, `450`."""
    size = abs(value)
    if value and size < 0.001:
        return f"{value:.1e}"
    if size < 0.1:
        return f"{value:.3g}"
    return f"{value:.{3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0}f}"


def table(figures: Iterable[Figure]) -> str:
    """All figures below each other, as text and as Markdown alike."""
    lines = [HEADINGS, *(figure.cells for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([rows[0], rule, *rows[1:]])


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip()
