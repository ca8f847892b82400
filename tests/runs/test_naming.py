"""All recorders of a run call the same thing by the same number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from apps.runs import naming, rows
from apps.runs.models import Endpoint, Failure, Run
from tests.factories import RunFactory
from workers.samples import MAX_CLASSES
from workers.totals import Error

pytestmark = pytest.mark.django_db
A, B, C = ("GET", "/a"), ("GET", "/b"), ("POST", "/a")


@pytest.fixture
def run() -> Run:
    return RunFactory.create()


def error(text: str) -> Error:
    return Error("GET", "/a", text)


# --- endpoints ----------------------------------------------------------------------------------------------------


def test_names_are_numbered_in_the_order_they_come(run: Run) -> None:
    assert naming.endpoints(run.pk, {}, [B, A, B]) == {B: 0, A: 1}
    assert naming.endpoints(run.pk, {B: 0, A: 1}, [C]) == {B: 0, A: 1, C: 2}
    assert list(Endpoint.objects.values_list("index", "method", "name")) == [(0, *B), (1, *A), (2, *C)]


def test_what_another_recorder_has_named_is_not_named_again(run: Run) -> None:
    naming.endpoints(run.pk, {}, [A, B])
    assert naming.endpoints(run.pk, {}, [B, C]) == {A: 0, B: 1, C: 2}
    run.refresh_from_db()
    assert run.tables_version == 2


def test_known_names_cost_no_question(run: Run, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert naming.endpoints(run.pk, {A: 0}, [A, A]) == {A: 0}
        assert naming.errors(run.pk, {error("x"): 0}, [error("x")]) == {error("x"): 0}
        assert naming.classes(run.pk, ["Shopper"], ["Shopper"]) == ["Shopper"]


def test_beyond_the_limit_all_names_are_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(naming, "MAX_ENDPOINTS", 2)
    found = naming.endpoints(run.pk, {}, [A, B, C, ("GET", "/d")])
    assert found == {A: 0, B: 1, rows.OTHER_KEY: 2}
    assert naming.endpoints(run.pk, {}, [C, ("GET", "/e")]) == found
    with django_assert_num_queries(0):  # each second has such names, of each worker
        assert naming.endpoints(run.pk, found, [C, ("GET", "/e")]) == found


def test_one_for_all_others_counts_as_a_name_where_it_came_before(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MAX_ENDPOINTS", 2)
    assert naming.endpoints(run.pk, {}, [rows.OTHER_KEY]) == {rows.OTHER_KEY: 0}
    full = naming.endpoints(run.pk, {rows.OTHER_KEY: 0}, [A, B])
    assert full == {rows.OTHER_KEY: 0, A: 1} and naming.endpoints(run.pk, full, [B]) == full


# --- errors -------------------------------------------------------------------------------------------------------


def test_errors_are_numbered_as_they_come_and_counted_by_nobody_here(run: Run) -> None:
    assert naming.errors(run.pk, {}, [error("x"), error("y")]) == {error("x"): 0, error("y"): 1}
    assert naming.errors(run.pk, {}, [error("z"), error("y")]) == {error("z"): 2, error("y"): 1}
    assert list(Failure.objects.order_by("index").values_list("error", "occurrences")) == [("x", 0), ("y", 0), ("z", 0)]


def test_errors_that_are_stored_alike_have_one_number(run: Run) -> None:
    one, other = error("x" * 5_000 + "a"), error("x" * 5_000 + "b")
    assert set(naming.errors(run.pk, {}, [one, other]).values()) == {0}
    assert Failure.objects.count() == 1


def test_beyond_the_limit_all_errors_are_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MAX_ERRORS", 2)
    found = naming.errors(run.pk, {}, map(error, "abcd"))
    assert [found[error(text)] for text in "abcd"] == [0, 1, 2, 2]
    assert naming.errors(run.pk, {}, [error("e")]) == {error("e"): 2}
    assert Failure.objects.get(index=2).error == naming.OTHER_ERROR.text


# --- user classes -------------------------------------------------------------------------------------------------


def test_classes_of_all_recorders_stand_in_one_order(run: Run) -> None:
    assert naming.classes(run.pk, [], ["Buyer"]) == ["Buyer"]
    assert naming.classes(run.pk, [], ["Browser", "Buyer"]) == ["Buyer", "Browser"]
    assert naming.classes(run.pk, ["Buyer"], ["Admin"]) == ["Buyer", "Browser", "Admin"]
    run.refresh_from_db()
    assert run.user_classes == ["Buyer", "Browser", "Admin"]


def test_there_are_no_more_classes_than_a_run_may_have(run: Run) -> None:
    names = [f"C{number}" for number in range(MAX_CLASSES + 3)]
    assert naming.classes(run.pk, [], names) == names[:MAX_CLASSES]
    assert naming.classes(run.pk, names[:MAX_CLASSES], ["New"]) == names[:MAX_CLASSES]


# --- at once ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_recorders_at_once_agree() -> None:
    run, start = RunFactory.create(), Barrier(4)
    names = [("GET", f"/{number}") for number in range(40)]

    def record(number: int) -> tuple[dict[rows.Key, int], dict[Error, int], list[str]]:
        own = names[number * 8 :] + names[: number * 8]
        found: dict[rows.Key, int] = {}
        errors: dict[Error, int] = {}
        classes: list[str] = []
        try:
            start.wait()
            for key in own:
                with transaction.atomic():
                    found = naming.endpoints(run.pk, found, [key])
                    errors = naming.errors(run.pk, errors, [error(key[1])])
                    classes = naming.classes(run.pk, classes, [f"C{int(key[1][1:]) % 5}"])
            return found, errors, classes
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(record, range(4)))
    stored = _stored(run.pk)
    for endpoints, errors, classes in found:
        assert endpoints.items() <= stored.items() and len(errors) == 40
        assert errors == found[0][1] and sorted(classes) == ["C0", "C1", "C2", "C3", "C4"]
    assert sorted(stored.values()) == list(range(40)) == sorted(found[0][1].values())


def _stored(run_id: UUID) -> dict[rows.Key, int]:
    found = Endpoint.objects.filter(run_id=run_id).values_list("method", "name", "index")
    return {(method, name): index for method, name, index in found}
