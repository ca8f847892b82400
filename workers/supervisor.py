"""Runs one load test from start to end in a Locust process of its own. Knows no Django.

`supervise()` is all that others need for one; whoever has several at a time holds a `Supervision` of each. What they
tell and ask is in `spool.Sink`, `outcome.Control` and, of the master of a run of several, `swarm.Swarm`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from workers import command, launch, sandbox
from workers.collector import DRAIN_SECONDS, Collector, Source
from workers.command import RunFolder
from workers.csv_source import CsvSource
from workers.diagnosis import Diagnosis, diagnose_idle, diagnose_start, from_traceback
from workers.exact_source import CLOCK_SECONDS, ExactSource
from workers.identity import Reader
from workers.identity_source import IdentitySource
from workers.outcome import Control, Order, Outcome, Reason, reason_of
from workers.process import LocustProcess
from workers.samples import FinalTotals
from workers.spec import RunSpec, Steering, check
from workers.spool import Sink, Spool
from workers.swarm import NoSwarm, Swarm

__all__ = ["Control", "Order", "Outcome", "Patience", "Reason", "Sink", "Supervision", "Swarm", "supervise"]

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
    source: Source | None = None,
    swarm: Swarm | None = None,
    open_data: launch.Open | None = None,
) -> Outcome:
    """Run `spec` in `folder` (new, or empty) until it has ended; returns when no process of it is left.

    `source`: where its seconds come from, if not from files in `folder`. The folder stays: take `folder.artifacts` out
    of it, then remove it. Raises OSError when the process cannot be started, and lets through what `sleep` or `clock`
    raise, after everything has been killed.
    """
    problems = check(spec)
    if problems:
        return Outcome(Reason.REFUSED, diagnosis=Diagnosis("refused", " ".join(map(str, problems))), finished_at=now())
    supervision = Supervision(
        spec,
        folder,
        sink,
        control,
        clock=clock,
        sleep=sleep,
        now=now,
        patience=patience,
        source=source,
        swarm=swarm,
        open_data=open_data,
    )
    with closing(supervision):
        while supervision.step():
            sleep(POLL_SECONDS)
        return supervision.conclude()


def _own_source(spec: RunSpec, folder: RunFolder, clock: Callable[[], float], now: Callable[[], float]) -> Source:
    """`now`: the time of day as the child has it."""
    return ExactSource(folder, clock, now) if spec.collector == "exact" else CsvSource(folder, now)


class Supervision:
    """Of one process, which the constructor starts. `step` often, until it says that there is none left; then
    `conclude`. `close` ends all of it at any time."""

    def __init__(
        self,
        spec: RunSpec,
        folder: RunFolder,
        sink: Sink,
        control: Control,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        patience: Patience = Patience(),
        source: Source | None = None,
        swarm: Swarm | None = None,
        identity: Reader | None = None,
        open_data: launch.Open | None = None,
        kept: Sequence[int] = (),
    ) -> None:
        """`identity`: what reads the journal of IDs, if it has read those of processes before; `kept`: descriptors
        that stay open as long as anything of the process is left."""
        self.spec = spec
        self.folder = folder
        self.control = control
        self.clock, self.sleep, self.now = clock, sleep, now
        self.patience = patience
        self.swarm = swarm or NoSwarm()
        self.spool = Spool(sink, clock)
        self.diagnosis: Diagnosis | None = None
        self.orders_revision = 0
        sandbox.protect_supervisor()
        launch.prepare(spec, folder, open_data)
        if source is None:
            source = _own_source(spec, folder, clock, lambda: now() + spec.clock_offset_s)
        self.collector = Collector(source, folder, self.spool, clock, self.hear)
        self.identity = IdentitySource(folder, identity or Reader(now() - CLOCK_SECONDS), clock, now)
        self.process = self.start(kept)
        self.began = self.steered_at = clock()
        self.steering = Steering(0, spec.duration_s)
        self.steering_trouble = ""
        self.ordered: Reason | None = None
        self.steps: list[tuple[float, Callable[[], None]]] = []
        self.orders_at = self.usage_at = self.began
        self.cpu_seconds = 0.0

        self.spool.event("process_started", {"pid": self.process.pid})

    def start(self, kept: Sequence[int]) -> LocustProcess:
        spec, folder = self.spec, self.folder
        environment = command.environment(spec, folder)
        try:
            return LocustProcess(command.argv(spec, folder), environment, cwd=folder.script, log=folder.log, kept=kept)
        except BaseException:
            self.collector.close()
            raise

    def close(self) -> None:
        """Nothing of it is left afterwards."""
        try:
            self.process.kill()
        finally:
            self.collector.close()
            self.identity.close()

    def step(self) -> bool:
        """Look at everything once; False when the process has ended."""
        if self.process.poll() is not None:
            return False
        self.collector.poll()
        self.follow_ids()
        self.obey()
        self.watch_clock()
        self.climb()
        self.measure()
        self.spool.flush()
        return True

    def follow_ids(self) -> None:
        self.identity.read()
        if (summary := self.identity.summary_when_due()) is not None:
            self.spool.identity(summary)

    def hear(self, kind: str, said: Mapping[str, Any]) -> None:
        """Of other processes of the run, for which it may have to wait: what follows from it is asked for now."""
        self.swarm.word(kind, said)
        self.orders_at = self.clock()

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
        self.direct()

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

    def direct(self) -> None:
        """Hear what becomes of the other processes of the run, and pass it on."""
        wish = self.swarm.look()
        if wish.end is not None and self.ordered is None:
            self.diagnosis = wish.diagnosis
            self.stop(wish.end)
        if wish.orders is None or wish.orders.revision <= self.orders_revision:
            return
        try:
            launch.write_orders(self.folder, wish.orders)
        except OSError:
            self.collector.warn("not_steered")
        else:
            self.orders_revision = wish.orders.revision

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
        if not usage.rss_bytes:
            return  # it is ending: what it was like is known already
        percent = max(0.0, usage.cpu_seconds - self.cpu_seconds) / elapsed * 100
        self.usage_at, self.cpu_seconds = self.clock(), usage.cpu_seconds
        self.spool.generator(percent, usage.rss_bytes, self.identity.in_use)

    def conclude(self) -> Outcome:
        """Read what is left, hand it over, and say how it was. Once, when the process has ended."""
        collector = self.collector
        self.swarm.end()
        exit_code = self.process.poll() or 0
        finished_at = self.now()
        if self.ordered is Reason.FENCED:
            return Outcome(Reason.FENCED, exit_code, finished_at=finished_at)
        final = collector.finish()
        self.finish_ids()
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

    def finish_ids(self) -> None:
        deadline = self.clock() + DRAIN_SECONDS
        while self.identity.read() and self.clock() < deadline:
            pass
        if (summary := self.identity.finish()) is not None:
            self.spool.identity(summary)

    def diagnose(self, reason: Reason, exit_code: int, final: FinalTotals | None) -> Diagnosis | None:
        if self.diagnosis is not None:
            return self.diagnosis
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
