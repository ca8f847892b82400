"""A script to begin with: it works as it is against the demo shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings

SCRIPT = Path(__file__).parent / "examples" / "shop.py"
NAME = "Shop example"


def initial() -> dict[str, Any]:
    """Values for the form of a new scenario."""
    load = {"users": 10, "spawn_rate": 2, "run_time": "1m", "host": demo_target()}
    return {"name": NAME, "locustfile": SCRIPT.read_text(encoding="utf-8"), **load}


def demo_target() -> str:
    """Address of the demo shop of this installation; empty when there is none."""
    try:
        facts = json.loads((settings.STATE_DIR / "demo.json").read_text(encoding="utf-8"))
        return str(facts.get("target", ""))
    except (OSError, ValueError, AttributeError):
        return ""
