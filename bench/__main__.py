"""`make bench`, or some of it: `make bench ARGS="throughput freshness"`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import (
    day,
    freshness,
    growth,
    listing,
    memory,
    observer,
    opening,
    page,
    runner,
    sockets,
    start,
    tailing,
    throughput,
    zoom,
)
from bench.figures import Figure, table
from bench.place import Place, say
from bench.swarm import cost, rate
from bench.swarm import freshness as swarm_freshness
from bench.swarm import start as swarm_start

PARTS: dict[str, Callable[[Place], list[Figure]]] = {
    "tailing": tailing.measure,
    "memory": memory.measure,  # of a portal in which little has happened yet
    "start": start.measure,
    "freshness": freshness.measure,
    "page": page.measure,
    "runner": runner.measure,
    "throughput": throughput.measure,
    **{f"swarm:rate:{workers}": partial(rate.measure, workers=workers) for workers in (1, 2, 4)},
    "swarm:cost": cost.measure,
    "swarm:start": swarm_start.measure,
    "swarm:freshness": swarm_freshness.measure,
    "observer": observer.measure,
    "growth": growth.measure,
    "sockets": sockets.measure,
    "day": day.measure,
    "zoom": zoom.measure,  # of that day
    "opening": opening.measure,  # the same
    "listing": listing.measure,  # last: it leaves a full database
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the budgets.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; `swarm` is all of `swarm:…`")
    try:
        chosen = parts_of(parser.parse_args().parts)
    except LookupError as unknown:
        parser.error(str(unknown))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has us ignore it, and the portal with us
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # tidy up, as after Ctrl-C
    figures: list[Figure] = []
    broken: list[str] = []
    load = [os.getloadavg()[0]]
    with (
        tempfile.TemporaryDirectory(prefix="hatchery-bench-") as folder,
        redirect_stdout(sys.stderr),
        ExitStack() as exits,
    ):
        place = Place(Path(folder), exits)
        for name in chosen:
            say(name)
            try:
                found = PARTS[name](place)
                say("\n" + table(found))  # whatever becomes of the parts after it
                figures += found
            except Exception:
                traceback.print_exc()
                broken.append(name)
            load.append(os.getloadavg()[0])
    print(table(figures))
    print(f"\n{machine(load)}")
    for name in broken:
        print(f"{name} could not be measured; the reason is above.")
    return 1 if broken else 0


def parts_of(words: Sequence[str]) -> list[str]:
    """The parts that these name, in the order of `PARTS`: one by its name, or all that have it in front of a colon.

    Raises LookupError.
    """
    for word in words:
        if not any(_names(word, part) for part in PARTS):
            raise LookupError(f"there is no part {word}; there are {', '.join(PARTS)}")
    return [part for part in PARTS if not words or any(_names(word, part) for word in words)]


def _names(word: str, part: str) -> bool:
    return part == word or part.startswith(f"{word}:")


def machine(load: list[float]) -> str:
    """On what, and beside how much else, this was measured."""
    loads = " · ".join(f"{value:.1f}" for value in load)
    when = datetime.now(UTC).date().isoformat()
    what = f"Python {platform.python_version()} · {os.cpu_count()} cores"
    return f"{when} · {what} · load average before and after each part: {loads}"


if __name__ == "__main__":
    sys.exit(main())
