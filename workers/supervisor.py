"""Runs one load test from start to end in a Locust process of its own. Knows no Django.

`supervise()` is all that others need; what it tells and asks them is in `spool.Sink` and `outcome.Control`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from workers import command, launch, sandbox
from workers.collector import Collector
from workers.command import RunFolder
from workers.csv_source import CsvSource
from workers.diagnosis import Diagnosis, diagnose_idle, diagnose_start, from_traceback
from workers.exact_source import ExactSource
from workers.outcome import Control, Order, Outcome, Reason, reason_of
from workers.process import LocustProcess
from workers.samples import FinalTotals
from workers.spec import RunSpec, Steering, check
from workers.spool import Sink, Spool

__all__ = ["Control", "Order", "Outcome", "Patience", "Reason", "Sink", "supervise"]

POLL_SECONDS = 0.2
ORDERS_SECONDS = 0.5
USAGE_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait for what, in seconds."""

    start: float = 120.0
    """From the start of the process to the start of the test: a script may import, or load, a lot."""
    grace: float = 30.0
    """Beyond the planned length, for the last requests, `on_stop` and the report."""
    interrupt: float = 10.0
    """From SIGINT to SIGTERM."""
    terminate: float = 3.0
    """From SIGTERM to the end."""
    exit: float = 5.0
    """From the child's last word to its exit; threads or exit handlers of a script may hold it up."""
    delivery: float = 60.0
    """For a sink that fails at the very end."""


def supervise(
    spec: RunSpec,
    folder: RunFolder,
    *,
    sink: Sink,
    control: Control,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
    patience: Patience = Patience(),
) -> Outcome:
    """Run `spec` in `folder` (new, or empty) until it has ended; returns when no process of it is left.

    The folder stays: take `folder.artifacts` out of it, then remove it. Raises OSError when the process
    cannot be started, and lets through what `sleep` or `clock` raise, after everything has been killed.
    """
    problems = check(spec)
    if problems:
        return Outcome(Reason.REFUSED, diagnosis=Diagnosis("refused", " ".join(map(str, problems))), finished_at=now())
    sandbox.protect_supervisor()
    launch.prepare(spec, folder)
    process = LocustProcess(
        command.argv(spec, folder), command.environment(spec, folder), cwd=folder.script, log=folder.log
    )
    try:
        supervision = _Supervision(spec, folder, process, sink, control, clock, sleep, now, patience)
        with closing(supervision.collector):
            return supervision.run()
    finally:
        process.kill()


class _Supervision:
    def __init__(
        self,
        spec: RunSpec,
        folder: RunFolder,
        process: LocustProcess,
        sink: Sink,
        control: Control,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        now: Callable[[], float],
        patience: Patience,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.process = process
        self.control = control
        self.clock, self.sleep, self.now = clock, sleep, now
        self.patience = patience
        self.spool = Spool(sink, clock)
        source = ExactSource(folder, clock, now) if spec.collector == "exact" else CsvSource(folder, now)
        self.collector = Collector(source, folder, self.spool, clock)
        self.began = self.steered_at = clock()
        self.steering = Steering(0, spec.duration_s)
        self.steering_trouble = ""
        self.ordered: Reason | None = None
        self.steps: list[tuple[float, Callable[[], None]]] = []
        self.orders_at = self.usage_at = self.began
        self.cpu_seconds = 0.0

    def run(self) -> Outcome:
        self.spool.event("process_started", {"pid": self.process.pid})
        while (exit_code := self.process.poll()) is None:
            self.collector.poll()
            self.obey()
            self.watch_clock()
            self.climb()
            self.measure()
            self.spool.flush()
            self.sleep(POLL_SECONDS)
        if self.ordered is Reason.FENCED:
            return Outcome(Reason.FENCED, exit_code, finished_at=self.now())
        return self.conclude(exit_code)

    def obey(self) -> None:
        if self.clock() < self.orders_at:
            return
        self.orders_at = self.clock() + ORDERS_SECONDS
        match self.ask():
            case Order.GO:
                pass
            case Order.STOP:
                self.stop(Reason.STOP_REQUESTED)
            case Order.DRAIN:
                self.stop(Reason.DEPLOY)
            case Order.ABORT:
                self.kill(Reason.ABORT_REQUESTED)
            case Order.FENCED:
                self.kill(Reason.FENCED)
        self.steer()

    def steer(self) -> None:
        """Pass on what people want now; what could not be written is tried again."""
        try:
            wanted = self.control.steering()
        except Exception:
            logger.warning("Run %s: no news of what is wanted; going on.", self.spec.run_id, exc_info=True)
            return
        if wanted is None or wanted.revision <= self.steering.revision:
            return
        try:
            launch.write_steering(self.folder, wanted)
        except OSError as error:
            self.collector.warn("not_steered")
            if repr(error) != self.steering_trouble:  # it is tried several times a second
                self.steering_trouble = repr(error)
                logger.warning("Run %s: it could not be steered; going on.", self.spec.run_id, exc_info=True)
            return
        self.steering, self.steered_at = wanted, self.clock()

    def ask(self) -> Order:
        try:
            return self.control.orders()
        except Exception:
            logger.warning("Run %s: no orders; going on.", self.spec.run_id, exc_info=True)
            return Order.GO

    def watch_clock(self) -> None:
        """The plan is held from outside: a script can make Locust ignore its run time."""
        collector, clock = self.collector, self.clock()
        if collector.final_at is not None and clock > collector.final_at + self.patience.exit:
            self.process.kill()
            return
        latest = self.began + self.patience.start
        if collector.started_at is not None:
            over = min(latest, collector.started_at) + self.steering.run_time_s
            latest = max(over, self.steered_at) + self.patience.grace  # it may be shorter than it has been
        if clock > latest:
            self.stop(Reason.TIMEOUT)

    def stop(self, reason: Reason) -> None:
        if self.ordered is not None:
            return
        self.ordered = reason
        self.spool.event("stopping", {"by": str(reason)})
        start = self.clock()
        self.steps = [
            (start, self.process.interrupt),
            (start + self.patience.interrupt, self.process.terminate),
            (start + self.patience.interrupt + self.patience.terminate, self.process.kill),
        ]

    def kill(self, reason: Reason) -> None:
        self.ordered = reason
        self.steps = []
        self.process.kill()

    def climb(self) -> None:
        """Take the next step towards the end of the process when it is due."""
        while self.steps and self.clock() >= self.steps[0][0]:
            _, step = self.steps.pop(0)
            step()

    def measure(self) -> None:
        elapsed = self.clock() - self.usage_at
        if elapsed < USAGE_SECONDS:
            return
        usage = self.process.usage()
        percent = max(0.0, usage.cpu_seconds - self.cpu_seconds) / elapsed * 100
        self.usage_at, self.cpu_seconds = self.clock(), usage.cpu_seconds
        self.spool.generator(percent, usage.rss_bytes)

    def conclude(self, exit_code: int) -> Outcome:
        collector = self.collector
        finished_at = self.now()
        final = collector.finish()
        if collector.said_exit_code is not None and final is not None and final.source == "final":
            exit_code = collector.said_exit_code  # it may have been killed on its way out
        reason = reason_of(
            ordered=self.ordered,
            exit_code=exit_code,
            started=collector.started_at is not None or final is not None,
            final=final,
            stopped_by=collector.stopped_by,
        )
        started_at = collector.started_at
        if self.deliver() is Order.FENCED:
            return Outcome(Reason.FENCED, exit_code, finished_at=finished_at)
        return Outcome(
            reason=reason,
            exit_code=exit_code,
            final=final,
            collected=collector.collected(),
            diagnosis=self.diagnose(reason, exit_code, final),
            warnings=dict(collector.warnings),
            own_shape=collector.own_shape,
            started_at=None if started_at is None else self.now() - (self.clock() - started_at),
            finished_at=finished_at,
            ticks=collector.ticks,
            dropped_ticks=self.spool.dropped_ticks + self.spool.waiting_ticks,
        )

    def diagnose(self, reason: Reason, exit_code: int, final: FinalTotals | None) -> Diagnosis | None:
        log = "\n".join(self.collector.log_tail)
        if reason is Reason.LOCUSTFILE_ERROR:
            message = f"Locust ended with exit code {exit_code} before the test began."
            return diagnose_start(log, exit_code, ready=self.collector.ready) or Diagnosis("crashed", message)
        if reason is Reason.TIMEOUT and self.collector.started_at is None:
            return Diagnosis("timeout", f"The test had not begun {self.patience.start:g} seconds after its start.")
        if reason is Reason.LOCUST_CRASHED:
            return diagnose_start(log, exit_code, ready=True)
        if reason is Reason.NO_REQUESTS:
            exceptions = final.exceptions if final is not None else ()
            texts = [f"{one.traceback.rstrip()}\n{one.message}" for one in exceptions[:1]]
            return diagnose_idle(log) or next((from_traceback(text, "task_error") for text in texts), None)
        return None

    def deliver(self) -> Order:
        """Hand over what is left, for as long as there is hope; the lease is kept meanwhile."""
        deadline = self.clock() + self.patience.delivery
        order = Order.GO
        while not (self.spool.flush() and self.spool.empty) and self.clock() < deadline:
            order = self.ask()
            if order is Order.FENCED:
                break
            self.sleep(ORDERS_SECONDS)
        return order
