"""Values with the same key become one: sums, minima, maxima, and the last. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def keys_of(endpoint: Ints, t: Ints) -> tuple[Ints, int]:
    """A key for each different pair of endpoint and second, and how many there are.

    Pairs that come once, or without others between, have their keys in order: then nothing has to be moved.
    """
    pairs = endpoint * (2**44) + (t - (int(t.min()) if len(t) else 0))
    begins = np.concatenate([[True], pairs[1:] != pairs[:-1]])[: len(pairs)]
    kinds, keys = np.unique(pairs, return_inverse=True)
    size = len(kinds)
    return (np.cumsum(begins) - 1, size) if np.count_nonzero(begins) == size else (keys, size)


def is_rising(keys: Ints) -> bool:
    return bool((keys[1:] >= keys[:-1]).all())


def sums(keys: NDArray[np.integer], values: NDArray[Any], size: int) -> Floats:
    """Exact for whole numbers up to 2^53."""
    found: Floats = np.bincount(keys, weights=values, minlength=size).astype(np.float64, copy=False)
    return found


def lowest(keys: Ints, values: Floats, size: int) -> Floats:
    found = np.full(size, np.nan)
    np.fmin.at(found, keys, values)
    return found


def highest(keys: Ints, values: Floats, size: int) -> Floats:
    found = np.full(size, np.nan)
    np.fmax.at(found, keys, values)
    return found


def latest(keys: Ints, values: Floats, size: int) -> Floats:
    """Expects them in order of time."""
    known = ~np.isnan(values)
    found = np.full(size, np.nan)
    found[keys[known]] = values[known]  # of several for one key the last one stays
    return found
