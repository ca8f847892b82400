"""What the journals of a run prove about its IDs; and that they may hold anything."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import identity
from workers.child.exact.lines import Lines
from workers.child.journal import IDLE_SECONDS, OTHER, Journal
from workers.identity import MAX_CLASSES, Reader
from workers.identity_report import report

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Diary:
    """A journal and its reader."""

    def __init__(self, folder: Path, name: str = "ids") -> None:
        self.clock = Clock()
        self.path = folder / f"{name}.1.ndjson"
        self.journal = Journal(Lines(str(folder / name)), self.clock)
        self.reader = Reader(START - 600)
        self._read = 0

    def wait(self, seconds: float = 1.0) -> None:
        self.clock.now += seconds

    def read(self) -> Reader:
        with self.path.open() as file:
            lines = file.read().splitlines()
        self.reader.feed(lines[self._read :], self.clock.now + 600)
        self._read = len(lines)
        return self.reader

    def write(self) -> None:
        while self.journal.write():
            pass


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def ids(reader: Reader) -> dict[int, list[Any]]:
    return {row[0]: row[1:] for row in reader.summary()["ids"]}


def test_a_lease_is_told_when_it_begins_and_when_it_ends(diary: Diary) -> None:
    diary.journal.lease(7, "Shopper")
    diary.write()
    diary.wait(5)
    diary.journal.release(7)
    diary.write()
    assert ids(diary.read()) == {7: [1, [[START, START + 5, 0]], [], 0]}
    assert diary.reader.summary()["classes"] == ["Shopper"]
    assert diary.reader.refused == diary.reader.missing == 0


def test_it_counts_the_ids_that_are_in_use(diary: Diary) -> None:
    diary.write()
    assert diary.read().in_use is None  # nobody has asked for one
    for number in (7, 8, 9):
        diary.journal.lease(number, "Shopper")
    diary.write()
    assert diary.read().in_use == 3
    diary.journal.release(8)
    diary.write()
    assert diary.read().in_use == 2
    diary.journal.release(7)
    diary.journal.release(9)
    diary.journal.end()
    assert diary.read().in_use == 0


def test_another_process_begins_with_no_id_in_use(diary: Diary, tmp_path: Path) -> None:
    diary.journal.lease(7, "Shopper")
    diary.write()
    assert diary.read().in_use == 1
    again = Diary(tmp_path, "again")
    again.reader = diary.reader
    again.write()
    assert again.read().in_use == 0


def test_a_lease_without_an_end_lasts_until_the_last_line(diary: Diary) -> None:
    diary.journal.lease(7, "Shopper")
    diary.write()
    diary.wait(IDLE_SECONDS)
    diary.write()
    assert ids(diary.read()) == {7: [1, [[START, START + IDLE_SECONDS, 0]], [], 0]}
    assert not diary.reader.is_closed


def test_nothing_new_is_no_line_for_a_while(diary: Diary) -> None:
    for _ in range(9):
        diary.wait(1)
        diary.write()
    assert len(diary.path.read_text().splitlines()) == 1
    diary.journal.end()
    assert diary.read().is_closed


CHANGES = ("use", "count", "repeat", "skip", "write", "die", "orphan")
changes = st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(1, 4)), max_size=60)


@given(changes)
def test_what_the_journal_was_told_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int]]
) -> None:
    """Of an honest worker, also if its process dies now and then; only what it had not written is lost."""
    folder = tmp_path_factory.mktemp("journal")
    diaries = [Diary(folder, "0")]
    reader = diaries[0].reader
    using: dict[int, int] = {}
    committed: dict[int, list[int]] = {}
    leases = dict.fromkeys(range(1, 5), 0)
    owners = 1
    for place, (change, number) in enumerate(told):
        diary = diaries[-1]
        diary.wait(0.4)
        last = committed.get(number, [0])[-1]
        match change:
            case "use" if number in using:
                diary.journal.release(number)
                del using[number]
            case "use":
                diary.journal.lease(number, f"Class{number}")
                using[number] = 1
                leases[number] += 1
            case "count" | "skip" | "repeat":
                n = {"count": last + 1, "skip": last + 2, "repeat": max(1, last)}[change]
                diary.journal.sequence(number, n)
                committed.setdefault(number, []).append(n)
            case "write":
                diary.write()
                diary.read()
            case "die" | "orphan":
                diary.write()
                diary.read()
                using.clear()
                diaries.append(Diary(folder, str(place + 1)))
                diaries[-1].clock.now = diary.clock.now
                if change == "orphan":  # with its owner, of whom only what he has filed is left
                    reader = Reader.resumed(json.loads(json.dumps(reader.summary())), START - 600)
                    owners += 1
                diaries[-1].reader = reader
    diaries[-1].journal.end()
    diaries[-1].read()
    found = report({0: reader.summary()}, {0: (1, 4)})
    assert {row[0]: row[1] for row in reader.summary()["ids"] if row[1]} == {n: c for n, c in leases.items() if c}
    assert found["duplicates"]["count"] == found["out_of_range"]["count"] == 0
    assert found["sequences"]["committed"] == sum(map(len, committed.values()))
    gaps = sum(len(set(range(1, max(ns))) - set(ns)) for ns in committed.values())
    assert found["sequences"]["gaps"]["count"] == gaps
    assert found["sequences"]["repeats"]["count"] == sum(len(ns) - len(set(ns)) for ns in committed.values())
    assert found["incomplete"] == {"unlisted": 0, "left_out": 0, "refused": 0, "missing": owners - 1}


def test_a_number_that_was_committed_but_not_written_is_no_gap(tmp_path: Path) -> None:
    """The counters outlive the process; its journal's last second does not."""
    first, second = Diary(tmp_path, "1"), Diary(tmp_path, "2")
    first.journal.sequence(7, 1)
    first.write()
    first.journal.sequence(7, 2)
    first.read()
    second.reader = first.reader
    second.journal.resume(7, 2)
    second.journal.sequence(7, 3)
    second.write()
    sequences = report({0: second.read().summary()}, {0: (1, 9)})["sequences"]
    assert sequences["gaps"]["count"] == 0 and sequences["committed"] == 2


def test_a_script_that_takes_ids_in_a_loop_is_counted_and_not_listed(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.child.journal.MAX_WAITING", 1_000)
    monkeypatch.setattr("workers.child.journal.MAX_LEASES", 1_500)
    for _ in range(3):
        for _ in range(2_000):
            diary.journal.lease(1, "Shopper")
            diary.journal.release(1)
        diary.write()
    diary.journal.end()
    summary = diary.read().summary()
    assert ids(diary.reader)[1][0] == 1_500 and summary["unlisted"] == 4_500
    assert report({0: summary}, {0: (1, 1)})["duplicates"]["count"] == 0


def test_a_lease_that_was_not_listed_has_no_end_either(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.child.journal.MAX_WAITING", 1)
    for number in (1, 2):
        diary.journal.lease(number, "Shopper")
    diary.write()
    for number in (2, 1):
        diary.journal.release(number)
    diary.write()
    assert list(ids(diary.read())) == [1]
    assert diary.reader.summary()["unlisted"] == 1


def test_classes_beyond_the_limit_are_together(diary: Diary) -> None:
    for number in range(1, 71):
        diary.journal.lease(number, f"Class{number}")
    diary.journal.end()
    classes = diary.read().summary()["classes"]
    assert len(classes) == 51 and classes[-1] == OTHER
    assert ids(diary.reader)[70][1][0][2] == 50


def summary(*rows: Sequence[Any], **changes: Any) -> dict[str, Any]:
    """Rows: number, leases as (from, to), parts of the sequence."""
    found = [[number, len(leases), [[*lease, 0] for lease in leases], parts, 0] for number, leases, parts in rows]
    counts = dict.fromkeys(("refused", "missing", "unlisted", "left_out", "hidden_duplicates"), 0)
    return {"until": START, "classes": ["Shopper"], **counts, "ids": found, **changes}


def test_each_worker_has_its_row() -> None:
    found = report(
        {0: summary((1, [(0, 5)], []), (2, [(0, 5)], [])), 1: summary((2, [(6, 9)], []), (9, [(0, 1)], []))},
        {0: (1, 3), 1: (4, 6), 2: (7, 8)},
    )
    rows = [[row[key] for key in ("worker", "used", "unused", "borrowed", "out_of_range")] for row in found["workers"]]
    assert rows == [[0, 2, 1, 0, 0], [1, 0, 3, 1, 1], [2, 0, 2, 0, 0]]
    assert found["used"] == 3
    assert found["out_of_range"] == {"count": 1, "listed": [{"number": 9, "worker": 1}]}


def test_two_users_with_one_id_at_a_time_are_found_in_one_worker() -> None:
    found = report({0: summary((1, [(0, 5), (4.999, 7), (7, 8), (8, 8), (8, 9)], []))}, {0: (1, 3)})
    assert found["duplicates"] == {
        "count": 1,
        "listed": [{"number": 1, "workers": [0, 0], "classes": ["Shopper"] * 2, "from": 4.999, "to": 5}],
    }


def test_two_workers_with_one_id_are_found_as_far_as_their_clocks_allow() -> None:
    summaries = {0: summary((1, [(0, 5)], [])), 1: summary((1, [(4.5, 9)], []))}
    assert report(summaries, {0: (1, 3)})["duplicates"]["count"] == 0
    assert report(summaries, {0: (1, 3)}, clock_s=0.2)["duplicates"]["count"] == 1


def test_a_sequence_may_go_on_in_another_worker() -> None:
    summaries = {0: summary((1, [(0, 5)], [[1, 5], [9, 10]])), 1: summary((1, [(6, 9)], [[6, 8]]))}
    found = report(summaries, {0: (1, 3)})["sequences"]
    assert [found["committed"], found["gaps"]["count"], found["repeats"]["count"]] == [10, 0, 0]


def test_gaps_and_repeats_are_told_with_their_id() -> None:
    summaries = {0: summary((1, [(0, 5)], [[2, 5], [4, 6], [9, 9]])), 1: summary((2, [(0, 1)], [[1, 3]]))}
    found = report(summaries, {0: (1, 3)})["sequences"]
    assert found["gaps"] == {
        "count": 3,
        "listed": [{"number": 1, "first": 1, "last": 1}, {"number": 1, "first": 7, "last": 8}],
    }
    assert found["repeats"] == {"count": 2, "listed": [{"number": 1, "first": 4, "last": 5}]}
    assert found["committed"] == 11


def test_more_leases_of_an_id_than_are_kept_are_still_looked_at(diary: Diary) -> None:
    for _ in range(30):
        diary.journal.lease(1, "Shopper")
        diary.wait(0.1)
        diary.journal.release(1)
    diary.write()
    summary = diary.read().summary()
    assert ids(diary.reader)[1][0] == 30 and summary["left_out"] == 10 and summary["hidden_duplicates"] == 0
    line = {"seq": 3, "t": START + 9, "leases": [[1, START + 2.5, START + 2.6, 0]]}
    diary.reader.feed([json.dumps(line)], START + 100)
    assert report({0: diary.reader.summary()}, {0: (1, 1)})["duplicates"]["count"] == 1


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([1, 2, START]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
entries = st.lists(st.lists(json_values, min_size=2, max_size=4) | json_values, max_size=4)
hostile = st.fixed_dictionaries(
    {"seq": st.integers(-1, 50) | json_values, "t": st.just(START) | json_values},
    optional={
        **dict.fromkeys(("leases", "sequences", "resumed", "classes_new"), entries | json_values),
        "start": json_values,
        "end": json_values,
        "unlisted": json_values,
    },
)


@given(st.lists(hostile.map(json.dumps) | st.text(max_size=30), max_size=20))
def test_a_journal_may_hold_anything(lines: list[str]) -> None:
    reader = Reader(START - 10)
    reader.feed(lines, START + 10)
    found = reader.summary()
    json.dumps(report({0: found}, {0: (1, 2)}), allow_nan=False)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    "entry",
    [
        [0, 1, None, 0],
        [10**12 + 1, 1, None, 0],
        [1, -1, 2, 0],
        [1, START, START - 1, 0],
        [1, START, "x", 0],
        [1],
        "x",
        7,
    ],
)
def test_a_lease_that_cannot_be_is_refused(entry: object) -> None:
    reader = Reader(START - 10)
    reader.feed([json.dumps({"seq": 1, "t": START, "start": True, "leases": [entry]})], START + 10)
    assert reader.refused == 1 and not reader.summary()["ids"]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MAX_IDS", 100)
    monkeypatch.setattr(identity, "MAX_KEPT", 150)
    reader = Reader(START - 10)
    leases = [[number, START, START + 1, 0] for number in range(1, 201)]
    sequences = [[number, 1, 5] for number in range(1, 201)]
    line = {"seq": 1, "t": START + 1, "start": True, "leases": leases, "sequences": sequences}
    reader.feed([json.dumps(line)], START + 10)
    summary = reader.summary()
    assert len(summary["ids"]) == 100 and summary["refused"] == 200 and summary["left_out"] == 50


def test_names_of_classes_that_never_end_are_no_memory() -> None:
    reader = Reader(START - 10)
    for seq in range(1, 101):
        line = {"seq": seq, "t": START, "start": seq == 1, "classes_new": ["A", "B"] + ["A"] * 1_000}
        reader.feed([json.dumps(line)], START + 10)
    reader.feed([json.dumps({"seq": 101, "t": START, "leases": [[1, START, START + 1, 1]]})], START + 10)
    summary = reader.summary()
    assert summary["classes"] == ["A", "B"] and summary["ids"][0][2][0][2] == 1
    assert reader.refused == 100 * 1_002 - MAX_CLASSES and len(reader._said_classes) == MAX_CLASSES


@pytest.mark.parametrize("is_resumed", [False, True])
def test_workers_of_a_run_share_what_may_be_kept(monkeypatch: pytest.MonkeyPatch, is_resumed: bool) -> None:
    monkeypatch.setattr(identity, "MAX_IDS", 100)
    monkeypatch.setattr(identity, "MAX_KEPT", 200)
    monkeypatch.setattr(identity, "LENT_IDS", 5)
    empty = Reader(START - 10).summary()
    reader = Reader.resumed(empty, START - 10, 10) if is_resumed else Reader(START - 10, 10)
    leases = [[number, START, START + 1, 0] for number in range(1, 201)]
    sequences = [[number, n, n] for number in range(1, 201) for n in (1, 3, 5)]
    line = {"seq": 1, "t": START + 1, "start": True, "leases": leases, "sequences": sequences}
    reader.feed([json.dumps(line)], START + 10)
    rows = reader.summary()["ids"]
    assert len(rows) == 10 + 5 and sum(len(row[2]) + len(row[3]) for row in rows) == 20 + 25


def test_lines_that_are_none_are_read_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MAX_REFUSED_LINES", 5)
    reader = Reader(START - 10)
    reader.feed(["{}"] * 10, START + 10)
    assert reader.refused == 5


def test_beginnings_without_end_cost_little() -> None:
    reader = Reader(START - 10)
    leases = [[number, START, START + 1, 0] for number in range(1, 20_001)]
    reader.feed([json.dumps({"seq": 1, "t": START, "start": True, "leases": leases})], START + 10)
    began = time.process_time()
    reader.feed([json.dumps({"seq": 1, "t": START, "start": True})] * 10_000, START + 10)
    assert time.process_time() - began < 5


def test_a_hundred_thousand_ids_are_fine(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    for place in range(0, 100_000, 10_000):
        for number in range(place + 1, place + 10_001):
            diary.journal.lease(number, "Shopper")
            diary.journal.sequence(number, 1)
        diary.write()
    lines = diary.path.read_text().splitlines()
    began = time.process_time()
    diary.reader.feed(lines, START + 600)
    summary = diary.reader.summary()
    found = report({0: summary}, {0: (1, 100_000)})
    assert time.process_time() - began < 15
    assert found["used"] == found["sequences"]["committed"] == 100_000
    assert found["duplicates"]["count"] == 0
