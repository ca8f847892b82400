"""The engine's sink: turns what the engine sees into rows and states of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_noop

from apps.core.clock import db_now
from apps.runs import identities
from apps.runs.models import Run, RunWorker
from apps.runs.recording import Recorder
from apps.runs.rows import clean
from apps.runs.states import State
from workers.identity import Summary
from workers.samples import EndpointTotals, ExceptionRow, FailureRow, FailureSample, Tick

STEPS = {
    "process_started": gettext_noop("Locust started"),
    "ready": gettext_noop("Script loaded"),
    "test_start": gettext_noop("Users are being started"),
    "first_request": gettext_noop("First request"),
    "spawning_complete": gettext_noop("All users started"),
    "test_stop": gettext_noop("Users stopped"),
}
"""Events of the engine that are lines of the page's list; `presentation.event` translates the sentence."""
STALLS = {
    "stall": gettext_noop("The target does not answer any more"),
    "stall_over": gettext_noop("The target answers again"),
}
MAX_SHAPE_CHARS = 200


class RunSink:
    """Files everything under the lease of `recorder`. Conforms to `workers.supervisor.Sink`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._told: set[str] = set()
        self._ids_in_use: int | None = None

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        """A step, once each; the start of the test also moves the run to `running`."""
        if kind == "warning":
            more = data.get("data")
            facts = _plain(more) if isinstance(more, Mapping) else {}
            self._recorder.warning(clean(str(data.get("code", "")), 50), clean(str(data.get("text", "")), 500), facts)
            return
        if kind in STALLS:
            self._stall(kind, data)
            return
        if kind == "ready":
            self._own_shape(data.get("own_shape"))
        if kind == "test_start":
            self._begin()
        if kind == "stopping":
            self._stopping()
        if kind in STEPS and kind not in self._told:
            self._recorder.step(STEPS[kind], **_plain(data), step=kind)
            self._told.add(kind)

    def ticks(self, ticks: Sequence[Tick]) -> None:
        self._recorder.ticks(ticks)

    def tables(self, failures: Sequence[FailureRow], exceptions: Sequence[ExceptionRow]) -> None:
        self._recorder.tables(failures, exceptions)

    def failure_samples(self, samples: Sequence[FailureSample]) -> None:
        self._recorder.failure_samples(samples)

    def totals(self, total: EndpointTotals, endpoints: Sequence[EndpointTotals]) -> None:
        self._recorder.totals(total, endpoints)

    def log(self, lines: Sequence[str]) -> None:
        self._recorder.log(lines)

    def generator(self, cpu_percent: float, rss_bytes: int, ids_in_use: int | None) -> None:
        # Loading the script and writing the report keep a core busy too, but distort nothing.
        loaded = "test_start" in self._told and "test_stop" not in self._told
        self._recorder.generator(cpu_percent, rss_bytes, loaded=loaded)
        if ids_in_use != self._ids_in_use:  # of the only process of a run; a master has no users
            RunWorker.objects.filter(run_id=self._recorder.run_id, index=0).update(ids_in_use=ids_in_use)
            self._ids_in_use = ids_in_use

    def identity(self, summary: Summary) -> None:
        """Of the only process of a run; a master has no users."""
        self._recorder.lease.check()
        identities.store(self._recorder.run_id, 0, summary)

    def _stall(self, kind: str, data: Mapping[str, object]) -> None:
        t = data.get("t")
        if isinstance(t, int):
            self._recorder.stall(kind, STALLS[kind], t=t, data=_plain(data))

    def _own_shape(self, name: object) -> None:
        if isinstance(name, str) and name:
            self._recorder.lease.write(own_shape=clean(name, MAX_SHAPE_CHARS))

    def _begin(self) -> None:
        """Delivered again after a failure, it must not fail for having been done."""
        if Run.objects.filter(pk=self._recorder.run_id, state=State.STARTING).exists():
            self._recorder.lease.move(State.RUNNING, started_at=db_now())

    def _stopping(self) -> None:
        """As `_begin`: done once, however often it is asked for."""
        if Run.objects.filter(pk=self._recorder.run_id, state__in=[State.STARTING, State.RUNNING]).exists():
            self._recorder.lease.move(State.STOPPING)


def _plain(data: Mapping[str, object]) -> dict[str, Any]:
    """Only small JSON values of what the child said, which is as trustworthy as its script."""
    small: dict[str, Any] = {}
    for key, value in list(data.items())[:20]:
        name = clean(str(key), 50)
        if value is None or isinstance(value, (int, bool)) or (isinstance(value, float) and math.isfinite(value)):
            small[name] = value
        elif isinstance(value, (list, tuple)):
            small[name] = [clean(str(item), 100) for item in value[:50]]
        else:
            small[name] = clean(str(value), 500)
    return small
