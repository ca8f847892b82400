"""What the journals of a run's workers prove, as REST tells it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.runs import identities
from apps.runs.identities_serializers import IdentitiesOut
from apps.runs.models import Run, RunWorker
from tests.factories import RunFactory
from tests.runs.test_presentation import assert_fits
from workers.identity import Summary
from workers.identity_report import report as proven

pytestmark = pytest.mark.django_db


def summary(*ids: list[object]) -> Summary:
    """`[number, leases, [[from, to, class], …], [[first n, last n], …], resumed]` for each ID."""
    counts = dict.fromkeys(("unlisted", "left_out", "hidden_duplicates", "refused", "missing"), 0)
    return {"ids": list(ids), "classes": ["Student"], "until": 100.0, **counts}


@pytest.fixture
def run() -> Run:
    """Two workers with three IDs each."""
    made = RunFactory.create(workers=2, id_prefix="test_", id_width=5)
    for index in range(2):
        RunWorker.objects.create(run=made, index=index, host_name="host", users=3, offset=3 * index)
    return made


def test_each_worker_has_its_range_and_who_used_it(run: Run) -> None:
    identities.store(run.pk, 0, summary([1, 1, [[1.0, 9.0, 0]], [[1, 4]], 0], [2, 2, [[1.0, 2.0, 0]], [], 0]))
    identities.store(run.pk, 1, summary([4, 1, [[1.0, 9.0, 0]], [[1, 2]], 0]))
    found = identities.report(run)
    assert_fits(found, IdentitiesOut())
    assert found["has_journal"] and found["used"] == 3
    assert [(row["first"], row["last"], row["used"], row["unused"]) for row in found["workers"]] == [
        ("test_00001", "test_00003", 2, 1),
        ("test_00004", "test_00006", 1, 2),
    ]
    assert found["sequences"]["committed"] == 6
    assert found["duplicates"]["count"] == found["out_of_range"]["count"] == 0


def test_a_report_is_made_again_only_of_other_journals(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def noted(kept: Any, blocks: Any) -> Any:
        made.append(len(kept))
        return proven(kept, blocks)

    monkeypatch.setattr(identities, "proven", noted)
    identities.store(run.pk, 0, summary([1, 1, [[1.0, 9.0, 0]], [[1, 4]], 0]))
    first = identities.report(run)
    assert identities.report(run) == first and made == [1]
    identities.store(run.pk, 1, summary([4, 1, [[1.0, 9.0, 0]], [[1, 2]], 0]))
    assert identities.report(run)["used"] == 2 and made == [1, 2]
    RunWorker.objects.filter(run=run, index=1).update(users=1)
    assert identities.report(run)["workers"][1]["last"] == "test_00004" and made == [1, 2, 2]
    for users in range(2, identities.REPORTS_KEPT + 5):
        RunWorker.objects.filter(run=run, index=1).update(users=users)
        identities.report(run)
    assert len(identities._known) == identities.REPORTS_KEPT


def test_what_is_wrong_is_listed_by_id(run: Run) -> None:
    identities.store(
        run.pk, 0, summary([2, 1, [[10.0, 50.0, 0]], [[1, 2], [5, 6]], 0], [9, 1, [[10.0, 11.0, 0]], [], 0])
    )
    identities.store(run.pk, 1, summary([2, 1, [[20.0, 30.0, 0]], [[2, 2]], 0]))
    found = identities.report(run)
    assert_fits(found, IdentitiesOut())
    (duplicate,) = found["duplicates"]["listed"]
    assert (duplicate["id"], duplicate["workers"]) == ("test_00002", [0, 1])
    assert (duplicate["from"], duplicate["to"]) == ("1970-01-01T00:00:20.000Z", "1970-01-01T00:00:30.000Z")
    assert found["out_of_range"] == {"count": 1, "listed": [{"id": "test_00009", "worker": 0}]}
    assert found["sequences"]["gaps"] == {"count": 2, "listed": [{"id": "test_00002", "first": 3, "last": 4}]}
    assert found["sequences"]["repeats"] == {"count": 1, "listed": [{"id": "test_00002", "first": 2, "last": 2}]}


def test_a_script_that_counts_by_itself_has_no_journal(run: Run, client: Client) -> None:
    found = identities.report(run)
    assert_fits(found, IdentitiesOut())
    assert not found["has_journal"] and found["used"] == 0
    assert [row["unused"] for row in found["workers"]] == [3, 3]


def test_it_is_for_those_who_may_see_the_run(run: Run, client: Client) -> None:
    assert client.get(f"/api/v1/runs/{run.pk}/identities/").status_code == 401


def test_what_was_not_packed_by_us_is_refused() -> None:
    kept = summary([1, 1, [], [], 0])
    assert identities.unpacked(identities.packed(kept)) == kept
    with pytest.raises(ValueError, match="char"):
        identities.unpacked(identities.packed(kept)[:-20])
