"""Columns of measurements: nothing is lost, garbage is refused, and rolling up conserves what can be added."""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.runs.blocks import PERCENTILES, TOTAL, BadBlock, Cell, Row, decode, encode, roll_up
from tests.runs.makers import T0, cell

counts = some.integers(0, 2**32 - 1)
latency = some.none() | some.floats(0, 1e6, width=32)
cells = some.builds(
    Cell,
    endpoint=some.integers(0, TOTAL),
    requests=counts,
    failures=counts,
    bytes=some.integers(0, 2**64 - 1),
    sum_ms=some.floats(0, 1e15),
    **dict.fromkeys(("min_ms", "max_ms", *PERCENTILES), latency),
)
rows = some.builds(
    Row,
    seq=counts,
    t=some.integers(-(2**62), 2**62),
    users=counts,
    seconds=some.integers(0, 2**16 - 1),
    cells=some.lists(cells, max_size=5).map(tuple),
)


@given(some.lists(rows, max_size=20))
def test_it_gives_back_what_it_packed(packed: list[Row]) -> None:
    assert decode(encode(packed)) == packed


def test_it_holds_numbers_that_a_script_made_up() -> None:
    row = Row(1, T0, 10**15, 1, (cell(requests=10**15, bytes=10**30),))
    (found,) = decode(encode([row]))
    assert (found.users, found.cells[0].requests, found.cells[0].bytes) == (2**32 - 1, 2**32 - 1, 2**64 - 1)


@given(some.binary(max_size=200))
def test_it_refuses_garbage(data: bytes) -> None:
    with pytest.raises(BadBlock):
        decode(data)


def test_it_refuses_a_block_that_was_cut_or_changed() -> None:
    good = encode([Row(1, T0, 3, 1, (cell(), cell(0)))])
    for bad in [good[:-3], b"XX" + good[2:], good[:2] + struct.pack("<HI", 2, 1) + good[8:]]:
        with pytest.raises(BadBlock):
            decode(bad)
    body = bytearray(zlib.decompress(good[8:]))
    body[18] = 1  # one cell in the row, two in the block
    with pytest.raises(BadBlock, match="belong together"):
        decode(good[:8] + zlib.compress(bytes(body)))


ordered = some.lists(
    some.tuples(some.integers(1, 40), some.lists(cells.map(lambda c: replace(c, endpoint=c.endpoint % 3)), max_size=4)),
    min_size=1,
    max_size=30,
)


def _ascending(steps: list[tuple[int, list[Cell]]]) -> list[Row]:
    found, t = [], T0
    for seq, (skip, row_cells) in enumerate(steps, start=1):
        t += skip
        found.append(Row(seq, t, seq % 7, 1, tuple({c.endpoint: c for c in row_cells}.values())))
    return found


def _sums(found: list[Row]) -> Counter[tuple[int, str]]:
    sums: Counter[tuple[int, str]] = Counter()
    for row in found:
        for one in row.cells:
            for name in ("requests", "failures", "bytes"):
                sums[one.endpoint, name] += getattr(one, name)
    return sums


@given(ordered)
def test_it_conserves_counts_at_every_step(steps: list[tuple[int, list[Cell]]]) -> None:
    fine = _ascending(steps)
    tens, minutes = roll_up(fine, 10), roll_up(fine, 60)
    assert _sums(fine) == _sums(tens) == _sums(minutes) == _sums(roll_up(tens, 60))
    assert sum(row.seconds for row in minutes) == sum(row.seconds for row in roll_up(tens, 60)) == len(fine)
    assert [row.t for row in minutes] == [row.t for row in roll_up(tens, 60)]
    assert all(row.t % 60 == 0 for row in minutes)
    assert max(row.users for row in minutes) == max(row.users for row in fine)


@given(ordered)
def test_it_keeps_the_least_and_the_most(steps: list[tuple[int, list[Cell]]]) -> None:
    fine = _ascending(steps)
    for name, pick in (("min_ms", min), ("max_ms", max)):
        values = [getattr(one, name) for row in fine for one in row.cells if getattr(one, name) is not None]
        rolled = [getattr(one, name) for row in roll_up(roll_up(fine, 10), 60) for one in row.cells]
        known = [value for value in rolled if value is not None]
        assert pick(values, default=None) == pick(known, default=None)


def test_it_takes_the_last_percentile_within_ten_seconds_and_weighs_beyond() -> None:
    fine = [Row(1, T0, 1, 1, (cell(0, 1, p95_ms=10.0),)), Row(2, T0 + 1, 1, 1, (cell(0, 3, p95_ms=30.0),))]
    assert roll_up(fine, 10)[0].cells[0].p95_ms == 30.0
    assert roll_up(fine, 60)[0].cells[0].p95_ms == 25.0


def test_it_leaves_an_unknown_percentile_unknown() -> None:
    fine = [Row(seq, T0 + seq, 1, 1, (cell(0, 1, p95_ms=None),)) for seq in (1, 2)]
    assert roll_up(fine, 10)[0].cells[0].p95_ms is None
    assert roll_up(fine, 60)[0].cells[0].p95_ms is None
    assert roll_up([], 60) == []


def test_it_stays_small() -> None:
    """An hour of 100 endpoints: about 14 bytes a cell in minute blocks, 5 MB; a day of it 120 MB before retention."""
    generator = random.Random(1)
    minute = [
        Row(seq, T0 + seq, 50, 1, tuple(_noisy(generator, endpoint) for endpoint in [TOTAL, *range(100)]))
        for seq in range(60)
    ]
    assert len(encode(minute)) / (60 * 101) < 40


def _noisy(generator: random.Random, endpoint: int) -> Cell:
    mean = generator.uniform(5, 50)
    requests = generator.randint(1, 30)
    whole = {"p50_ms": float(round(mean)), "p95_ms": float(round(mean * 2)), "p99_ms": float(round(mean * 3))}
    return cell(endpoint, requests, sum_ms=mean * requests, bytes=300 * requests, **whole)
