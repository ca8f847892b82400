"""The load shape that drives every run whose script has none of its own."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from locust import LoadTestShape

from .steering import Course, Wish
from .swarm.leavers import Leavers

LOOK_SECONDS = 0.1
HIGH_RATE = 100
"""More users a second than that make Locust warn, also of users who go."""


class Driver(LoadTestShape):
    """Makes the users of a `Course`, in one greenlet that owns every call of `runner.start()`.

    Each call takes one whole step at once, and the next waits until it is done: Locust could not be turned round in the
    middle of a ramp of its own, and would miscount users who are still about to leave.
    """

    abstract = True

    def __init__(
        self, environment: Any, course: Course, heard: Callable[[int], None], *, is_master: bool = False
    ) -> None:
        """`heard` gets the revision of each wish as soon as it has an effect."""
        super().__init__()
        self.runner: Any = environment.runner
        self.course = course
        self._heard = heard
        self._wish: Wish | None = None
        # A master has no users of its own, and its `start` returns when the workers have done what they were told.
        self._leavers = None if is_master else Leavers(self.runner)
        environment.shape_class = self
        # Locust's own loop trusts the wall clock, and looks once a second only.
        self.runner.shape_worker = self.work
        self._report_arrivals_only(environment.events.spawning_complete)
        logging.getLogger("locust.runners").addFilter(self._is_news)

    def steer(self, wish: Wish) -> None:
        """Hand over what people want now."""
        self._wish = wish

    def tick(self) -> tuple[int, float]:
        """Users for this moment, and a rate that makes the whole step at once."""
        if (wish := self._wish) is not None:
            self._wish = None
            self.course.steer(wish)
        before, users = self.course.users, self.course.advance(self.get_run_time())
        if wish is not None:
            self._heard(wish.revision)
        return users, float(max(1, abs(users - before)))

    def work(self) -> None:
        """Until Locust kills the greenlet at the end of the test."""
        users, rate = self.tick()
        self.runner.start(users, rate)
        if self._leavers is not None:
            # The script's listeners of the start may take any time, and must not be cut short.
            self.runner.spawning_greenlet.join()
        self.reset_time()
        while True:
            gevent.sleep(LOOK_SECONDS)
            before = users
            users, rate = self.tick()
            if users != before:
                self.runner.start(users, rate)
                if self._leavers is not None:
                    self._leavers.settle(self.runner.spawning_greenlet)

    def _report_arrivals_only(self, hook: Any) -> None:
        """Scripts wait for this event to begin their work, and it means: the users who were asked for are there."""
        fire = hook.fire

        def fire_on_arrival(**kwargs: Any) -> None:
            if self.course.is_there:
                fire(**kwargs)

        hook.fire = fire_on_arrival

    def _is_news(self, record: logging.LogRecord) -> bool:
        return self.course.rate > HIGH_RATE or not str(record.msg).startswith("Your selected spawn rate is very high")
