"""What one worker of a run measures is filed once, under the numbers of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, OperationalError, transaction

from apps.runs import naming, tiers, worker_recording
from apps.runs.blocks import TOTAL
from apps.runs.lease import Fenced, Lease
from apps.runs.models import Endpoint, Failure, FailureSample, LogChunk, Run, RunWorker
from apps.runs.recording import Recorder
from apps.runs.sharing import Share
from apps.runs.states import State
from apps.runs.worker_recording import WorkerRecorder
from tests.runs.makers import T0, held, sample, shared, tick
from workers.samples import SAMPLES_PER_ERROR, Tick
from workers.samples import FailureSample as Sample
from workers.totals import Error

pytestmark = pytest.mark.django_db
SERVER, TIMEOUT = Error("GET", "/a", "500"), Error("GET", "/a", "timed out")


@pytest.fixture
def lease() -> Lease:
    return held(workers=2)


@pytest.fixture
def share(lease: Lease) -> Share:
    return shared(lease, 0, 1)


def recorder_of(share: Share, index: int = 0, *errors: Error, seq_before: int = 0) -> WorkerRecorder:
    """`errors`: what the numbers mean to the process."""
    return WorkerRecorder(share, index, errors.__getitem__, seq_before=seq_before)


def worker(index: int = 0) -> RunWorker:
    return RunWorker.objects.get(index=index)


def failing(seq: int, *errors: tuple[int, int]) -> Tick:
    count = sum(number for _, number in errors)
    return replace(tick(seq, sample("/a", count, failures=count)), errors=errors)


def example(error: int, number: int = 0) -> Sample:
    """The one that failed so many microseconds after T0."""
    return Sample(error, T0 + number / 1e6, "GET", "http://shop.test/a", 500, 12.5, {}, {}, "sorry", 5)


# --- seconds ------------------------------------------------------------------------------------------------------


def test_it_files_seconds_and_figures_of_the_worker(share: Share) -> None:
    recorder = recorder_of(share, 1)
    recorder.ticks([tick(1, sample("/a", 2)), tick(2, sample("/b", 4), users=5)])
    row = worker(1)
    assert (row.last_seq, row.last_t, row.current_users, row.totals["requests"]) == (2, T0 + 1, 5, 6)
    assert [second.seq for second in tiers.read(share.run_id, 1, worker=1)] == [1, 2]
    assert tiers.read(share.run_id, 1, worker=0) == [] and worker(0).last_seq == 0
    run = Run.objects.get()
    assert (run.last_seq, run.totals) == (0, {})  # those are the leader's


def test_it_counts_what_comes_twice_once(share: Share) -> None:
    recorder = recorder_of(share)
    for ticks in ([1, 2], [1, 2], [1, 2, 3]):
        recorder.ticks([tick(seq, sample("/a")) for seq in ticks])
    assert (worker().last_seq, worker().totals["requests"]) == (3, 3)
    assert [row.seq for row in tiers.read(share.run_id, 1)] == [1, 2, 3]


def test_it_goes_on_after_a_commit_that_nobody_heard_of(share: Share) -> None:
    recorder, unaware = recorder_of(share), recorder_of(share)
    unaware.unsure = True
    recorder.ticks([tick(1, sample("/a")), tick(2, sample("/b"))])
    unaware.ticks([tick(1, sample("/a")), tick(2, sample("/b")), tick(3, sample("/c"))])
    assert (worker().last_seq, worker().totals["requests"], unaware.unsure) == (3, 3, False)
    assert [row.seq for row in tiers.read(share.run_id, 1)] == [1, 2, 3]


def test_it_files_again_what_a_failed_transaction_took_back(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorder_of(share)
    with monkeypatch.context() as patch:
        patch.setattr(WorkerRecorder, "_write_progress", _away)
        with pytest.raises(DatabaseError):
            recorder.ticks([tick(1, sample("/a"))])
    assert recorder.unsure and not Endpoint.objects.exists()
    recorder.ticks([tick(1, sample("/a"))])
    assert [row.seq for row in tiers.read(share.run_id, 1)] == [1] and not recorder.unsure


def _away(*_args: object, **_kwargs: object) -> None:
    raise OperationalError("the database is away")


@contextmanager
def _unheard() -> Iterator[None]:
    """A transaction that is committed, which nobody learns."""
    with transaction.atomic():
        yield
    raise OperationalError("the connection broke")


def test_a_process_that_was_started_anew_goes_on_where_the_one_before_it_ended(share: Share) -> None:
    recorder_of(share).ticks([tick(1, sample("/a")), tick(2, sample("/a"))])
    again = recorder_of(share, seq_before=2)
    again.ticks([tick(1, sample("/a"), t=T0 + 9), tick(2, sample("/a"), t=T0 + 10)])
    assert [(row.seq, row.t) for row in tiers.read(share.run_id, 1)] == [
        (1, T0),
        (2, T0 + 1),
        (3, T0 + 9),
        (4, T0 + 10),
    ]
    assert worker().last_seq == 4


def test_workers_call_the_same_name_by_the_same_number(share: Share) -> None:
    recorder_of(share, 0).ticks([tick(1, sample("/a"), sample("/b"))])
    recorder_of(share, 1).ticks([tick(1, sample("/b"), sample("/c"))])
    assert list(Endpoint.objects.values_list("index", "name")) == [(0, "/a"), (1, "/b"), (2, "/c")]
    (second,) = tiers.seconds(share.run_id, T0, T0)
    assert [(cell.endpoint, cell.requests) for cell in second.cells] == [(TOTAL, 4), (0, 1), (1, 2), (2, 1)]
    assert second.users == 6


def test_workers_with_other_user_classes_share_the_columns(share: Share) -> None:
    def with_classes(classes: Mapping[str, int]) -> Tick:
        return replace(tick(1, sample("/a")), classes=classes)

    recorder_of(share, 0).ticks([with_classes({"Buyer": 3})])
    recorder_of(share, 1).ticks([with_classes({"Browser": 2, "Buyer": 1})])
    assert Run.objects.get().user_classes == ["Buyer", "Browser"]
    (second,) = tiers.seconds(share.run_id, T0, T0)
    assert second.classes == (4, 2)


def test_errors_have_numbers_of_the_run(share: Share) -> None:
    recorder_of(share, 0, SERVER).ticks([failing(1, (0, 2))])
    recorder_of(share, 1, TIMEOUT, SERVER).ticks([failing(1, (0, 3), (1, 4))])
    assert list(Failure.objects.order_by("index").values_list("index", "error")) == [(0, "500"), (1, "timed out")]
    (second,) = tiers.seconds(share.run_id, T0, T0)
    assert dict(second.errors) == {0: 6, 1: 3}


def test_errors_that_are_one_in_the_run_are_counted_together(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MAX_ERRORS", 0)
    recorder_of(share, 0, SERVER, TIMEOUT).ticks([failing(1, (0, 2), (1, 3))])
    assert tiers.read(share.run_id, 1)[0].errors == ((0, 5),)


def test_minutes_that_are_over_are_packed_and_the_last_one_at_the_end(share: Share) -> None:
    recorder = recorder_of(share, 1)
    recorder.ticks([tick(seq, sample("/a")) for seq in range(1, 61)])
    recorder.ticks([tick(61, sample("/a"))])
    assert [row.cells[0].requests for row in tiers.read(share.run_id, 60, worker=1)] == [60]
    recorder.finish_blocks()
    assert [row.cells[0].requests for row in tiers.read(share.run_id, 60, worker=1)] == [60, 1]


# --- what else it says --------------------------------------------------------------------------------------------


def test_examples_are_kept_up_to_the_limit_of_all_workers(share: Share) -> None:
    first, second = recorder_of(share, 0, SERVER), recorder_of(share, 1, TIMEOUT, SERVER)
    first.failure_samples([example(0, number) for number in range(SAMPLES_PER_ERROR - 1)])
    second.failure_samples([example(1, 100), example(1, 101), example(0, 102)])
    kept = list(FailureSample.objects.values_list("failure", flat=True))
    assert (kept.count(0), kept.count(1)) == (SAMPLES_PER_ERROR, 1)
    assert Failure.objects.get(index=1).error == "timed out"


def test_there_are_no_more_examples_than_a_run_may_have(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_recording, "MAX_SAMPLES", 3)
    for index in (0, 1):
        recorder_of(share, index, SERVER, TIMEOUT).failure_samples([example(0, index), example(1, index)])
    assert FailureSample.objects.count() == 3


def test_examples_that_come_again_are_kept_once(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database had committed, and nobody heard of it; meanwhile other calls went well."""
    recorder, other = recorder_of(share, 0, SERVER, TIMEOUT), recorder_of(share, 1, SERVER)
    batch = [example(0, 1), example(0, 2), example(1, 1)]
    with monkeypatch.context() as patch:
        patch.setattr(worker_recording, "transaction", SimpleNamespace(atomic=_unheard))
        with pytest.raises(DatabaseError):
            recorder.failure_samples(batch)
    assert FailureSample.objects.count() == 3
    recorder.log(["back"])
    other.failure_samples([example(0, 7)])
    recorder.failure_samples([*batch, example(1, 3)])
    recorder.failure_samples([example(0, 4)])
    kept = [(one.failure, one.at.microsecond) for one in FailureSample.objects.order_by("failure", "at")]
    assert kept == [(0, 1), (0, 2), (0, 4), (0, 7), (1, 1), (1, 3)]


def test_logs_of_workers_stand_beside_each_other(share: Share) -> None:
    first, second = recorder_of(share, 0), recorder_of(share, 1)
    first.log(["one"])
    second.log(["uno"])
    first.log(["two"])
    found = LogChunk.objects.order_by("worker", "seq").values_list("worker", "seq", "text")
    assert list(found) == [(0, 1, "one"), (0, 2, "two"), (1, 1, "uno")]


def test_a_process_that_was_started_anew_writes_behind_the_log_of_the_one_before(share: Share) -> None:
    recorder_of(share).log(["one", "two"])
    recorder_of(share).log([])
    again = recorder_of(share, seq_before=2)
    again.log(["three"])
    again.log(["four"])
    found = LogChunk.objects.filter(worker=0).order_by("seq").values_list("seq", "text")
    assert list(found) == [(2, "one\ntwo"), (3, "three"), (4, "four")]


def test_a_log_after_a_commit_that_nobody_heard_of_is_kept_once(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder_of(share).log(["of the process before"])
    recorder = recorder_of(share)
    with monkeypatch.context() as patch:
        patch.setattr(LogChunk.objects, "bulk_create", _away)
        with pytest.raises(DatabaseError):
            recorder.log(["one"])
    LogChunk.objects.create(run_id=share.run_id, worker=0, seq=2, text="one")  # it was committed all the same
    recorder.log(["one"])
    assert list(LogChunk.objects.order_by("seq").values_list("text", flat=True)) == ["of the process before", "one"]


def test_the_log_of_the_master_leaves_those_of_workers_alone(lease: Lease, share: Share) -> None:
    recorder = recorder_of(share)
    for number in range(3):
        recorder.log([f"{number}"])
    Recorder(lease).log(["of the master"])
    assert LogChunk.objects.filter(worker=0).count() == 3


def test_the_oldest_of_a_log_goes(share: Share) -> None:
    recorder, other = replace(recorder_of(share, 0), log_pieces=3), recorder_of(share, 1)
    other.log(["uno"])
    for number in range(5):
        recorder.log([f"{number}" * 2_000] * 100)
    assert set(LogChunk.objects.filter(worker=0).values_list("text", flat=True)) <= {
        "\n".join(["4" * 2_000] * lines) for lines in range(1, 8)
    }
    assert LogChunk.objects.filter(worker=0).count() == 3 and LogChunk.objects.filter(worker=1).count() == 1


def test_it_tells_of_the_load_generator(share: Share) -> None:
    recorder_of(share, 1).generator(51.26, 1_000, None)
    assert worker(1).generator == {"cpu_percent": 51.3, "rss_bytes": 1_000} and worker(0).generator == {}


def test_it_tells_how_many_ids_are_in_use(share: Share) -> None:
    recorder = recorder_of(share, 1)
    recorder.generator(1.0, 1_000, 3)
    assert (worker(1).ids_in_use, worker(0).ids_in_use) == (3, None)
    recorder.generator(1.0, 1_000, 0)
    assert worker(1).ids_in_use == 0


def test_it_hands_on_what_happened(share: Share) -> None:
    heard: list[object] = []
    recorder = replace(recorder_of(share, 1), on_event=lambda *said: heard.append(said))
    recorder.event("first_request", {"a": 1})
    assert heard == [(1, "first_request", {"a": 1})]


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"fence": 9}, {"host": None}])
def test_nothing_is_filed_of_a_worker_that_is_somebody_elses(share: Share, fields: dict[str, object]) -> None:
    RunWorker.objects.update(**fields)
    _refused(recorder_of(share, 0, SERVER))


@pytest.mark.parametrize("state", [State.QUEUED, State.LOST, State.FINISHED])
def test_nothing_is_filed_of_a_run_that_nobody_leads(share: Share, state: State) -> None:
    Run.objects.update(state=state)
    _refused(recorder_of(share, 0, SERVER))


def _refused(recorder: WorkerRecorder) -> None:
    for write in (
        lambda: recorder.ticks([tick(1, sample("/a"))]),
        lambda: recorder.log(["x"]),
        lambda: recorder.failure_samples([example(0)]),
    ):
        with pytest.raises(Fenced):
            write()
    assert not Endpoint.objects.exists() and not LogChunk.objects.exists() and not FailureSample.objects.exists()


# --- another process of the same worker ---------------------------------------------------------------------------


def following(share: Share, index: int = 0) -> WorkerRecorder:
    return WorkerRecorder.following(worker(index), share, (SERVER,).__getitem__, lambda index, kind, data: None)


def test_the_next_process_goes_on_where_the_one_before_has_ended(share: Share) -> None:
    first = following(share)
    first.ticks([tick(1, sample("/a", 2)), tick(2, sample("/a", 4, failures=1, max_ms=70.0))])
    first.log(["one", "two"])
    second = following(share)
    second.ticks([tick(1, sample("/b", 3), t=T0 + 9)])
    second.log(["three"])
    row = worker()
    assert (row.last_seq, row.last_t) == (3, T0 + 9)
    known = {name: row.totals[name] for name in ("requests", "failures", "avg_ms", "min_ms", "max_ms", "bytes", "rps")}
    assert known == {
        "requests": 9, "failures": 1, "avg_ms": 10.0, "min_ms": 5.0, "max_ms": 20.0, "bytes": 900, "rps": 3.0
    }  # fmt: skip
    assert [second.seq for second in tiers.read(share.run_id, 1, worker=0)] == [1, 2, 3]
    text = "\n".join(LogChunk.objects.filter(worker=0).order_by("seq").values_list("text", flat=True))
    assert text.split() == ["one", "two", "three"]


def test_a_worker_that_made_no_request_has_nothing_to_go_on_with(share: Share) -> None:
    first = following(share)
    first.ticks([tick(1)])
    second = following(share)
    second.ticks([tick(1, sample("/b", 3))])
    assert worker().totals["requests"] == 3 and worker().totals["avg_ms"] == 10.0
