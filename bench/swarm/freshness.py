"""`bench/freshness.py` of a run of three workers: a second is shown when the slowest of them has filed it."""

from __future__ import annotations

from bench import freshness
from bench.figures import Figure
from bench.place import Place

WORKERS = 3


def measure(place: Place) -> list[Figure]:
    return freshness.watched(place, f"swarm: {WORKERS} workers, freshness", WORKERS)
