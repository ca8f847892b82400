"""No number of a run is ever with two workers, and none is forgotten."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from workers.child.ledger import QUARANTINE_SECONDS, Ledger, Span, Spans, spans_of
from workers.child.ledger import numbers_of as numbers

WORKERS = st.integers(0, 4)
"""The last of them has no block."""
SPANS = st.tuples(st.integers(0, 40), st.integers(-3, 12)).map(lambda pair: (pair[0], sum(pair)))


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=30), SPANS, st.integers(0, 20))
def test_spans_are_a_set_of_numbers(changes: list[tuple[bool, Span]], within: Span, count: int) -> None:
    spans, model = Spans(), set[int]()
    for is_new, span in changes:
        if is_new:
            spans.add(span)
            model |= set(numbers([span]))
        else:
            gone = model & set(numbers([span]))
            assert numbers(spans.remove(span)) == sorted(gone)
            model -= gone
    assert numbers(spans) == sorted(model) and len(spans) == len(model)
    assert spans_of(model) == list(spans)
    found = list(spans)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
    assert numbers(spans.take(count, within)) == sorted(model & set(numbers([within])))[:count]


class Run(RuleBasedStateMachine):
    """Workers with minds of their own. What each process may use is kept here, apart from the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.uses: dict[int, set[int]] = {}
        """By worker, of its present process."""
        self.zombies: list[tuple[int, float, set[int]]] = []
        """Processes that were lost: they use their numbers until their time is over."""
        self.silent: set[int] = set()

    @initialize(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4))
    def begin(self, sizes: list[int]) -> None:
        first, blocks = 1, {}
        for worker, size in enumerate(sizes):
            blocks[worker] = (first, first + size - 1)
            first += size
        self.ledger = Ledger(blocks)
        self.all = list(range(1, first))
        self.uses = {worker: set(numbers([block])) for worker, block in blocks.items()}

    def is_there(self, worker: int) -> bool:
        return worker not in self.silent

    @rule(worker=WORKERS, count=st.integers(0, 30))
    def grant(self, worker: int, count: int) -> None:
        if self.is_there(worker):
            granted = numbers(self.ledger.grant(worker, count, self.now))
            assert len(granted) <= count
            assert not set(granted) & self.uses.get(worker, set())
            assert len(granted) == count or self.ledger.free == []
            self.uses.setdefault(worker, set()).update(granted)

    @rule(worker=WORKERS, spans=st.lists(SPANS, max_size=3))
    def give_back(self, worker: int, spans: list[Span]) -> None:
        """Also what it has not."""
        if self.is_there(worker):
            self.uses.get(worker, set()).difference_update(numbers(spans))
        else:
            spans = []
        self.ledger.give_back(worker, spans)

    @rule(worker=WORKERS)
    def lose(self, worker: int) -> None:
        if self.is_there(worker):
            self.zombies.append((worker, self.now + QUARANTINE_SECONDS, self.uses.pop(worker, set())))
            self.silent.add(worker)
        self.ledger.lost(worker, self.now)

    @rule(worker=WORKERS)
    def hear(self, worker: int) -> None:
        kept = [used for whose, until, used in self.zombies if whose == worker and until > self.now]
        self.zombies = [zombie for zombie in self.zombies if zombie[0] != worker]
        self.uses.setdefault(worker, set()).update(*kept)
        self.silent.discard(worker)
        self.ledger.heard(worker, self.now)

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        self.uses.pop(worker, None)
        self.zombies = [zombie for zombie in self.zombies if zombie[0] != worker]
        self.silent.add(worker)
        self.ledger.dead(worker)

    @rule(worker=WORKERS)
    def start_anew(self, worker: int) -> None:
        """Nobody may have seen the end of the process that was this worker."""
        if used := self.uses.pop(worker, None):
            self.zombies.append((worker, self.now + QUARANTINE_SECONDS, used))
        self.silent.discard(worker)
        began_with = set(numbers(self.ledger.back(worker, self.now)))
        assert began_with <= set(numbers([self.ledger.blocks[worker]] if worker in self.ledger.blocks else []))
        self.uses[worker] = began_with

    @rule(seconds=st.sampled_from([0.5, 30.0, QUARANTINE_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.zombies = [zombie for zombie in self.zombies if zombie[1] > self.now]
        self.ledger.due(self.now)

    @invariant()
    def no_number_is_with_two(self) -> None:
        used = [number for each in self.uses.values() for number in each]
        used += [number for _, _, each in self.zombies for number in each]
        assert len(used) == len(set(used))
        assert not set(used) & set(numbers(self.ledger.free))

    @invariant()
    def each_number_is_somewhere_once(self) -> None:
        held = [span for worker in range(5) for span in self.ledger.held(worker)]
        everywhere = numbers([*held, *self.ledger.free, *self.ledger.waiting()])
        assert sorted(everywhere) == self.all

    @invariant()
    def the_ledger_knows_who_has_what(self) -> None:
        for worker in range(5):
            assert numbers(self.ledger.held(worker)) == sorted(self.uses.get(worker, set()))


TestRun = Run.TestCase
TestRun.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_worker_begins_with_its_block() -> None:
    ledger = Ledger({0: (1, 166), 1: (167, 333)})
    assert ledger.held(1) == [(167, 333)]
    assert ledger.free == [] and ledger.grant(0, 5, 0.0) == []


def test_numbers_of_a_dead_worker_are_lent_at_once() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.dead(1)
    assert ledger.grant(0, 2, 0.0) == [(4, 5)]
    assert ledger.held(0) == [(1, 5)]


def test_numbers_of_a_lost_worker_are_lent_after_their_quarantine() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.lost(1, at=10.0)
    assert ledger.grant(0, 2, 10.0 + QUARANTINE_SECONDS - 0.1) == []
    assert ledger.due(10.0 + QUARANTINE_SECONDS) == [(4, 6)]
    assert ledger.grant(0, 2, 200.0) == [(4, 5)]


@pytest.mark.parametrize("ask", ["grant", "heard", "back"])
def test_whoever_asks_first_finds_the_quarantine_over(ask: str) -> None:
    ledger, over = Ledger({0: (1, 3), 1: (4, 6)}), 10.0 + QUARANTINE_SECONDS
    ledger.lost(1, at=10.0)
    match ask:
        case "grant":
            assert ledger.grant(0, 2, over) == [(4, 5)]
        case "heard":
            ledger.heard(1, over)  # too late: somebody may have asked for them
            assert (ledger.held(1), ledger.free) == ([], [(4, 6)])
        case "back":
            assert ledger.back(1, over) == [(4, 6)]
    assert ledger.waiting() == []


def test_a_worker_that_is_heard_of_again_keeps_its_numbers() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.lost(1, at=0.0)
    ledger.heard(1, 30.0)
    assert ledger.held(1) == [(4, 6)]
    assert ledger.due(1_000.0) == []


def test_a_worker_that_starts_anew_gets_what_is_left_of_its_block_and_the_rest_when_it_comes_home() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.dead(1)
    ledger.grant(0, 1, 0.0)
    assert ledger.back(1, 1.0) == [(5, 6)]
    assert ledger.grant(1, 1, 2.0) == []
    ledger.give_back(0, [(4, 4)])
    assert ledger.grant(1, 1, 3.0) == [(4, 4)]


def test_a_worker_is_lent_its_own_before_others() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.give_back(0, [(1, 3)])
    ledger.give_back(1, [(5, 6)])
    assert ledger.grant(1, 3, 0.0) == [(5, 6), (1, 1)]


def test_what_is_not_with_a_worker_it_cannot_give_back() -> None:
    ledger = Ledger({0: (1, 3), 1: (4, 6)})
    ledger.give_back(0, [(1, 10**12), (2, 2), (3, 1)])
    assert ledger.free == [(1, 3)] and ledger.held(1) == [(4, 6)]


@pytest.mark.parametrize("blocks", [{0: (1, 3), 1: (3, 6)}, {0: (2, 1)}])
def test_blocks_that_overlap_or_are_empty_are_refused(blocks: dict[int, Span]) -> None:
    with pytest.raises(ValueError, match="overlap"):
        Ledger(blocks)


def test_a_large_run_costs_little() -> None:
    """Each worker gives back every other number: as many spans as there can be."""
    ledger = Ledger({worker: (worker * 10_000 + 1, (worker + 1) * 10_000) for worker in range(10)})
    for worker in range(10):
        ledger.give_back(
            worker, [(number, number) for first, last in ledger.held(worker) for number in range(first, last, 2)]
        )
    assert sum(last - first + 1 for first, last in ledger.grant(11, 50_000, 0.0)) == 50_000
