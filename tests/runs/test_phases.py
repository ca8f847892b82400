"""Where a run's phases begin and end: from its plan, what was changed, and the users there were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as some

from apps.runs import phases, tiers
from apps.runs.blocks import Row
from apps.runs.models import RunEvent
from apps.runs.phases import Change, Level, Phase, Stage
from apps.runs.states import State
from apps.scenarios.models import Scenario
from tests.factories import RunFactory
from tests.runs.makers import T0, cell

Told = tuple[str, int | None, int, int, int]
"""Kind, stage, first and last second since the start, users."""


def levels(*users: int, targets: Iterable[int] | None = None) -> list[Level]:
    """One second each."""
    wanted: Sequence[int | None] = list(targets) if targets is not None else [None] * len(users)
    return [Level(T0 + at, 1, n, n, target) for at, (n, target) in enumerate(zip(users, wanted, strict=True))]


def told(found: list[Phase]) -> list[Told]:
    return [(phase.kind.value, phase.stage, phase.from_t - T0, phase.to_t - T0, phase.users) for phase in found]


def plain(users: int, *measured: int, changed: Sequence[Change] = (), is_ending: bool = True) -> list[Told]:
    stages = [Stage(60.0, users)]
    return told(phases.planned(stages, changed, levels(*measured), started=T0 + 0.3, is_ending=is_ending))


def test_a_plain_load_goes_up_holds_and_goes_down() -> None:
    assert plain(5, 0, 2, 4, 5, 5, 4, 5, 5, 3, 0) == [
        ("ramp_up", None, 0, 2, 5),
        ("steady", None, 3, 7, 5),
        ("ramp_down", None, 8, 9, 0),
    ]


def test_users_that_were_never_reached_are_a_ramp_up_only() -> None:
    assert plain(50, 0, 10, 20, 30, 12, 0) == [("ramp_up", None, 0, 5, 50)]


def test_a_run_that_goes_on_is_not_going_down() -> None:
    assert plain(5, 5, 5, 4, is_ending=False) == [("steady", None, 0, 2, 5)]


def test_each_stage_has_its_own_phases() -> None:
    stages = [Stage(4, 2), Stage(5, 6), Stage(4, 1)]
    measured = levels(0, 1, 2, 2, 3, 5, 6, 6, 6, 4, 1, 1, 1)
    found = phases.planned(stages, [], measured, started=T0, is_ending=True)
    assert told(found) == [
        ("ramp_up", 1, 0, 1, 2),
        ("steady", 1, 2, 3, 2),
        ("ramp_up", 2, 4, 5, 6),
        ("steady", 2, 6, 8, 6),
        ("ramp_down", 3, 9, 9, 1),
        ("steady", 3, 10, 12, 1),
    ]
    assert [phase.label for phase in found[:2]] == ["Stage 1: Ramp-up to 2 users", "Stage 1: Steady at 2 users"]


def test_a_stage_without_users_is_a_pause() -> None:
    found = phases.planned(
        [Stage(2, 2), Stage(3, 0), Stage(2, 2)], [], levels(2, 2, 1, 0, 0, 2, 2), started=T0, is_ending=True
    )
    assert told(found) == [
        ("steady", 1, 0, 1, 2),
        ("ramp_down", 2, 2, 2, 0),
        ("paused", 2, 3, 4, 0),
        ("steady", 3, 5, 6, 2),
    ]
    assert found[2].label == "Stage 2: Paused"


def test_a_run_made_longer_stays_in_its_last_stage() -> None:
    found = phases.planned([Stage(2, 1), Stage(2, 2)], [], levels(1, 1, 2, 2, 2, 2, 2), started=T0, is_ending=False)
    assert told(found)[-1] == ("steady", 2, 2, 6, 2)


def test_a_pause_lies_between_two_phases() -> None:
    changed = [Change(T0 + 3, is_paused=True), Change(T0 + 6, is_paused=False)]
    assert plain(4, 4, 4, 4, 2, 0, 0, 1, 3, 4, 4, changed=changed) == [
        ("steady", None, 0, 2, 4),
        ("paused", None, 3, 5, 0),
        ("ramp_up", None, 6, 7, 4),
        ("steady", None, 8, 9, 4),
    ]


def test_a_changed_number_of_users_holds_to_the_end_of_all_stages() -> None:
    changed = [Change(T0 + 3.2, users=5)]
    found = phases.planned(
        [Stage(4, 2), Stage(60, 9)], changed, levels(2, 2, 2, 2, 4, 5, 5, 5), started=T0, is_ending=False
    )
    assert told(found) == [("steady", 1, 0, 2, 2), ("ramp_up", None, 3, 4, 5), ("steady", None, 5, 7, 5)]


def test_fewer_users_are_a_ramp_down_and_none_can_be_wanted() -> None:
    changed = [Change(T0 + 2, users=2), Change(T0 + 5, users=0)]
    assert plain(4, 4, 4, 3, 2, 2, 1, 0, 0, changed=changed) == [
        ("steady", None, 0, 1, 4),
        ("ramp_down", None, 2, 2, 2),
        ("steady", None, 3, 4, 2),
        ("ramp_down", None, 5, 5, 0),
        ("paused", None, 6, 7, 0),
    ]


def test_rows_of_a_minute_are_steady_from_the_next_one_on() -> None:
    rows = [Level(T0, 60, 0, 50), Level(T0 + 60, 60, 50, 50), Level(T0 + 120, 60, 50, 50)]
    found = phases.planned([Stage(180, 50)], [], rows, started=T0, is_ending=False)
    assert told(found) == [("ramp_up", None, 0, 59, 50), ("steady", None, 60, 179, 50)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"users": [10, 20]}, [Change(1.0, 20)]),
        ({"users": [None, 0]}, [Change(1.0, 0)]),
        ({"paused": [False, True]}, [Change(1.0, None, True)]),
        ({"paused": False, "users": 7}, [Change(1.0, 7, False)]),
        ({"run_time_s": [60, 120]}, []),
        ({"users": "many", "paused": "yes"}, []),
        ({"users": [], "paused": []}, []),
        ({"users": [True, True]}, []),
        ({}, []),
    ],
)
def test_it_reads_what_an_event_says_was_changed(data: dict[str, Any], expected: list[Change]) -> None:
    assert phases.changes([(1.0, data)]) == expected


# --- a shape of the script's own ----------------------------------------------------------------------------------


def test_a_shape_of_the_script_is_steady_where_it_wants_the_same() -> None:
    targets = [1, 2, 3, *[4] * 12, 6, 8, *[9] * 11, 3, 0]
    users = [0, 1, 2, 3, *[4] * 11, 4, 6, 8, *[9] * 10, 5, 0]
    assert told(phases.measured(levels(*users, targets=targets))) == [
        ("ramp_up", None, 0, 3, 4),
        ("steady", None, 4, 14, 4),
        ("ramp_up", None, 15, 17, 9),
        ("steady", None, 18, 27, 9),
        ("ramp_down", None, 28, 29, 0),
    ]


def test_a_shape_that_never_rests_only_goes_up() -> None:
    assert told(phases.measured(levels(*range(9), *[9] * 9))) == [("ramp_up", None, 0, 17, 9)]


# --- of anything --------------------------------------------------------------------------------------------------

users_over_time = some.lists(some.integers(0, 6), min_size=1, max_size=60)
stages = some.lists(some.builds(Stage, some.floats(1, 30), some.integers(0, 6)), min_size=1, max_size=4)
changes = some.lists(
    some.builds(Change, some.floats(T0 - 5, T0 + 70), some.none() | some.integers(0, 6), some.none() | some.booleans()),
    max_size=4,
)


@given(
    plan=stages, changed=changes, users=users_over_time, started=some.floats(T0 - 5, T0 + 70), ending=some.booleans()
)
def test_phases_cover_all_that_was_measured_once(
    plan: list[Stage], changed: list[Change], users: list[int], started: float, ending: bool
) -> None:
    ordered = sorted(changed, key=lambda change: change.at)
    measured = levels(*users)
    for found in (
        phases.planned(plan, ordered, measured, started=started, is_ending=ending),
        phases.measured(measured),
    ):
        assert (found[0].from_t, found[-1].to_t) == (T0, T0 + len(users) - 1)
        assert all(one.to_t + 1 == other.from_t and one.from_t <= one.to_t for one, other in pairwise(found))


# --- of a run -----------------------------------------------------------------------------------------------------


def second(at: int, users: int) -> Row:
    return Row(at + 1, T0 + at, users, 1, (cell(requests=users), cell(0, users)) if users else ())


@pytest.mark.django_db
@pytest.mark.parametrize("finest", [1, 10])
def test_totals_are_given_for_each_phase(
    tess_client: Client, scenario: Scenario, finest: int, django_assert_max_num_queries: Any
) -> None:
    rows = [second(at, min(at, 15)) for at in range(400)]
    start = datetime.fromtimestamp(T0, UTC)
    run = RunFactory.create(
        scenario=scenario, state=State.FINISHED, users=15, run_time_s=400, started_at=start, last_seq=400,
        last_tick_at=start + timedelta(seconds=399), finest_step_s=finest,
    )  # fmt: skip
    tiers.append(run.pk, rows)
    tiers.close_all(run.pk)
    RunEvent.objects.create(run=run, kind="control", at=start + timedelta(seconds=400), data={"paused": [False, True]})
    with django_assert_max_num_queries(20):
        body = tess_client.get(f"/api/v1/runs/{run.pk}/phases/").json()["phases"]
    kinds = [phase["kind"] for phase in body]
    assert kinds == ["ramp_up", "steady"]
    assert [phase["label"] for phase in body] == ["Ramp-up to 15 users", "Steady at 15 users"]
    steady = body[1]
    first = 15 if finest == 1 else 20  # of ten seconds nobody knows any more which ones had all users
    assert steady["from"] == (start + timedelta(seconds=first)).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    assert steady["totals"]["requests"] == 15 * (400 - first)
    assert steady["totals"]["rps"] == 15.0
    assert sum(phase["totals"]["requests"] for phase in body) == sum(row.users for row in rows)
    report = tess_client.get(f"/api/v1/runs/{run.pk}/report.json")
    assert [phase["kind"] for phase in json.loads(report.content)["phases"]] == kinds


@pytest.mark.django_db
def test_a_run_that_did_not_begin_has_no_phases(tess_client: Client, scenario: Scenario) -> None:
    run = RunFactory.create(scenario=scenario)
    assert tess_client.get(f"/api/v1/runs/{run.pk}/phases/").json() == {"phases": []}
