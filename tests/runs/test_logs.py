"""What is kept of a log: whole, in order, bounded, and read without a gap or a line twice."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.runs import logs
from apps.runs.models import LEADER, LogChunk
from apps.runs.rows import LOG_CHUNK_CHARS
from tests.factories import RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def run_id() -> UUID:
    return RunFactory.create().pk


def trickle(run_id: UUID, lines: int, *, writer: int = LEADER) -> None:
    """So many lines, one at a time."""
    for number in range(lines):
        logs.append(run_id, writer, [f"line {number + 1}"], after=number)


def test_lines_that_trickle_in_are_put_together(run_id: UUID) -> None:
    trickle(run_id, 1_000)
    assert LogChunk.objects.count() <= 1_000 // logs.PACK_EVERY + logs.PACK_EVERY
    assert logs.read(run_id, LEADER, 0) == (1_000, [f"line {number}" for number in range(1, 1_001)])


def test_a_reader_gets_what_comes_after_its_last_line_whatever_was_put_together(run_id: UUID) -> None:
    trickle(run_id, 350)
    for after in (1, 99, 100, 101, 349):
        assert logs.read(run_id, LEADER, after) == (350, [f"line {number}" for number in range(after + 1, 351)])
    assert logs.read(run_id, LEADER, 350) == (350, [])


def test_logs_stand_beside_each_other(run_id: UUID) -> None:
    trickle(run_id, 150)
    trickle(run_id, 30, writer=0)
    assert (logs.newest(run_id, LEADER), logs.newest(run_id, 0), logs.newest(run_id, 1)) == (150, 30, 0)
    assert len(logs.read(run_id, 0, 0)[1]) == 30


def test_what_is_read_at_once_is_bounded(run_id: UUID) -> None:
    logs.append(run_id, LEADER, [f"{number}" for number in range(10_000)], after=0)
    last, lines = logs.read(run_id, LEADER, 0)
    assert last == 10_000 and lines[-1] == "9999" and logs.LINES_AT_ONCE <= len(lines) < 10_000
    logs.append(run_id, LEADER, ["x" * 2_000] * 2_000, after=10_000)
    chars = sum(map(len, logs.read(run_id, LEADER, 0)[1]))
    assert chars <= logs.CHARS_AT_ONCE + LOG_CHUNK_CHARS


def test_the_newest_pieces_are_kept_and_few_more(run_id: UUID) -> None:
    after = 0
    for number in range(100):
        after = logs.append(run_id, LEADER, [f"{number:03} {'x' * 1_500}"] * 20, after=after, most=10)
        assert LogChunk.objects.count() <= 10 + logs.PACK_EVERY
    lines = logs.read(run_id, LEADER, 0)[1]
    assert lines[-1].startswith("099") and len(lines) < 300


def test_many_workers_keep_less_each() -> None:
    assert [logs.pieces_of(workers) for workers in (1, 2, 20, 100, 500)] == [400, 400, 400, 80, 16]


class Twice(TestCase):
    """Any lines in any pieces, each put there twice now and then, as after a commit that nobody heard of."""

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 130), st.integers(0, 900), st.booleans()), max_size=12))
    def test_each_line_is_there_once_and_in_order(self, flushes: list[tuple[int, int, bool]]) -> None:
        run_id, after = RunFactory.create().pk, 0
        told: list[str] = []
        for count, length, is_again in flushes:
            lines = [f"{len(told) + place} {'y' * length}" for place in range(count)]
            newest = logs.append(run_id, LEADER, lines, after=after)
            if is_again:
                assert logs.append(run_id, LEADER, lines, after=after) == newest
            told += lines
            if logs.read(run_id, LEADER, after)[1] != lines:
                assert len(lines) * length > logs.CHARS_AT_ONCE
            after = newest
        assert after == len(told)
        kept = logs.read(run_id, LEADER, 0)[1]
        assert kept == told[len(told) - len(kept) :] and (kept or not told)
