"""Who runs where follows from the number of users alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.apart import said_by
from workers.child.swarm.dispatch import Dispatch, UserClass

Counts = Mapping[int, Mapping[str, int]]

QUOTAS = st.lists(st.integers(0, 40), min_size=1, max_size=6).map(lambda sizes: dict(enumerate(sizes)))
WEIGHTED = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(
    lambda weights: [UserClass(name, weight) for name, weight in zip("ABCD", weights, strict=False)]
)
CLASSES = st.tuples(WEIGHTED, st.lists(st.integers(1, 5), max_size=2)).map(
    lambda both: [*both[0], *(UserClass(name, 1, fixed) for name, fixed in zip("XY", both[1], strict=False))]
)
WAY = st.lists(st.integers(0, 250), max_size=6)
NEAR = st.tuples(st.integers(1, 60), st.lists(st.integers(0, 1), min_size=2, max_size=6)).map(
    lambda sizes: {index: sizes[0] + more for index, more in enumerate(sizes[1])}
)
"""As blocks are shared out: they differ by one at most."""


def on_workers(counts: Counts) -> dict[int, int]:
    return {worker: sum(by_class.values()) for worker, by_class in counts.items()}


def gone_to(users: int, quotas: Mapping[int, int], classes: Sequence[UserClass]) -> Dispatch:
    dispatch = Dispatch(quotas, classes)
    dispatch.go(users)
    return dispatch


@given(QUOTAS, CLASSES, WAY)
def test_no_worker_ever_has_more_than_its_quota_and_all_have_what_is_wanted(
    quotas: dict[int, int], classes: list[UserClass], way: list[int]
) -> None:
    dispatch = Dispatch(quotas, classes)
    for users in way:
        dispatch.go(users)
        found = on_workers(dispatch.counts())
        assert all(found[worker] <= quota for worker, quota in quotas.items())
        assert dispatch.users == sum(found.values()) == min(users, sum(quotas.values()))
        assert dispatch.by_class() == {
            one.name: sum(by_class[one.name] for by_class in dispatch.counts().values()) for one in classes
        }


@given(QUOTAS, CLASSES, WAY, st.integers(0, 250))
def test_what_each_worker_has_depends_on_the_number_alone(
    quotas: dict[int, int], classes: list[UserClass], way: list[int], users: int
) -> None:
    dispatch = Dispatch(quotas, classes)
    for number in (*way, users):
        dispatch.go(number)
    assert dispatch.counts() == gone_to(users, quotas, classes).counts()


@given(QUOTAS, CLASSES, st.integers(0, 250), st.integers(0, 250))
def test_who_came_last_goes_first(quotas: dict[int, int], classes: list[UserClass], some: int, other: int) -> None:
    """So nobody ever has to go while another one comes."""
    fewer = gone_to(min(some, other), quotas, classes).counts()
    more = gone_to(max(some, other), quotas, classes).counts()
    assert all(fewer[worker][name] <= more[worker][name] for worker in quotas for name in fewer[worker])


@given(QUOTAS, WEIGHTED, st.integers(0, 250))
def test_each_worker_has_its_part_of_all_users(quotas: dict[int, int], classes: list[UserClass], users: int) -> None:
    dispatch, room = gone_to(users, quotas, classes), sum(quotas.values())
    for worker, count in on_workers(dispatch.counts()).items():
        assert -4 < count - dispatch.users * quotas[worker] / max(1, room) < 1


@given(QUOTAS | NEAR, WEIGHTED, st.integers(0, 250))
def test_no_class_keeps_to_some_of_the_workers(quotas: dict[int, int], classes: list[UserClass], users: int) -> None:
    dispatch, room = gone_to(users, quotas, classes), sum(quotas.values())
    for worker, by_class in dispatch.counts().items():
        for name, count in by_class.items():
            assert abs(count - dispatch.by_class()[name] * quotas[worker] / max(1, room)) < 4


@given(QUOTAS | NEAR, CLASSES, st.integers(0, 60), st.integers(1, 40))
def test_each_user_goes_to_a_worker_below_its_part_that_lacks_most_of_the_class(
    quotas: dict[int, int], classes: list[UserClass], users: int, more: int
) -> None:
    quotas = {1000 + worker: quota for worker, quota in quotas.items()}  # whatever they are called
    dispatch, room = gone_to(users, quotas, classes), sum(quotas.values())
    for _ in range(min(more, room - dispatch.users)):
        before, count = dispatch.counts(), dispatch.users
        dispatch.go(count + 1)
        after, has = dispatch.counts(), on_workers(before)
        ((worker, name),) = [
            (one, name) for one in quotas for name in after[one] if after[one][name] > before[one][name]
        ]
        below = [one for one, quota in quotas.items() if has[one] * room < quota * (count + 1)]
        wants = {one: ((2 * before[one][name] + 1) / quotas[one], has[one] / quotas[one], one) for one in below}
        assert worker == min(wants, key=wants.__getitem__)


def test_of_fixed_numbers_the_one_that_lacks_most_comes_first_and_nobody_beyond_it() -> None:
    classes = [UserClass("W", 1), UserClass("X", 1, 1), UserClass("Y", 1, 3), UserClass("Z", 0)]
    found = [gone_to(users, {0: 9}, classes).by_class() for users in range(1, 10)]
    assert [tuple(one.values()) for one in found] == [
        (0, 0, 1, 0), (0, 0, 2, 0), (0, 1, 2, 0), (0, 1, 3, 0), (1, 1, 3, 0),
        (2, 1, 3, 0), (3, 1, 3, 0), (4, 1, 3, 0), (5, 1, 3, 0),
    ]  # fmt: skip
    assert gone_to(9, {0: 9}, classes[1:]).by_class() == {"X": 1, "Y": 3, "Z": 0}


def test_classes_are_mixed_where_the_quotas_differ_by_one() -> None:
    classes = [UserClass("A", 2), UserClass("B", 1), UserClass("C", 5), UserClass("D", 2)]
    counts = gone_to(258, {0: 60, 1: 60, 2: 61, 3: 60, 4: 60}, classes).counts()
    assert {tuple(by_class.values()) for by_class in counts.values()} <= {
        (a, b, c, d) for a in (9, 10, 11) for b in (5, 6) for c in (25, 26, 27) for d in (9, 10, 11)
    }


@given(QUOTAS, QUOTAS, CLASSES, st.integers(0, 250))
def test_a_change_of_quotas_moves_nobody_who_can_stay(
    before: dict[int, int], after: dict[int, int], classes: list[UserClass], users: int
) -> None:
    dispatch = gone_to(users, before, classes)
    old, anew = dispatch.counts(), gone_to(users, after, classes)
    dispatch.change(after)
    new = dispatch.counts()
    stayed = sum(min(count, new.get(worker, {}).get(name, 0)) for worker in old for name, count in old[worker].items())
    could = sum(min(count, after.get(worker, 0)) for worker, count in on_workers(old).items())
    assert stayed >= could
    assert dispatch.users == anew.users
    assert all(count <= after[worker] for worker, count in on_workers(new).items())


@given(QUOTAS, QUOTAS, CLASSES, st.integers(0, 250))
def test_a_change_of_quotas_leaves_the_mix_of_all_as_it_is_if_there_is_room(
    before: dict[int, int], after: dict[int, int], classes: list[UserClass], users: int
) -> None:
    dispatch = gone_to(min(users, sum(before.values()), sum(after.values())), before, classes)
    old = dispatch.by_class()
    dispatch.change(after)
    assert dispatch.by_class() == old


def test_a_lost_worker_leaves_its_users_to_those_with_room() -> None:
    dispatch = gone_to(12, {0: 4, 1: 4, 2: 4}, [UserClass("A", 1), UserClass("B", 1)])
    dispatch.change({0: 4, 2: 4})
    assert on_workers(dispatch.counts()) == {0: 4, 2: 4} and dispatch.users == 8
    dispatch.change({0: 6, 2: 6})
    dispatch.go(12)
    assert on_workers(dispatch.counts()) == {0: 6, 2: 6} and dispatch.by_class() == {"A": 6, "B": 6}


def test_a_worker_that_comes_back_has_its_users_again() -> None:
    dispatch = gone_to(12, {0: 4, 1: 4, 2: 4}, [UserClass("A", 1), UserClass("B", 1)])
    before = dispatch.counts()
    dispatch.change({0: 4, 2: 4})
    dispatch.change({0: 4, 1: 4, 2: 4})
    assert on_workers(dispatch.counts()) == on_workers(before) and dispatch.users == 12
    dispatch.go(8)
    dispatch.change({0: 2, 1: 2})
    dispatch.change({0: 4, 1: 4, 2: 4})
    assert dispatch.users == 8  # as was wanted last


def test_who_comes_while_classes_are_restricted_is_of_one_of_them() -> None:
    dispatch = gone_to(4, {0: 5, 1: 5}, [UserClass("A", 1), UserClass("B", 1)])
    dispatch.restrict(["B"])
    dispatch.go(8)
    assert dispatch.by_class() == {"A": 2, "B": 6}
    dispatch.restrict([])
    dispatch.go(9)
    assert dispatch.users == 8
    dispatch.restrict(None)
    dispatch.go(10)
    assert dispatch.by_class() == {"A": 4, "B": 6}


@given(QUOTAS, WEIGHTED, st.lists(st.integers(0, 250), min_size=3, max_size=3), st.integers(0, 3))
def test_who_was_there_and_has_gone_before_a_restriction_leaves_no_trace(
    quotas: dict[int, int], classes: list[UserClass], numbers: list[int], allowed: int
) -> None:
    fewer, users, more = sorted(numbers)
    names = [one.name for one in classes][:allowed]
    dispatch, fresh = gone_to(more, quotas, classes), gone_to(fewer, quotas, classes)
    dispatch.go(fewer)
    for each in (dispatch, fresh):
        each.restrict(names)
        each.go(users)
    assert dispatch.counts() == fresh.counts()


def cpu_seconds(workers: int) -> float:
    """Of a dispatch of 20,000 users in one step."""
    quotas = {index: 20_000 // workers + index % 2 for index in range(workers)}
    began = time.process_time()
    gone_to(20_000, quotas, [UserClass("A", 3), UserClass("B", 1)])
    return time.process_time() - began


def test_many_workers_cost_hardly_more_than_few() -> None:
    few, many = (min(cpu_seconds(workers) for _ in range(3)) for workers in (5, 500))
    assert many < 5 * few  # if each user looked at all workers, it would be 50 times


LOCUSTS_OWN = """
import json
from locust import User, constant
from locust.dispatch import UsersDispatcher

class Node:
    def __init__(self, id):
        self.id = id

def totals(workers, classes, users):
    made = [type(name, (User,), {"weight": w, "fixed_count": fixed, "abstract": False}) for name, w, fixed in classes]
    dispatcher = UsersDispatcher([Node(f"worker_{number}") for number in range(workers)], made)
    dispatcher.new_dispatch(users, 1_000_000.0)
    counts = list(dispatcher)[-1]
    return {name: sum(one[name] for one in counts.values()) for name, _, _ in classes}

print(json.dumps([totals(*case) for case in json.loads(CASES)]))
"""


def test_of_each_class_there_are_as_many_as_locust_itself_would_have() -> None:
    """Beyond the users of a fixed count, which both have first."""
    cases: list[tuple[int, list[UserClass], int]] = []

    @settings(max_examples=60, database=None, derandomize=True)
    @given(st.integers(1, 5), CLASSES, st.integers(10, 200))
    def gather(workers: int, classes: list[UserClass], users: int) -> None:
        cases.append((workers, classes, users))

    gather()
    theirs = json.loads(said_by(f"CASES = {json.dumps(cases)!r}\n{LOCUSTS_OWN}"))
    for (workers, classes, users), expected in zip(cases, theirs, strict=True):
        ours = gone_to(users, dict.fromkeys(range(workers), 200), classes)
        assert ours.by_class() == expected, classes
