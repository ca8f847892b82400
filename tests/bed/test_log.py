"""The proofs on the target's log: each holds for what is right, and fails for each thing that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bed.log import LOGIN, LOGOUT, SHOWN, UPLOAD, Entry, Log, gaps, line, parsed, repeats

texts = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
times = st.integers(0, 10**9).map(lambda micros: micros / 1_000_000)
entries = st.builds(
    Entry,
    times,
    times,
    texts,
    st.integers(0),
    texts,
    texts,
    texts,
    texts,
    texts,
    st.none() | st.integers(),
    st.integers(),
)


def entry(
    at: float, path: str, user: str, n: int | None = None, *, session: str = "1", peer: str = "a", connection: int = 1
) -> Entry:
    return Entry(at, at, peer, connection, session, "0", "POST", path, user, n, 200)


def uploads(user: str, *numbers: int | None) -> list[Entry]:
    return [entry(at, UPLOAD, user, n) for at, n in enumerate(numbers)]


def logins(*users: str) -> list[Entry]:
    return [entry(at, LOGIN, user, session=str(at)) for at, user in enumerate(users)]


def stay(user: str, first: float, last: float, **how: object) -> list[Entry]:
    return [entry(first, LOGIN, user, **how), entry(last, LOGOUT, user, **how)]  # type: ignore[arg-type]


# --- the file -----------------------------------------------------------------------------------------------------


@given(entries)
def test_a_line_is_read_as_it_was_written(written: Entry) -> None:
    assert parsed(line(written)) == written


@given(st.text())
def test_text_of_a_script_cannot_break_a_line_up(text: str) -> None:
    written = line(entry(1, text, text, session=text))
    assert written.count("\n") == 1
    assert parsed(written).n is None


def test_it_reads_whole_lines_from_a_place_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    old, new = line(entry(1, LOGIN, "x")), line(entry(2, LOGIN, "y"))
    path.write_text(old + new + new[:10])
    assert [found.id for found in Log.read(path).entries] == ["x", "y"]
    assert [found.id for found in Log.read(path, len(old)).entries] == ["y"]


# --- each once ----------------------------------------------------------------------------------------------------


def test_each_id_once_holds() -> None:
    Log([*logins("t_00002", "t_00001", "t_00003"), *uploads("t_00002", 1)]).assert_each_once("t_", 1, 3)


@pytest.mark.parametrize(
    ("users", "complaint"),
    [
        (["t_00001"], "t_00002 never logged in"),
        (["t_00001", "t_00002", "t_00001"], "t_00001 logged in 2 times"),
        (["t_00001", "t_00002", "t_00003"], "t_00003 should not be there"),
        (["t_00001", "t_00002", "t_2"], "t_2 should not be there"),
        ([], "t_00001 never logged in"),
    ],
)
def test_each_id_once_fails(users: list[str], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        Log(logins(*users)).assert_each_once("t_", 1, 2)


def test_it_names_the_first_ten_offenders() -> None:
    with pytest.raises(AssertionError) as failed:
        Log([]).assert_each_once("t_", 1, 500)
    assert str(failed.value).count("never logged in") == SHOWN
    assert "and 490 more" in str(failed.value)


# --- no overlap ---------------------------------------------------------------------------------------------------


def test_one_session_after_another_is_no_overlap() -> None:
    Log([*stay("x", 1, 2, session="1"), *stay("x", 3, 4, session="2"), *stay("y", 1, 4)]).assert_no_overlap()


@pytest.mark.parametrize(
    "other",
    [
        {"session": "2"},
        {"session": "1", "peer": "b"},
        {"session": "", "connection": 2},
    ],
    ids=["two sessions", "two hosts", "two connections without a session"],
)
@pytest.mark.parametrize(("first", "last"), [(1, 2), (5, 6), (2, 9), (0, 9), (0, 1), (9, 10)])
def test_two_at_once_are_an_overlap(other: dict[str, object], first: float, last: float) -> None:
    log = Log([*stay("x", 1, 9), *stay("x", first, last, **other)])
    with pytest.raises(AssertionError, match="x: session"):
        log.assert_no_overlap()


def test_a_long_stay_overlaps_with_one_after_a_short_one() -> None:
    log = Log([*stay("x", 0, 9), *stay("x", 1, 2, session="2"), *stay("x", 5, 6, session="3")])
    with pytest.raises(AssertionError) as failed:
        log.assert_no_overlap()
    assert str(failed.value).count("x: session") == 2


# --- sequences ----------------------------------------------------------------------------------------------------


def test_uploads_without_a_gap_hold() -> None:
    log = Log([*uploads("x", 1, 2, 3), *uploads("y", 1), *logins("z")])
    log.assert_no_gap()
    assert log.sequence("x") == [1, 2, 3]
    assert log.sequence("z") == []


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ([1, 3], "without 2"),
        ([2, 3], "without 1"),
        ([1, 1, 2], "again 1"),
        ([1, 3, 2], "out of order"),
        ([0, 1], "out of order"),
        ([None], "out of order"),
    ],
)
def test_uploads_fail(numbers: list[int | None], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        Log([*uploads("w", 1, 2), *uploads("x", *numbers)]).assert_no_gap()


def test_who_uploaded_nothing_fails_when_named() -> None:
    with pytest.raises(AssertionError, match="z: nothing uploaded"):
        Log(uploads("x", 1)).assert_no_gap(["x", "z"])


def test_repeats_are_allowed_to_those_named() -> None:
    Log(uploads("x", 1, 2, 2, 3)).assert_no_gap(allow_repeats_for={"x"})
    with pytest.raises(AssertionError, match="x: again 2"):
        Log(uploads("x", 1, 2, 2, 3)).assert_no_gap(allow_repeats_for={"y"})
    with pytest.raises(AssertionError, match="x: out of order"):
        Log(uploads("x", 1, 2, 3, 2)).assert_no_gap(allow_repeats_for={"x"})


@given(st.lists(st.integers(1, 50), max_size=60))
def test_gaps_and_repeats_say_all_that_keeps_numbers_from_being_one_to_n(numbers: list[int]) -> None:
    whole = sorted(numbers) == list(range(1, len(numbers) + 1))
    assert whole == (not gaps(numbers) and not repeats(numbers))


# --- who ----------------------------------------------------------------------------------------------------------


def test_it_tells_who_logged_in_from_where() -> None:
    log = Log([entry(1, LOGIN, "x", peer="a"), entry(2, LOGIN, "y", peer="b"), entry(3, UPLOAD, "z", 1, peer="b")])
    assert log.ids_by_peer() == {"a": {"x"}, "b": {"y"}}
    assert log.ids_by_worker() == {"0": {"x", "y"}}
    assert list(log.logins_by_id()) == ["x", "y"]
