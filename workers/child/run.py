"""A run: Locust's own `main()` with our listeners around it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import gevent
import locust
import locust.main

from . import patches, recorder

try:
    from . import exact
except ImportError:
    exact = None  # type: ignore[assignment]
from .shape import StagesShape
from .stages import Stage

EXIT_STOPPED_BEFORE_START = 41
RUN_TIME_TOLERANCE_SECONDS = 0.5


def main(config: dict[str, Any]) -> None:
    patches.apply(**config["names"])
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
        _look_at_clock_after(on.init)

    def on_init(self, environment: Any, **_: object) -> None:
        self.environment = environment
        self.own_shape = type(environment.shape_class).__name__ if environment.shape_class else ""
        if self.stages and not self.own_shape:
            environment.shape_class = StagesShape(self.stages)
        if self.config.get("collector") == "exact" and exact is not None:
            self.collector = exact.start(self.config, environment, self.events)
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self.on_signal)
        names = [user_class.__name__ for user_class in environment.user_classes]
        self.events.write("ready", locust=locust.__version__, user_classes=names, own_shape=self.own_shape)

    def on_test_start(self, **_: object) -> None:
        if self.started is not None:
            return
        self.started = time.monotonic()
        self.events.write("test_start")
        if self.environment.shape_class:  # with a shape Locust does not look at --run-time
            gevent.get_hub().loop.update_now()
            gevent.spawn_later(self.run_time_s, self.stop)

    def on_first_request(self, **_: object) -> None:
        locust.events.request.remove_listener(self.on_first_request)
        self.events.write("first_request")

    def on_spawning_complete(self, user_count: int, **_: object) -> None:
        shape = self.environment.shape_class
        if not isinstance(shape, StagesShape) or user_count in {stage.users for stage in shape.stages}:
            self.events.write("spawning_complete", users=user_count)

    def on_test_stopping(self, **_: object) -> None:
        self.ended = self.ended or time.monotonic()

    def on_signal(self) -> None:
        self.signalled = True
        if self.started is None:
            os._exit(EXIT_STOPPED_BEFORE_START)  # Locust would start its users all the same
        self.stop()

    def stop(self) -> None:
        """End the run as its run time would: users stop, then the report is written."""
        if self.ended is not None:
            return
        if self.environment.shape_class:
            # The main greenlet waits for the shape. Ending the shape under it would make it stop the users twice.
            interrupt = KeyboardInterrupt()
            gevent.get_hub().handle_system_error(KeyboardInterrupt, interrupt)
        else:
            self.environment.runner.quit()

    def write_final(self, exit_code: int) -> None:
        if self.environment is None or self.started is None:
            return
        ended = self.ended or time.monotonic()
        if self.collector is not None:
            self.collector.finish()
        document = {
            "stopped_by": self.stopped_by(ended - self.started),
            "elapsed_s": ended - self.started,
            "exit_code": exit_code,
            **recorder.final_totals(self.environment),
        }
        recorder.write_atomically(self.final_path, document)
        self.events.write("final", exit_code=exit_code)

    def stopped_by(self, elapsed_s: float) -> str:
        if self.signalled:
            return "signal"
        if elapsed_s >= self.run_time_s - RUN_TIME_TOLERANCE_SECONDS:
            return "run_time"
        return "shape" if self.own_shape else "script"


def _look_at_clock_after(hook: Any) -> None:
    """Locust sets the timer of --run-time right after `init`, counted from when its loop last looked at the clock.

    That was before the import of a script that may be slow, by which the run would be too short.
    """
    fire = hook.fire

    def fire_and_look(**kwargs: Any) -> None:
        fire(**kwargs)
        gevent.get_hub().loop.update_now()

    hook.fire = fire_and_look
