"""The states as data, as a picture, and in words."""

from __future__ import annotations

import re
from pathlib import Path

from apps.runs import states
from apps.runs.states import (
    ACTIVE,
    HELD,
    INVALID_REASONS,
    REASONS,
    TERMINAL,
    TRANSITIONS,
    WORKERS_ALIVE,
    State,
    WorkerState,
)
from workers.outcome import Reason

ARROW = re.compile(r"^\s+(\S+) --> (\S+)$", re.MULTILINE)


def test_it_draws_the_picture_that_the_code_follows() -> None:
    arrows = ARROW.findall(Path(states.__file__).with_name("states.md").read_text())
    drawn = {(source, target) for source, target in arrows if "[*]" not in (source, target)}
    assert drawn == {(source, target) for source, targets in TRANSITIONS.items() for target in targets}
    assert {source for source, target in arrows if target == "[*]"} == TERMINAL
    assert [target for source, target in arrows if source == "[*]"] == [State.QUEUED]


def test_it_knows_every_state_once() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state, targets in TRANSITIONS.items() if not targets} == TERMINAL
    assert set(State) == ACTIVE | TERMINAL and not ACTIVE & TERMINAL
    assert ACTIVE - {State.QUEUED} == HELD


def test_a_worker_that_is_lost_or_has_ended_is_not_taken_to_be_alive() -> None:
    assert set(WorkerState) - WORKERS_ALIVE == {WorkerState.LOST, WorkerState.ENDED}


def test_it_has_a_sentence_for_every_reason_of_the_engine() -> None:
    assert {reason.value for reason in Reason} - {"fenced"} <= set(REASONS)  # a fenced run is another's to explain
    assert all(str(sentence).endswith(".") for sentence in [*REASONS.values(), *INVALID_REASONS.values()])
