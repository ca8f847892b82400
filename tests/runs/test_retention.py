"""What goes when: seconds after a week, all figures over time when the team says so, nothing that is not replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.runs import retention, tiers
from apps.runs.blocks import roll_up
from apps.runs.models import Run, SampleBlock
from apps.runs.retention import Retention
from apps.runs.states import State
from tests.factories import RunFactory
from tests.runs.makers import T0, seconds

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ended(days_ago: float, *, keep_days: int = 365, last: int = 130, **fields: Any) -> Run:
    """A run of `last` seconds that is over and rolled up."""
    given = {"state": State.FINISHED, "finished_at": NOW - timedelta(days=days_ago), **fields}
    run = RunFactory.create(**given)
    run.project.team.keep_days = keep_days
    run.project.team.save()
    for first in range(1, last + 1, 60):
        tiers.append(run.pk, list(seconds(first, min(last, first + 59))))
    tiers.close_all(run.pk)
    return run


def steps_of(run: Run) -> list[int]:
    return sorted(set(SampleBlock.objects.filter(run=run).values_list("step_s", flat=True)))


def settle(keeper: Retention, now: datetime = NOW) -> int:
    rounds = 1
    while keeper.round(now):
        rounds += 1
        assert rounds < 50
    return rounds


def finest(run: Run) -> int:
    return Run.objects.get(pk=run.pk).finest_step_s


def test_seconds_go_after_a_week_and_the_rest_after_what_the_team_says() -> None:
    young, old, older = ended(6.9), ended(7.1, keep_days=30), ended(31, keep_days=30)
    settle(Retention())
    assert [(steps_of(run), finest(run)) for run in (young, old, older)] == [
        ([1, 10, 60], 1),
        ([10, 60], 10),
        ([], 0),
    ]
    settle(Retention(), NOW + timedelta(days=30))
    assert (steps_of(young), finest(young)) == ([10, 60], 10)
    assert (steps_of(old), finest(old)) == ([], 0)


@override_settings(KEEP_SECONDS_DAYS=2)
def test_the_portal_says_how_long_seconds_are_kept() -> None:
    young, old = ended(1.9), ended(2.1)
    settle(Retention())
    assert (finest(young), finest(old)) == (1, 10)


def test_what_is_left_can_be_read() -> None:
    run = ended(8, last=700)
    settle(Retention())
    assert tiers.read(run.pk, 1) == []
    assert tiers.read(run.pk, 10) == roll_up(seconds(1, 700), 10)
    assert tiers.span(run.pk) == (T0, T0 + 699)
    assert tiers.rolled_until(run.pk) == T0 + 720
    assert tiers.request_counts(run.pk)[0] == 700
    tiers.close_all(run.pk)
    assert tiers.read(run.pk, 60) == roll_up(seconds(1, 700), 60)


def test_a_run_that_is_not_over_keeps_all() -> None:
    run = ended(100, state=State.RUNNING)
    assert Retention().round(NOW) is False
    assert steps_of(run) == [1, 10, 60]


def test_seconds_stay_until_they_are_rolled_up() -> None:
    run = ended(8)
    SampleBlock.objects.filter(run=run, step_s__gt=1).delete()
    tiers.append(run.pk, list(seconds(131, 190)))
    settle(Retention())
    assert steps_of(run) == [10, 60]
    assert tiers.read(run.pk, 60) == roll_up(seconds(1, 190), 60)


@pytest.mark.parametrize("step", [10, 60])
def test_seconds_stay_when_a_coarser_tier_is_not_whole(step: int) -> None:
    run = ended(8, last=7_300)
    SampleBlock.objects.filter(run=run, step_s=step).order_by("first_seq")[0].delete()
    keeper = Retention()
    settle(keeper)
    assert 1 in steps_of(run) and finest(run) == 1 and keeper.kept == {run.pk}


def test_a_broken_run_keeps_no_other_from_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    broken, good = ended(9), ended(8)
    SampleBlock.objects.filter(run=broken, step_s__gt=1).delete()
    SampleBlock.objects.filter(run=broken).update(data=b"garbage")
    keeper = Retention()
    settle(keeper)
    assert finest(broken) == 1 and steps_of(broken) == [1]
    assert steps_of(good) == [10, 60]
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1


def test_it_takes_little_at_a_time_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    run, other = ended(9, last=400), ended(8, last=400)
    monkeypatch.setattr(retention, "BLOCKS_A_ROUND", 3)
    monkeypatch.setattr(retention, "BLOCKS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 1)
    keeper = Retention()
    assert keeper.round(NOW) is True
    assert _fine(run) == 4 and _fine(other) == 7 and finest(run) == 1
    assert 4 <= settle(keeper) <= 8
    assert (finest(run), finest(other), _fine(run), _fine(other)) == (10, 10, 0, 0)


def test_it_asks_little_when_nothing_is_due(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(3):
        ended(1)
    with django_assert_num_queries(3):
        assert Retention().round(NOW) is False


def test_runs_without_figures_are_passed_over_once() -> None:
    run = RunFactory.create(state=State.FAILED, finished_at=NOW - timedelta(days=8))
    settle(Retention())
    assert finest(run) == 10


def test_each_worker_is_looked_at() -> None:
    run = ended(8)
    tiers.append(run.pk, list(seconds(1, 60)), worker=3)
    assert tiers.is_rolled_up(run.pk) is False
    tiers.close_all(run.pk)
    assert tiers.is_rolled_up(run.pk) is True
    assert tiers.read(run.pk, 60, worker=3) == roll_up(seconds(1, 60), 60)
    assert tiers.read(run.pk, 60) == roll_up(seconds(1, 130), 60)
    assert tiers.request_counts(run.pk)[0] == 190


def _fine(run: Run) -> int:
    ids: list[UUID] = list(SampleBlock.objects.filter(run=run, step_s=1).values_list("pk", flat=True))
    return len(ids)
