"""What the journals of IDs of a run's workers say, as it is kept and told."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from apps.core.clock import utc
from apps.runs.models import Run, RunWorker
from workers.identity import Summary
from workers.identity_report import report as proven

MAX_PACKED_BYTES = 64 * 1024 * 1024
"""Of what one journal says, unpacked; 100,000 IDs take six."""


def packed(summary: Summary) -> bytes:
    """As `RunWorker.identity` keeps it."""
    return zlib.compress(json.dumps(summary, separators=(",", ":"), allow_nan=False).encode("ascii"))


def unpacked(data: bytes) -> Summary:
    """The other way round. Raises ValueError for what was not packed by `packed`."""
    text = zlib.decompressobj().decompress(data, MAX_PACKED_BYTES)
    summary: Summary = json.loads(text)
    return summary


def store(run_id: UUID, index: int, summary: Summary) -> None:
    """Keep what one worker's journal says."""
    RunWorker.objects.filter(run_id=run_id, index=index).update(identity=packed(summary))


def report(run: Run) -> dict[str, Any]:
    """What the journals prove (`workers.identity_report.report`), with numbers as the script's IDs.

    `has_journal` is False of a script that does not ask for IDs: nothing is known of how it counts.
    """
    rows = list(run.worker_rows.all())
    kept = {row.index: unpacked(bytes(row.identity)) for row in rows if row.identity}
    found = proven(kept, {row.index: (row.offset + 1, row.offset + row.users) for row in rows})
    sequences = found["sequences"]
    return {
        "has_journal": bool(kept),
        "used": found["used"],
        "workers": [_worker(run, row) for row in found["workers"]],
        "duplicates": _listed(found["duplicates"], lambda one: _duplicate(run, one)),
        "out_of_range": _listed(found["out_of_range"], lambda one: {"id": _id(run, one), "worker": one["worker"]}),
        "sequences": {
            "ids": sequences["ids"],
            "committed": sequences["committed"],
            "gaps": _listed(sequences["gaps"], lambda one: _numbers(run, one)),
            "repeats": _listed(sequences["repeats"], lambda one: _numbers(run, one)),
        },
        "incomplete": found["incomplete"],
    }


def _listed(found: Mapping[str, Any], told: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    return {"count": found["count"], "listed": [told(one) for one in found["listed"]]}


def _id(run: Run, one: Mapping[str, Any]) -> str:
    return run.id_text(one["number"])


def _worker(run: Run, row: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: row[name] for name in ("worker", "used", "unused", "borrowed", "out_of_range", "leases")}
    return {**counts, "first": run.id_text(row["first"]), "last": run.id_text(row["last"])}


def _duplicate(run: Run, one: Mapping[str, Any]) -> dict[str, Any]:
    times = {"from": utc(one["from"]), "to": utc(one["to"])}
    return {"id": _id(run, one), "workers": one["workers"], "classes": one["classes"], **times}


def _numbers(run: Run, one: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": _id(run, one), "first": one["first"], "last": one["last"]}
