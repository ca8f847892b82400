"""What the journals of a run prove about its IDs and sequences, and what is wrong with them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.identity import Summary

MAX_LISTED = 100
"""Examples in a report, of each kind."""
CLOCK_SECONDS = 1.0
"""Two hosts' clocks may differ by so much: leases that overlap less are none that overlap."""

Span = tuple[int, int]
"""First and last number."""


@dataclass(slots=True)
class _Use:
    """What all workers did with one ID."""

    leases: list[tuple[float, float, int, str]] = field(default_factory=list)
    """From, to, worker, user class."""
    parts: list[Span] = field(default_factory=list)
    resumed: int = 0


def report(
    summaries: Mapping[int, Summary], blocks: Mapping[int, Span], *, clock_s: float = CLOCK_SECONDS
) -> dict[str, Any]:
    """What the journals of a run prove, as JSON values; keys of both mappings are indexes of workers.

    workers[]    worker, first, last, used, unused (of its own block), borrowed (of another's), out_of_range, leases
    used         IDs that somebody had
    duplicates   {count, listed[{number, workers, classes, from, to}]}: two users had an ID at the same time; of two
                 workers, for more than `clock_s` seconds
    out_of_range {count, listed[{number, worker}]}: IDs in no block of the run
    sequences    {ids, committed, gaps {count, listed[{number, first, last}]}, repeats {…}}: counts are of numbers n
    incomplete   {unlisted, left_out, refused, missing}: what the report knows nothing of; all 0 in a good run
    """
    uses: dict[int, _Use] = {}
    workers = [_worker(worker, summaries.get(worker), blocks, uses) for worker in sorted({*summaries, *blocks})]
    outside = [row for worker in workers for row in worker.pop("outside")]
    duplicates = [found for number, use in sorted(uses.items()) for found in _duplicates(number, use, clock_s)]
    hidden = sum(summary["hidden_duplicates"] for summary in summaries.values())
    return {
        "workers": workers,
        "used": sum(1 for use in uses.values() if use.leases),
        "duplicates": {"count": len(duplicates) + hidden, "listed": duplicates[:MAX_LISTED]},
        "out_of_range": {"count": len(outside), "listed": outside[:MAX_LISTED]},
        "sequences": _sequences(uses),
        "incomplete": {
            key: sum(summary[key] for summary in summaries.values())
            for key in ("unlisted", "left_out", "refused", "missing")
        },
    }


def _worker(worker: int, summary: Summary | None, blocks: Mapping[int, Span], uses: dict[int, _Use]) -> dict[str, Any]:
    """Enters what the worker did in `uses`, and returns its row."""
    first, last = blocks.get(worker, (0, -1))
    spans = sorted(blocks.values())
    used = borrowed = leases = 0
    outside = []
    for number, count, kept, parts, resumed in summary["ids"] if summary else ():
        use = uses.setdefault(number, _Use())
        classes = summary["classes"] if summary else []
        use.leases += [(begun, ended, worker, "" if kind is None else classes[kind]) for begun, ended, kind in kept]
        use.parts += [(start, end) for start, end in parts]
        use.resumed = max(use.resumed, resumed)
        leases += count
        if not count:
            continue
        if first <= number <= last:
            used += 1
        elif _is_in(number, spans):
            borrowed += 1
        else:
            outside.append({"number": number, "worker": worker})
    return {
        "worker": worker,
        "first": first,
        "last": last,
        "used": used,
        "unused": last - first + 1 - used,
        "borrowed": borrowed,
        "out_of_range": len(outside),
        "leases": leases,
        "outside": outside,
    }


def _is_in(number: int, spans: Sequence[Span]) -> bool:
    """`spans`: sorted, and none overlaps another."""
    place = bisect_right(spans, number, key=lambda span: span[0]) - 1
    return place >= 0 and number <= spans[place][1]


def _duplicates(number: int, use: _Use, clock_s: float) -> Iterator[dict[str, Any]]:
    """Each lease that began before another had ended."""
    latest: tuple[float, float, int, str] | None = None
    for lease in sorted(use.leases):
        if latest is not None:
            ended = min(latest[1], lease[1])
            if lease[0] < latest[1] if lease[2] == latest[2] else ended - lease[0] > clock_s:
                yield {
                    "number": number,
                    "workers": [latest[2], lease[2]],
                    "classes": [latest[3], lease[3]],
                    "from": lease[0],
                    "to": ended,
                }
        if latest is None or lease[1] > latest[1]:
            latest = lease


def _sequences(uses: Mapping[int, _Use]) -> dict[str, Any]:
    holes = {number: _holes(use) for number, use in sorted(uses.items()) if use.parts}
    return {
        "ids": len(holes),
        "committed": sum(_size(uses[number].parts) for number in holes),
        "gaps": _found((number, span) for number, (gaps, _) in holes.items() for span in gaps),
        "repeats": _found((number, span) for number, (_, repeats) in holes.items() for span in repeats),
    }


def _holes(use: _Use) -> tuple[list[Span], list[Span]]:
    """Numbers n that nobody committed, and those that came again; what a process resumed at was committed before."""
    gaps, repeats, reached = [], [], 0
    for first, last in sorted(use.parts):
        if first > max(reached, use.resumed) + 1:
            gaps.append((max(reached, use.resumed) + 1, first - 1))
        if first <= reached:
            repeats.append((first, min(last, reached)))
        reached = max(reached, last)
    return gaps, repeats


def _found(spans: Iterable[tuple[int, Span]]) -> dict[str, Any]:
    every = list(spans)
    return {
        "count": _size(span for _, span in every),
        "listed": [{"number": number, "first": first, "last": last} for number, (first, last) in every[:MAX_LISTED]],
    }


def _size(spans: Iterable[Span]) -> int:
    return sum(last - first + 1 for first, last in spans)
