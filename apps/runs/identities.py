"""What the journals of IDs of a run's workers say, as it is kept and told."""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.core.clock import utc
from apps.runs.models import Run, RunWorker
from workers.identity import Summary
from workers.identity_report import report as proven

MAX_PACKED_BYTES = 64 * 1024 * 1024
"""Of what one journal says, unpacked; 100,000 IDs take six."""
REPORTS_KEPT = 32
"""Each has the first hundred of everything, and a row a worker."""


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


_known: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
"""The last few reports, by what they were made of."""
_making = threading.Lock()


def report(run: Run) -> dict[str, Any]:
    """What the journals prove (`workers.identity_report.report`), with numbers as the script's IDs.

    `has_journal` is False of a script that does not ask for IDs: nothing is known of how it counts.
    """
    rows = run.worker_rows.values_list("index", "offset", "users", "identity")
    found, has_journal = _found([(index, offset, users, bytes(data or b"")) for index, offset, users, data in rows])
    sequences = found["sequences"]
    return {
        "has_journal": has_journal,
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


def _found(rows: Sequence[tuple[int, int, int, bytes]]) -> tuple[dict[str, Any], bool]:
    """The report on workers: index, offset, users, what is kept of the journal; and whether there is any of that.

    One at a time, and not again while nothing has changed: it takes seconds and 100 MB where a script has spoilt its
    journals as far as it can.
    """
    mark = hashlib.sha256(repr([(*row[:3], hashlib.sha256(row[3]).digest()) for row in rows]).encode()).digest()
    with _making:
        if mark not in _known:
            kept = {index: unpacked(data) for index, _offset, _users, data in rows if data}
            _known[mark] = proven(kept, {index: (offset + 1, offset + users) for index, offset, users, _data in rows})
            while len(_known) > REPORTS_KEPT:
                _known.popitem(last=False)
        return _known[mark], any(row[3] for row in rows)


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
