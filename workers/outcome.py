"""How a run ended, as a value, and the rule that names the reason. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from workers.diagnosis import Diagnosis
from workers.samples import FinalTotals
from workers.spec import Steering


class Order(StrEnum):
    GO = "go"
    STOP = "stop"
    """End gracefully: users stop, the report is written."""
    ABORT = "abort"
    """Kill at once; what was measured is kept."""
    DRAIN = "drain"
    """As STOP, because this runner must go."""
    FENCED = "fenced"
    """The run is no longer ours: kill at once and write nothing more."""


class Control(Protocol):
    def orders(self) -> Order:
        """Asked about every 0.5 s from start to return; renew the lease in here. May raise: the run then goes on."""

    def steering(self) -> Steering | None:
        """What people want now, asked for right after each `orders()`; `None`: nothing new since the start, or unknown.

        The same one may come again and again; a higher revision counts. May raise: the run goes on as it was.
        """


class Reason(StrEnum):
    RUN_TIME_OVER = "run_time_over"
    STOP_REQUESTED = "stop_requested"
    ABORT_REQUESTED = "abort_requested"
    DEPLOY = "deploy"
    FENCED = "fenced"
    TIMEOUT = "timeout"
    """It did not end, or did not begin, when it should have."""
    REFUSED = "refused"
    """The load asked for is outside of the limits; nothing was started."""
    LOCUSTFILE_ERROR = "locustfile_error"
    NO_REQUESTS = "no_requests"
    SCRIPT_QUIT = "script_quit"
    """The script ended the run before its time."""
    LOCUST_KILLED = "locust_killed"
    """Somebody else, or the kernel for lack of memory, ended it by a signal."""
    LOCUST_CRASHED = "locust_crashed"
    WORKERS_MISSING = "workers_missing"
    """Not all workers came before the test."""
    WORKER_LOST = "worker_lost"
    """One went in the middle of it, and that is the end of this test."""
    """Of a worker: nobody leads the run any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`started_at`, `finished_at`: UTC epoch seconds by our clock; `started_at` is `None` when the test never began.

    `exit_code` is Locust's own; a negative one is the signal that ended it. `warnings`: code → English sentence.
    """

    reason: Reason
    exit_code: int | None = None
    final: FinalTotals | None = None
    """Locust's own totals."""
    collected: FinalTotals | None = None
    """Ours, added up from the lines of the `exact` collector."""
    diagnosis: Diagnosis | None = None
    warnings: Mapping[str, str] = field(default_factory=dict)
    own_shape: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    ticks: int = 0
    """How many ticks were collected; the last one's `seq`."""
    dropped_ticks: int = 0
    """Of these, the ones that the sink never took."""


STOP_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU})


def reason_of(
    *, ordered: Reason | None, exit_code: int, started: bool, final: FinalTotals | None, stopped_by: str
) -> Reason:
    """`ordered`: what we ended it for, if we did. `stopped_by`: what the child says ended it, see `child/run.py`."""
    if ordered is not None:
        return ordered
    if exit_code < 0:
        return Reason.LOCUST_KILLED if -exit_code in STOP_SIGNALS else Reason.LOCUST_CRASHED
    if not started:
        return Reason.LOCUSTFILE_ERROR
    if final is None or final.source != "final":
        return Reason.SCRIPT_QUIT if exit_code == 0 else Reason.LOCUST_CRASHED
    if stopped_by == "signal":
        return Reason.LOCUST_KILLED
    if not final.total.requests:
        return Reason.NO_REQUESTS  # whoever ended it: also Locust does, for users without a host
    return Reason.SCRIPT_QUIT if stopped_by == "script" else Reason.RUN_TIME_OVER
