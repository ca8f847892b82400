"""What the frame around every page shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Teams and projects of the visitor, for the switcher."""
    return {}
