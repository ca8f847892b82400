"""Do the stored seconds add up to what Locust itself counted? Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from apps.runs.blocks import TOTAL, Row
from workers.samples import EndpointTotals, FinalTotals

TOLERANCE = 0.001
"""Share of Locust's total by which the collected requests may differ before the run is invalid."""
MAX_LISTED = 50


IndexOf = Callable[[EndpointTotals], int | None]


def reconcile(rows: Iterable[Row], index_of: IndexOf, final: FinalTotals | None) -> dict[str, Any]:
    """`{"collected", "locust", "difference", "source", "endpoints": [those that differ]}`.

    `rows` are stored rows of any one tier, read back; `difference` = collected - locust, None when Locust never said.
    """
    collected = _sums(rows)
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


def _sums(rows: Iterable[Row]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for row in rows:
        for cell in row.cells:
            sums[cell.endpoint] = sums.get(cell.endpoint, 0) + cell.requests
    return sums


def _differing(
    collected: Mapping[int, int], index_of: IndexOf, endpoints: Sequence[EndpointTotals]
) -> list[dict[str, Any]]:
    rows = []
    for endpoint in endpoints:
        index = index_of(endpoint)
        counted = collected.get(index, 0) if index is not None else 0
        if counted != endpoint.requests:
            names = {"method": endpoint.method, "name": endpoint.name}
            rows.append(
                names | {"collected": counted, "locust": endpoint.requests, "difference": counted - endpoint.requests}
            )
    return rows
