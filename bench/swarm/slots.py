"""Gives the host of the pool `local` so many slots, or as many as by default: `python -m bench.swarm.slots [slots]`."""

# ruff: noqa: E402
from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from apps.pools.models import LOCAL, WorkerHost

if __name__ == "__main__":
    WorkerHost.objects.filter(pool__name=LOCAL).update(slots=int(sys.argv[1]) if sys.argv[1:] else None)
