"""A run: Locust's own `main()` with our listeners around it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.lock
import locust
import locust.main
import locust.stats

from . import exact, identity, patches, percentiles, recorder, roles, tally, wall
from .exact import collector, failed, firing, intake, trim
from .inbox import Inbox
from .shape import Driver
from .stages import Stage
from .steering import Course, Wish, wish_of

EXIT_STOPPED_BEFORE_START = 41
RUN_TIME_TOLERANCE_SECONDS = 0.5
STEERING_SECONDS = 0.25


def main(config: dict[str, Any]) -> None:
    patches.apply(**config["names"], group_ids=config["group_ids"])
    wall.correct(config["clock_offset_s"], locust.stats, tally, percentiles, intake, failed, collector, trim)
    run = Run(config)
    run.listen()
    code = 1
    try:
        locust.main.main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise
    finally:
        run.write_final(code)


class Run:
    """Listens to Locust's events; all times of its own are monotonic seconds."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.run_time_s: float = config["run_time_s"]
        self.stages = [Stage(*stage) for stage in config["stages"]]
        self.final_path = Path(config["final"])
        self.events = recorder.Events(Path(config["events"]))
        self.config = config
        self.collector: Any = None
        self.environment: Any = None
        self.driver: Driver | None = None
        self.inbox = Inbox(Path(config["steering"]), wish_of)
        self.identity = None if config["identity"] is None else identity.start(config["identity"])
        self.role = roles.of(config, self.events.write, self.identity)
        self.own_shape = ""
        self.started: float | None = None
        self.ended: float | None = None
        self.signalled = False

    def listen(self) -> None:
        on: Any = locust.events
        on.init.add_listener(self.on_init)
        on.test_start.add_listener(self.on_test_start)
        on.test_stopping.add_listener(self.on_test_stopping)
        on.test_stop.add_listener(lambda **_: self.events.write("test_stop"))
        on.spawning_complete.add_listener(self.on_spawning_complete)
        on.cpu_warning.add_listener(lambda cpu_usage, **_: self.events.write("cpu_warning", cpu_percent=cpu_usage))
        on.request.add_listener(self.on_first_request)

    def on_init(self, environment: Any, **_: object) -> None:
        self.environment = environment
        self.own_shape = type(environment.shape_class).__name__ if environment.shape_class else ""
        _stop_once(environment.runner)
        if self.role.decides and not self.own_shape:
            options = environment.parsed_options
            plain = Stage(self.run_time_s, options.num_users, options.spawn_rate)
            course = Course(self.stages or [plain], slopes=bool(self.stages))
            self.driver = Driver(environment, course, self.report_steered, is_master=not self.role.has_users)
        if self.config.get("collector") == "exact":
            self.count(environment)
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self.on_signal)
        names = [user_class.__name__ for user_class in environment.user_classes]
        self.events.write("ready", locust=locust.__version__, user_classes=names, own_shape=self.own_shape)
        self.role.await_others(environment.runner)

    def count(self, environment: Any) -> None:
        """A master has nothing to count, and keeps what workers report no longer than they would."""
        if self.role.has_users:
            self.collector = exact.start(self.config, environment, self.events)
        else:
            gevent.spawn(trim.Trim(environment.stats).run)

    def on_test_start(self, **_: object) -> None:
        if self.started is not None:
            return
        self.started = time.monotonic()
        self.events.write("test_start")
        if self.role.decides:
            gevent.spawn(self.watch, self.started)

    def watch(self, started: float) -> None:
        """End the run when its time is over, which people may change, and hear what else they want."""
        while (left := started + self.run_time_s - time.monotonic()) > 0:
            gevent.sleep(min(left, STEERING_SECONDS))
            if (wish := self.inbox.read()) is not None:
                self.steer(wish)
            self.role.look(self.environment.runner)
        self.stop()

    def steer(self, wish: Wish) -> None:
        self.run_time_s = wish.run_time_s
        if self.driver is not None:
            self.driver.steer(wish)
        else:  # the script's own shape decides about users
            self.report_steered(wish.revision)

    def report_steered(self, revision: int) -> None:
        self.events.write("steered", revision=revision)

    def on_first_request(self, **_: object) -> None:
        locust.events.request.remove_listener(self.on_first_request)
        if self.environment is not None:
            firing.take_over(self.environment)
        self.events.write("first_request")

    def on_spawning_complete(self, user_count: int, **_: object) -> None:
        self.events.write("spawning_complete", users=user_count)

    def on_test_stopping(self, **_: object) -> None:
        self.ended = self.ended or time.monotonic()

    def on_signal(self) -> None:
        self.signalled = True
        if self.started is None:
            os._exit(EXIT_STOPPED_BEFORE_START)  # Locust would start its users all the same
        self.stop()

    def stop(self) -> None:
        """End the run: users stop, then the report is written. Of no effect when that has been done."""
        self.environment.runner.quit()

    def write_final(self, exit_code: int) -> None:
        if self.environment is None or self.started is None:
            return
        ended = self.ended or time.monotonic()
        if self.collector is not None:
            self.collector.finish()
        if self.identity is not None:
            self.identity.finish()
        document = {
            "stopped_by": self.stopped_by(ended - self.started),
            "elapsed_s": ended - self.started,
            "exit_code": exit_code,
            **recorder.final_totals(self.environment),
        }
        if self.role.decides:  # a worker has told all to its master
            recorder.write_atomically(self.final_path, document)
        self.events.write("final", exit_code=exit_code)

    def stopped_by(self, elapsed_s: float) -> str:
        if self.signalled:
            return "signal"
        if elapsed_s >= self.run_time_s - RUN_TIME_TOLERANCE_SECONDS:
            return "run_time"
        return "shape" if self.own_shape else "script"


def _stop_once(runner: Any) -> None:
    """Stop the users once, and to the end, whoever asks for it.

    The main greenlet asks as soon as the shape's ends: a second time, if somebody else has just begun to stop them. And
    a script may ask from a greenlet that is itself among those to be stopped: it does not get to the end of it.
    """
    stop, lock = runner.stop, gevent.lock.RLock()

    def stop_once() -> None:
        try:
            with lock:
                stop()  # returns at once when all has stopped
        except gevent.GreenletExit:
            gevent.spawn(runner.quit)
            raise

    runner.stop = stop_once
