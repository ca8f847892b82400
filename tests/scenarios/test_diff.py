"""What changed between two scripts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.scenarios import diff

texts = st.lists(st.sampled_from(["a", "b", "", "  c"]), max_size=30).map("\n".join)


def test_it_shows_changed_lines_with_their_neighbours() -> None:
    old = "\n".join(f"line {n}" for n in range(1, 21))
    rows = diff.unified(old, old.replace("line 10", "line ten"))
    assert [row.kind for row in rows] == ["gap", *["same"] * 3, "removed", "added", *["same"] * 3, "gap"]
    assert (rows[4].old_number, rows[4].new_number, rows[4].text) == (10, None, "line 10")
    assert (rows[5].old_number, rows[5].new_number, rows[5].text) == (None, 10, "line ten")
    assert diff.counts(rows) == (1, 1)


@given(texts)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert diff.unified(text, text) == []


@given(texts, texts)
def test_both_texts_can_be_read_off_the_whole_diff(old: str, new: str) -> None:
    rows = diff.unified(old, new, context=1000)
    before = [row.text for row in rows if row.kind in ("same", "removed")]
    after = [row.text for row in rows if row.kind in ("same", "added")]
    if rows:
        assert before == old.splitlines()
        assert after == new.splitlines()
    else:
        assert old.splitlines() == new.splitlines()
    assert not any(row.kind == "gap" for row in rows)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x\n" * 100_000, "y\n" + "x\n" * 50_000 + "y\n" + "x\n" * 50_000 + "z"),
        ("x\n" * 20_000 + "a", "x\ny\n" * 20_000 + "b"),
        ("".join(f"{n}\n" for n in range(60_000)), "".join(f"{n}\n" for n in range(60_000, 0, -1))),
    ],
    ids=["equal lines", "alternating lines", "reversed"],
)
def test_no_two_scripts_take_hours_to_compare(old: str, new: str) -> None:
    began = time.process_time()
    rows = diff.unified(old, new)
    assert time.process_time() - began < 20  # seconds; it is one or two, and was hours
    assert rows[-1].kind == "gap" and len(rows) <= diff.MAX_ROWS


def test_what_is_too_much_to_compare_is_taken_out_and_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "MAX_STEPS", 5)
    rows = diff.unified("1\na\nb\nc\n2", "1\nc\nb\na\n2")
    assert [(row.kind, row.text) for row in rows] == [
        ("same", "1"),
        *(("removed", text) for text in "abc"),
        *(("added", text) for text in "cba"),
        ("same", "2"),
    ]
