from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.workers.conftest import Memory
from workers import spool
from workers.samples import MAX_SAMPLES, FailureRow, FailureSample, SampleRow, Tick
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


def sample(n: int) -> FailureSample:
    return FailureSample(0, float(n), "GET", "/", 500, 1.0, {}, {}, "", None)


def test_samples_come_after_the_table_that_has_their_error_and_only_once() -> None:
    sink, clock = Flaky(), Clock()
    between = Spool(sink, clock)
    row = FailureRow("GET", "/", "boom", 1, None, None, 0)
    sink.down = True
    between.event("ready", {})
    between.failure_samples([sample(1)])
    between.tables([row], [])
    assert not between.flush()
    assert not [*sink.samples, *sink.failures]
    sink.down, clock.now = False, 2.0
    assert between.flush() and between.empty
    between.flush()
    assert (sink.failures, sink.samples) == ([row], [sample(1)])


def test_it_keeps_a_bounded_number_of_samples() -> None:
    between = Spool(sink := Memory(), Clock())
    between.failure_samples([sample(n) for n in range(MAX_SAMPLES + 5)])
    between.flush()
    assert len(sink.samples) == MAX_SAMPLES


def test_sketches_weigh_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_SPOOLED_WEIGHT", 10)
    sink, clock = Flaky(), Clock()
    between = Spool(sink, clock)
    heavy = replace(NOTHING, sketch=dict.fromkeys(range(4 * spool.BUCKETS_OF_A_ROW), 1))
    between.ticks([replace(tick(seq), total=heavy) for seq in range(1, 6)])
    between.flush()
    assert [got.seq for got in sink.got] == [4, 5]


def test_a_series_of_failures_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    sink, clock = Flaky(), Clock()
    between = Spool(sink, clock)
    for down in (True, True, True, False, True):
        sink.down = down
        between.event("ready", {})
        between.flush()
        clock.now += spool.RETRY_SECONDS
    assert len(caplog.records) == 2
