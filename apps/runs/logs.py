"""The newest of what a process of a run has logged, as it is kept for pages.

Lines come in pieces, some every second. A piece has the number of its last line, so a reader gets what comes after the
last line that it has, whatever was put together meanwhile: a row with one line in it is a waste.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db.models import Max

from apps.runs.models import LogChunk
from apps.runs.rows import LOG_CHUNK_CHARS, log_chunks

PIECES_KEPT = 400
"""Of the master or the only process: 6 MB at most. The whole log becomes an artifact."""
WORKERS_PIECES = 8_000
"""Of all workers of a run together, 128 MB at most: many workers keep less each."""
LEAST_PIECES = 16
PACK_EVERY = 100
"""Lines. Between two times no more pieces can come."""
LINES_AT_ONCE = 2_000
CHARS_AT_ONCE = 800_000
"""Further back than this, the log is a download."""
PIECES_AT_ONCE = 50
"""In one query: what is new is mostly little."""


def pieces_of(workers: int) -> int:
    """How many pieces each worker of a run keeps."""
    return max(LEAST_PIECES, min(PIECES_KEPT, WORKERS_PIECES // workers))


def newest(run_id: UUID, writer: int) -> int:
    """Number of the last line; 0 for none."""
    stored = LogChunk.objects.filter(run_id=run_id, worker=writer)
    return stored.aggregate(newest=Max("seq"))["newest"] or 0


def append(run_id: UUID, writer: int, lines: Sequence[str], *, after: int, most: int = PIECES_KEPT) -> int:
    """Put lines behind line `after`, the last that is known to be kept; number of the last line now.

    What stands above `after` comes from a transaction that nobody heard of, and is the same. Of all pieces the newest
    `most` are kept, and a few more.
    """
    stored = LogChunk.objects.filter(run_id=run_id, worker=writer)
    stored.filter(seq__gt=after).delete()
    fresh, number = [], after
    for text in log_chunks(lines):
        number += text.count("\n") + 1
        fresh.append(LogChunk(run_id=run_id, worker=writer, seq=number, text=text))
    LogChunk.objects.bulk_create(fresh[-most:], batch_size=100)
    if number // PACK_EVERY > after // PACK_EVERY:
        _pack(run_id, writer, after)
        for surplus in stored.order_by("-seq").values_list("seq", flat=True)[most : most + 1]:
            stored.filter(seq__lte=surplus).delete()
    return number


def read(run_id: UUID, writer: int, after: int) -> tuple[int, list[str]]:
    """The newest lines after line `after`, as far as they are kept and not too many; the number of the last one."""
    last, chars = after, 0
    texts: list[list[str]] = []
    for seq, text in _newest_first(run_id, writer, after):
        last, chars = max(last, seq), chars + len(text)
        texts.append(fresh_lines(seq, text, after))
        if sum(map(len, texts)) >= LINES_AT_ONCE or chars >= CHARS_AT_ONCE:
            break
    return last, [line for lines in reversed(texts) for line in lines]


def fresh_lines(seq: int, text: str, after: int) -> list[str]:
    """Those lines of a piece that come after line `after`; all of them after 0."""
    lines = text.split("\n")
    return lines[-(seq - after) :] if 0 < after < seq else lines


def _newest_first(run_id: UUID, writer: int, after: int) -> Iterator[tuple[int, str]]:
    rows = LogChunk.objects.filter(run_id=run_id, worker=writer, seq__gt=after).order_by("-seq")
    found = list(rows.values_list("seq", "text")[:PIECES_AT_ONCE])
    while found:
        yield from found
        if len(found) < PIECES_AT_ONCE:
            return
        found = list(rows.filter(seq__lt=found[-1][0]).values_list("seq", "text")[:PIECES_AT_ONCE])


def _pack(run_id: UUID, writer: int, until: int) -> None:
    """Put neighbours together that came since the last time; what is above `until` may have to be put there again."""
    rows = LogChunk.objects.filter(run_id=run_id, worker=writer, seq__lte=until, seq__gt=until - 2 * PACK_EVERY)
    for group in _groups(list(rows.order_by("seq"))):
        if len(group) > 1:
            LogChunk.objects.filter(pk__in=[row.pk for row in group[:-1]]).delete()
            LogChunk.objects.filter(pk=group[-1].pk).update(text="\n".join(row.text for row in group))


def _groups(rows: Sequence[LogChunk]) -> Iterator[list[LogChunk]]:
    """Those that are not too long together."""
    group: list[LogChunk] = []
    size = 0
    for row in rows:
        if group and size + len(row.text) >= LOG_CHUNK_CHARS:
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row.text) + 1
    if group:
        yield group
