from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.workers.conftest import Memory
from workers import spool
from workers.samples import SampleRow, Tick
from workers.spool import Spool

NOTHING = SampleRow("", "Aggregated", 0, 0, 0.0, 0, None, None, None, None, None, None, None)


def tick(seq: int) -> Tick:
    return Tick(seq, 1_800_000_000 + seq, 1, NOTHING, ())


class Flaky(Memory):
    down = False

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        self.check()
        super().event(kind, data)

    def ticks(self, ticks: Sequence[Tick]) -> None:
        self.check()
        super().ticks(ticks)

    def check(self) -> None:
        if self.down:
            raise ConnectionError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_was_not_taken_is_offered_again_in_order() -> None:
    sink, clock = Flaky(), Clock()
    between = Spool(sink, clock)
    for seq in range(1, 200):
        sink.down = seq % 3 != 0
        between.ticks([tick(seq)])
        between.flush()
        clock.now += 0.7
    sink.down = False
    clock.now += 2
    assert between.flush() and between.empty
    assert [got.seq for got in sink.got] == list(range(1, 200))


def test_a_failing_sink_is_not_asked_all_the_time() -> None:
    sink, clock = Flaky(), Clock()
    sink.down = True
    between = Spool(sink, clock)
    between.event("ready", {})
    assert not between.flush()
    sink.down = False
    assert not between.flush()
    clock.now += spool.RETRY_SECONDS
    assert between.flush()
    assert sink.kinds == ["ready"]


def test_it_keeps_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_SPOOLED_WEIGHT", 10)
    sink, clock = Flaky(), Clock()
    between = Spool(sink, clock)
    between.ticks([tick(seq) for seq in range(1, 26)])
    between.flush()
    assert [got.seq for got in sink.got] == list(range(16, 26))
    assert between.dropped_ticks == 15


def test_a_heap_of_ticks_is_delivered_in_parts() -> None:
    clock = Clock()

    class Slow(Memory):
        def ticks(self, ticks: Sequence[Tick]) -> None:
            clock.now += 1
            super().ticks(ticks)

    between = Spool(sink := Slow(), clock)
    between.ticks([tick(seq) for seq in range(1, 10 * spool.TICKS_AT_ONCE + 1)])
    assert not between.flush()
    assert len(sink.got) == spool.DELIVER_SECONDS * spool.TICKS_AT_ONCE
    while not between.flush():
        pass
    assert between.empty and len(sink.got) == 10 * spool.TICKS_AT_ONCE
