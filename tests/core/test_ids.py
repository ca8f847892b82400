"""Identifiers."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from apps.core.ids import is_uuid, uuid7


def test_it_makes_ids_of_version_7_with_the_present_time() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) - time.time() * 1000) < 5_000


def test_it_makes_ids_that_sort_by_creation() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(made)


def test_it_makes_different_ids_in_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: uuid7(), range(10_000)))
    assert len(set(made)) == len(made)


def test_it_tells_an_id_from_a_slug() -> None:
    assert is_uuid(str(uuid7()))
    assert not is_uuid("shop")
