"""Do the stored seconds add up to what Locust itself counted? Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.runs.blocks import TOTAL
from workers.samples import OTHER, EndpointTotals, FinalTotals

TOLERANCE = 0.001
"""Share of Locust's total by which the collected requests may differ before the run is invalid."""
MAX_LISTED = 50


IndexOf = Callable[[EndpointTotals], int | None]


def reconcile(collected: Mapping[int, int], index_of: IndexOf, final: FinalTotals | None) -> dict[str, Any]:
    """`{"collected", "locust", "difference", "source", "endpoints": [those that differ]}`.

    `collected`: requests by endpoint of what is stored, read back; `difference` = collected - locust, None when Locust
    never said.
    """
    total = collected.get(TOTAL, 0)
    if final is None:
        return {"collected": total, "locust": None, "difference": None, "source": None, "endpoints": []}
    return {
        "collected": total,
        "locust": final.total.requests,
        "difference": total - final.total.requests,
        "source": final.source,
        "endpoints": _differing(collected, index_of, final.endpoints)[:MAX_LISTED],
    }


def is_off(result: Mapping[str, Any]) -> bool:
    """Whether the counts differ by more than the tolerance, in all or at one endpoint."""
    pairs = [(result["difference"], result["locust"])]
    pairs += [(row["difference"], row["locust"]) for row in result["endpoints"]]
    return any(difference is not None and abs(difference) > TOLERANCE * (locust or 0) for difference, locust in pairs)


def _differing(
    collected: Mapping[int, int], index_of: IndexOf, endpoints: Sequence[EndpointTotals]
) -> list[dict[str, Any]]:
    """Names that we counted together are compared together."""
    groups: dict[object, list[EndpointTotals]] = {}
    for place, endpoint in enumerate(endpoints):
        index = index_of(endpoint)
        groups.setdefault(("unknown", place) if index is None else index, []).append(endpoint)
    rows = []
    for key, group in groups.items():
        counted = collected.get(key, 0) if isinstance(key, int) else 0
        told = sum(endpoint.requests for endpoint in group)
        if counted != told:
            method, name = (group[0].method, group[0].name) if len(group) == 1 else ("", OTHER)
            rows.append(
                {
                    "method": method,
                    "name": name,
                    "collected": counted,
                    "locust": told,
                    "difference": counted - told,
                }
            )
    return rows
