"""Counts every request of a run in the second in which it completed, and writes a line a second for the supervisor.

The hot part is `intake` (what Locust calls for each request); `collector` writes. Pure are `clock`, `errors`,
`grouping`, `masking`, `named`, `names`, `seconds`, `spellings` and `values`; `intake` and `lines` know nothing of
Locust or gevent either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collector import Collector, Events


def start(config: dict[str, Any], environment: Any, events: Events) -> Collector:
    """Begin to collect. `config` is `launch.json`; call `finish()` of what comes back after the last request."""
    from .collector import Collector  # brings gevent and Locust, which the pure modules must not need

    return Collector(config, environment, events)
