"""What we send is what the schema says, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from apps.runs import presentation, reading, results_serializers, selectors, series, tiers
from apps.runs import serializers as wire
from apps.runs.blocks import TOTAL
from apps.runs.models import Run, RunEvent, RunWorker, ScriptException
from apps.runs.reconcile import reconcile
from apps.runs.states import State, WorkerState
from tests.factories import EndpointFactory, FailureFactory, FailureSampleFactory, RunFactory, RunWorkerFactory
from tests.runs.makers import final, seconds, totals

pytestmark = pytest.mark.django_db


def assert_fits(value: Any, field: Any) -> None:
    """The keys are the field's, all the way down."""
    if value is None:
        assert field.allow_null, field.field_name
    elif isinstance(field, serializers.ListSerializer):
        for item in value:
            assert_fits(item, field.child)
    elif isinstance(field, serializers.BaseSerializer):
        fields: dict[str, Any] = field.fields  # type: ignore[attr-defined]
        required = {name for name, one in fields.items() if one.required}
        assert required <= set(value) <= set(fields), field
        for name, part in value.items():
            assert_fits(part, fields[name])


@pytest.fixture
def run() -> Run:
    told = reconcile({TOTAL: 10, 0: 5, 1: 5}, lambda row: None, final(totals("/a", 5)))
    health = {"cpu_percent": 1.0, "rss_bytes": 1, "cpu_peak_percent": 1.0}
    diagnosis = {"code": "x", "message": "x", "line": None, "traceback": ""}
    stage = {"duration": 5.0, "users": 1, "spawn_rate": 1.0}
    details: dict[str, Any] = {"reconciliation": told, "generator": health, "diagnosis": diagnosis, "stages": [stage]}
    made = RunFactory.create(verdict_reasons=["counts_differ"], runner="host-1", **details)
    return selectors.presented(Run.objects.filter(pk=made.pk)).get()


def test_everything_has_the_fields_of_its_schema(run: Run) -> None:
    assert_fits(presentation.run(run), wire.RunOut())
    assert_fits(presentation.endpoint(EndpointFactory.create(run=run)), wire.EndpointOut())
    FailureFactory.create(run=run, index=3)
    assert_fits(presentation.failures(selectors.failures(run.pk)), wire.FailureOut(many=True))
    assert_fits(presentation.failure_sample(FailureSampleFactory.create(run=run)), wire.FailureSampleOut())
    assert_fits(presentation.exception(ScriptException(run=run, count=1)), wire.ExceptionOut())
    assert_fits(presentation.event(RunEvent(run=run, kind="note", text="x")), wire.EventOut())
    for index in range(2):
        RunWorker.objects.create(run=run, index=index, host_name="host", users=3, offset=3 * index)
    assert_fits(presentation.workers(run), wire.WorkerOut(many=True))
    RunWorker.objects.update(ids_in_use=3)
    assert_fits(presentation.workers(run), wire.WorkerOut(many=True))
    tiers.append(run.pk, list(seconds(1, 3)))
    figures = reading.figures(run, series.Window(), lines=[None], metrics=[])
    assert_fits(figures, results_serializers.SeriesOut())


def test_a_fresh_run_has_all_its_fields_too() -> None:
    fresh = selectors.presented(Run.objects.filter(pk=RunFactory.create().pk)).get()
    shown = presentation.run(fresh)
    assert_fits(shown, wire.RunOut())
    assert set(shown["totals"]) == set(wire.TotalsOut().fields)
    assert (shown["collector"], shown["group_ids"], shown["user_classes"], shown["finest_step_s"]) == (
        "exact",
        False,
        [],
        1,
    )
    assert (shown["queue_position"], shown["progress"], shown["reconciliation"]) == (1, 0.0, None)


def test_a_sentence_of_ours_is_translated_and_a_note_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presentation, "gettext", lambda text: f"<{text}>")
    texts = {kind: presentation.event(RunEvent(kind=kind, text="Locust started"))["text"] for kind in ("step", "note")}
    assert texts == {"step": "<Locust started>", "note": "Locust started"}
    assert presentation.event(RunEvent(kind="step", text=""))["text"] == ""


def test_a_step_of_a_worker_says_whose_it_is() -> None:
    event = RunEvent(kind="step", text="First request", data={"step": "first_request", "worker": 1})
    assert presentation.event(event)["text"] == "First request of worker 2"


def test_an_endpoint_is_compared_with_what_locust_counted() -> None:
    compared = {
        name: presentation.endpoint(EndpointFactory.build(totals=totals, locust_requests=locust))["difference"]
        for name, totals, locust in (("same", {"requests": 7}, 7), ("less", {"requests": 5}, 7), ("silent", {}, None))
    }
    assert compared == {"same": 0, "less": -2, "silent": None}
    none = presentation.endpoint(EndpointFactory.build(totals={}, locust_requests=3))
    assert (none["locust"], none["difference"], none["totals"]["p999_ms"]) == (3, -3, None)


@pytest.mark.parametrize(
    ("over", "state", "told", "shown"),
    [
        (False, WorkerState.READY, None, None),
        (False, WorkerState.READY, 3, 3),
        (False, WorkerState.LOST, 3, 3),
        (False, WorkerState.ENDED, 3, 0),
        (True, WorkerState.LOST, 3, 0),
        (True, WorkerState.ENDED, None, None),
    ],
)
def test_nobody_has_the_ids_of_a_worker_that_has_ended(
    over: bool, state: WorkerState, told: int | None, shown: int | None
) -> None:
    run = RunFactory.create(state=State.FINISHED if over else State.RUNNING)
    row = RunWorkerFactory.create(run=run, state=state, ids_in_use=told)
    assert presentation.worker(run, row)["ids"]["in_use"] == shown
