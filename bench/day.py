"""A day of 100 endpoints at 1,000 requests a second in total: how much it takes in storage, and of a core.

The day is drawn, not run; it goes through the code that files a run (`bench/drawn.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.place import Place, say

MB = 1_000_000
MOST_MB, MOST_COARSE_MB = 300, 40
MOST_CPU_PERCENT = 5.0


def measure(place: Place) -> list[Figure]:
    """In a database of its own, with the tables of the portal."""
    database = filed(place)
    return figures(json.loads((database.parent / "drawn.json").read_text()), database)


def filed(place: Place) -> Path:
    """The database with the day, filed by whoever asks first; what `bench.drawn` said lies beside it."""
    folder = place.folder / "day"
    database, said = folder / "day.sqlite3", folder / "drawn.json"
    if not said.exists():
        place.new_folder("day")
        environment = environment_of(database)
        say("filing a day")
        python = [sys.executable, "-W", "ignore"]
        subprocess.run([*python, "manage.py", "migrate", "-v0"], env=environment, check=True)
        done = subprocess.run([*python, "-m", "bench.drawn"], env=environment, check=True, stdout=subprocess.PIPE)
        said.write_bytes(done.stdout)
    return database


def environment_of(database: Path) -> dict[str, str]:
    """For a process of the portal that works on it."""
    return {**os.environ, "HATCHERY_STATE": str(database.parent), "DATABASE_URL": f"sqlite:///{database}"}


def figures(result: dict[str, Any], database: Path | None = None) -> list[Figure]:
    """What `bench.drawn` printed, against the budgets."""
    sizes = {int(step): size for step, size in result["bytes"].items()}
    coarse = sum(size for step, size in sizes.items() if step > 1)
    parts = " · ".join(f"{step} s {size / MB:.1f} MB" for step, size in sizes.items())
    live = result["live"]
    found = [
        Figure("a day stored, all tiers", sum(sizes.values()) / MB, "MB", MOST_MB, note=parts),
        Figure("a day stored, without its seconds", coarse / MB, "MB", MOST_COARSE_MB),
        Figure("keeping it live, of one core", live["cpu_percent"], "%", MOST_CPU_PERCENT, note=live["note"]),
    ]
    if database is not None:
        found.append(Figure("size of that database file", database.stat().st_size / MB, "MB"))
    return found
