"""Columns of measurements: nothing is lost, garbage is refused, and a forged block takes no more than its share."""

from __future__ import annotations

import math
import random
import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.runs.blocks import PERCENTILES, TOTAL, BadBlock, Cell, Row, in_order, roll_up
from apps.runs.codec import LZMA, ZLIB, Packing, decode, encode, join, open_block, reading
from apps.runs.codec.figures import MANTISSA_BITS
from apps.runs.codec.layout import HEAD
from apps.runs.codec.sections import MAX_SECTION_BYTES, compress, decompress
from tests.runs.makers import T0, cell
from workers.samples import Health
from workers.sketch import LAST_BUCKET, bucket_of

counts = some.integers(0, 2**32 - 1)
latency = some.none() | some.floats(0, 1e6, width=32)
figures = {
    "endpoint": some.integers(0, TOTAL),
    "requests": counts,
    "failures": counts,
    "bytes": some.integers(0, 2**64 - 1),
    "sum_ms": some.floats(0, 1e15),
    "min_ms": latency,
    "max_ms": latency,
    "untimed": counts,
    "requests_low": counts,
    "requests_high": counts,
    "failures_high": counts,
}
told = some.builds(Cell, **figures, **dict.fromkeys(PERCENTILES, latency))
sketches = some.dictionaries(some.integers(0, LAST_BUCKET), some.integers(1, 40) | some.integers(1, 2**32 - 1))
counted = some.builds(Cell, **figures, sketch=sketches)
share = some.floats(0, 1e6, width=32)
health = some.builds(
    Health,
    target_users=some.none() | some.integers(0, 100_000),
    in_flight=some.none() | some.integers(0, 100_000),
    oldest_ms=some.none() | share,
    lag_ms=share,
    cpu_percent=some.none() | share,
)


def rows_of(cells: some.SearchStrategy[Cell]) -> some.SearchStrategy[list[Row]]:
    row = some.builds(
        Row,
        seq=counts,
        t=some.integers(-(2**62), 2**62),
        users=counts,
        seconds=some.integers(0, 2**16 - 1),
        cells=some.lists(cells, max_size=5, unique_by=lambda one: one.endpoint).map(
            lambda found: tuple(sorted(found, key=lambda one: in_order(one.endpoint)))
        ),
        users_low=counts,
        health=some.none() | health,
        classes=some.lists(counts, min_size=2, max_size=2).map(tuple),
        errors=some.lists(some.tuples(some.integers(0, 2**16 - 1), counts), max_size=3).map(tuple),
    )
    return some.lists(row, max_size=12)


def alike(found: list[Row], packed: list[Row], compression: int) -> None:
    """Equal but for the roundings that are promised."""
    of_sum, of_extremes = MANTISSA_BITS[compression]
    assert [_without_times(row) for row in found] == [_without_times(row) for row in packed]
    for one, other in zip(_cells(found), _cells(packed), strict=True):
        assert one.sum_ms == pytest.approx(other.sum_ms, rel=2.0 ** -(of_sum + 1), abs=1e-38)
        _is_near(one.min_ms, other.min_ms, 1 - 2.0**-of_extremes, 1)
        _is_near(one.max_ms, other.max_ms, 1, 1 + 2.0**-of_extremes)


def _is_near(value: float | None, truth: float | None, low: float, high: float) -> None:
    assert (value is None) == (truth is None)
    if value is not None and truth is not None:
        assert truth * low - 1e-38 <= value <= truth * high + 1e-38


def _without_times(row: Row) -> Row:
    return replace(row, cells=tuple(replace(one, sum_ms=0.0, min_ms=None, max_ms=None) for one in row.cells))


def _cells(rows: list[Row]) -> list[Cell]:
    return [one for row in rows for one in row.cells]


@given(rows_of(told) | rows_of(counted), some.sampled_from([ZLIB, LZMA]))
def test_it_gives_back_what_it_packed(packed: list[Row], compression: int) -> None:
    found = decode(encode(packed, Packing(compression)))
    alike(found, packed, compression)
    assert decode(encode(found, Packing(compression))) == found  # what was rounded once stays as it is


@given(some.lists(rows_of(counted), max_size=4))
def test_it_joins_blocks_as_if_they_had_been_one(parts: list[list[Row]]) -> None:
    assert decode(join([encode(rows) for rows in parts])) == decode(encode([row for rows in parts for row in rows]))


def test_it_holds_numbers_that_a_script_made_up() -> None:
    row = Row(1, T0, 10**15, 1, (cell(requests=10**15, bytes=10**30, sum_ms=1e300, max_ms=1e300),))
    (found,) = decode(encode([row]))
    assert (found.users, found.cells[0].requests, found.cells[0].bytes) == (2**32 - 1, 2**32 - 1, 2**64 - 1)
    assert math.isfinite(found.cells[0].sum_ms) and found.cells[0].max_ms


def test_it_unpacks_only_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    block = open_block(encode(_noise(seconds=60, endpoints=20)))
    sizes: list[int] = []

    def counting(data: bytes, size: int, compression: int) -> bytes:
        sizes.append(size)
        return decompress(data, size, compression)

    monkeypatch.setattr(reading, "decompress", counting)
    chunk = block.chunk_for(TOTAL)
    assert chunk is not None and chunk.endpoints == [TOTAL]
    assert sum(chunk.scalars["requests"]) == 60 * 200 and len(sizes) == 1
    found = chunk.sketches_of(TOTAL)
    assert found is not None and sum(found.counts()) == 60 * 200 and len(sizes) == 2
    assert block.chunk_for(TOTAL) is chunk and chunk.sketches_of(TOTAL) is found and len(sizes) == 2
    assert block.chunk_for(20) is None and block.cells(20) == []


def test_columns_and_cells_tell_the_same() -> None:
    rows = _noise(seconds=60, endpoints=12)
    block = open_block(encode(rows))
    assert list(block.endpoints()) == [TOTAL, *range(12)]
    for endpoint in block.endpoints():
        chunk = block.chunk_for(endpoint)
        assert chunk is not None
        cut, found = chunk.slice_of(endpoint), chunk.sketches_of(endpoint)
        truth = [one for row in rows for one in row.cells if one.endpoint == endpoint]
        assert list(chunk.scalars["row"][cut]) == list(range(60))
        assert list(chunk.scalars["requests"][cut]) == [one.requests for one in truth]
        assert found is not None and found.each() == [one.sketch for one in truth]
        matrix = found.counts()
        assert [sum(matrix[at * 60 : at * 60 + 60]) for at in range(len(found.buckets))] == [
            sum((one.sketch or {}).get(bucket, 0) for one in truth) for bucket in found.buckets
        ]


def test_it_stays_small() -> None:
    """What decides how much a day takes; see ADR 8 for the day itself."""
    minute = _noise(seconds=60, endpoints=100)
    assert len(encode(minute)) / (60 * 101) < 24
    tens = roll_up(_noise(seconds=600, endpoints=30), 10)
    assert len(encode(tens, Packing(LZMA))) / (60 * 31) < 42


@pytest.mark.parametrize("compression", [ZLIB, LZMA])
def test_it_ends_with_all_rows_in_one(compression: int) -> None:
    rows = _noise(seconds=60, endpoints=12)
    plain, packed = encode(rows, Packing(compression)), encode(rows, Packing(compression, with_whole=True))
    assert open_block(plain).whole is None and decode(packed) == decode(plain)
    (row,) = roll_up(rows, 60)
    whole = open_block(packed).whole
    assert whole is not None and list(whole.rows["t"]) == [rows[0].t]
    assert list(whole.endpoints()) == [TOTAL, *range(12)]
    for truth in row.cells:
        ((_row, found),) = whole.cells(truth.endpoint)
        assert found.sketch == truth.sketch
        assert (found.requests, found.bytes, found.requests_low) == (truth.requests, truth.bytes, truth.requests_low)
        assert found.sum_ms == pytest.approx(truth.sum_ms, rel=0.0002)
    # A block of blocks is packed anew: its sum is of all of it.
    joined = open_block(join([packed, plain], Packing(compression, with_whole=True))).whole
    assert joined is not None and joined.cells(3)[0][1].requests == 2 * row.cells[4].requests
    assert open_block(join([packed, plain], Packing(compression))).whole is None


def test_one_row_is_its_own_sum() -> None:
    rows = _noise(seconds=1, endpoints=2)
    assert open_block(encode(rows, Packing(with_whole=True))).whole is None


def test_it_refuses_a_sum_that_was_cut_or_changed_anywhere() -> None:
    good = encode(_noise(seconds=3, endpoints=2), Packing(with_whole=True))
    start = len(encode(_noise(seconds=3, endpoints=2)))

    def sums(data: bytes) -> list[Cell]:
        whole = open_block(data).whole
        assert whole is not None
        return [one for endpoint in whole.endpoints() for _, one in whole.cells(endpoint)]

    assert len(sums(good)) == 3
    for place in range(start, len(good)):
        bad = bytearray(good)
        bad[place] ^= 0xFF
        with pytest.raises(BadBlock):
            sums(bytes(bad))
    for end in range(len(good)):
        with pytest.raises(BadBlock):
            sums(good[:end])
    with pytest.raises(BadBlock):
        sums(good + b"\0")
    with pytest.raises(BadBlock):  # a sum of several rows is none
        sums(good[:start] + encode(_noise(seconds=2, endpoints=2)))


@given(some.binary(max_size=200), some.sampled_from([b"", b"H1", b"H2"]))
def test_it_refuses_garbage(data: bytes, magic: bytes) -> None:
    with pytest.raises(BadBlock):
        decode(magic + data)


@pytest.mark.parametrize("compression", [ZLIB, LZMA])
def test_it_refuses_a_block_that_was_cut_or_changed_anywhere(compression: int) -> None:
    rows = _noise(seconds=3, endpoints=4)
    good = encode(rows, Packing(compression))
    assert decode(good)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0xFF
        with pytest.raises(BadBlock):
            decode(bytes(bad))
    for end in range(len(good)):
        with pytest.raises(BadBlock):
            decode(good[:end])
    with pytest.raises(BadBlock):
        decode(good + b"\0")


@pytest.mark.parametrize("compression", [ZLIB, LZMA])
def test_a_forged_block_takes_no_more_memory_than_it_may(compression: int) -> None:
    bomb = compress(bytes(MAX_SECTION_BYTES * 2), Packing(compression, level=9))
    assert len(bomb) < MAX_SECTION_BYTES / 100
    for size in (100, MAX_SECTION_BYTES + 1, MAX_SECTION_BYTES * 2):
        with pytest.raises(BadBlock):
            decompress(bomb, size, compression)
    head = HEAD.pack(b"H2", compression, 255, 4_096, 100, 1_002, 1_002, 2**32 - 1, 2**32 - 1, len(bomb))
    with pytest.raises(BadBlock):
        decode(head + bomb)


# --- the first format -----------------------------------------------------------------------------------------------


def first_format(rows: list[Row]) -> bytes:
    """As runs were packed before there were sketches."""
    cells = _cells(rows)
    names = ("min_ms", "max_ms", *PERCENTILES)
    heads = [[row.seq, row.t, row.users, row.seconds, len(row.cells)] for row in rows]
    facts = [[one.endpoint, one.requests, one.failures, one.bytes, one.sum_ms] for one in cells]
    times = [[math.nan if getattr(one, name) is None else getattr(one, name) for name in names] for one in cells]
    body = b"".join(
        struct.pack(f"<{len(column)}{kind}", *column)
        for kinds, table in (("IqIHH", heads), ("HIIQd", facts), ("fffffff", times))
        for kind, column in zip(kinds, zip(*table, strict=True), strict=False)
    )
    return struct.pack("<2sHI", b"H1", len(rows), len(cells)) + zlib.compress(body)


def test_it_reads_blocks_of_the_first_format() -> None:
    rows = [Row(seq, T0 + seq, 5, 1, (cell(requests=3), cell(0, 2), cell(7, 1, p99_ms=33.5))) for seq in range(1, 9)]
    packed = first_format(rows)
    assert decode(packed) == rows
    block = open_block(packed)
    chunk = block.chunk_for(7)
    assert chunk is not None and chunk.sketches_of(7) is None
    assert set(chunk.scalars["p99_ms"][chunk.slice_of(7)]) == {33.5}
    assert decode(join([packed, encode(rows)])) == [*rows, *rows]


def test_names_beyond_the_number_are_one_cell() -> None:
    packed = first_format([Row(1, T0, 5, 1, (cell(requests=6), cell(9, 2), cell(3, 1), cell(9, 3, max_ms=40.0)))])
    (row,) = decode(packed)
    assert [(one.endpoint, one.requests, one.requests_low, one.max_ms) for one in row.cells] == [
        (TOTAL, 6, 6, 20.0),
        (3, 1, 1, 20.0),
        (9, 5, 5, 40.0),
    ]
    assert decode(join([packed])) == [row]


def test_it_refuses_a_first_block_that_was_cut_or_changed() -> None:
    good = first_format([Row(1, T0, 3, 1, (cell(), cell(0)))])
    for bad in [good[:-3], b"XX" + good[2:], good[:2] + struct.pack("<HI", 2, 1) + good[8:]]:
        with pytest.raises(BadBlock):
            decode(bad)
    body = bytearray(zlib.decompress(good[8:]))
    body[18] = 1  # one cell in the row, two in the block
    with pytest.raises(BadBlock, match="belong together"):
        decode(good[:8] + zlib.compress(bytes(body)))


def _noise(*, seconds: int, endpoints: int) -> list[Row]:
    """Ten log-normal requests a second and endpoint."""
    generator = random.Random(1)
    return [
        Row(
            seq,
            T0 + seq - 1,
            50,
            1,
            (
                _noisy(generator, TOTAL, 10 * endpoints, 50),
                *(_noisy(generator, endpoint, 10, 5 + endpoint) for endpoint in range(endpoints)),
            ),
            health=Health(50, 12, 50.0 + seq, 1.5, 20.0, 70_000_000, 40),
            classes=(30, 20),
            errors=((0, 2),),
        )
        for seq in range(1, seconds + 1)
    ]


def _noisy(generator: random.Random, endpoint: int, requests: int, median: float) -> Cell:
    times = [median * math.exp(generator.gauss(0, 0.4)) for _ in range(requests)]
    sketch: dict[int, int] = {}
    for time in times:
        bucket = bucket_of(time)
        sketch[bucket] = sketch.get(bucket, 0) + 1
    return Cell(endpoint, requests, 0, 500 * requests, math.fsum(times), min(times), max(times), sketch=sketch)
