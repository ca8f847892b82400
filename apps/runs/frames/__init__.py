"""Stored figures as arrays, and how several become one: over time, over endpoints, over workers and runs. Pure.

Everything is a grouping of cells: those with the same key become one. Counts and sums add up, minima and maxima are
kept, sketches are laid together; so it does not matter in which order, or in how many steps, cells are merged.

numpy is loaded by the web process alone: nothing that a runner or the keeper imports may import this.

`unpacking` makes frames of blocks, `merging` makes one of several; `frame` and `sketches` are what they consist of.
"""

from __future__ import annotations

from apps.runs.frames.by_key import Floats, Ints, highest, keys_of, lowest
from apps.runs.frames.frame import HEALTH, SUMS, Axis, Cells, Frame, empty
from apps.runs.frames.merging import (
    LAST_SECONDS,
    Extent,
    grouped,
    in_steps,
    in_time,
    joined,
    laid_together,
    merged,
    moved,
    of_endpoints,
    rolled_up,
)
from apps.runs.frames.sketches import Sketches
from apps.runs.frames.unpacking import axis_of, cells_of, of_block, sums_of_sketches

__all__ = [
    "HEALTH",
    "LAST_SECONDS",
    "SUMS",
    "Axis",
    "Cells",
    "Extent",
    "Floats",
    "Frame",
    "Ints",
    "Sketches",
    "axis_of",
    "cells_of",
    "empty",
    "grouped",
    "highest",
    "in_steps",
    "in_time",
    "joined",
    "keys_of",
    "laid_together",
    "lowest",
    "merged",
    "moved",
    "of_block",
    "of_endpoints",
    "rolled_up",
    "sums_of_sketches",
]
