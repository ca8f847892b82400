"""Where rows live: two hours of seconds, closed minute by minute as a run does, read back at every zoom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from apps.runs import tiers
from apps.runs.blocks import roll_up
from apps.runs.models import Run, SampleBlock
from tests.factories import RunFactory
from tests.runs.makers import T0, seconds

pytestmark = pytest.mark.django_db


@pytest.fixture
def run_id() -> UUID:
    return RunFactory.create().pk


def record(run_id: UUID, first: int, last: int) -> None:
    """Seconds as they come: flushed in tens, closed at each full minute."""
    rows = list(seconds(first, last))
    for start in range(0, len(rows), 10):
        batch = rows[start : start + 10]
        tiers.append(run_id, batch)
        tiers.close_spans(run_id, before_t=batch[-1].t // 60 * 60)


def blocks_of(run_id: UUID) -> dict[int, int]:
    found = SampleBlock.objects.filter(run_id=run_id).order_by("step_s").values_list("step_s", flat=True)
    return {step: len(list(group)) for step, group in groupby(found)}


def test_it_keeps_two_hours_in_few_blocks_and_reads_the_same_at_every_tier(run_id: UUID) -> None:
    record(run_id, 1, 7_200)
    tiers.close_all(run_id)
    assert blocks_of(run_id) == {1: 120, 10: 4, 60: 2}
    fine = list(seconds(1, 7_200))
    assert tiers.read(run_id, 1) == fine
    assert tiers.read(run_id, 10) == roll_up(fine, 10)
    assert tiers.read(run_id, 60) == roll_up(fine, 60)
    assert tiers.span(run_id) == (T0, T0 + 7_199)


def test_it_may_be_closed_as_often_as_one_likes(run_id: UUID) -> None:
    record(run_id, 1, 95)
    for _ in range(2):
        tiers.close_spans(run_id, before_t=T0 + 60)
    once = blocks_of(run_id)
    assert once == {1: 5, 10: 1, 60: 1}
    for _ in range(3):
        tiers.close_all(run_id)
        assert blocks_of(run_id) == {1: 2, 10: 1, 60: 1}
    assert tiers.read(run_id, 60) == roll_up(seconds(1, 95), 60)
    assert tiers.read(run_id, 1) == list(seconds(1, 95))


def test_it_closes_a_run_without_a_second() -> None:
    run_id = RunFactory.create().pk
    tiers.close_all(run_id)
    assert tiers.span(run_id) is None and tiers.rolled_until(run_id) == 0


def test_it_catches_up_on_minutes_that_nobody_closed(run_id: UUID) -> None:
    tiers.append(run_id, list(seconds(1, 30)))
    tiers.append(run_id, list(seconds(31, 400)))
    tiers.close_spans(run_id, before_t=T0 + 360)
    assert tiers.read(run_id, 60) == roll_up(seconds(1, 360), 60)
    assert tiers.rolled_until(run_id) == T0 + 360
    tiers.close_all(run_id)
    assert tiers.read(run_id, 10) == roll_up(seconds(1, 400), 10)


def test_it_stores_a_second_once(run_id: UUID) -> None:
    tiers.append(run_id, list(seconds(1, 3)))
    with pytest.raises(IntegrityError), transaction.atomic():
        tiers.append(run_id, list(seconds(1, 4)))
    assert tiers.read(run_id, 1) == list(seconds(1, 3))


def test_it_reads_windows_with_both_ends(run_id: UUID) -> None:
    record(run_id, 1, 200)
    found = tiers.read(run_id, 1, from_t=T0 + 55, to_t=T0 + 130)
    assert [row.t for row in found] == list(range(T0 + 55, T0 + 131))
    assert tiers.read(run_id, 1, from_t=T0 + 500) == []
    assert [row.t for row in tiers.read(run_id, 60, from_t=T0 + 60)] == [T0 + 60, T0 + 120]
    assert [row.seq for row in tiers.read_after(run_id, 198)] == [199, 200]


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_a_long_run_is_read_and_others_write(run_id: UUID) -> None:
    record(run_id, 1, 1_500)
    run = Run.objects.filter(pk=run_id)
    with ThreadPoolExecutor(1) as other:
        for place, _row in enumerate(tiers.each(run_id, 1)):
            if place % 300 == 0:
                other.submit(write_elsewhere, run_id).result()
                run.update(lease_until=None)
    assert place + 1 == 1_500


def write_elsewhere(run_id: UUID) -> None:
    """As the keeper, or a page, may at any time."""
    try:
        Run.objects.filter(pk=run_id).update(note="x")
    finally:
        connection.close()
