"""What it costs to follow `_stats_history.csv`, by how long the file already is.

Each round appends one tick (a row for each of 100 endpoints and one over all) and lets a reader take it: ours, which
reads what is new, and one that reads the whole file at every tick. CPU seconds are of this process, in user and system.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.place import MIB, Place, say
from workers.tail import CsvRows, FileTail
from workers.ticks import History

SIZES_MIB = (1, 8, 64)
ENDPOINTS = 100
OUR_TICKS = 150
THEIR_TICKS = 3
"""Few, because each reads the whole file; enough, because each costs the same."""
FIRST_SECOND = 1_750_000_000
FULL_DAY_HOURS = 24
PERCENTILES = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")
TOTALS = ("Request Count", "Failure Count", "Median Response Time", "Average Response Time")
MORE_TOTALS = ("Min Response Time", "Max Response Time", "Average Content Size")
HEADER = ("Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s", *PERCENTILES)


def measure(place: Place) -> list[Figure]:
    folder = place.new_folder("tailing")
    ours, theirs = {}, {}
    for size in SIZES_MIB:
        path = folder / f"{size}.csv"
        say(f"tailing: a file of {size} MB")
        ticks = _grow(path, size * MIB)
        ours[size] = _cost(path, ticks, _incremental(path), OUR_TICKS)
        theirs[size] = _cost(path, ticks + OUR_TICKS, lambda path=path: _read_all(path), THEIR_TICKS)  # type: ignore[misc]
        path.unlink()
    small, large = SIZES_MIB[0], SIZES_MIB[-1]
    share = ours[large] * len(tick_bytes(1, ENDPOINTS)) / MIB * 100
    sizes = " · ".join(f"{size} MB" for size in SIZES_MIB)
    return [
        Figure(
            "tailing: CPU per new MB, long file ÷ short file",
            ours[large] / ours[small],
            budget=1.2,
            note=f"{_list(ours)} s at {sizes}",
        ),
        Figure(
            "tailing: the same for reading the whole file",
            theirs[large] / theirs[small],
            note=f"{_list(theirs)} s at {sizes}",
        ),
        Figure(f"tailing: whole file ÷ ours at {large} MB", theirs[large] / ours[large]),
        Figure("tailing: share of a core for 100 endpoints", share, "%", budget=5.0, note="reading and parsing alone"),
    ]


def tick_bytes(second: int, endpoints: int) -> bytes:
    """What Locust appends in one second, in its own form; counters rise with `second`."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number in range(endpoints):
        writer.writerow(_cells(second, "GET", f"/api/section/{number:03}/items", 10 * second))
    writer.writerow(_cells(second, "", "Aggregated", 10 * second * endpoints))
    return text.getvalue().encode()


def _cells(second: int, method: str, name: str, requests: int) -> list[object]:
    percentiles = [12, 14, 15, 16, 21, 27, 40, 52, 110, 240, 240]
    return [
        FIRST_SECOND + second, 50, method, name, "10.000000", "0.000000", *percentiles,
        requests, 0, 12, 13.482915629301, 3.1292330008, 240.3821099, 1024.0,
    ]  # fmt: skip


def _grow(path: Path, size: int) -> int:
    """Write a file of that size; how many seconds are in it."""
    second = 0
    with path.open("wb") as file:
        columns = (*HEADER, *(f"Total {name}" for name in (*TOTALS, *MORE_TOTALS)))
        file.write((",".join(columns) + "\r\n").encode())
        while file.tell() < size:
            second += 1
            file.write(tick_bytes(second, ENDPOINTS))
    return second


def _cost(path: Path, seconds: int, read: Callable[[], object], ticks: int) -> float:
    """CPU seconds per new MB over so many ticks."""
    spent, written = 0.0, 0
    for second in range(seconds + 1, seconds + 1 + ticks):
        with path.open("ab") as file:
            written += file.write(tick_bytes(second, ENDPOINTS))
        before = time.process_time()
        found = read()
        spent += time.process_time() - before
        assert found, "the reader missed a tick"
    return spent / written * MIB


def _incremental(path: Path) -> Callable[[], object]:
    """Our reader, at the end of the file as it is now."""
    tail, rows, history = FileTail(path), CsvRows(), History()

    def read() -> object:
        ticks = []
        while data := tail.read():
            ticks += history.feed(rows.feed(data))
        return ticks

    read()
    return read


def _read_all(path: Path) -> object:
    """The rows of the newest second, found the simple way."""
    with path.open(newline="") as file:
        newest: list[list[str]] = []
        for row in csv.reader(file):
            if newest and newest[0][0] != row[0]:
                newest = []
            newest.append(row)
    return newest


def _list(costs: dict[int, float]) -> str:
    return " · ".join(f"{cost:.3g}" for cost in costs.values())
