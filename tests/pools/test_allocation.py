"""Who gets what: shares, free spans, seats."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pools.allocation import NoRoom, Room, Seat, Span, free_spans, seats, share_out, shares, split


def room(name: str, slots: int, *spans: tuple[int, int], users: int | None = None, without_ids: bool = False) -> Room:
    return Room(name, name, slots, users, None if without_ids else tuple(Span(*span) for span in spans))


def blocks(placed: Iterable[Seat]) -> list[tuple[int, int]]:
    return [(seat.offset, seat.users) for seat in placed]


# --- shares -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "parts", "sizes"),
    [(500, 3, [166, 167, 167]), (500, 2, [250, 250]), (2, 3, [0, 1, 1]), (7, 1, [7]), (0, 2, [0, 0]), (0, 0, [])],
)
def test_it_cuts_at_the_floors(total: int, parts: int, sizes: list[int]) -> None:
    assert shares(total, parts) == sizes


@given(st.integers(0, 10**12), st.integers(1, 300))
def test_shares_are_complete_and_even(total: int, parts: int) -> None:
    sizes = shares(total, parts)
    assert sum(sizes) == total and len(sizes) == parts
    assert max(sizes) - min(sizes) <= 1
    assert share_out(total, [None] * parts) == sizes


@given(st.integers(0, 200), st.lists(st.none() | st.integers(0, 40), min_size=1, max_size=8))
def test_parts_below_their_limits_are_even(total: int, limits: list[int | None]) -> None:
    if None not in limits and sum(limit or 0 for limit in limits) < total:
        with pytest.raises(ValueError):
            share_out(total, limits)
        return
    sizes = share_out(total, limits)
    assert sum(sizes) == total and len(sizes) == len(limits)
    assert all(limit is None or size <= limit for size, limit in zip(sizes, limits, strict=True))
    below = [size for size, limit in zip(sizes, limits, strict=True) if size != limit]
    assert not below or max(sizes) - min(below) <= 1


# --- free spans ---------------------------------------------------------------------------------------------------

spans = st.tuples(st.integers(-5, 45), st.integers(0, 12)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


@given(spans, st.lists(spans, max_size=6))
def test_what_is_left_is_all_that_nobody_has(span: Span, taken: list[Span]) -> None:
    left = free_spans(span, taken)
    numbers = set(range(span.first, span.last + 1)) - {n for block in taken for n in range(block.first, block.last + 1)}
    assert [n for part in left for n in range(part.first, part.last + 1)] == sorted(numbers)
    assert all(after.first > before.last + 1 for before, after in itertools.pairwise(left))  # none cut without need


# --- split --------------------------------------------------------------------------------------------------------


def test_it_splits_over_all_slots_in_order() -> None:
    assert split(Span(1, 500), [("a", 1), ("b", 2)]) == [
        ("a", 1, Span(1, 166)),
        ("b", 1, Span(167, 333)),
        ("b", 2, Span(334, 500)),
    ]


def test_it_does_not_split_fewer_numbers_than_slots() -> None:
    with pytest.raises(ValueError):
        split(Span(1, 2), [("a", 3)])


@given(st.integers(1, 10**9), st.integers(0, 5000), st.lists(st.integers(0, 8), min_size=1, max_size=6))
def test_a_split_leaves_nothing_out(first: int, more: int, slots: list[int]) -> None:
    span = Span(first, first + sum(slots) - 1 + more)
    if not sum(slots):
        return
    parts = [part for _host, _slot, part in split(span, list(enumerate(slots)))]
    assert (parts[0].first, parts[-1].last) == (span.first, span.last)
    assert all(after.first == before.last + 1 for before, after in itertools.pairwise(parts))
    assert max(part.size for part in parts) - min(part.size for part in parts) <= 1


# --- seats, by example --------------------------------------------------------------------------------------------


def test_seats_are_numbered_in_the_order_of_their_ids() -> None:
    """Also when a small block finds room before a large one that came first."""
    placed = seats([room("a", 4, (1, 4), (10, 15))], workers=4, users=10)
    assert blocks(placed) == [(0, 2), (2, 2), (9, 3), (12, 3)]
    assert [seat.index for seat in placed] == [0, 1, 2, 3]


def test_workers_that_cannot_be_even_are_as_even_as_the_pieces_allow() -> None:
    placed = seats([room("a", 4, (1, 14), (21, 30))], workers=4, users=24)
    assert blocks(placed) == [(0, 7), (7, 7), (20, 5), (25, 5)]


def test_a_worker_moves_to_the_host_where_that_one_reaches_most() -> None:
    rooms = [room("a", 2, (1, 5), (11, 15)), room("b", 1, (21, 27)), room("c", 1, (31, 36))]
    assert seats(rooms, workers=1, users=7) == (Seat("b", 0, 7, 20),)


@pytest.mark.parametrize(
    ("workers", "offsets"), [(1, [0]), (2, [0, 250]), (3, [0, 166, 333]), (5, [0, 100, 200, 300, 400])]
)
@pytest.mark.parametrize("without_ids", [False, True])
def test_offsets_are_the_floors(workers: int, offsets: list[int], without_ids: bool) -> None:
    placed = seats([room("a", 8, (1, 500), without_ids=without_ids)], workers=workers, users=500)
    assert [seat.offset for seat in placed] == offsets
    assert [seat.index for seat in placed] == list(range(workers))


def test_hosts_use_their_own_ranges() -> None:
    hosts = [room("c", 1, (334, 500)), room("a", 1, (1, 166)), room("b", 1, (167, 333))]
    placed = seats(hosts, workers=3, users=500)
    assert [(seat.host_id, seat.offset, seat.users) for seat in placed] == [
        ("a", 0, 166),
        ("b", 166, 167),
        ("c", 333, 167),
    ]


def test_without_ids_hosts_come_by_name() -> None:
    hosts = [room(name, 2, without_ids=True) for name in ("b", "a")]
    placed = seats(hosts, workers=4, users=10)
    assert [seat.host_id for seat in placed] == ["a", "a", "b", "b"]
    assert blocks(placed) == [(0, 2), (2, 3), (5, 2), (7, 3)]


def test_there_are_no_more_workers_than_users() -> None:
    assert blocks(seats([room("a", 4, (1, 100))], workers=4, users=2)) == [(0, 1), (1, 1)]


def test_a_host_that_has_less_gets_less() -> None:
    hosts = [room("a", 1, (1, 10)), room("b", 1, (11, 500)), room("c", 1, (501, 900), users=30)]
    assert [seat.users for seat in seats(hosts, workers=3, users=100)] == [10, 60, 30]


def test_a_worker_takes_the_lowest_ids_that_it_fits_in() -> None:
    assert blocks(seats([room("a", 2, (1, 20), (41, 300))], workers=2, users=40)) == [(0, 20), (40, 20)]
    assert blocks(seats([room("a", 2, (1, 20), (41, 300))], workers=1, users=40)) == [(40, 40)]


def test_workers_are_uneven_where_the_free_ids_are_in_pieces() -> None:
    assert blocks(seats([room("a", 2, (1, 30), (41, 50))], workers=2, users=40)) == [(0, 30), (40, 10)]


def test_workers_move_to_hosts_with_more_room() -> None:
    hosts = [room("a", 2, (1, 10)), room("b", 1, (11, 500)), room("c", 1, (501, 990))]
    placed = seats(hosts, workers=2, users=980)
    assert [(seat.host_id, seat.users) for seat in placed] == [("b", 490), ("c", 490)]


def test_a_large_id_is_as_good_as_a_small_one() -> None:
    last = 10**12
    assert blocks(seats([room("a", 2, (last - 9, last))], workers=2, users=10)) == [(last - 10, 5), (last - 5, 5)]


@pytest.mark.parametrize(
    ("hosts", "kind", "free"),
    [
        ([], "slots", 0),
        ([room("a", 1, (1, 100))], "slots", 1),
        ([room("a", 2, (1, 100)), room("b", 3)], "slots", 2),
        ([room("a", 4, (1, 100), users=9)], "users", 9),
        ([room("a", 4, without_ids=True, users=0)], "users", 0),
        ([room("a", 3, (1, 9))], "ids", 9),
        ([room("a", 3, (1, 9)), room("b", 0, (11, 99))], "ids", 9),
        ([room("a", 3, (1, 3), (5, 7), (9, 10), (12, 13))], "ids", 8),
        ([room(name, 1, users=3, without_ids=True) for name in "abcd"], "users", 9),
    ],
)
def test_it_says_what_is_short(hosts: list[Room], kind: str, free: int) -> None:
    with pytest.raises(NoRoom) as caught:
        seats(hosts, workers=3, users=10)
    assert (caught.value.kind, caught.value.free) == (kind, free)
    assert caught.value.needed == (3 if kind == "slots" else 10)


# --- seats, whatever comes ----------------------------------------------------------------------------------------


@st.composite
def pieces(draw: st.DrawFn, *, first: int, most: int, gap: int, size: int) -> tuple[Span, ...]:
    found = []
    for _ in range(draw(st.integers(0, most))):
        start = first + draw(st.integers(1, gap))
        first = start + draw(st.integers(1, size))
        found.append(Span(start, first - 1))
    return tuple(found)


@st.composite
def pools(draw: st.DrawFn, *, hosts: int, slots: int, most: int, size: int) -> list[Room]:
    """Hosts with and without IDs, limits and free slots; in any order, as their ranges are."""
    rooms, has_ids = [], draw(st.booleans())
    for number in range(draw(st.integers(1, hosts))):
        own = draw(pieces(first=1000 * number, most=most, gap=3, size=size)) if has_ids else None
        limit = draw(st.none() | st.integers(0, most * size))
        rooms.append(Room(number, f"host-{9 - number}", draw(st.integers(0, slots)), limit, own))
    return draw(st.permutations(rooms))


def check(rooms: Sequence[Room], placed: Sequence[Seat], workers: int, users: int) -> None:
    assert [seat.index for seat in placed] == list(range(min(workers, users)))
    assert sum(seat.users for seat in placed) == users and all(seat.users > 0 for seat in placed)
    assert all(after.offset >= before.offset + before.users for before, after in itertools.pairwise(placed))
    for one in rooms:
        own = [seat for seat in placed if seat.host_id == one.host_id]
        assert len(own) <= one.slots
        assert one.users is None or sum(seat.users for seat in own) <= one.users
        for seat in own:
            assert one.spans is None or any(is_inside(seat, span) for span in one.spans)
    if rooms[0].spans is None:
        assert [seat.offset for seat in placed] == [0, *itertools.accumulate(seat.users for seat in placed[:-1])]


def is_inside(seat: Seat, span: Span) -> bool:
    return span.first <= seat.offset + 1 and seat.offset + seat.users <= span.last


@given(pools(hosts=8, slots=6, most=5, size=60), st.integers(1, 30), st.integers(1, 400), st.randoms())
@settings(max_examples=400)
def test_seats_hold_all_limits_and_do_not_depend_on_the_order(
    rooms: list[Room], workers: int, users: int, mixer: random.Random
) -> None:
    try:
        placed = seats(rooms, workers=workers, users=users)
    except NoRoom:
        return
    check(rooms, placed, workers, users)
    mixer.shuffle(rooms)
    assert seats(rooms, workers=workers, users=users) == placed


@given(pools(hosts=6, slots=5, most=1, size=90), st.integers(1, 20), st.integers(1, 300))
@settings(max_examples=400)
def test_users_are_even_but_for_hosts_that_are_full(rooms: list[Room], workers: int, users: int) -> None:
    try:
        placed = seats(rooms, workers=workers, users=users)
    except NoRoom:
        return
    of_host = Counter[object]()
    for seat in placed:
        of_host[seat.host_id] += seat.users
    limits = {one.host_id: min(one.users if one.users is not None else users, ids(one, users)) for one in rooms}
    largest = max(seat.users for seat in placed)
    assert all(seat.users >= largest - 1 or of_host[seat.host_id] == limits[seat.host_id] for seat in placed)


@given(pools(hosts=6, slots=5, most=1, size=90), st.integers(1, 20), st.integers(1, 300))
@settings(max_examples=400)
def test_workers_are_even_wherever_the_users_find_room_so(rooms: list[Room], workers: int, users: int) -> None:
    """With what the hosts have raised to the need, and with any number of slots, nothing keeps them from it."""
    ample = [replace(one, users=None, spans=one.spans and (wide(one),)) for one in rooms]
    free = [one.slots for one in rooms if one.spans is None or one.spans]
    if sum(free) < workers:
        return
    placed = seats(ample, workers=workers, users=users)
    counts = Counter(seat.host_id for seat in placed)
    most = max(counts.values())
    for one in ample:
        assert one.spans == () or counts[one.host_id] in {one.slots, most, most - 1}
    assert max(seat.users for seat in placed) - min(seat.users for seat in placed) <= 1


def wide(one: Room) -> Span:
    assert one.spans
    return Span(one.spans[0].first, one.spans[0].first + 900)


def ids(one: Room, enough: int) -> int:
    return enough if one.spans is None else sum(span.size for span in one.spans)


@given(pools(hosts=3, slots=3, most=3, size=4), st.integers(1, 5), st.integers(1, 20))
@settings(max_examples=600)
def test_it_gives_up_only_when_there_is_no_way(rooms: list[Room], workers: int, users: int) -> None:
    try:
        placed = seats(rooms, workers=workers, users=users)
    except NoRoom:
        assert not is_possible(rooms, min(workers, users), users)
    else:
        check(rooms, placed, workers, users)


def is_possible(rooms: Sequence[Room], workers: int, users: int) -> bool:
    """By trying everything: which span each worker is in."""
    for choice in itertools.combinations_with_replacement(list(places(rooms, users)), workers):
        counts = Counter(choice)
        totals = [
            sum(min(span.size, users) for place, span in set(choice) if place == host) for host in range(len(rooms))
        ]
        if (
            all(count <= span.size for (_host, span), count in counts.items())
            and all(fits(one, host, counts) for host, one in enumerate(rooms))
            and sum(min(total, most(one, users)) for total, one in zip(totals, rooms, strict=True)) >= users
        ):
            return True
    return False


def places(rooms: Sequence[Room], users: int) -> Iterator[tuple[int, Span]]:
    for host, one in enumerate(rooms):
        for span in (Span(1, users),) if one.spans is None else one.spans:
            yield host, span


def fits(one: Room, host: int, counts: Counter[tuple[int, Span]]) -> bool:
    own = sum(count for (place, _span), count in counts.items() if place == host)
    return own <= min(one.slots, most(one, own))


def most(one: Room, enough: int) -> int:
    return enough if one.users is None else one.users
