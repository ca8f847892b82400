"""Names and slugs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Invalid
from apps.core.names import SLUG_CHARS, clean_name, clean_slug, derive_slug


@given(st.text(max_size=150), st.sets(st.integers(2, 5)))
def test_it_makes_a_good_free_slug_of_anything(name: str, taken: set[int]) -> None:
    used: set[str] = set()
    for _ in range(3):
        slug = derive_slug(name, otherwise="thing", is_taken=used.__contains__)
        assert clean_slug(slug) == slug
        assert slug not in used
        assert len(slug) <= SLUG_CHARS
        used.add(slug)


@pytest.mark.parametrize(
    "name", ["", " ", "\t", "x" * 101, "a\x00", "a\x1b[31m", "\u202eexe", "\u2066x", "\ud800", "\u200b", "\u0301"]
)
def test_it_refuses_names_that_cannot_be_shown(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_name(name)
    assert list(refused.value.fields) == ["name"]


@pytest.mark.parametrize(("name", "clean"), [("  Shop ", "Shop"), ("<b>", "<b>"), ("e\u0301", "é"), ("متجر", "متجر")])
def test_it_keeps_other_names(name: str, clean: str) -> None:
    assert clean_name(name) == clean
