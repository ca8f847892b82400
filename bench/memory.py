"""Resident memory of a portal in which nothing runs, with its demo target and its Redis.

RSS counts a page that two processes share in both, and is what the budget is about. PSS shares it out: what the
machine would really have more without the portal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from bench.place import Place, say, settle, tree

BUDGET_MB = 450.0
MB = 1_000_000


def measure(place: Place) -> list[Figure]:
    settle(place.stack)
    rows = []
    for process in tree(place.stack):
        memory = process.memory_full_info()
        rows.append((label(process.cmdline()), memory.rss / MB, memory.pss / MB))
    for name, rss, pss in rows:
        say(f"memory: {name:16} {rss:6.1f} MB resident, {pss:6.1f} MB its share")
    parts = " · ".join(f"{name} {rss:.0f}" for name, rss, _ in rows)
    return [
        Figure("memory: idle, sum of RSS", sum(rss for _, rss, _ in rows), "MB", budget=BUDGET_MB, note=parts),
        Figure("memory: idle, sum of PSS", sum(pss for _, _, pss in rows), "MB"),
    ]


def label(command: Sequence[str]) -> str:
    """Short name of a process of the portal, from its command line."""
    words = [Path(word).name for word in command]
    if "runner" in words and "--name" in words:
        return f"runner {words[words.index('--name') + 1]}"
    known = {"keeper": "keeper", "uvicorn": "web", "apps.core.supervise": "supervisor", "demo_target.py": "demo target"}
    if any("redis" in word for word in words[:1]):
        return "redis"
    return next((name for word, name in known.items() if word in words), words[0] if words else "?")
