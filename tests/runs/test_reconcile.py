"""Collected seconds against Locust's own count."""

from __future__ import annotations

from apps.runs.blocks import TOTAL
from apps.runs.reconcile import MAX_LISTED, is_off, reconcile
from tests.runs.makers import final, totals
from workers.samples import EndpointTotals

INDEXES = {"/a": 0, "/b": 1}


def index_of(row: EndpointTotals) -> int | None:
    return INDEXES.get(row.name)


COLLECTED = {TOTAL: 200, 0: 100, 1: 100}


def test_it_finds_no_difference() -> None:
    result = reconcile(COLLECTED, index_of, final(totals("/a", 100), totals("/b", 100)))
    assert result == {"collected": 200, "locust": 200, "difference": 0, "source": "final", "endpoints": []}
    assert not is_off(result)


def test_it_names_the_endpoint_that_differs() -> None:
    result = reconcile(COLLECTED, index_of, final(totals("/a", 100), totals("/b", 90), totals("/new", 10)))
    assert result["difference"] == 0
    assert result["endpoints"] == [
        {"method": "GET", "name": "/b", "collected": 100, "locust": 90, "difference": 10},
        {"method": "GET", "name": "/new", "collected": 0, "locust": 10, "difference": -10},
    ]
    assert is_off(result)


def test_it_tolerates_one_in_a_thousand() -> None:
    collected = {TOTAL: 1_000, 0: 1_000}
    assert not is_off(reconcile(collected, index_of, final(totals("/a", 1_001))))
    assert is_off(reconcile(collected, index_of, final(totals("/a", 1_002))))


def test_it_compares_names_together_that_share_an_index() -> None:
    def index_of(row: EndpointTotals) -> int:
        return {"/a": 0}.get(row.name, 7)

    told = final(totals("/a", 5), totals("/late", 2), totals("/later", 4))
    assert reconcile({TOTAL: 11, 0: 5, 7: 6}, index_of, told)["endpoints"] == []
    assert reconcile({TOTAL: 10, 0: 5, 7: 5}, index_of, told)["endpoints"] == [
        {"method": "", "name": "(other)", "collected": 5, "locust": 6, "difference": -1}
    ]


def test_it_cannot_tell_without_locusts_word() -> None:
    result = reconcile({TOTAL: 10, 0: 10}, index_of, None)
    assert (result["collected"], result["locust"], result["difference"], result["source"]) == (10, None, None, None)
    assert not is_off(result)


def test_it_lists_a_bounded_number() -> None:
    many = [totals(f"/{number}", 1) for number in range(MAX_LISTED + 5)]
    assert len(reconcile({}, index_of, final(*many))["endpoints"]) == MAX_LISTED
