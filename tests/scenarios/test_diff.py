"""What changed between two scripts."""

from __future__ import annotations

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
