"""The load shape that drives every run whose script has none of its own."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from locust import LoadTestShape, User
from locust.user.task import LOCUST_STATE_STOPPING

from .steering import Course, Wish

LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
"""For users who are to stop: Locust gives them 3 s and then ends their task, but `on_stop` may take any time."""
HIGH_RATE = 100
"""More users a second than that make Locust warn, also of users who go."""


class Driver(LoadTestShape):
    """Makes the users of a `Course`, in one greenlet that owns every call of `runner.start()`.

    Each call takes one whole step at once, and the next waits until it is done: Locust could not be turned round in the
    middle of a ramp of its own, and would miscount users who are still about to leave.
    """

    abstract = True

    def __init__(self, environment: Any, course: Course, heard: Callable[[int], None]) -> None:
        """`heard` gets the revision of each wish as soon as it has an effect."""
        super().__init__()
        self.runner: Any = environment.runner
        self.course = course
        self._heard = heard
        self._wish: Wish | None = None
        self._leavers: set[Any] = set()
        self._apart: set[Any] = set()
        environment.shape_class = self
        # Locust's own loop trusts the wall clock, and looks once a second only.
        self.runner.shape_worker = self.work
        self._note_leavers()
        self._report_arrivals_only(environment.events.spawning_complete)
        environment.events.test_stopping.add_listener(lambda **_: self._gather())
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
        # The script's listeners of the start may take any time, and must not be cut short.
        self.runner.spawning_greenlet.join()
        self.reset_time()
        while True:
            gevent.sleep(LOOK_SECONDS)
            before = users
            users, rate = self.tick()
            if users != before:
                self.runner.start(users, rate)
                self._settle()

    def _settle(self) -> None:
        """Wait until the step is done. Who does not leave in time is not counted as a user any more."""
        self.runner.spawning_greenlet.join(PATIENCE_SECONDS)
        if not self.runner.spawning_greenlet.ready():
            for greenlet in self._leavers & set(self.runner.user_greenlets):
                self.runner.user_greenlets.discard(greenlet)
                self._apart.add(greenlet)
        self._leavers = {greenlet for greenlet in self._leavers if not greenlet.dead}
        self._apart = {greenlet for greenlet in self._apart if not greenlet.dead}

    def _gather(self) -> None:
        """At the end Locust waits for all users, and ends those who take too long."""
        for greenlet in self._apart:
            if not greenlet.dead:
                self.runner.user_greenlets.add(greenlet)

    def _note_leavers(self) -> None:
        stop: Callable[..., bool] = User.stop

        def noted(user: Any, force: bool = False) -> bool:
            self._leavers.add(user.greenlet)
            if user._state == LOCUST_STATE_STOPPING and not force:
                return False  # asked before; Locust raises then
            return stop(user, force)

        User.stop = noted  # type: ignore[method-assign,assignment]

    def _report_arrivals_only(self, hook: Any) -> None:
        """Scripts wait for this event to begin their work, and it means: the users who were asked for are there."""
        fire = hook.fire

        def fire_on_arrival(**kwargs: Any) -> None:
            if self.course.is_there:
                fire(**kwargs)

        hook.fire = fire_on_arrival

    def _is_news(self, record: logging.LogRecord) -> bool:
        return self.course.rate > HIGH_RATE or not str(record.msg).startswith("Your selected spawn rate is very high")
